/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages to the host. Formatted on the stack, cut at 1 KiB: a log line never needs
 * memory and never fails. Without a function nothing is even formatted.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static void say(const cl_log *log, clast_log_level level, const char *format,
                va_list args) __attribute__((format(printf, 3, 0)));

static void say(const cl_log *log, clast_log_level level, const char *format,
                va_list args)
{
    char text[1024];
    if (!log || !log->fn)
        return;
    vsnprintf(text, sizeof text, format, args);
    log->fn(log->arg, level, text);
}

void cl_log_info(const cl_log *log, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(log, CLAST_LOG_INFO, format, args);
    va_end(args);
}

void cl_log_warning(const cl_log *log, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(log, CLAST_LOG_WARNING, format, args);
    va_end(args);
}
