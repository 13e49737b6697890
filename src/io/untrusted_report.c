/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is said of a file that nobody vouches for: a helper process opens it with
 * libhdf5 and writes the very report (hdf5_report.c) that this process would have made.
 * What comes is charged to the budget before there is memory for it, and checked before
 * it is handed out.
 */
#include <unistd.h>

#include "base/alloc.h"
#include "io/file_report.h"
#include "io/helper.h"

static clast_status receive_text(cl_child *child, cl_report_kind kind, char *text,
                                 size_t n, cl_error *err)
{
    if (!text)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for its description");
    CL_TRY(cl_child_read(child, text, n, err));
    return cl_report_text_check(kind, text, n, err);
}

static clast_status receive(cl_child *child, cl_report_kind kind,
                            const cl_untrusted *how, const cl_report *r,
                            clast_text_fn *write, void *arg, cl_error *err)
{
    CL_TRY(how->charge(how->arg, r->bytes, err));
    char *text = cl_alloc(r->bytes + 1);
    const clast_status status = receive_text(child, kind, text, r->bytes, err);
    if (status == CLAST_OK)
        cl_report_speak(kind, text, r->bytes, write, arg);
    cl_free(text);
    how->uncharge(how->arg, r->bytes);
    return status;
}

static clast_status ask(cl_report_kind kind, const char *file, const char *path,
                        const struct stat *st, const cl_untrusted *how,
                        clast_text_fn *write, void *arg, cl_error *err)
{
    static const char *const what[CL_REPORT_KINDS] = {[CL_REPORT_TEXT] = CL_HELPER_TEXT,
                                                      [CL_REPORT_JSON] = CL_HELPER_JSON,
                                                      [CL_REPORT_NAMES] =
                                                          CL_HELPER_NAMES};
    cl_child child;
    cl_report r;
    cl_error inner = {0};
    CL_TRY(cl_helper_start(&child, how, what[kind], file, path ? path : "", err));
    clast_status status = cl_child_read(&child, &r, sizeof r, &inner);
    const bool is_named = status == CLAST_OK && r.head.status != CLAST_OK;
    if (status == CLAST_OK)
        status = cl_report_check(&r, st, &inner);
    if (status == CLAST_OK) {
        cl_helper_tell(how, &r.head);
        status = receive(&child, kind, how, &r, write, arg, &inner);
    }
    cl_child_end(&child);
    if (status == CLAST_OK)
        return CLAST_OK;
    /* the helper's own text says of what it speaks */
    return cl_error_set(err, status, "%s%s%s", is_named ? "" : file,
                        is_named ? "" : ": ", inner.text);
}

clast_status cl_untrusted_report(cl_report_kind kind, const char *file,
                                 const char *path, const cl_untrusted *how,
                                 clast_text_fn *write, void *arg, cl_error *err)
{
    struct stat st;
    int fd;
    clast_status status = cl_helper_open_file(&fd, &st, file, err);
    if (status == CLAST_OK)
        status = ask(kind, file, path, &st, how, write, arg, err);
    if (fd >= 0)
        close(fd);
    return status;
}
