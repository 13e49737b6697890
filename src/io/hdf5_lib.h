/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libhdf5 as a resource: one lock, a quiet error stack, the compiled version.
 *
 * Every call of libhdf5 happens between cl_hdf5_enter() and cl_hdf5_leave(). The lock
 * is process-wide, our own or the host's (cl_hdf5_set_lock() in store.h), and not
 * recursive: nothing between the two may enter again, call the host or wait for another
 * thread. Data is never decoded, and raw data never moved by us, while it is held.
 */
#ifndef CL_IO_HDF5_LIB_H
#define CL_IO_HDF5_LIB_H

#include <hdf5.h>

#include "base/status.h"

/* What enter found and leave puts back: this thread's error printing. */
typedef struct {
    unsigned is_v2;
    H5E_auto1_t print1;
    H5E_auto2_t print2;
    void *arg;
} cl_hdf5_guard;

void cl_hdf5_enter(cl_hdf5_guard *guard);
void cl_hdf5_leave(const cl_hdf5_guard *guard);

/* What holds files or ids of libhdf5 between two entries holds the lock's functions as
 * well: they are not exchanged before it is released. */
void cl_hdf5_hold(void);
void cl_hdf5_release(void);

/* Under the lock: CLAST_ENOTSUP where the library that is loaded is not the one that
 * was compiled against, or is not thread-safe and the host has said nothing. */
clast_status cl_hdf5_check_library(cl_error *err);

/* Under the lock, after a failed call: sets the error with libhdf5's own innermost
 * reason behind the text. A reason that carries an errno decides the status. */
clast_status cl_hdf5_fail(cl_error *err, clast_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What one of our file drivers fails with: cl_hdf5_fail() says it where libhdf5 forgets
 * it. Under the lock. */
void cl_hdf5_note_errno(int error);
/* The errno that libhdf5's last call failed with, 0 where it was no system call. */
int cl_hdf5_errno(void);
/* H5Pclose() that leaves libhdf5's reasons for what failed before where they are. */
void cl_hdf5_close_list(hid_t list);

/* Keeps spawned children from inheriting the file and its lock. */
void cl_hdf5_close_on_exec(hid_t file);
/* The descriptor below an open file, -1 where its driver has none. */
int cl_hdf5_descriptor(hid_t file);
/* A file access list with Clast's cache caps and locking, or negative. */
hid_t cl_hdf5_access_list(void);

#endif
