/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What Clast's two file drivers for libhdf5 share: hdf5_capture.c, which reads and
 * tells where chunks are, and hdf5_writer.c, which writes and never fails.
 *
 * A driver's file begins with cl_hdf5_driver_file. Its class is the common one with
 * what it does otherwise put in. Called by libhdf5 under the lock of hdf5_lib.h.
 *
 * The interface for drivers is a public one, but it moved: up to HDF5 1.12 it is that
 * of 1.10, later it is in a header for developers and its classes carry numbers.
 */
#ifndef CL_IO_HDF5_DRIVER_H
#define CL_IO_HDF5_DRIVER_H

#include <hdf5.h>

#if H5_VERS_MINOR >= 13
#include <H5FDdevelop.h>
#endif

#include <stdbool.h>
#include <sys/stat.h>

typedef struct {
    H5FD_t base;
    int fd;
    haddr_t eoa, eof;
    struct stat at_open;
} cl_hdf5_driver_file;

/* A file of `size` bytes, which begins with the common part; NULL: *error says why, an
 * errno. `flags` are open(2)'s. */
void *cl_hdf5_driver_open(size_t size, const char *name, int flags, int *error);
/* An errno of close(2), or 0. */
int cl_hdf5_driver_close(H5FD_t *file);

/* Orders device and inode. */
int cl_hdf5_driver_compare(const H5FD_t *a, const H5FD_t *b);
bool cl_hdf5_driver_is_outside(const cl_hdf5_driver_file *f, haddr_t at, size_t bytes);
/* An errno, or 0. Behind the end of the file are zeros, as libhdf5's drivers have it.
 * */
int cl_hdf5_driver_read(const cl_hdf5_driver_file *f, haddr_t at, size_t bytes,
                        void *buffer);
/* Leaves an errno on libhdf5's error stack, where cl_hdf5_fail() finds it; -1, which a
 * driver answers with. */
herr_t cl_hdf5_driver_fail(int error);

/* What HDF5 1.13 and later tell drivers apart by: from the range for private use. */
typedef enum {
    CL_HDF5_DRIVER_CAPTURE = 400,
    CL_HDF5_DRIVER_WRITER
} cl_hdf5_driver_number;

/* All that needs no knowledge of the driver; it adds open, close, query, read and
 * write, and what it does otherwise. */
H5FD_class_t cl_hdf5_driver_class(cl_hdf5_driver_number number, const char *name);
/* Registers the class where *driver is none (at first, and after the host's H5close)
 * and makes it that of the file access list. */
bool cl_hdf5_driver_use(hid_t access_list, hid_t *driver, const H5FD_class_t *class_);

#endif
