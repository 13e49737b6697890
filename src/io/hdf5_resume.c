/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Outputs that a later run may go on with.
 *
 * Beside the target lies a journal, .NAME.clast-journal, that says what run it belongs
 * to and which chunks are stored (journal.h). Where they are depends on the file:
 *
 *   all outputs unfiltered   in the temporary file, which has a name of its own then,
 *                            .NAME.clast-part: its metadata is complete before the
 *                            first chunk, and positioned writes change nothing else
 *   any output filtered      in the journal as well as in the temporary file, which is
 *                            no use before libhdf5 has closed it: a later attempt makes
 *                            a new one and writes the logged chunks into it
 *
 * Nothing is taken over unread: each chunk's checksum is compared, and one that differs
 * is computed again. The journal gets one more record when the finished file is about
 * to be renamed, so that a run killed between two renames finds the first file done. It
 * goes when all files are in place. One journal knows all finished files, and goes
 * last.
 *
 * Only the holder of the target's lock touches any of this.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "io/hdf5_resume.h"

#define PART_SUFFIX ".clast-part"

/* Everything of the file is there. */
static clast_status take_all(cl_outputs *outputs, size_t file, cl_error *err)
{
    for (size_t i = 0; i < outputs->n; i++) {
        cl_output *o = &outputs->output[i];
        for (int64_t c = 0; o->file == file && c < o->chunks; c++)
            if (!cl_output_take(o, c))
                return cl_resume_no_memory(o->spec.file, err);
    }
    outputs->file[file].is_published = true;
    return CLAST_OK;
}

/* --- begin -------------------------------------------------------------------------
 */

static clast_status begin_new(cl_outputs *outputs, size_t file, cl_error *err)
{
    CL_TRY(cl_output_file_prepare(outputs, file, err));
    return cl_output_file_begin(outputs, file, err);
}

/* A new file and its journal. The file has its lasting name first: a part without a
 * journal is garbage of this target. */
static clast_status begin_journal(cl_outputs *outputs, size_t file, const char *name,
                                  const char *text, cl_error *err)
{
    cl_output_file *f = &outputs->file[file];
    if (!f->is_logged) {
        char *part = cl_atomic_file_beside(f->atomic.target, PART_SUFFIX);
        if (!part)
            return cl_resume_no_memory(f->atomic.file, err);
        const clast_status status = cl_atomic_file_sync(&f->atomic, f->is_synced, err);
        if (status != CLAST_OK) {
            cl_free(part);
            return status;
        }
        CL_TRY(cl_atomic_file_rename(&f->atomic, part, false, err));
    }
    CL_TRY(cl_journal_new(&f->journal, name, text, f->is_synced, err));
    return f->is_synced ? cl_atomic_file_sync_folder(&f->atomic,
                                                     "fsync of its folder failed", err)
                        : CLAST_OK;
}

/* The part of an earlier attempt takes the place of a new temporary file. */
static clast_status adopt_part(cl_outputs *outputs, size_t file, cl_error *err)
{
    cl_output_file *f = &outputs->file[file];
    char *part = cl_atomic_file_beside(f->atomic.target, PART_SUFFIX);
    if (!part)
        return cl_resume_no_memory(f->atomic.file, err);
    f->is_kept = true; /* whatever fails from here on */
    CL_TRY(cl_atomic_file_rename(&f->atomic, part, true, err));
    return cl_output_file_continue(outputs, file, err);
}

static clast_status take_over(cl_outputs *outputs, size_t file, const char *name,
                              const cl_journal_state *state, bool is_dry, cl_error *err)
{
    cl_output_file *f = &outputs->file[file];
    f->is_kept = true;
    if (!is_dry)
        CL_TRY(f->is_logged ? begin_new(outputs, file, err)
                            : adopt_part(outputs, file, err));
    CL_TRY(cl_resume_take(outputs, file, name, is_dry, err));
    return is_dry ? CLAST_OK
                  : cl_journal_resume(&f->journal, name, state, f->is_synced, err);
}

static clast_status look_for_part(const cl_atomic_file *a, bool *is_there,
                                  cl_error *err)
{
    char *part = cl_atomic_file_beside(a->target, PART_SUFFIX);
    if (!part) /* what is kept is not swept for that */
        return cl_resume_no_memory(a->file, err);
    *is_there = access(part, F_OK) == 0;
    cl_free(part);
    return CLAST_OK;
}

/* What an earlier run left and nobody can use. */
static void sweep(const cl_atomic_file *a, const char *name)
{
    char *part = cl_atomic_file_beside(a->target, PART_SUFFIX);
    unlink(name);
    if (part)
        unlink(part);
    cl_free(part);
}

/* Whether the journal of another file of the run, which must be this one, knows the
 * file to be in place. */
static clast_status is_known(cl_outputs *outputs, size_t file, bool *is_known,
                             cl_error *err)
{
    const char *target = outputs->file[file].atomic.target;
    *is_known = false;
    for (size_t i = 0; i < outputs->nfile && !*is_known; i++) {
        const cl_atomic_file *other = &outputs->file[i].atomic;
        cl_text text = {0};
        char *had;
        CL_TRY(cl_resume_is_known_to(other->target, target, is_known, &had, err));
        if (!*is_known)
            continue;
        *is_known = cl_resume_identity(outputs, i) != NULL;
        clast_status status =
            *is_known ? cl_resume_text(outputs, i, &text, err) : CLAST_OK;
        if (status == CLAST_OK && *is_known)
            status = cl_resume_compare(other, "its journal", had, text.data, true, err);
        cl_text_fini(&text);
        cl_free(had);
        CL_TRY(status);
    }
    return CLAST_OK;
}

static clast_status begin(cl_outputs *outputs, size_t file, const char *name,
                          const cl_journal_state *state, cl_text *text, bool is_dry,
                          cl_error *err)
{
    cl_output_file *f = &outputs->file[file];
    const bool is_published = cl_resume_is_in_place(state, f->atomic.target);
    const bool is_resumed = cl_resume_identity(outputs, file) != NULL;
    bool is_done = false;
    if (is_resumed && !state->exists && f->atomic.existed)
        CL_TRY(is_known(outputs, file, &is_done, err));
    if (is_done)
        return take_all(outputs, file, err);
    if (!is_resumed && state->entries > 0 && !is_published)
        return cl_resume_refuse(f->atomic.file, name, state, err);
    if (is_resumed)
        CL_TRY(cl_resume_text(outputs, file, text, err));
    const bool is_left = is_resumed && (is_published || state->entries > 0);
    if (is_left)
        CL_TRY(cl_resume_compare(&f->atomic, name, state->text, text->data,
                                 is_published, err));
    if (is_left && is_published)
        return take_all(outputs, file, err);
    bool is_there = f->is_logged;
    if (is_left && !is_there)
        CL_TRY(look_for_part(&f->atomic, &is_there, err));
    if (is_left && is_there)
        return take_over(outputs, file, name, state, is_dry, err);
    if (is_dry)
        return CLAST_OK;
    sweep(&f->atomic, name);
    CL_TRY(begin_new(outputs, file, err));
    return is_resumed ? begin_journal(outputs, file, name, text->data, err) : CLAST_OK;
}

clast_status cl_resume_begin(cl_outputs *outputs, size_t file, bool is_dry,
                             cl_error *err)
{
    cl_output_file *f = &outputs->file[file];
    cl_journal_state state = {0};
    cl_text text = {0};
    char *name = cl_atomic_file_beside(f->atomic.target, CL_JOURNAL_SUFFIX);
    if (!name)
        return cl_resume_no_memory(f->atomic.file, err);
    f->is_logged = cl_output_file_has_filters(outputs, file);
    clast_status status = cl_journal_look(name, &state, NULL, NULL, err);
    if (status == CLAST_OK)
        status = begin(outputs, file, name, &state, &text, is_dry, err);
    if (f->journal && !f->is_logged)
        cl_journal_places(f->journal, f->fd);
    f->journal_name = name;
    cl_text_fini(&text);
    cl_free(state.text);
    return status;
}

/* --- the end -----------------------------------------------------------------------
 */

static clast_status look_at(const cl_output_file *f, struct stat *st, cl_error *err)
{
    const char *name = f->is_published ? f->atomic.target : f->atomic.temp;
    if (stat(name, st) == 0)
        return CLAST_OK;
    return cl_error_set(err, CLAST_EIO, "%s: %s: %s", f->atomic.file, name,
                        strerror(errno));
}

/* The journal that goes last; nfile: there is none. */
static size_t last_journal(const cl_outputs *outputs)
{
    size_t i = 0;
    while (i < outputs->nfile && !outputs->file[i].journal)
        i++;
    return i;
}

clast_status cl_resume_finish(cl_outputs *outputs, cl_error *err)
{
    struct stat st;
    const size_t last = last_journal(outputs);
    for (size_t i = 0; i < outputs->nfile && last < outputs->nfile; i++) {
        if (i == last)
            continue;
        CL_TRY(look_at(&outputs->file[i], &st, err));
        CL_TRY(cl_journal_beside(outputs->file[last].journal, &st, err));
    }
    for (size_t i = 0; i < outputs->nfile; i++) {
        const cl_output_file *f = &outputs->file[i];
        if (!f->journal)
            continue;
        CL_TRY(look_at(f, &st, err));
        CL_TRY(cl_journal_finish(f->journal, &st, err));
    }
    return CLAST_OK;
}

/* Progress on a target that somebody else has changed is worth nothing. */
void cl_resume_leave(cl_outputs *outputs, size_t file)
{
    cl_output_file *f = &outputs->file[file];
    const bool is_published = !f->atomic.target;
    if (f->journal)
        cl_journal_flush(f->journal, NULL);
    const bool has_progress = f->journal && cl_journal_entries(f->journal) > 0;
    const bool is_kept = is_published || ((f->is_kept || has_progress) &&
                                          cl_atomic_file_is_as_before(&f->atomic));
    if (is_kept && has_progress && !is_published)
        cl_log_info(
            &outputs->log,
            "%s: what is done is kept in %s (%lld chunks); the same run goes on "
            "from there if it is resumed",
            f->atomic.file, cl_journal_name(f->journal),
            (long long)cl_journal_entries(f->journal));
    cl_journal_close(f->journal, !is_kept);
    f->journal = NULL;
    if (is_kept && !f->is_logged)
        cl_atomic_file_leave(&f->atomic);
}

static void remove_journal(cl_output_file *f)
{
    cl_journal_close(f->journal, true);
    if (f->is_published && f->journal_name)
        unlink(f->journal_name);
    f->journal = NULL;
}

void cl_resume_done(cl_outputs *outputs)
{
    const size_t last = last_journal(outputs);
    for (size_t i = outputs->nfile; i-- > 0;)
        if (i != last)
            remove_journal(&outputs->file[i]);
    if (last < outputs->nfile)
        remove_journal(&outputs->file[last]);
}
