/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The helper program for untrusted files, clast-describe WHAT FILE PATH: what its words
 * are, and starting it. Not thread-safe; each caller has a helper of its own.
 */
#ifndef CL_IO_HELPER_H
#define CL_IO_HELPER_H

#include <sys/stat.h>

#include "io/child.h"
#include "io/description.h"
#include "io/store.h"

/* What it may be asked for: a dataset's description, of its values as they are decoded
 * or stored, or a report of the file. */
#define CL_HELPER_DECODED "decoded"
#define CL_HELPER_STORED  "stored"
#define CL_HELPER_TEXT    "text"
#define CL_HELPER_JSON    "json"
#define CL_HELPER_NAMES   "names"

/* Opens the file as plain bytes and locks it against writers unless somebody has it
 * open for writing: then the helper refuses it. Waits for nobody. CLAST_EFORMAT no
 * regular file; CLAST_EACCESS somebody has a lease of it. *fd is to be closed, also on
 * failure, where it is not negative. */
clast_status cl_helper_open_file(int *fd, struct stat *st, const char *name,
                                 cl_error *err);
/* Once more when the helper has answered: a writer may have gone meanwhile. */
void cl_helper_lock_file(int fd);
/* path "": the whole file. Ended by cl_child_end(). */
clast_status cl_helper_start(cl_child *child, const cl_untrusted *how, const char *what,
                             const char *file, const char *path, cl_error *err);
/* Says, once, where a helper was not confined. */
void cl_helper_tell(const cl_untrusted *how, const cl_described_head *head);

#endif
