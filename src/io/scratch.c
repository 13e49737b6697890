/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scratch: where blocks wait on disk.
 *
 * One unlinked file, whose space the system takes back however the process ends. A slot
 * is a run of pages; slots of equal size are recycled through a free list per size, and
 * the last free slots of the file are cut off it, so that a size that is no longer used
 * does not hold the disk for ever. Space is allotted in steps ahead of the writes: a
 * full disk is found when a slot is made, not in the middle of a write. What a run is
 * known to need is set aside before it begins.
 *
 * Every write carries a checksum that stays in memory; a read that does not match is
 * CLAST_EIO, never silently wrong numbers. Behind a write the pages are pushed to the
 * disk and dropped from the page cache, because dirty pages are memory too.
 *
 * The mutex guards the tables; reading and writing go on outside it. A slot number is
 * an index into the table, so it stays valid while the table grows.
 *
 * Cost: a call O(sizes in use) besides the bytes; 56 bytes a slot.
 */
#include "io/scratch.h"

#include "base/alloc.h"
#include "base/checksum.h"
#include "base/thread.h"
#include "io/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PAGE    4096u
#define ALLOT   ((uint64_t)64 << 20) /* the file grows by this much at once */
#define SPARE   8 /* what a run may need is set aside with so large a part more */
#define NO_SLOT UINT64_MAX

typedef struct {
    uint64_t offset, pages, bytes, checksum;
    uint64_t next, prev; /* free list of its size */
    bool is_free;
} slot;

typedef struct {
    uint64_t pages, first; /* size, first free slot */
} bin;

struct cl_scratch {
    int file;
    char *folder;
    cl_mutex mutex;
    slot *slots;
    size_t nslot, slot_capacity;
    bin *bins;
    size_t nbin, bin_capacity;
    uint64_t end, allotted; /* bytes: given out as slots; asked of the disk */
    uint64_t held, kept;    /* of slots in use; the file is not cut below */
};

/* ---- the file ---- */

int cl_scratch_file(const char *folder)
{
    char path[PATH_MAX];
    int file = open(folder, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (file >= 0 || errno == ENOENT || errno == EACCES)
        return file;
    if (snprintf(path, sizeof path, "%s/.clast-scratch-XXXXXX", folder) >=
        (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    file = mkostemp(path, O_CLOEXEC);
    if (file >= 0)
        unlink(path);
    return file;
}

clast_status cl_scratch_open(cl_scratch **out, const char *folder, cl_error *err)
{
    cl_scratch *scratch = cl_calloc(1, sizeof *scratch);
    char *name = cl_strdup(folder);
    if (!scratch || !name) {
        cl_free(scratch);
        cl_free(name);
        return cl_error_set(err, CLAST_ENOMEM, "no memory to open scratch space");
    }
    scratch->file = cl_scratch_file(folder);
    if (scratch->file < 0) {
        const int error = errno;
        cl_free(scratch);
        cl_free(name);
        return cl_error_set(err, cl_status_from_errno(error),
                            "cannot make a scratch file in \"%s\": %s", folder,
                            strerror(error));
    }
    scratch->folder = name;
    cl_mutex_init(&scratch->mutex);
    *out = scratch;
    return CLAST_OK;
}

void cl_scratch_close(cl_scratch *scratch)
{
    if (!scratch)
        return;
    close(scratch->file);
    cl_mutex_fini(&scratch->mutex);
    cl_free(scratch->folder);
    cl_free(scratch->slots);
    cl_free(scratch->bins);
    cl_free(scratch);
}

static uint64_t in_steps(uint64_t bytes)
{
    return (bytes + ALLOT - 1) / ALLOT * ALLOT;
}

/* What is wanted, by whole steps, while the disk has that, and what is needed when it
 * is nearly full. */
static int allot(cl_scratch *scratch, uint64_t wanted, uint64_t end,
                 int (*ask)(int file, off_t at, off_t bytes))
{
    if (end <= scratch->allotted)
        return 0;
    const uint64_t steps[] = {in_steps(wanted), end};
    int error = 0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const uint64_t from = scratch->allotted;
        error = ask(scratch->file, (off_t)from, (off_t)(steps[i] - from));
        if (!error) {
            scratch->allotted = steps[i];
            return 0;
        }
    }
    return error;
}

/* ---- slots ---- */

static bin *find_bin(cl_scratch *scratch, uint64_t pages)
{
    for (size_t i = 0; i < scratch->nbin; i++)
        if (scratch->bins[i].pages == pages)
            return &scratch->bins[i];
    return NULL;
}

static bin *add_bin(cl_scratch *scratch, uint64_t pages)
{
    if (!cl_grow(&scratch->bins, &scratch->bin_capacity, scratch->nbin + 1,
                 sizeof *scratch->bins))
        return NULL;
    scratch->bins[scratch->nbin] = (bin){pages, NO_SLOT};
    return &scratch->bins[scratch->nbin++];
}

static clast_status new_slot(cl_scratch *scratch, uint64_t pages, uint64_t *index,
                             cl_error *err)
{
    if (!cl_grow(&scratch->slots, &scratch->slot_capacity, scratch->nslot + 1,
                 sizeof *scratch->slots))
        return cl_error_set(err, CLAST_ENOMEM, "no memory for the table of scratch");
    const uint64_t bytes = pages * PAGE, end = scratch->end + bytes;
    const int error = allot(scratch, end, end, cl_sys_reserve);
    if (error)
        return cl_error_set(err, cl_status_from_errno(error),
                            "scratch in \"%s\" cannot grow by %llu bytes to %llu: %s",
                            scratch->folder, (unsigned long long)bytes,
                            (unsigned long long)(scratch->end + bytes),
                            strerror(error));
    scratch->slots[scratch->nslot] = (slot){.offset = scratch->end, .pages = pages};
    scratch->end += bytes;
    scratch->held += bytes;
    *index = scratch->nslot++;
    return CLAST_OK;
}

static void link_free(cl_scratch *scratch, uint64_t index)
{
    slot *s = &scratch->slots[index];
    bin *b = find_bin(scratch, s->pages);
    s->is_free = true;
    s->prev = NO_SLOT;
    s->next = b->first;
    if (b->first != NO_SLOT)
        scratch->slots[b->first].prev = index;
    b->first = index;
}

static void unlink_free(cl_scratch *scratch, uint64_t index)
{
    slot *s = &scratch->slots[index];
    s->is_free = false;
    if (s->prev == NO_SLOT)
        find_bin(scratch, s->pages)->first = s->next;
    else
        scratch->slots[s->prev].next = s->next;
    if (s->next != NO_SLOT)
        scratch->slots[s->next].prev = s->prev;
}

static clast_status take_slot(cl_scratch *scratch, uint64_t pages, uint64_t *index,
                              cl_error *err)
{
    bin *b = find_bin(scratch, pages);
    if (!b && !(b = add_bin(scratch, pages)))
        return cl_error_set(err, CLAST_ENOMEM, "no memory for the table of scratch");
    if (b->first == NO_SLOT)
        return new_slot(scratch, pages, index, err);
    *index = b->first;
    unlink_free(scratch, *index);
    scratch->held += pages * PAGE;
    return CLAST_OK;
}

/* Free slots at the file's end are no slots any more; the file follows by large steps,
 * and at once when it is empty. */
static void cut_end(cl_scratch *scratch)
{
    while (scratch->nslot && scratch->slots[scratch->nslot - 1].is_free) {
        unlink_free(scratch, --scratch->nslot);
        scratch->end = scratch->slots[scratch->nslot].offset;
    }
    if (scratch->end && scratch->allotted - scratch->end < 2 * ALLOT)
        return;
    const uint64_t steps = in_steps(scratch->end);
    const uint64_t keep = steps > scratch->kept ? steps : scratch->kept;
    if (keep < scratch->allotted && !cl_sys_truncate(scratch->file, (off_t)keep))
        scratch->allotted = keep;
}

void cl_scratch_release(cl_scratch *scratch, uint64_t index)
{
    cl_mutex_lock(&scratch->mutex);
    scratch->held -= scratch->slots[index].pages * PAGE;
    link_free(scratch, index);
    cut_end(scratch);
    cl_mutex_unlock(&scratch->mutex);
}

/* ---- room for a run ---- */

static clast_status refused(const cl_scratch *scratch, uint64_t bytes, int error,
                            cl_error *err)
{
    uint64_t room = 0;
    cl_scratch_room(scratch->folder, &room, NULL);
    return cl_error_set(err, cl_status_from_errno(error),
                        "the run may spill %llu bytes, and scratch in \"%s\" cannot "
                        "set aside %llu more than it has, %llu are free: %s; more "
                        "memory would do as well",
                        (unsigned long long)bytes, scratch->folder,
                        (unsigned long long)(scratch->held + bytes - scratch->allotted),
                        (unsigned long long)room, strerror(error));
}

clast_status cl_scratch_reserve(cl_scratch *scratch, uint64_t bytes, cl_error *err)
{
    clast_status status = CLAST_OK;
    cl_mutex_lock(&scratch->mutex);
    const uint64_t all = scratch->held + bytes;
    const int error = allot(scratch, all + bytes / SPARE, all, cl_sys_allocate);
    if (!error) {
        scratch->kept = scratch->allotted;
    } else if (error != EOPNOTSUPP) {
        status = refused(scratch, bytes, error, err);
        /* what it got before the disk was full */
        cl_sys_truncate(scratch->file, (off_t)scratch->allotted);
    }
    cl_mutex_unlock(&scratch->mutex);
    return status;
}

void cl_scratch_unreserve(cl_scratch *scratch)
{
    cl_mutex_lock(&scratch->mutex);
    scratch->kept = 0;
    cut_end(scratch);
    cl_mutex_unlock(&scratch->mutex);
}

/* ---- bytes ---- */

static clast_status failed_write(cl_scratch *scratch, uint64_t index, uint64_t bytes,
                                 int error, cl_error *err)
{
    cl_scratch_release(scratch, index);
    return cl_error_set(err, cl_status_from_errno(error),
                        "writing %llu bytes of scratch in \"%s\": %s",
                        (unsigned long long)bytes, scratch->folder, strerror(error));
}

clast_status cl_scratch_write(cl_scratch *scratch, const void *data, uint64_t bytes,
                              uint64_t *index, cl_error *err)
{
    cl_mutex_lock(&scratch->mutex);
    const clast_status status =
        take_slot(scratch, (bytes + PAGE - 1) / PAGE, index, err);
    const uint64_t offset = status ? 0 : scratch->slots[*index].offset;
    cl_mutex_unlock(&scratch->mutex);
    CL_TRY(status);

    union { /* writing does not change the bytes; iovec serves reading too */
        const void *in;
        void *out;
    } from = {.in = data};
    struct iovec piece = {from.out, bytes};
    const int error = cl_sys_write_all(scratch->file, &piece, 1, (off_t)offset);
    if (error)
        return failed_write(scratch, *index, bytes, error, err);
    const uint64_t sum = cl_checksum(data, bytes);
    /* Writing back waits for the disk, so the writer is slowed to its pace and dirty
     * pages stay within one slot a thread. Errors show when the bytes are read. */
    cl_sys_push(scratch->file, (off_t)offset, (off_t)bytes, CL_PUSH_AND_WAIT);
    posix_fadvise(scratch->file, (off_t)offset, (off_t)bytes, POSIX_FADV_DONTNEED);

    cl_mutex_lock(&scratch->mutex);
    scratch->slots[*index].bytes = bytes;
    scratch->slots[*index].checksum = sum;
    cl_mutex_unlock(&scratch->mutex);
    return CLAST_OK;
}

clast_status cl_scratch_read(cl_scratch *scratch, uint64_t index, void *data,
                             uint64_t bytes, cl_error *err)
{
    cl_mutex_lock(&scratch->mutex);
    const slot s = scratch->slots[index];
    cl_mutex_unlock(&scratch->mutex);
    if (bytes != s.bytes)
        return cl_error_set(err, CLAST_EINTERNAL,
                            "scratch slot %llu holds %llu bytes, not %llu",
                            (unsigned long long)index, (unsigned long long)s.bytes,
                            (unsigned long long)bytes);
    struct iovec piece = {data, bytes};
    const int error = cl_sys_read_all(scratch->file, &piece, 1, (off_t)s.offset);
    if (error)
        return cl_error_set(err, cl_status_from_errno(error < 0 ? EIO : error),
                            "reading %llu bytes of scratch in \"%s\": %s",
                            (unsigned long long)bytes, scratch->folder,
                            error < 0 ? "the file ends too early" : strerror(error));
    posix_fadvise(scratch->file, (off_t)s.offset, (off_t)bytes, POSIX_FADV_DONTNEED);
    if (cl_checksum(data, bytes) != s.checksum)
        return cl_error_set(err, CLAST_EIO,
                            "scratch in \"%s\" is damaged: %llu bytes at %llu are not "
                            "what was written",
                            scratch->folder, (unsigned long long)bytes,
                            (unsigned long long)s.offset);
    return CLAST_OK;
}

uint64_t cl_scratch_bytes(const cl_scratch *scratch)
{
    return scratch->allotted;
}

clast_status cl_scratch_room(const char *folder, uint64_t *bytes, cl_error *err)
{
    struct statvfs s;
    if (statvfs(folder, &s))
        return cl_error_set(err, cl_status_from_errno(errno),
                            "scratch folder \"%s\": %s", folder, strerror(errno));
    if (__builtin_mul_overflow((uint64_t)s.f_bavail, (uint64_t)s.f_frsize, bytes))
        *bytes = UINT64_MAX;
    return CLAST_OK;
}
