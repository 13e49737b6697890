/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is said of a file, as it comes from the process that read it in the place of
 * this one: a head, and so many bytes. Text and JSON are for terminals and logs, so
 * nothing but plain text is let through; names of datasets are any bytes, and come with
 * a zero byte behind each.
 */
#ifndef CL_IO_FILE_REPORT_H
#define CL_IO_FILE_REPORT_H

#include "io/description.h"
#include "io/store.h"

typedef struct {
    cl_described_head head;
    uint64_t bytes;
} cl_report;

enum { CL_REPORT_MOST = 32 << 20 };

/* As cl_described_head_check(), and that it is not too long. */
clast_status cl_report_check(const cl_report *report, const struct stat *file,
                             cl_error *err);
clast_status cl_report_text_check(cl_report_kind kind, const char *text, size_t n,
                                  cl_error *err);
/* Text and JSON by one call, names by one each. */
void cl_report_speak(cl_report_kind kind, const char *text, size_t n,
                     clast_text_fn *write, void *arg);

#endif
