/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Errors as values.
 *
 * An error is a status and a text in a fixed buffer, so that reporting one needs no
 * memory and cannot itself fail. The first error wins: whoever finds a consequence of
 * an earlier fault does not cover it up. Texts of the codes come from the one list in
 * clast/status.h.
 */
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *const names[CLAST_NSTATUS] = {
#define STATUS_NAME(name, text) "CLAST_" #name,
    CLAST_STATUS_MAP(STATUS_NAME)
#undef STATUS_NAME
};

static const char *const texts[CLAST_NSTATUS] = {
#define STATUS_TEXT(name, text) text,
    CLAST_STATUS_MAP(STATUS_TEXT)
#undef STATUS_TEXT
};

static bool is_status(clast_status status)
{
    return (unsigned)status < CLAST_NSTATUS;
}

const char *clast_status_name(clast_status status)
{
    return is_status(status) ? names[status] : "CLAST_?";
}

const char *clast_status_text(clast_status status)
{
    return is_status(status) ? texts[status] : "unknown status";
}

clast_status cl_error_set(cl_error *err, clast_status status, const char *format, ...)
{
    if (!err || err->status != CLAST_OK || status == CLAST_OK)
        return status;
    err->status = status;
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return status;
}

void cl_error_prefix(cl_error *err, const char *prefix)
{
    if (!err || err->status == CLAST_OK)
        return;
    char text[CL_ERROR_TEXT];
    memcpy(text, err->text, sizeof text);
    const int used = snprintf(err->text, sizeof err->text, "%s: ", prefix);
    if (used < 0 || (size_t)used >= sizeof err->text)
        return;
    const size_t room = sizeof err->text - (size_t)used;
    const size_t length = strnlen(text, sizeof text - 1);
    const size_t taken = length < room ? length : room - 1;
    memcpy(err->text + used, text, taken);
    err->text[(size_t)used + taken] = '\0';
}

clast_status cl_status_from_errno(int error)
{
    static const struct {
        int error;
        clast_status status;
    } known[] = {
        {ENOENT, CLAST_ENOENT},   {ENOTDIR, CLAST_ENOENT},
        {ELOOP, CLAST_ENOENT},    {ENAMETOOLONG, CLAST_ENOENT},
        {EACCES, CLAST_EACCESS},  {EPERM, CLAST_EACCESS},
        {EROFS, CLAST_EACCESS},   {ENOSPC, CLAST_ENOSPACE},
        {EDQUOT, CLAST_ENOSPACE}, {EFBIG, CLAST_ENOSPACE},
        {ENOMEM, CLAST_ENOMEM},   {ECANCELED, CLAST_ECANCELED},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].error == error)
            return known[i].status;
    return CLAST_EIO;
}
