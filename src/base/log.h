/* SPDX-License-Identifier: BSD-3-Clause */
/* Where messages go that are no errors: the host's function, or nowhere. Thread-safe if
 * the host's function is. */
#ifndef CL_BASE_LOG_H
#define CL_BASE_LOG_H

#include "clast/context.h"

typedef struct {
    clast_log_fn *fn;
    void *arg;
} cl_log;

void cl_log_info(const cl_log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void cl_log_warning(const cl_log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
