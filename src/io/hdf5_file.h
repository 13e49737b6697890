/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Input files: open once, shared by the sources that read them.
 *
 * Read-only, with a list of our own (capturing driver, capped caches). Files are shared
 * while device, inode, size and time of change agree; a file that was changed since is
 * opened anew. A file that this program itself has open for writing is refused: what is
 * on the disk is not what it has written.
 *
 * Of many files only some are open at a time: one that nobody reads at the moment may
 * rest, which closes it and the datasets of its sources, and is opened again by whoever
 * reads next. It must then be the same file still (device, inode, size, time of
 * change).
 *
 * A file that a run changes as it is may be an input as well. libhdf5 then never has it
 * open for reading and for writing at once: it is lent, which closes it, while libhdf5
 * changes it, and opened anew afterwards, since what was cached of it may have moved.
 * Between the two only places that no source knows are written; the file's times say
 * nothing then, its size does.
 *
 * All functions are called under the lock of hdf5_lib.h, which also guards the table of
 * files, but for cl_hdf5_file_use(), _unuse() and _check(): any thread, not under it.
 */
#ifndef CL_IO_HDF5_FILE_H
#define CL_IO_HDF5_FILE_H

#include <hdf5.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/status.h"
#include "io/direct.h"
#include "io/lease.h"

/* A dataset that is open in a file, and closed when the file rests. */
typedef struct cl_hdf5_client {
    struct cl_hdf5_client *next, **link; /* in the file's list; link NULL: in none */
    hid_t dataset;                       /* negative: not open */
    haddr_t address;                     /* of its object header */
    bool is_virtual; /* its elements are those of other datasets, found by name */
} cl_hdf5_client;

/* Whether a run changes it: it is closed; or it is open, and its times do not count. */
typedef enum { CL_LOAN_NONE, CL_LOAN_CLOSED, CL_LOAN_READ } cl_hdf5_loan;

typedef struct cl_hdf5_file {
    struct cl_hdf5_file *next;          /* with the same hash */
    struct cl_hdf5_file *older, *newer; /* of those that are open and ours */
    char *name, *place;                 /* as given, and as an absolute path */
    struct stat at_open;
    int references, nclient;
    cl_hdf5_client *client;
    hid_t id; /* negative: the host's, whose ids are not ours to hold; or it rests */
    int fd;   /* below id; belongs to libhdf5; -1: no positioned reads */
    cl_direct direct; /* open only while fd is */
    cl_lease lease;   /* likewise */
    bool is_host;
    _Atomic cl_hdf5_loan loan;
    atomic_bool is_open;   /* false: it rests */
    atomic_int users;      /* reads under way: it must not rest */
    _Atomic uint64_t used; /* when it was last used, in uses */
} cl_hdf5_file;

clast_status cl_hdf5_file_open(cl_hdf5_file **file, const char *name, cl_error *err);
/* The file that an object of the host is in: its name, nothing is opened. */
clast_status cl_hdf5_file_of_host(cl_hdf5_file **file, hid_t object, cl_error *err);
void cl_hdf5_file_close(cl_hdf5_file *file);

/* Enters a source's dataset, whose reference on the file lets it rest, and takes it out
 * and closes it. */
void cl_hdf5_file_join(cl_hdf5_file *file, cl_hdf5_client *client);
void cl_hdf5_file_leave(cl_hdf5_file *file, cl_hdf5_client *client);
/* Sees to it that the client's dataset is open, as long as the lock is held and no
 * other file opened, or the file is used. */
clast_status cl_hdf5_file_wake(cl_hdf5_file *file, cl_hdf5_client *client,
                               cl_error *err);

/* Whether a source that is open in any file is virtual. Under the lock. */
bool cl_hdf5_file_has_virtual(void);

/* From use to unuse the file is open, with `id` and `fd`. CLAST_EIO where it is another
 * one by now. */
clast_status cl_hdf5_file_use(cl_hdf5_file *file, cl_error *err);
void cl_hdf5_file_unuse(cl_hdf5_file *file);
/* How many files may be open at a time, at least 1; 0: as many as suit the process'
 * limit of descriptors. For tests. */
void cl_hdf5_file_limit(int most);

/* Of the file `name`, where it is open here; where it is not nothing is done.
 * lend: closes it and its datasets, and from now on it cannot be opened; CLAST_EBUSY
 * where somebody is reading it. share: meanwhile its sources are looked at through this
 * id; negative: no longer. give_back: it is opened again when it is read, as it is now;
 * is_over: and nobody writes to it any more. */
clast_status cl_hdf5_file_lend(const char *name, cl_error *err);
void cl_hdf5_file_share(const char *name, hid_t id);
void cl_hdf5_file_give_back(const char *name, bool is_over);

/* CLAST_EIO where the file is not what it was at open. Any thread, without the lock. */
clast_status cl_hdf5_file_check(const cl_hdf5_file *file, cl_error *err);

#endif
