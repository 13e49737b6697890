/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The checks of a report. Whether its JSON is such is not looked at: it is a program
 * that reads it, and one that must expect anything of an untrusted file.
 */
#include "io/file_report.h"

#include <string.h>

#include "base/text.h"

clast_status cl_report_check(const cl_report *report, const struct stat *file,
                             cl_error *err)
{
    CL_TRY(cl_described_head_check(&report->head, sizeof *report, file, err));
    if (report->bytes > CL_REPORT_MOST)
        return cl_error_set(err, CLAST_EFORMAT,
                            "its description is wrong: %llu bytes of text",
                            (unsigned long long)report->bytes);
    return CLAST_OK;
}

static bool are_names(const char *text, size_t n)
{
    for (size_t at = 0; at < n;) {
        const size_t length = strnlen(text + at, n - at);
        if (text[at] != '/' || length == n - at)
            return false;
        at += length + 1;
    }
    return true;
}

clast_status cl_report_text_check(cl_report_kind kind, const char *text, size_t n,
                                  cl_error *err)
{
    const bool is_good =
        kind == CL_REPORT_NAMES ? are_names(text, n) : cl_text_plain(text, n) == n;
    return is_good ? CLAST_OK
                   : cl_error_set(err, CLAST_EFORMAT,
                                  "its description is wrong: it is no plain text");
}

void cl_report_speak(cl_report_kind kind, const char *text, size_t n,
                     clast_text_fn *write, void *arg)
{
    if (kind != CL_REPORT_NAMES) {
        write(arg, text, n);
        return;
    }
    for (size_t at = 0; at < n;) {
        const size_t length = strlen(text + at);
        write(arg, text + at, length);
        at += length + 1;
    }
}
