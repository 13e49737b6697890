/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Errors as values: a status and a message, filled by whoever finds the fault and
 * passed up unchanged.
 *
 * Messages read `op: what is wrong, with the numbers`; the function that the *user*
 * called is named by the room that knows it (array), which prefixes "op: ".
 * cl_error_set() is the only place that creates one, so a breakpoint there sees every
 * error.
 */
#ifndef CL_BASE_STATUS_H
#define CL_BASE_STATUS_H

#include "clast/status.h"

#define CL_ERROR_TEXT 480

typedef struct {
    clast_status status;
    char text[CL_ERROR_TEXT];
} cl_error;

/* Fills *err (which may be NULL) unless it already holds an error, and returns status.
 */
clast_status cl_error_set(cl_error *err, clast_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the message; truncates at the end. No effect where err holds
 * none. */
void cl_error_prefix(cl_error *err, const char *prefix);

/* The status for an errno: ENOENT, EACCES/EPERM/EROFS, ENOSPC/EDQUOT/EFBIG, ENOMEM,
 * else CLAST_EIO. */
clast_status cl_status_from_errno(int error);

/* Returns out of the function with any status but CLAST_OK. For functions that own
 * nothing yet. */
#define CL_TRY(call)                                                                   \
    do {                                                                               \
        const clast_status try_status_ = (call);                                       \
        if (try_status_ != CLAST_OK)                                                   \
            return try_status_;                                                        \
    } while (0)

#endif
