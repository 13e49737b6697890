/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The writing driver: positioned reads and writes, and one note of what failed first.
 *
 * After a failure the end of the file goes on moving in libhdf5's view only, so that
 * closing finds everything as it expects. What libhdf5 reads back then may be zeros;
 * whoever owns the file stops at the first error and never publishes.
 *
 * Like the capturing driver it needs the interface of HDF5 1.10. With later versions
 * the default driver is used.
 */
#include "io/hdf5_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/sys.h"

#if H5_VERS_MAJOR == 1 && H5_VERS_MINOR == 10

typedef struct {
    H5FD_t base;
    int fd;
    int *error;
    haddr_t eoa, eof;
    dev_t device;
    ino_t inode;
} written_file;

static int *next_error; /* of the file that is opened next */

static int open_flags(unsigned flags)
{
    return (flags & H5F_ACC_RDWR ? O_RDWR : O_RDONLY) | O_CLOEXEC |
           (flags & H5F_ACC_TRUNC ? O_TRUNC : 0) |
           (flags & H5F_ACC_CREAT ? O_CREAT : 0) | (flags & H5F_ACC_EXCL ? O_EXCL : 0);
}

static H5FD_t *open_file(const char *name, unsigned flags, hid_t list, haddr_t most)
{
    struct stat st;
    written_file *f = cl_calloc(1, sizeof *f);
    if (!f) {
        *next_error = ENOMEM;
        return NULL;
    }
    f->error = next_error;
    f->fd = open(name, open_flags(flags), 0666);
    if (f->fd >= 0 && fstat(f->fd, &st) == 0) {
        *f->error = 0;
        f->eof = (haddr_t)st.st_size;
        f->device = st.st_dev;
        f->inode = st.st_ino;
        return &f->base;
    }
    *f->error = errno;
    if (f->fd >= 0)
        close(f->fd);
    cl_free(f);
    return NULL;
}

static herr_t close_file(H5FD_t *file)
{
    written_file *f = (written_file *)file;
    if (close(f->fd) != 0 && *f->error == 0)
        *f->error = errno;
    cl_free(f);
    return 0;
}

static int compare_files(const H5FD_t *a, const H5FD_t *b)
{
    const written_file *x = (const written_file *)a, *y = (const written_file *)b;
    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    return x->inode == y->inode ? 0 : x->inode < y->inode ? -1 : 1;
}

static herr_t query(const H5FD_t *file, unsigned long *flags)
{
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
             H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA |
             H5FD_FEAT_POSIX_COMPAT_HANDLE | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t get_eoa(const H5FD_t *file, H5FD_mem_t type)
{
    return ((const written_file *)file)->eoa;
}

static herr_t set_eoa(H5FD_t *file, H5FD_mem_t type, haddr_t address)
{
    ((written_file *)file)->eoa = address;
    return 0;
}

static haddr_t get_eof(const H5FD_t *file, H5FD_mem_t type)
{
    return ((const written_file *)file)->eof;
}

static herr_t get_handle(H5FD_t *file, hid_t list, void **handle)
{
    *handle = &((written_file *)file)->fd;
    return 0;
}

static bool is_outside(const written_file *f, haddr_t at, size_t bytes)
{
    return at == HADDR_UNDEF || at + bytes < at || at + bytes > f->eoa;
}

/* Behind the end of the file are zeros. */
static herr_t read_file(H5FD_t *file, H5FD_mem_t type, hid_t list, haddr_t at,
                        size_t bytes, void *buffer)
{
    const written_file *f = (const written_file *)file;
    if (is_outside(f, at, bytes))
        return -1;
    const size_t there = at >= f->eof ? 0 : f->eof - at < bytes ? f->eof - at : bytes;
    struct iovec piece = {buffer, there};
    memset((char *)buffer + there, 0, bytes - there);
    const int error = there > 0 ? cl_sys_read_all(f->fd, &piece, 1, (off_t)at) : 0;
    return error == 0 || *f->error != 0 ? 0 : -1;
}

static herr_t write_file(H5FD_t *file, H5FD_mem_t type, hid_t list, haddr_t at,
                         size_t bytes, const void *buffer)
{
    written_file *f = (written_file *)file;
    if (is_outside(f, at, bytes))
        return -1;
    union { /* writing does not change the bytes; iovec serves reading too */
        const void *in;
        void *out;
    } from = {.in = buffer};
    struct iovec piece = {from.out, bytes};
    if (*f->error == 0)
        *f->error = cl_sys_write_all(f->fd, &piece, 1, (off_t)at);
    if (at + bytes > f->eof)
        f->eof = at + bytes;
    return 0;
}

static herr_t truncate_file(H5FD_t *file, hid_t list, hbool_t is_closing)
{
    written_file *f = (written_file *)file;
    if (f->eoa == f->eof)
        return 0;
    if (*f->error == 0 && ftruncate(f->fd, (off_t)f->eoa) != 0)
        *f->error = errno;
    f->eof = f->eoa;
    return 0;
}

/* Nobody else knows the file's temporary name, but HDF5 tools may look for the lock. */
static herr_t lock_file(H5FD_t *file, hbool_t is_write)
{
    flock(((const written_file *)file)->fd, (is_write ? LOCK_EX : LOCK_SH) | LOCK_NB);
    return 0;
}

static herr_t unlock_file(H5FD_t *file)
{
    flock(((const written_file *)file)->fd, LOCK_UN);
    return 0;
}

static const H5FD_class_t writer_class = {
    .name = "clast_writer",
    .maxaddr = (haddr_t)1 << 62,
    .fc_degree = H5F_CLOSE_WEAK,
    .open = open_file,
    .close = close_file,
    .cmp = compare_files,
    .query = query,
    .get_eoa = get_eoa,
    .set_eoa = set_eoa,
    .get_eof = get_eof,
    .get_handle = get_handle,
    .read = read_file,
    .write = write_file,
    .truncate = truncate_file,
    .lock = lock_file,
    .unlock = unlock_file,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

bool cl_hdf5_writer_use(hid_t access_list, int *error)
{
    static hid_t driver = H5I_INVALID_HID;
    *error = 0;
    next_error = error;
    if (driver < 0 || H5Iget_type(driver) != H5I_VFL)
        driver = H5FDregister(&writer_class);
    return driver >= 0 && H5Pset_driver(access_list, driver, NULL) >= 0;
}

#else

bool cl_hdf5_writer_use(hid_t access_list, int *error)
{
    *error = 0;
    return false;
}

#endif
