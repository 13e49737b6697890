/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Outputs that a later run may go on with.
 *
 * Beside the target lies a journal, .NAME.clast-journal, that says what run it belongs to
 * and which chunks are stored (journal.h). Where they are depends on the file:
 *
 *   all outputs unfiltered   in the temporary file, which has a name of its own then,
 *                            .NAME.clast-part: its metadata is complete before the first
 *                            chunk, and positioned writes change nothing else
 *   any output filtered      in the journal as well as in the temporary file, which is
 *                            no use before libhdf5 has closed it: a later attempt makes a
 *                            new one and writes the logged chunks into it
 *
 * Nothing is taken over unread: each chunk's checksum is compared, and one that differs
 * is computed again. The journal gets one more record when the finished file is about to
 * be renamed, so that a run killed between two renames finds the first file done. It goes
 * when all files are in place. One journal knows all finished files, and goes last.
 *
 * Only the holder of the target's lock touches any of this.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/checksum.h"
#include "base/text.h"
#include "io/contiguous.h"
#include "io/hdf5_order.h"

#define JOURNAL_SUFFIX ".clast-journal"
#define PART_SUFFIX    ".clast-part"

static clast_status no_memory(const char *file, cl_error *err)
{
    return cl_error_set(err, CLAST_ENOMEM, "%s: no memory to resume it", file);
}

/* --- what run it is ----------------------------------------------------------------
 */

static const char *identity_of(const cl_outputs *outputs, size_t file)
{
    for (size_t i = 0; i < outputs->n; i++)
        if (outputs->output[i].file == file && outputs->output[i].spec.identity)
            return outputs->output[i].spec.identity;
    return NULL;
}

static void say_numbers(cl_text *text, int n, const int64_t *number)
{
    for (int a = 0; a < n; a++)
        cl_text_say(text, "%s%" PRId64, a > 0 ? ", " : "", number[a]);
}

static void say_output(cl_text *text, const cl_output *o)
{
    const cl_output_spec *s = &o->spec;
    cl_text_say(text, "output ");
    cl_text_json_string(text, o->path, strlen(o->path)); /* no line breaks */
    cl_text_say(text, ": %s (", clast_dtype_name(s->dtype));
    say_numbers(text, s->shape.ndim, s->shape.dim);
    cl_text_say(text, ") in chunks (");
    say_numbers(text, o->chunks > 0 ? s->shape.ndim : 0, o->chunk);
    const cl_compression *c = &s->compression;
    cl_text_say(text, "), shuffle %u, filter %u", c->shuffle, c->codec);
    for (uint32_t i = 0; i < c->n; i++)
        cl_text_say(text, " %u", c->value[i]);
    cl_text_say(text, ", checksum %u, attributes %d\n", c->fletcher,
                s->like ? 1 + (int)s->level : 0);
}

/* Of all outputs in all files: a file whose journal went is known by another's. */
static void say_all(cl_outputs *outputs, cl_text *text)
{
    cl_text all = {0};
    for (size_t i = 0; outputs->all == 0 && i < outputs->n; i++) {
        const char *target = outputs->file[outputs->output[i].file].atomic.target;
        cl_text_json_string(&all, target, strlen(target));
        say_output(&all, &outputs->output[i]);
    }
    text->has_failed = text->has_failed || all.has_failed;
    if (outputs->all == 0 && !all.has_failed)
        outputs->all = cl_checksum(all.data, all.used);
    cl_text_say(text, "one of %zu files, outputs %016" PRIx64 "\n", outputs->nfile,
                outputs->all);
    cl_text_fini(&all);
}

/* The text of a file's journal; its last line is the target as it was. */
static clast_status text_of(cl_outputs *outputs, size_t file, cl_text *text,
                            cl_error *err)
{
    const cl_atomic_file *a = &outputs->file[file].atomic;
    const char *identity = identity_of(outputs, file);
    for (size_t i = 0; i < outputs->n; i++)
        if (outputs->output[i].file == file)
            say_output(text, &outputs->output[i]);
    say_all(outputs, text);
    cl_text_add(text, identity, strlen(identity));
    if (a->existed)
        cl_text_say(text, "target of %lld bytes, inode %llu, changed %lld.%09ld\n",
                    (long long)a->before.st_size, (unsigned long long)a->before.st_ino,
                    (long long)a->before.st_mtim.tv_sec, a->before.st_mtim.tv_nsec);
    else
        cl_text_say(text, "target that is not there\n");
    cl_text_add(text, "", 1);
    return text->has_failed ? no_memory(a->file, err) : CLAST_OK;
}

/* Compares line by line. What has become of the target does not matter once it is the
 * run's own result. */
static clast_status compare(const cl_atomic_file *a, const char *name, const char *had,
                            const char *has, bool is_published, cl_error *err)
{
    for (;;) {
        const size_t n = strcspn(had, "\n"), k = strcspn(has, "\n");
        const bool is_last = strncmp(had, "target ", 7) == 0;
        if (is_last && is_published)
            return CLAST_OK;
        if (n != k || strncmp(had, has, n) != 0)
            return cl_error_set(
                err, CLAST_EEXIST,
                "%s: %s keeps the progress of another run: it had '%.*s', this one has "
                "'%.*s'; remove that file to start over",
                a->file, name, n < 130 ? (int)n : 130, had, k < 130 ? (int)k : 130,
                has);
        if (is_last || had[n] == '\0' || has[k] == '\0')
            return CLAST_OK;
        had += n + 1;
        has += k + 1;
    }
}

/* --- what is left of an earlier run ------------------------------------------------
 */

/* Whether the finished file has been renamed to the target. */
static bool is_in_place(const cl_journal_state *state, const char *target)
{
    struct stat st;
    return state->exists && state->is_finished && stat(target, &st) == 0 &&
           st.st_ino == state->inode && (uint64_t)st.st_size == state->size &&
           (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec ==
               state->modified;
}

/* Whether the journal beside `other` says that the target, whose own is gone, is the
 * finished file: the run was killed while it removed its journals. *text: that
 * journal's, to be freed. */
static clast_status is_known_to(const char *other, const char *target, bool *is_known,
                                char **text, cl_error *err)
{
    struct stat st;
    cl_journal_state state;
    *is_known = false;
    *text = NULL;
    if (strcmp(other, target) == 0 || stat(target, &st) != 0)
        return CLAST_OK;
    char *name = cl_atomic_file_beside(other, JOURNAL_SUFFIX);
    if (!name)
        return no_memory(target, err);
    const clast_status status = cl_journal_look_for(name, &st, &state, err);
    *is_known = status == CLAST_OK && state.is_beside;
    cl_free(name);
    if (*is_known)
        *text = state.text;
    else
        cl_free(state.text);
    return status;
}

static clast_status is_known_to_spec(const cl_output_spec *spec, const char *target,
                                     bool *is_known, cl_error *err)
{
    char *other, *text;
    bool exists;
    CL_TRY(cl_atomic_file_resolve(spec->file, &other, &exists, err));
    const clast_status status = is_known_to(other, target, is_known, &text, err);
    cl_free(text);
    cl_free(other);
    return status;
}

static clast_status refuse(const char *file, const char *name,
                           const cl_journal_state *state, cl_error *err)
{
    return cl_error_set(err, CLAST_EEXIST,
                        "%s: %s keeps the progress of an earlier run (%lld chunks): "
                        "resume that run, or remove the file to start over",
                        file, name, (long long)state->entries);
}

clast_status cl_resume_check(size_t n, const cl_output_spec *specs, size_t index,
                             const char *target, bool *is_published, cl_error *err)
{
    const cl_output_spec *spec = &specs[index];
    cl_journal_state state;
    *is_published = false;
    char *name = cl_atomic_file_beside(target, JOURNAL_SUFFIX);
    if (!name)
        return no_memory(spec->file, err);
    clast_status status = cl_journal_look(name, &state, NULL, NULL, err);
    if (status == CLAST_OK) {
        *is_published = spec->identity && is_in_place(&state, target);
        if (!spec->identity && state.entries > 0 && !is_in_place(&state, target))
            status = refuse(spec->file, name, &state, err);
    }
    const bool is_gone = spec->identity && !state.exists && access(target, F_OK) == 0;
    for (size_t i = 0; i < n && is_gone && status == CLAST_OK && !*is_published; i++)
        status = is_known_to_spec(&specs[i], target, is_published, err);
    cl_free(state.text);
    cl_free(name);
    return status;
}

/* --- taking over -------------------------------------------------------------------
 */

typedef struct {
    cl_outputs *outputs;
    size_t file;
    bool is_dry;
    unsigned char *room; /* for a chunk as it is stored, then for one in C order */
    uint64_t capacity;
    int64_t damaged;
} takeover;

/* The n-th output of a file, NULL: there are not so many. */
static cl_output *output_of(const takeover *t, uint32_t n)
{
    for (size_t i = 0; i < t->outputs->n; i++)
        if (t->outputs->output[i].file == t->file && n-- == 0)
            return &t->outputs->output[i];
    return NULL;
}

static uint32_t number_of(const cl_outputs *outputs, const cl_output *o)
{
    uint32_t n = 0;
    for (const cl_output *p = outputs->output; p < o; p++)
        n += p->file == o->file;
    return n;
}

/* The rows of a part of the data; n counts bytes. */
static void each_row(const cl_output *o, const void *data, const cl_box *box,
                     const cl_box *part, cl_row_fn *fn, void *arg)
{
    const int64_t item = (int64_t)o->filters.item;
    const int last = part->ndim - 1;
    cl_box in = *box, of = *part;
    if (last < 0) {
        fn(arg, NULL, data, item);
        return;
    }
    in.lo[last] *= item;
    in.n[last] *= item;
    of.lo[last] *= item;
    of.n[last] *= item;
    cl_rows_copy((void *)(uintptr_t)data, &in, 1, data, &in, 1, &of, fn, arg);
}

static void add_row(void *arg, void *dst, const void *src, int64_t n)
{
    cl_checksum_state *const s = arg;
    cl_checksum_add(s, src, (uint64_t)n);
}

/* Of the part's elements in C order. */
static uint64_t sum_of(const cl_output *o, const void *data, const cl_box *box,
                       const cl_box *part)
{
    cl_checksum_state s;
    cl_checksum_begin(&s);
    each_row(o, data, box, part, add_row, &s);
    return cl_checksum_end(&s);
}

static clast_status make_room(takeover *t, uint64_t bytes, cl_error *err)
{
    if (bytes <= t->capacity)
        return CLAST_OK;
    cl_free(t->room);
    t->capacity = 0;
    t->room = cl_alloc(bytes);
    if (!t->room)
        return no_memory(t->outputs->file[t->file].atomic.file, err);
    t->capacity = bytes;
    return CLAST_OK;
}

/* A chunk whose bytes are in the file. */
static clast_status take_place(takeover *t, cl_output *o, const cl_journal_entry *e,
                               bool *is_good, cl_error *err)
{
    const cl_output_file *f = &t->outputs->file[t->file];
    cl_box part;
    const cl_box chunk = cl_output_chunk(o, e->chunk, &part);
    CL_TRY(make_room(t, o->chunk_bytes, err));
    struct iovec piece = {t->room, o->chunk_bytes};
    const int error = cl_sys_read_all(
        f->fd, &piece, 1, (off_t)(o->address + (uint64_t)e->chunk * o->chunk_bytes));
    if (error > 0)
        return cl_error_set(err, cl_status_from_errno(error), "%s: reading failed: %s",
                            f->atomic.temp, strerror(error));
    *is_good = error == 0 && sum_of(o, t->room, &chunk, &part) == e->checksum;
    return CLAST_OK;
}

/* A chunk of the journal, into the new file. */
static clast_status take_bytes(takeover *t, cl_output *o, int fd,
                               const cl_journal_entry *e, bool *is_good, cl_error *err)
{
    cl_output_file *f = &t->outputs->file[t->file];
    cl_box part;
    const cl_box chunk = cl_output_chunk(o, e->chunk, &part);
    const uint64_t most =
        o->is_direct ? o->chunk_bytes : cl_filters_bound(&o->filters, o->chunk_bytes);
    *is_good = e->bytes <= most;
    if (!*is_good)
        return CLAST_OK;
    CL_TRY(make_room(t, most, err));
    CL_TRY(cl_journal_read(fd, e, t->room, is_good, err));
    if (!*is_good)
        return CLAST_OK;
    if (!o->is_direct) {
        CL_TRY(
            cl_chunk_order_put(f->order, o, e->chunk, e->mask, t->room, e->bytes, err));
        return cl_chunk_order_drain(f->order, t->room, t->capacity, err);
    }
    cl_runs runs;
    cl_runs_init(&runs, f->fd, true, f->bytes);
    int error = cl_runs_box(&runs, o->address + (uint64_t)e->chunk * o->chunk_bytes,
                            &chunk, t->room, &part, &part, o->filters.item);
    if (!error)
        error = cl_runs_flush(&runs);
    if (error)
        return cl_error_set(err, cl_status_from_errno(error < 0 ? EIO : error),
                            "%s: writing failed: %s", f->atomic.file,
                            strerror(error < 0 ? EIO : error));
    return CLAST_OK;
}

static clast_status take_entry(void *arg, int fd, const cl_journal_entry *e,
                               cl_error *err)
{
    takeover *t = arg;
    const cl_output_file *f = &t->outputs->file[t->file];
    cl_output *o = output_of(t, e->output);
    bool is_good = o && e->chunk >= 0 && e->chunk < o->chunks;
    const atomic_bool *is_canceled = t->outputs->output[0].spec.is_canceled;
    if (is_canceled && atomic_load(is_canceled))
        return cl_error_set(err, CLAST_ECANCELED, "canceled while it was resumed");
    if (is_good && cl_output_is_taken(o, e->chunk))
        return CLAST_OK; /* a second record of the same bytes */
    if (is_good && !t->is_dry)
        CL_TRY(f->is_logged ? take_bytes(t, o, fd, e, &is_good, err)
                            : take_place(t, o, e, &is_good, err));
    t->damaged += !is_good;
    if (is_good && !cl_output_take(o, e->chunk))
        return no_memory(f->atomic.file, err);
    return CLAST_OK;
}

static void tell_taken(const takeover *t)
{
    const cl_outputs *outputs = t->outputs;
    for (size_t i = 0; i < outputs->n; i++) {
        const cl_output *o = &outputs->output[i];
        if (o->file == t->file && o->taken)
            cl_log_info(&outputs->log,
                        "%s:%s: %lld of %lld chunks are there from an earlier run",
                        o->spec.file, o->path,
                        (long long)(o->chunks - atomic_load(&o->missing)),
                        (long long)o->chunks);
    }
    if (t->damaged > 0)
        cl_log_warning(&outputs->log,
                       "%s: %lld chunks of an earlier run are damaged and are computed "
                       "again",
                       outputs->file[t->file].atomic.file, (long long)t->damaged);
}

/* Everything of the file is there. */
static clast_status take_all(cl_outputs *outputs, size_t file, cl_error *err)
{
    for (size_t i = 0; i < outputs->n; i++) {
        cl_output *o = &outputs->output[i];
        for (int64_t c = 0; o->file == file && c < o->chunks; c++)
            if (!cl_output_take(o, c))
                return no_memory(o->spec.file, err);
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
            return no_memory(f->atomic.file, err);
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
        return no_memory(f->atomic.file, err);
    f->is_kept = true; /* whatever fails from here on */
    CL_TRY(cl_atomic_file_rename(&f->atomic, part, true, err));
    return cl_output_file_continue(outputs, file, err);
}

static clast_status take_over(cl_outputs *outputs, size_t file, const char *name,
                              const cl_journal_state *state, bool is_dry, cl_error *err)
{
    cl_output_file *f = &outputs->file[file];
    takeover t = {.outputs = outputs, .file = file, .is_dry = is_dry};
    cl_journal_state again = {0};
    f->is_kept = true;
    if (!is_dry)
        CL_TRY(f->is_logged ? begin_new(outputs, file, err)
                            : adopt_part(outputs, file, err));
    clast_status status = cl_journal_look(name, &again, take_entry, &t, err);
    cl_free(again.text);
    cl_free(t.room);
    if (status == CLAST_OK && !is_dry) {
        tell_taken(&t);
        status = cl_journal_resume(&f->journal, name, state, f->is_synced, err);
    }
    return status;
}

static bool has_part(const cl_atomic_file *a)
{
    char *part = cl_atomic_file_beside(a->target, PART_SUFFIX);
    const bool is_there = part && access(part, F_OK) == 0;
    cl_free(part);
    return is_there;
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
        CL_TRY(is_known_to(other->target, target, is_known, &had, err));
        if (!*is_known)
            continue;
        *is_known = identity_of(outputs, i) != NULL;
        clast_status status = *is_known ? text_of(outputs, i, &text, err) : CLAST_OK;
        if (status == CLAST_OK && *is_known)
            status = compare(other, "its journal", had, text.data, true, err);
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
    const bool is_published = is_in_place(state, f->atomic.target);
    const bool is_resumed = identity_of(outputs, file) != NULL;
    bool is_done = false;
    if (is_resumed && !state->exists && f->atomic.existed)
        CL_TRY(is_known(outputs, file, &is_done, err));
    if (is_done)
        return take_all(outputs, file, err);
    if (!is_resumed && state->entries > 0 && !is_published)
        return refuse(f->atomic.file, name, state, err);
    if (is_resumed)
        CL_TRY(text_of(outputs, file, text, err));
    const bool is_left = is_resumed && (is_published || state->entries > 0);
    if (is_left)
        CL_TRY(compare(&f->atomic, name, state->text, text->data, is_published, err));
    if (is_left && is_published)
        return take_all(outputs, file, err);
    if (is_left && (f->is_logged || has_part(&f->atomic)))
        return take_over(outputs, file, name, state, is_dry, err);
    if (is_dry)
        return CLAST_OK;
    sweep(&f->atomic, name);
    CL_TRY(begin_new(outputs, file, err));
    return is_resumed ? begin_journal(outputs, file, name, text->data, err) : CLAST_OK;
}

static bool has_filters(const cl_outputs *outputs, size_t file)
{
    for (size_t i = 0; i < outputs->n; i++)
        if (outputs->output[i].file == file && !outputs->output[i].is_direct)
            return true;
    return false;
}

clast_status cl_resume_begin(cl_outputs *outputs, size_t file, bool is_dry,
                             cl_error *err)
{
    cl_output_file *f = &outputs->file[file];
    cl_journal_state state = {0};
    cl_text text = {0};
    char *name = cl_atomic_file_beside(f->atomic.target, JOURNAL_SUFFIX);
    if (!name)
        return no_memory(f->atomic.file, err);
    f->is_logged = has_filters(outputs, file);
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

/* --- what is stored ----------------------------------------------------------------
 */

/* The part's elements as rows of data, which the journal writes one after another. */
typedef struct {
    struct iovec *piece;
    int n;
} rows;

static void note_row(void *arg, void *dst, const void *src, int64_t n)
{
    rows *r = arg;
    r->piece[r->n++] = (struct iovec){(void *)(uintptr_t)src, (size_t)n};
}

static clast_status log_rows(const cl_outputs *outputs, const cl_output *o,
                             const cl_box *box, const cl_box *part,
                             cl_journal_entry *entry, const void *data, cl_error *err)
{
    const cl_output_file *f = &outputs->file[o->file];
    const int64_t count = cl_box_count(part);
    const int last = part->ndim - 1;
    const int64_t most = last >= 0 ? count / part->n[last] : 1;
    rows r = {.piece = most < INT32_MAX ? cl_alloc_array((size_t)most, sizeof *r.piece)
                                        : NULL};
    if (!r.piece)
        return no_memory(f->atomic.file, err);
    entry->bytes = (uint64_t)count * o->filters.item;
    each_row(o, data, box, part, note_row, &r);
    const clast_status status = cl_journal_append(f->journal, entry, r.n, r.piece, err);
    cl_free(r.piece);
    return status;
}

clast_status cl_resume_note(const cl_outputs *outputs, const cl_output *o,
                            const cl_box *box, const cl_box *part, int64_t index,
                            const void *data, cl_error *err)
{
    const cl_output_file *f = &outputs->file[o->file];
    cl_journal_entry entry = {.output = number_of(outputs, o),
                              .chunk = index,
                              .checksum = sum_of(o, data, box, part)};
    return f->is_logged
               ? log_rows(outputs, o, box, part, &entry, data, err)
               : cl_journal_add(f->journal, &entry,
                                (uint64_t)cl_box_count(part) * o->filters.item, err);
}

clast_status cl_resume_log(const cl_outputs *outputs, const cl_output *o, int64_t index,
                           uint32_t mask, const void *bytes, uint64_t size,
                           cl_error *err)
{
    const cl_journal_entry entry = {.output = number_of(outputs, o),
                                    .mask = mask,
                                    .chunk = index,
                                    .checksum = cl_checksum(bytes, size),
                                    .bytes = size};
    struct iovec piece = {(void *)(uintptr_t)bytes, size};
    return cl_journal_append(outputs->file[o->file].journal, &entry, 1, &piece, err);
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
