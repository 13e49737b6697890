/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Journals: what of an output file is done, kept beside it while it is written, so that
 * a later attempt goes on where one ended, however it ended.
 *
 * A journal is a header with a text that says what run it belongs to, line by line, and
 * records that are only ever appended: a chunk is stored, with the checksum of its
 * bytes; at the end, the file is finished. Of an unfiltered file the bytes are in its
 * temporary file, which is kept (`places` the chunk); of others they follow the record,
 * since libhdf5's files are of no use before they are closed.
 *
 * A record is written after the bytes it speaks of have reached the disk, in batches: a
 * killed run loses what it stored in the last 2 seconds or 64 MiB. A record that is
 * torn ends the journal. All functions but the opening ones may be called from any
 * thread.
 */
#ifndef CL_IO_JOURNAL_H
#define CL_IO_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/status.h"

typedef struct cl_journal cl_journal;

/* A chunk that is stored. */
typedef struct {
    uint32_t output; /* number within the file */
    uint32_t mask;   /* filters that were left out */
    int64_t chunk;
    uint64_t checksum; /* of the chunk's bytes */
    uint64_t bytes;    /* that follow the record; 0 where they are in the file */
    uint64_t at;       /* where they are in the journal */
} cl_journal_entry;

/* What is found under a name. */
typedef struct {
    bool exists;                    /* a journal with a whole header */
    bool is_finished;               /* it ends with the file that is to be published */
    uint64_t inode, size, modified; /* of that */
    bool is_beside;                 /* it knows the file that was looked for */
    int64_t entries;
    char *text;   /* the header's; to be freed with cl_free */
    uint64_t end; /* of what is whole */
} cl_journal_state;

/* Looks through a journal; each entry goes to `each` (may be NULL), which may read its
 * bytes by cl_journal_read(), in the order in which they were written. */
typedef clast_status cl_journal_fn(void *arg, int fd, const cl_journal_entry *entry,
                                   cl_error *err);
clast_status cl_journal_look(const char *name, cl_journal_state *state,
                             cl_journal_fn *each, void *arg, cl_error *err);
/* ... for a record of this file, finished beside the journal's own. */
clast_status cl_journal_look_for(const char *name, const struct stat *file,
                                 cl_journal_state *state, cl_error *err);
/* The bytes of an entry; whether they are what was written. */
clast_status cl_journal_read(int fd, const cl_journal_entry *entry, void *data,
                             bool *is_good, cl_error *err);

/* A new journal with this header; durable when this returns, unless is_synced is
 * false. */
clast_status cl_journal_new(cl_journal **journal, const char *name, const char *text,
                            bool is_synced, cl_error *err);
/* One that was looked through: what is torn behind its end is cut off. */
clast_status cl_journal_resume(cl_journal **journal, const char *name,
                               const cl_journal_state *state, bool is_synced,
                               cl_error *err);
/* Whose data is to be on the disk before records are written; -1: the journal's own. */
void cl_journal_places(cl_journal *journal, int fd);

/* A chunk whose bytes are in the file. */
clast_status cl_journal_add(cl_journal *journal, const cl_journal_entry *entry,
                            uint64_t bytes, cl_error *err);
/* A chunk with its bytes, which are summed here. The pieces are used up. */
clast_status cl_journal_append(cl_journal *journal, const cl_journal_entry *entry,
                               int n, struct iovec *piece, cl_error *err);
/* All that was added is on the disk. */
clast_status cl_journal_flush(cl_journal *journal, cl_error *err);
/* Another finished file of the same run: before this one's own. */
clast_status cl_journal_beside(cl_journal *journal, const struct stat *file,
                               cl_error *err);
/* The finished file, which only has to be published now. */
clast_status cl_journal_finish(cl_journal *journal, const struct stat *file,
                               cl_error *err);
/* Memory that the entries of so many chunks may take while they wait. */
uint64_t cl_journal_bytes(int64_t chunks);
int64_t cl_journal_entries(const cl_journal *journal); /* an earlier attempt's too */
const char *cl_journal_name(const cl_journal *journal);
/* Closes it; is_removed: and it goes. NULL is legal. */
void cl_journal_close(cl_journal *journal, bool is_removed);

#endif
