/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The writing driver: positioned reads and writes, and one note of what failed first.
 *
 * After a failure the end of the file goes on moving in libhdf5's view only, so that
 * closing finds everything as it expects. What libhdf5 reads back then may be zeros;
 * whoever owns the file stops at the first error and never publishes. A read that fails
 * is tried again, since libhdf5 1.10 cannot close a file in which one failed.
 */
#include "io/hdf5_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "io/hdf5_driver.h"
#include "io/sys.h"

typedef struct {
    cl_hdf5_driver_file common;
    int *error;
    bool goes_on;
} written_file;

static int *next_error; /* of the file that is opened next */
static bool next_goes_on;

static int open_flags(unsigned flags)
{
    return (flags & H5F_ACC_RDWR ? O_RDWR : O_RDONLY) |
           (flags & H5F_ACC_TRUNC ? O_TRUNC : 0) |
           (flags & H5F_ACC_CREAT ? O_CREAT : 0) | (flags & H5F_ACC_EXCL ? O_EXCL : 0);
}

static H5FD_t *open_file(const char *name, unsigned flags, hid_t list, haddr_t most)
{
    (void)list;
    (void)most;
    written_file *f =
        cl_hdf5_driver_open(sizeof *f, name, open_flags(flags), next_error);
    if (!f)
        return NULL;
    f->error = next_error;
    f->goes_on = next_goes_on;
    return &f->common.base;
}

static herr_t close_file(H5FD_t *file)
{
    int *error = ((written_file *)file)->error;
    const int failure = cl_hdf5_driver_close(file);
    if (*error == 0)
        *error = failure;
    return 0;
}

static herr_t query(const H5FD_t *file, unsigned long *flags)
{
    (void)file;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
             H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA |
             H5FD_FEAT_POSIX_COMPAT_HANDLE | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static herr_t read_file(H5FD_t *file, H5FD_mem_t type, hid_t list, haddr_t at,
                        size_t bytes, void *buffer)
{
    const written_file *f = (const written_file *)file;
    (void)type;
    (void)list;
    if (cl_hdf5_driver_is_outside(&f->common, at, bytes))
        return -1;
    int error = cl_hdf5_driver_read(&f->common, at, bytes, buffer);
    if (error != 0)
        error = cl_hdf5_driver_read(&f->common, at, bytes, buffer);
    if (error == 0 || *f->error != 0)
        return 0;
    *f->error = error > 0 ? error : EIO;
    return cl_hdf5_driver_fail(*f->error);
}

static herr_t write_file(H5FD_t *file, H5FD_mem_t type, hid_t list, haddr_t at,
                         size_t bytes, const void *buffer)
{
    written_file *f = (written_file *)file;
    (void)type;
    (void)list;
    if (cl_hdf5_driver_is_outside(&f->common, at, bytes))
        return -1;
    union { /* writing does not change the bytes; iovec serves reading too */
        const void *in;
        void *out;
    } from = {.in = buffer};
    struct iovec piece = {from.out, bytes};
    int error = 0;
    if (*f->error == 0 || f->goes_on)
        error = cl_sys_write_all(f->common.fd, &piece, 1, (off_t)at);
    if (*f->error == 0)
        *f->error = error;
    if (at + bytes > f->common.eof && (error == 0 || !f->goes_on))
        f->common.eof = at + bytes;
    return 0;
}

static herr_t truncate_file(H5FD_t *file, hid_t list, hbool_t is_closing)
{
    written_file *f = (written_file *)file;
    (void)list;
    (void)is_closing;
    if (f->common.eoa == f->common.eof)
        return 0;
    if (*f->error == 0 || f->goes_on) {
        const int error = cl_sys_truncate(f->common.fd, (off_t)f->common.eoa);
        *f->error = *f->error ? *f->error : error;
    }
    f->common.eof = f->common.eoa;
    return 0;
}

/* Nobody else knows a temporary name, but HDF5 tools may look for the lock; a file that
 * is changed in place may be open elsewhere. */
static herr_t lock_file(H5FD_t *file, hbool_t is_write)
{
    written_file *f = (written_file *)file;
    if (flock(f->common.fd, (is_write ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 ||
        errno != EWOULDBLOCK)
        return 0;
    *f->error = EBUSY;
    return -1;
}

bool cl_hdf5_writer_use(hid_t access_list, int *error, bool goes_on)
{
    static hid_t driver = H5I_INVALID_HID;
    H5FD_class_t own = cl_hdf5_driver_class(CL_HDF5_DRIVER_WRITER, "clast_writer");
    own.open = open_file;
    own.close = close_file;
    own.query = query;
    own.read = read_file;
    own.write = write_file;
    own.truncate = truncate_file;
    own.lock = lock_file;
    *error = 0;
    next_error = error;
    next_goes_on = goes_on;
    return cl_hdf5_driver_use(access_list, &driver, &own);
}
