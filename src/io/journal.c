/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Journals: header, records, batches.
 *
 *   header  magic, version, length and checksum of the text; the text, padded to 8
 *   record  48 bytes: kind, output, mask, three numbers, and a checksum of these and of
 *           where the record lies, so that what was there before is never taken for one
 *
 * Bytes that follow a record are written before it; their checksum is the record's. So
 * an interrupted write leaves no record, and a later one begins in the same place.
 *
 * Batches: entries wait in memory until 64 MiB, 2 seconds or 16384 of them have come
 * together, so that the list is no longer than that however small the chunks are.
 * Whoever adds the one that is too many takes the list, pushes the data to the disk
 * without the mutex, so that others go on adding, and writes the records. The first
 * failure is kept: every later call gives it, and no record is written any more.
 *
 * Cost: 48 bytes a chunk; two fdatasync a batch; a checksum of every byte.
 */
#include "io/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/checksum.h"
#include "base/thread.h"
#include "io/sys.h"

#define BATCH_BYTES   ((uint64_t)64 << 20)
#define BATCH_SECONDS 2.0
#define BATCH_ENTRIES ((size_t)16384)
#define TEXT_MOST     ((uint64_t)1 << 30)
#define WINDOW        ((size_t)1 << 16)

typedef enum { KIND_CHUNK = 1, KIND_FINISHED, KIND_BESIDE } kind;

typedef struct {
    char magic[8];
    uint64_t version, bytes, sum;
} header;

typedef struct {
    uint32_t kind, output, mask, zero;
    uint64_t number[3]; /* chunk, bytes, checksum; of a file: inode, size, modified */
    uint64_t sum;
} record;

static const header wanted = {.magic = "clastjnl", .version = 1};

struct cl_journal {
    char *name;
    int fd, data_fd;
    bool is_synced;
    cl_mutex mutex; /* guards all below */
    uint64_t end;
    int64_t entries;
    cl_journal_entry *waiting;
    size_t nwaiting, capacity;
    uint64_t bytes; /* stored since the last batch */
    double since;
    bool is_flushing;
    cl_error error;
};

static clast_status fail(const char *name, const char *what, int error, cl_error *err)
{
    return cl_error_set(err, cl_status_from_errno(error < 0 ? EIO : error),
                        "%s: %s: %s", name, what,
                        error < 0 ? "it ends too early" : strerror(error));
}

static uint64_t time_of(const struct stat *file)
{
    return (uint64_t)file->st_mtim.tv_sec * 1000000000u +
           (uint64_t)file->st_mtim.tv_nsec;
}

static uint64_t sum_of(const record *r, uint64_t at)
{
    record copy = *r;
    copy.sum = at;
    return cl_checksum(&copy, sizeof copy);
}

static uint64_t padded(uint64_t bytes)
{
    return (bytes + 7) / 8 * 8;
}

static int read_at(int fd, void *data, uint64_t bytes, uint64_t at)
{
    struct iovec piece = {data, bytes};
    return bytes ? cl_sys_read_all(fd, &piece, 1, (off_t)at) : 0;
}

static int write_at(int fd, const void *data, uint64_t bytes, uint64_t at)
{
    union { /* writing does not change the bytes; iovec serves reading too */
        const void *in;
        void *out;
    } from = {.in = data};
    struct iovec piece = {from.out, bytes};
    return cl_sys_write_all(fd, &piece, 1, (off_t)at);
}

/* --- looking through ---------------------------------------------------------------
 */

/* A part of the file, so that records in a row cost few calls. */
typedef struct {
    int fd;
    uint64_t begin, size; /* of the window; of the file */
    size_t held;
    char bytes[WINDOW];
} window;

/* NULL: the file ends before that, or *error. */
static const void *look(window *w, uint64_t at, size_t bytes, int *error)
{
    *error = 0;
    if (at > w->size || bytes > w->size - at)
        return NULL;
    if (at < w->begin || at + bytes > w->begin + w->held) {
        w->begin = at;
        w->held = w->size - at < WINDOW ? (size_t)(w->size - at) : WINDOW;
        *error = read_at(w->fd, w->bytes, w->held, at);
        if (*error)
            return NULL;
    }
    return w->bytes + (at - w->begin);
}

/* The header; one that is torn, or none, leaves state->exists false. */
static clast_status look_at_header(window *w, const char *name, cl_journal_state *state,
                                   cl_error *err)
{
    int error;
    header h;
    const void *p = look(w, 0, sizeof h, &error);
    if (error)
        return fail(name, "reading failed", error, err);
    if (!p)
        return CLAST_OK;
    memcpy(&h, p, sizeof h);
    if (h.version == 0 || h.bytes == 0 || h.sum == 0)
        return CLAST_OK; /* torn: it is written last */
    if (memcmp(h.magic, wanted.magic, sizeof h.magic) != 0 ||
        h.version != wanted.version)
        return cl_error_set(err, CLAST_EFORMAT,
                            "%s is not a journal of this version of Clast; remove it "
                            "to start over",
                            name);
    if (h.bytes > TEXT_MOST || w->size < sizeof h + padded(h.bytes))
        return CLAST_OK;
    state->text = cl_alloc(h.bytes + 1);
    if (!state->text)
        return cl_error_set(err, CLAST_ENOMEM, "%s: no memory to read it", name);
    error = read_at(w->fd, state->text, h.bytes, sizeof h);
    if (error)
        return fail(name, "reading failed", error, err);
    state->text[h.bytes] = '\0';
    state->exists = cl_checksum(state->text, h.bytes) == h.sum;
    state->end = sizeof h + padded(h.bytes);
    if (!state->exists && w->size > state->end)
        return cl_error_set(err, CLAST_EFORMAT,
                            "%s is damaged; remove it to start over", name);
    return CLAST_OK;
}

/* The next record; false at the end of what is whole. */
static clast_status next_record(window *w, const char *name, uint64_t at, record *r,
                                bool *found, cl_error *err)
{
    int error;
    const void *p = look(w, at, sizeof *r, &error);
    *found = false;
    if (error)
        return fail(name, "reading failed", error, err);
    *found = p != NULL;
    if (p)
        memcpy(r, p, sizeof *r);
    if (p && (sum_of(r, at) != r->sum ||
              (r->kind == KIND_CHUNK && r->number[1] > w->size - at - sizeof *r)))
        *found = false;
    return CLAST_OK;
}

static bool is_of(const record *r, const struct stat *file)
{
    return r->number[0] == file->st_ino && r->number[1] == (uint64_t)file->st_size &&
           r->number[2] == time_of(file);
}

static clast_status look_at_records(window *w, const char *name,
                                    cl_journal_state *state, const struct stat *beside,
                                    cl_journal_fn *each, void *arg, cl_error *err)
{
    for (;;) {
        record r;
        bool found = false;
        CL_TRY(next_record(w, name, state->end, &r, &found, err));
        if (!found)
            return CLAST_OK;
        state->is_finished = r.kind == KIND_FINISHED;
        if (r.kind == KIND_BESIDE) {
            state->is_beside = state->is_beside || (beside && is_of(&r, beside));
            state->end += sizeof r;
            continue;
        }
        const cl_journal_entry entry = {.output = r.output,
                                        .mask = r.mask,
                                        .chunk = (int64_t)r.number[0],
                                        .checksum = r.number[2],
                                        .bytes = r.number[1],
                                        .at = state->end + sizeof r};
        state->end += sizeof r;
        if (state->is_finished) {
            state->inode = r.number[0];
            state->size = r.number[1];
            state->modified = r.number[2];
            continue;
        }
        state->end += padded(entry.bytes);
        state->entries++;
        if (each)
            CL_TRY(each(arg, w->fd, &entry, err));
    }
}

static clast_status look_through(const char *name, cl_journal_state *state,
                                 const struct stat *beside, cl_journal_fn *each,
                                 void *arg, cl_error *err)
{
    struct stat st;
    *state = (cl_journal_state){0};
    const int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return CLAST_OK;
    if (fd < 0)
        return fail(name, "opening failed", errno, err);
    window *w = cl_calloc(1, sizeof *w);
    clast_status status = CLAST_OK;
    if (!w)
        status = cl_error_set(err, CLAST_ENOMEM, "%s: no memory to read it", name);
    else if (fstat(fd, &st) != 0)
        status = fail(name, "reading failed", errno, err);
    if (status == CLAST_OK) {
        w->fd = fd;
        w->size = (uint64_t)st.st_size;
        status = look_at_header(w, name, state, err);
    }
    if (status == CLAST_OK && state->exists)
        status = look_at_records(w, name, state, beside, each, arg, err);
    cl_free(w);
    close(fd);
    return status;
}

clast_status cl_journal_look(const char *name, cl_journal_state *state,
                             cl_journal_fn *each, void *arg, cl_error *err)
{
    return look_through(name, state, NULL, each, arg, err);
}

clast_status cl_journal_look_for(const char *name, const struct stat *file,
                                 cl_journal_state *state, cl_error *err)
{
    return look_through(name, state, file, NULL, NULL, err);
}

clast_status cl_journal_read(int fd, const cl_journal_entry *entry, void *data,
                             bool *is_good, cl_error *err)
{
    const int error = read_at(fd, data, entry->bytes, entry->at);
    if (error > 0)
        return fail("a journal", "reading failed", error, err);
    *is_good = error == 0 && cl_checksum(data, entry->bytes) == entry->checksum;
    return CLAST_OK;
}

/* --- opening -----------------------------------------------------------------------
 */

static clast_status open_journal(cl_journal **journal, const char *name, int flags,
                                 bool is_synced, cl_error *err)
{
    cl_journal *j = cl_calloc(1, sizeof *j);
    *journal = j;
    if (!j || !(j->name = cl_strdup(name))) {
        cl_free(j);
        *journal = NULL;
        return cl_error_set(err, CLAST_ENOMEM, "%s: no memory for a journal", name);
    }
    cl_mutex_init(&j->mutex);
    j->is_synced = is_synced;
    j->data_fd = -1;
    j->since = cl_clock();
    j->fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0666);
    return j->fd >= 0 ? CLAST_OK : fail(name, "it cannot be made", errno, err);
}

static int write_header(cl_journal *j, const char *text)
{
    header h = wanted;
    h.bytes = strlen(text);
    h.sum = cl_checksum(text, h.bytes);
    j->end = sizeof h + padded(h.bytes);
    int error = write_at(j->fd, text, h.bytes, sizeof h);
    if (!error)
        error = cl_sys_truncate(j->fd, (off_t)j->end);
    if (!error)
        error = write_at(j->fd, &h, sizeof h, 0);
    return error || !j->is_synced ? error : cl_sys_sync(j->fd);
}

clast_status cl_journal_new(cl_journal **journal, const char *name, const char *text,
                            bool is_synced, cl_error *err)
{
    cl_journal *j;
    clast_status status = open_journal(&j, name, O_CREAT | O_TRUNC, is_synced, err);
    const int error = status == CLAST_OK ? write_header(j, text) : 0;
    if (error)
        status = fail(name, "writing failed", error, err);
    if (status != CLAST_OK) {
        cl_journal_close(j, true);
        j = NULL;
    }
    *journal = j;
    return status;
}

clast_status cl_journal_resume(cl_journal **journal, const char *name,
                               const cl_journal_state *state, bool is_synced,
                               cl_error *err)
{
    cl_journal *j;
    clast_status status = open_journal(&j, name, 0, is_synced, err);
    const int error =
        status == CLAST_OK ? cl_sys_truncate(j->fd, (off_t)state->end) : 0;
    if (error)
        status = fail(name, "cutting it failed", error, err);
    if (status != CLAST_OK) {
        cl_journal_close(j, false);
        j = NULL;
    } else {
        j->end = state->end;
        j->entries = state->entries;
    }
    *journal = j;
    return status;
}

void cl_journal_places(cl_journal *journal, int fd)
{
    journal->data_fd = fd;
}

/* --- appending ---------------------------------------------------------------------
 */

static record record_of(const cl_journal_entry *e, uint64_t at)
{
    record r = {.kind = KIND_CHUNK,
                .output = e->output,
                .mask = e->mask,
                .number = {(uint64_t)e->chunk, e->bytes, e->checksum}};
    r.sum = sum_of(&r, at);
    return r;
}

static int write_records(cl_journal *j, const cl_journal_entry *entry, size_t n)
{
    record some[64];
    int error = 0;
    for (size_t i = 0; i < n && !error;) {
        size_t k = 0;
        const uint64_t at = j->end;
        for (; k < sizeof some / sizeof *some && i < n; k++, i++)
            some[k] = record_of(&entry[i], at + k * sizeof *some);
        error = write_at(j->fd, some, k * sizeof *some, at);
        if (!error)
            j->end += k * sizeof *some;
    }
    return error;
}

/* Under the mutex, which it lets go for the disk. */
static clast_status flush(cl_journal *j)
{
    cl_journal_entry *const entry = j->waiting;
    const size_t n = j->nwaiting;
    int error = 0;
    if (j->error.status != CLAST_OK || j->is_flushing)
        return j->error.status;
    j->is_flushing = true;
    j->waiting = NULL;
    j->nwaiting = j->capacity = 0;
    j->bytes = 0;
    cl_mutex_unlock(&j->mutex);
    if (j->is_synced && j->data_fd >= 0 && n > 0)
        error = cl_sys_sync_data(j->data_fd);
    cl_mutex_lock(&j->mutex);
    if (!error)
        error = write_records(j, entry, n);
    cl_mutex_unlock(&j->mutex);
    if (!error && j->is_synced)
        error = cl_sys_sync_data(j->fd);
    cl_mutex_lock(&j->mutex);
    cl_free(entry);
    j->is_flushing = false;
    j->since = cl_clock();
    if (error)
        fail(j->name, "writing failed", error, &j->error);
    else
        j->entries += (int64_t)n;
    return j->error.status;
}

static clast_status flush_if_due(cl_journal *j, uint64_t bytes)
{
    j->bytes += bytes;
    if (j->error.status != CLAST_OK || j->bytes >= BATCH_BYTES ||
        j->nwaiting >= BATCH_ENTRIES || cl_clock() - j->since >= BATCH_SECONDS)
        return flush(j);
    return CLAST_OK;
}

/* Gives the mutex back, and the journal's error where there is one. */
static clast_status leave(cl_journal *j, clast_status status, cl_error *err)
{
    if (status != CLAST_OK)
        cl_error_set(err, j->error.status, "%s", j->error.text);
    cl_mutex_unlock(&j->mutex);
    return status;
}

clast_status cl_journal_add(cl_journal *j, const cl_journal_entry *entry,
                            uint64_t bytes, cl_error *err)
{
    cl_mutex_lock(&j->mutex);
    clast_status status = j->error.status;
    if (status == CLAST_OK &&
        !cl_grow(&j->waiting, &j->capacity, j->nwaiting + 1, sizeof *j->waiting))
        status = cl_error_set(&j->error, CLAST_ENOMEM, "%s: no memory for its entries",
                              j->name);
    if (status == CLAST_OK) {
        j->waiting[j->nwaiting++] = *entry;
        status = flush_if_due(j, bytes);
    }
    return leave(j, status, err);
}

/* The bytes at the end of the journal, then the record in front of them. */
static int append(cl_journal *j, const cl_journal_entry *entry, int n,
                  struct iovec *piece)
{
    const uint64_t at = j->end;
    int error = cl_sys_write_all(j->fd, piece, n, (off_t)(at + sizeof(record)));
    const uint64_t end = at + sizeof(record) + padded(entry->bytes);
    if (!error && padded(entry->bytes) != entry->bytes)
        error = cl_sys_truncate(j->fd, (off_t)end);
    const record r = record_of(entry, at);
    if (!error)
        error = write_at(j->fd, &r, sizeof r, at);
    if (!error)
        j->end = end;
    return error;
}

clast_status cl_journal_append(cl_journal *j, const cl_journal_entry *entry, int n,
                               struct iovec *piece, cl_error *err)
{
    cl_mutex_lock(&j->mutex);
    clast_status status = j->error.status;
    const int error = status == CLAST_OK ? append(j, entry, n, piece) : 0;
    if (error)
        status = fail(j->name, "writing failed", error, &j->error);
    if (status == CLAST_OK) {
        j->entries++;
        status = flush_if_due(j, entry->bytes);
    }
    return leave(j, status, err);
}

clast_status cl_journal_flush(cl_journal *j, cl_error *err)
{
    cl_mutex_lock(&j->mutex);
    return leave(j, flush(j), err);
}

static clast_status write_file(cl_journal *j, kind what, const struct stat *file,
                               bool is_synced, cl_error *err)
{
    record r = {.kind = what,
                .number = {file->st_ino, (uint64_t)file->st_size, time_of(file)}};
    r.sum = sum_of(&r, j->end);
    int error = write_at(j->fd, &r, sizeof r, j->end);
    if (!error && is_synced)
        error = cl_sys_sync_data(j->fd);
    if (error)
        return fail(j->name, "writing failed", error, err);
    j->end += sizeof r;
    return CLAST_OK;
}

clast_status cl_journal_beside(cl_journal *j, const struct stat *file, cl_error *err)
{
    CL_TRY(cl_journal_flush(j, err));
    return write_file(j, KIND_BESIDE, file, false, err);
}

clast_status cl_journal_finish(cl_journal *j, const struct stat *file, cl_error *err)
{
    CL_TRY(cl_journal_flush(j, err));
    return write_file(j, KIND_FINISHED, file, j->is_synced, err);
}

/* One list is written while another one grows, by halves. */
uint64_t cl_journal_bytes(int64_t chunks)
{
    const uint64_t n =
        (uint64_t)chunks < BATCH_ENTRIES ? (uint64_t)chunks : (uint64_t)BATCH_ENTRIES;
    return 3 * n * sizeof(cl_journal_entry);
}

int64_t cl_journal_entries(const cl_journal *journal)
{
    return journal->entries;
}

const char *cl_journal_name(const cl_journal *journal)
{
    return journal->name;
}

void cl_journal_close(cl_journal *j, bool is_removed)
{
    if (!j)
        return;
    if (j->fd >= 0 && is_removed)
        unlink(j->name);
    if (j->fd >= 0)
        close(j->fd);
    cl_mutex_fini(&j->mutex);
    cl_free(j->waiting);
    cl_free(j->name);
    cl_free(j);
}
