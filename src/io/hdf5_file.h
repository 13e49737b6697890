/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Input files: open once, shared by the sources that read them.
 *
 * Read-only, with a list of our own (capturing driver, capped caches). Files are shared
 * while device, inode, size and time of change agree; a file that was changed since is
 * opened anew. A file that this program itself has open for writing is refused: what is
 * on the disk is not what it has written. All functions but cl_hdf5_file_check() are
 * called under the lock of hdf5_lib.h, which also guards the table of open files.
 */
#ifndef CL_IO_HDF5_FILE_H
#define CL_IO_HDF5_FILE_H

#include <hdf5.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/status.h"

typedef struct cl_hdf5_file {
    struct cl_hdf5_file *next;
    char *name;
    struct stat at_open;
    int references;
    hid_t id; /* negative: the host's, whose ids are not ours to hold */
    int fd;   /* below id; belongs to libhdf5; -1: no positioned reads */
} cl_hdf5_file;

clast_status cl_hdf5_file_open(cl_hdf5_file **file, const char *name, cl_error *err);
/* The file that an object of the host is in: its name, nothing is opened. */
clast_status cl_hdf5_file_of_host(cl_hdf5_file **file, hid_t object, cl_error *err);
void cl_hdf5_file_close(cl_hdf5_file *file);

/* CLAST_EIO where the file is not what it was at open. Any thread, without the lock. */
clast_status cl_hdf5_file_check(const cl_hdf5_file *file, cl_error *err);

#endif
