/* SPDX-License-Identifier: BSD-3-Clause */
/* What HDF5 files hold: as text, as JSON, the names of datasets, whether two of these
 * are the same. */
#include "array/answer.h"
#include "array/make.h"

typedef struct {
    cl_report_kind kind;
    const char *file, *path;
    const clast_info_options *options;
} file_question;

static void report(clast_ctx *ctx, const void *question, cl_voice *v, cl_error *err)
{
    const file_question *q = question;
    const clast_info_options *o = q->options;
    const char *op = q->kind == CL_REPORT_NAMES ? "datasets" : "info";
    for (size_t i = 0; i < sizeof o->reserved / sizeof *o->reserved; i++)
        if (o->reserved[i] != 0) {
            cl_error_set(err, CLAST_ENOTSUP, "%s: reserved[%zu] must be zero", op, i);
            return;
        }
    if (!q->file) {
        cl_error_set(err, CLAST_EVALUE, "%s: the file is NULL", op);
        return;
    }
    const cl_untrusted how = cl_ctx_untrusted(ctx);
    if (o->untrusted)
        cl_untrusted_report(q->kind, q->file, q->path, &how, cl_voice_say, v, err);
    else
        cl_hdf5_report(q->kind, q->file, q->path, cl_voice_say, v, err);
}

static clast_status inform(clast_ctx *ctx, cl_report_kind kind, const char *file,
                           const char *path, const clast_info_options *options,
                           clast_text_fn *write, void *arg)
{
    static const clast_info_options defaults;
    const file_question question = {kind, file, path, options ? options : &defaults};
    return cl_answer(ctx, write, arg, report, &question);
}

clast_status clast_hdf5_info_with(clast_ctx *ctx, const char *file, const char *path,
                                  const clast_info_options *options,
                                  clast_text_fn *write, void *arg)
{
    const cl_report_kind kind =
        options && options->json ? CL_REPORT_JSON : CL_REPORT_TEXT;
    return inform(ctx, kind, file, path, options, write, arg);
}

clast_status clast_hdf5_info(clast_ctx *ctx, const char *file, const char *path,
                             clast_text_fn *write, void *arg)
{
    return clast_hdf5_info_with(ctx, file, path, NULL, write, arg);
}

clast_status clast_hdf5_info_json(clast_ctx *ctx, const char *file, const char *path,
                                  clast_text_fn *write, void *arg)
{
    const clast_info_options options = {.json = true};
    return clast_hdf5_info_with(ctx, file, path, &options, write, arg);
}

clast_status clast_hdf5_datasets_with(clast_ctx *ctx, const char *file,
                                      const clast_info_options *options,
                                      clast_text_fn *fn, void *arg)
{
    return inform(ctx, CL_REPORT_NAMES, file, NULL, options, fn, arg);
}

clast_status clast_hdf5_datasets(clast_ctx *ctx, const char *file, clast_text_fn *fn,
                                 void *arg)
{
    return clast_hdf5_datasets_with(ctx, file, NULL, fn, arg);
}

clast_status clast_hdf5_same(clast_ctx *ctx, const char *file_a, const char *path_a,
                             const char *file_b, const char *path_b, bool *is_equal)
{
    const char *const file[2] = {file_a, file_b}, *const path[2] = {path_a, path_b};
    cl_error err = {0};
    if (!ctx)
        return CLAST_EVALUE;
    if (cl_turn_begin(ctx, &err) != CLAST_OK)
        return err.status;
    if (!file_a || !path_a || !file_b || !path_b || !is_equal)
        cl_error_set(&err, CLAST_EVALUE, "same: NULL in place of an argument");
    else
        cl_hdf5_same(file, path, is_equal, &err);
    cl_turn_end(ctx, &err);
    return err.status;
}
