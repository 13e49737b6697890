/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Atomic files: a file that appears whole, under its name, or not at all.
 *
 * It is written under a temporary name in the target's own folder,
 *
 *     .NAME.HOST.PID.RANDOM.clast-tmp
 *
 * and replaces the target by rename. While it exists its writer holds a lock (flock) on
 * .NAME.clast-lock beside it, so a second writer of the same target is refused, in this
 * process, on this machine, and on others where the file system's locks reach there.
 * Both names are gone after publish and abort. What a killed process leaves behind is
 * removed by the next atomic file in that folder: the kernel has given back its lock.
 *
 * A zeroed one is legal for abort. One thread at a time.
 */
#ifndef CL_IO_ATOMIC_FILE_H
#define CL_IO_ATOMIC_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/status.h"

typedef struct {
    char *file;   /* as the user wrote it, for messages */
    char *target; /* symbolic links resolved */
    char *temp, *lock;
    int lock_fd;   /* valid where lock is not NULL */
    bool existed;  /* the target was there at begin */
    bool is_copy;  /* the temporary file began as a copy of it */
    bool in_place; /* there is none: `temp` is the target itself */
    struct stat before;
    const atomic_bool *is_canceled; /* ends the copying; NULL: never */
} cl_atomic_file;

/* The real path that `file` stands for (to be freed with cl_free), after checking that
 * its folder is there and may be written to and that it is a regular file if it
 * exists. */
clast_status cl_atomic_file_resolve(const char *file, char **target, bool *exists,
                                    cl_error *err);

/* ".NAME" + suffix in the target's folder, to be freed with cl_free; NULL: no
 * memory. */
char *cl_atomic_file_beside(const char *target, const char *suffix);

/* What the path stands for, without a lock and without a temporary file: nothing can be
 * done with it but abort. */
clast_status cl_atomic_file_look(cl_atomic_file *file, const char *path, cl_error *err);
/* Takes the lock, sweeps the folder, chooses the temporary name. The temporary file
 * does not exist yet; where the target does, one of the next two makes it. */
clast_status cl_atomic_file_begin(cl_atomic_file *file, const char *path,
                                  cl_error *err);
/* As a copy of the target; or empty, with the target's owner and mode. */
clast_status cl_atomic_file_copy(cl_atomic_file *file, cl_error *err);
clast_status cl_atomic_file_empty(cl_atomic_file *file, cl_error *err);

/* Another name for the temporary file, which is given away: one that is not swept. The
 * file is renamed, or it is there already. */
clast_status cl_atomic_file_rename(cl_atomic_file *file, char *name, bool is_there,
                                   cl_error *err);
/* Whether the target is what it was at begin. */
bool cl_atomic_file_is_as_before(const cl_atomic_file *file);
/* fsync of its folder; `what` is said where that fails. */
clast_status cl_atomic_file_sync_folder(const cl_atomic_file *file, const char *what,
                                        cl_error *err);
/* Or no temporary file: the target is changed as it is, which is not atomic. Publish
 * and abort leave it where it is. */
clast_status cl_atomic_file_in_place(cl_atomic_file *file, cl_error *err);

/* fsync of the temporary file, unless is_synced is false. */
clast_status cl_atomic_file_sync(cl_atomic_file *file, bool is_synced, cl_error *err);
/* Renames. Refused where the target is not what it was at begin. Frees on success. */
clast_status cl_atomic_file_publish(cl_atomic_file *file, bool is_synced,
                                    cl_error *err);
/* Removes what was made and frees. */
void cl_atomic_file_abort(cl_atomic_file *file);
/* Frees, and lets the temporary file be. */
void cl_atomic_file_leave(cl_atomic_file *file);

#endif
