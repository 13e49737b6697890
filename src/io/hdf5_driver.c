/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The common part of file drivers: an open descriptor, its end as libhdf5 sees it (eoa)
 * and as the file system does (eof), positioned reads.
 */
#include "io/hdf5_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/hdf5_lib.h"
#include "io/sys.h"

void *cl_hdf5_driver_open(size_t size, const char *name, int flags, int *error)
{
    cl_hdf5_driver_file *f = cl_calloc(1, size);
    *error = f ? 0 : ENOMEM;
    if (!f)
        return NULL;
    f->fd = open(name, flags | O_CLOEXEC, 0666);
    if (f->fd >= 0 && fstat(f->fd, &f->at_open) == 0) {
        f->eof = (haddr_t)f->at_open.st_size;
        return f;
    }
    *error = errno;
    if (f->fd >= 0)
        close(f->fd);
    cl_free(f);
    return NULL;
}

int cl_hdf5_driver_close(H5FD_t *file)
{
    const int error = close(((cl_hdf5_driver_file *)file)->fd) == 0 ? 0 : errno;
    cl_free(file);
    return error;
}

int cl_hdf5_driver_compare(const H5FD_t *a, const H5FD_t *b)
{
    const struct stat *x = &((const cl_hdf5_driver_file *)a)->at_open;
    const struct stat *y = &((const cl_hdf5_driver_file *)b)->at_open;
    if (x->st_dev != y->st_dev)
        return x->st_dev < y->st_dev ? -1 : 1;
    return x->st_ino == y->st_ino ? 0 : x->st_ino < y->st_ino ? -1 : 1;
}

bool cl_hdf5_driver_is_outside(const cl_hdf5_driver_file *f, haddr_t at, size_t bytes)
{
    return at == HADDR_UNDEF || at + bytes < at || at + bytes > f->eoa;
}

int cl_hdf5_driver_read(const cl_hdf5_driver_file *f, haddr_t at, size_t bytes,
                        void *buffer)
{
    const size_t there = at >= f->eof ? 0 : f->eof - at < bytes ? f->eof - at : bytes;
    struct iovec piece = {buffer, there};
    memset((char *)buffer + there, 0, bytes - there);
    return there > 0 ? cl_sys_read_all(f->fd, &piece, 1, (off_t)at) : 0;
}

herr_t cl_hdf5_driver_fail(int error)
{
    cl_hdf5_note_errno(error);
    if (error > 0)
        H5Epush2(H5E_DEFAULT, __FILE__, __func__, __LINE__, H5E_ERR_CLS, H5E_IO,
                 H5E_READERROR, "errno = %d", error);
    return -1;
}

static haddr_t get_eoa(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const cl_hdf5_driver_file *)file)->eoa;
}

static herr_t set_eoa(H5FD_t *file, H5FD_mem_t type, haddr_t address)
{
    (void)type;
    ((cl_hdf5_driver_file *)file)->eoa = address;
    return 0;
}

static haddr_t get_eof(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const cl_hdf5_driver_file *)file)->eof;
}

static herr_t get_handle(H5FD_t *file, hid_t list, void **handle)
{
    (void)list;
    *handle = &((cl_hdf5_driver_file *)file)->fd;
    return 0;
}

static herr_t unlock_file(H5FD_t *file)
{
    flock(((const cl_hdf5_driver_file *)file)->fd, LOCK_UN);
    return 0;
}

H5FD_class_t cl_hdf5_driver_class(cl_hdf5_driver_number number, const char *name)
{
    (void)number;
    return (H5FD_class_t)
    {
#if H5_VERS_MINOR >= 13
        .version = H5FD_CLASS_VERSION, .value = (H5FD_class_value_t)number,
#endif
        .name = name, .maxaddr = (haddr_t)1 << 62, .fc_degree = H5F_CLOSE_WEAK,
        .cmp = cl_hdf5_driver_compare, .get_eoa = get_eoa, .set_eoa = set_eoa,
        .get_eof = get_eof, .get_handle = get_handle, .unlock = unlock_file,
        .fl_map = H5FD_FLMAP_DICHOTOMY,
    };
}

bool cl_hdf5_driver_use(hid_t access_list, hid_t *driver, const H5FD_class_t *class_)
{
    if (*driver < 0 || H5Iget_type(*driver) != H5I_VFL)
        *driver = H5FDregister(class_);
    return *driver >= 0 && H5Pset_driver(access_list, *driver, NULL) >= 0;
}
