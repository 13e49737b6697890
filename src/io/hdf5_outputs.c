/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Outputs of a run, from begin to commit: the table of them and of their files, and
 * publishing. What is between, writing units, is in hdf5_put.c.
 *
 * A file with a chunk missing is never published.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/dtype.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_order.h"
#include "io/hdf5_resume.h"

/* --- begin ---------------------------------------------------------------------------
 */

clast_status cl_output_begin(cl_output *o, const char *file, cl_error *err)
{
    o->spec.file = cl_strdup(file);
    o->written = cl_calloc((size_t)(o->chunks / 8 + 1), 1);
    if (!o->spec.file || !o->written)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for an output of %lld chunks",
                            (long long)o->chunks);
    atomic_init(&o->missing, o->chunks);
    return CLAST_OK;
}

static clast_status add_output(cl_outputs *outputs, const cl_output_spec *spec,
                               bool is_dry, cl_error *err)
{
    cl_output *o = &outputs->output[outputs->n];
    char *target;
    bool exists;
    const clast_status status = cl_output_settle(o, spec, err);
    outputs->n++;
    o->spec.file = NULL; /* a copy only */
    CL_TRY(status);
    CL_TRY(cl_atomic_file_resolve(spec->file, &target, &exists, err));
    size_t f = 0;
    while (f < outputs->nfile && strcmp(outputs->file[f].atomic.target, target) != 0)
        f++;
    cl_free(target);
    o->file = f;
    CL_TRY(cl_output_begin(o, spec->file, err));
    if (f < outputs->nfile) {
        outputs->file[f].is_synced = outputs->file[f].is_synced || !spec->no_sync;
        return CLAST_OK;
    }
    outputs->file[f].id = H5I_INVALID_HID;
    outputs->file[f].fd = -1;
    outputs->file[f].is_synced = !spec->no_sync;
    cl_behind_init(&outputs->file[f].behind);
    outputs->nfile++;
    return is_dry ? cl_atomic_file_look(&outputs->file[f].atomic, spec->file, err)
                  : cl_atomic_file_begin(&outputs->file[f].atomic, spec->file, err);
}

static clast_status begin(cl_outputs *outputs, size_t n, const cl_output_spec *specs,
                          bool is_dry, cl_error *err)
{
    outputs->output = cl_calloc(n, sizeof *outputs->output);
    outputs->file = cl_calloc(n, sizeof *outputs->file);
    if (!outputs->output || !outputs->file)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for %zu outputs", n);
    for (size_t i = 0; i < n; i++)
        CL_TRY(add_output(outputs, &specs[i], is_dry, err));
    for (size_t f = 0; f < outputs->nfile; f++)
        CL_TRY(cl_resume_begin(outputs, f, is_dry, err));
    return CLAST_OK;
}

static clast_status begin_all(cl_outputs **outputs, size_t n,
                              const cl_output_spec *specs, const cl_log *log,
                              bool is_dry, cl_error *err)
{
    *outputs = NULL;
    cl_outputs *o = cl_calloc(1, sizeof *o);
    if (!o)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for outputs");
    cl_hdf5_hold();
    if (log)
        o->log = *log;
    const bool is_part = n > 0 && specs[0].into;
    const clast_status status = is_part ? cl_copy_outputs_begin(o, n, specs, err)
                                        : begin(o, n, specs, is_dry, err);
    if (status != CLAST_OK) {
        cl_outputs_abort(o);
        return status;
    }
    *outputs = o;
    return CLAST_OK;
}

/* What could not be carried is no reason to refuse the data. Not under the lock: the
 * host's function is called. */
static void report_losses(const cl_outputs *outputs)
{
    for (size_t i = 0; i < outputs->n; i++) {
        const cl_output *o = &outputs->output[i];
        if (o->lost_attributes > 0)
            cl_log_warning(&outputs->log,
                           "%s:%s: %d of its input's attributes could not be copied",
                           o->spec.file, o->path, o->lost_attributes);
        if (o->lost_scales > 0)
            cl_log_warning(&outputs->log,
                           "%s:%s: %d of its axes get no name in the file",
                           o->spec.file, o->path, o->lost_scales);
        if (o->is_netcdf && cl_dtype_is_complex(o->spec.dtype))
            cl_log_warning(&outputs->log,
                           "%s:%s is %s, for which netCDF has no type: its programs "
                           "will not see it",
                           o->spec.file, o->path, clast_dtype_name(o->spec.dtype));
    }
}

clast_status cl_outputs_begin(cl_outputs **outputs, size_t n,
                              const cl_output_spec *specs, const cl_log *log,
                              cl_error *err)
{
    *outputs = NULL;
    const bool is_part = n > 0 && specs[0].into;
    if (!is_part)
        CL_TRY(cl_outputs_check(n, specs, err));
    CL_TRY(begin_all(outputs, n, specs, log, false, err));
    report_losses(*outputs);
    return CLAST_OK;
}

clast_status cl_outputs_look(cl_outputs **outputs, size_t n,
                             const cl_output_spec *specs, cl_error *err)
{
    return begin_all(outputs, n, specs, NULL, true, err);
}

uint64_t cl_output_table_bytes(const cl_output_spec *spec)
{
    cl_output o;
    uint64_t bytes = 0;
    if (cl_output_settle(&o, spec, NULL) == CLAST_OK) {
        const uint64_t map = (uint64_t)o.chunks / 8 + 1;
        bytes = spec->identity ? 2 * map + cl_journal_bytes(o.chunks) : map;
        if (!o.is_direct)
            bytes += cl_chunk_order_bytes(o.chunks);
    }
    cl_free(o.path);
    return bytes;
}

const unsigned char *cl_outputs_stored(const cl_outputs *outputs, size_t index)
{
    return outputs->output[index].taken;
}

/* --- the end -------------------------------------------------------------------------
 */

/* Closes what is open of a file; its contents are complete after that. */
static clast_status close_file(cl_outputs *outputs, size_t index, cl_error *err)
{
    cl_output_file *f = &outputs->file[index];
    cl_chunk_order_free(f->order);
    f->order = NULL;
    bool is_good = !f->journal || cl_journal_flush(f->journal, err) == CLAST_OK;
    if (!is_good && err)
        return err->status;
    cl_hdf5_guard guard;
    cl_hdf5_enter(&guard);
    for (size_t i = 0; i < outputs->n; i++) {
        cl_output *o = &outputs->output[i];
        if (o->file == index && o->dataset >= 0)
            is_good = H5Dclose(o->dataset) >= 0 && is_good;
        if (o->file == index)
            o->dataset = H5I_INVALID_HID;
    }
    if (f->id >= 0)
        is_good = H5Fclose(f->id) >= 0 && is_good;
    f->id = H5I_INVALID_HID;
    const clast_status status =
        is_good && !f->error
            ? CLAST_OK
            : cl_output_fail(f, err, "%s: writing failed", f->atomic.file);
    cl_hdf5_leave(&guard);
    if (f->fd >= 0 && close(f->fd) != 0 && status == CLAST_OK)
        return cl_error_set(err, cl_status_from_errno(errno), "%s: writing failed: %s",
                            f->atomic.file, strerror(errno));
    f->fd = -1;
    return status;
}

static void free_outputs(cl_outputs *outputs)
{
    for (size_t i = 0; outputs->output && i < outputs->n; i++) {
        cl_output *o = &outputs->output[i];
        char *file = (char *)(uintptr_t)o->spec.file; /* our own copy */
        cl_free(file);
        cl_free(o->path);
        cl_free(o->taken);
        cl_free((void *)(uintptr_t)o->written);
    }
    for (size_t f = 0; outputs->file && f < outputs->nfile && !outputs->is_part; f++) {
        cl_behind_fini(&outputs->file[f].behind);
        cl_free(outputs->file[f].journal_name);
        cl_free(outputs->file[f].history);
    }
    cl_free(outputs->output);
    if (!outputs->is_part)
        cl_free(outputs->file);
    cl_free(outputs);
    cl_hdf5_release();
}

void cl_outputs_abort(cl_outputs *outputs)
{
    if (!outputs)
        return;
    if (outputs->is_part)
        cl_copy_outputs_end(outputs, NULL);
    for (size_t f = 0; f < outputs->nfile && !outputs->is_part; f++) {
        close_file(outputs, f, NULL);
        cl_resume_leave(outputs, f);
        cl_output_file_undo(outputs, f);
        cl_output_file_give_back(&outputs->file[f]);
        cl_atomic_file_abort(&outputs->file[f].atomic);
    }
    free_outputs(outputs);
}

static clast_status check_complete(const cl_outputs *outputs, cl_error *err)
{
    for (size_t i = 0; i < outputs->n; i++) {
        const cl_output *o = &outputs->output[i];
        const int64_t missing = atomic_load(&o->missing);
        if (missing != 0)
            return cl_error_set(
                err, CLAST_EINTERNAL, "%s:%s: %lld of %lld chunks were never written",
                o->spec.file, o->path, (long long)missing, (long long)o->chunks);
    }
    return CLAST_OK;
}

static clast_status finish_files(cl_outputs *outputs, cl_error *err)
{
    CL_TRY(check_complete(outputs, err));
    for (size_t f = 0; f < outputs->nfile; f++)
        if (outputs->file[f].order) {
            CL_TRY(cl_output_file_late(outputs, f, err));
            CL_TRY(cl_chunk_order_finish(outputs->file[f].order, err));
        }
    for (size_t f = 0; f < outputs->nfile; f++)
        CL_TRY(close_file(outputs, f, err));
    for (size_t f = 0; f < outputs->nfile; f++)
        if (!outputs->file[f].is_published)
            CL_TRY(cl_atomic_file_sync(&outputs->file[f].atomic,
                                       outputs->file[f].is_synced, err));
    const atomic_bool *is_canceled = outputs->output[0].spec.is_canceled;
    if (is_canceled && atomic_load(is_canceled))
        return cl_error_set(err, CLAST_ECANCELED, "canceled before it was published");
    return cl_resume_finish(outputs, err);
}

/* The file stays open: its copy publishes it. */
static clast_status commit_part(cl_outputs *outputs, cl_error *err)
{
    clast_status status = check_complete(outputs, err);
    if (status == CLAST_OK)
        status = cl_chunk_order_finish(outputs->file->order, err);
    if (status == CLAST_OK)
        status = cl_copy_outputs_end(outputs, err);
    cl_outputs_abort(outputs);
    return status;
}

clast_status cl_outputs_commit(cl_outputs *outputs, cl_error *err)
{
    if (outputs->is_part)
        return commit_part(outputs, err);
    clast_status status = finish_files(outputs, err);
    size_t done = 0;
    while (done < outputs->nfile && status == CLAST_OK) {
        cl_output_file *f = &outputs->file[done];
        if (!f->is_published)
            status = cl_atomic_file_publish(&f->atomic, f->is_synced, err);
        done += status == CLAST_OK;
    }
    if (status != CLAST_OK && done > 0) {
        char text[80];
        snprintf(text, sizeof text, "%zu of %zu files are complete and in place", done,
                 outputs->nfile);
        cl_error_prefix(err, text);
    }
    if (status == CLAST_OK)
        cl_resume_done(outputs);
    cl_outputs_abort(outputs);
    return status;
}
