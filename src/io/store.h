/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where blocks live: sources that boxes are read from, sinks that chunks are written
 * to.
 *
 * A source is {facts, read a box}, a sink {begin, put a unit, commit or abort}. HDF5 is
 * one kind, memory another. Reading is in two steps, so that waiting and computing go
 * to different threads: fetch (stored bytes into staging, or straight into place; by an
 * I/O thread, or by a worker where nothing makes it wait) and decode (worker: filters,
 * byte order, CF). All functions here may be called
 * from any thread; those of libhdf5 take the one process-wide lock inside.
 */
#ifndef CL_IO_STORE_H
#define CL_IO_STORE_H

#include <stdatomic.h>

#include "base/log.h"
#include "base/shape.h"
#include "base/status.h"
#include "base/text.h"
#include "clast/context.h"
#include "clast/sink.h"
#include "io/compression.h"
#include "io/lease.h"

typedef struct cl_source cl_source;

/* What to do about stored bytes that are not in memory (the page cache). */
typedef enum {
    CL_PATIENT,  /* wait, and do not ask whether one did */
    CL_WATCHFUL, /* wait, and tell */
    CL_HASTY     /* leave it, and tell */
} cl_patience;

/* How to fetch, and what came of it. */
typedef struct {
    cl_patience patience;
    bool waited;     /* for a disk; CL_HASTY: would have, so nothing was fetched */
    uint64_t stored; /* bytes that were read from the file */
} cl_fetching;

/* What a source is. */
typedef struct {
    clast_dtype dtype; /* of the elements as they are handed out */
    cl_shape shape;
    bool is_memory;
    void *data;                /* memory: element (0, ..., 0) */
    int64_t stride[CL_MAXDIM]; /* memory: bytes */
    bool has_chunks;
    int64_t chunk[CL_MAXDIM];
    bool is_filtered; /* whole chunks only are cheap to read */
    bool is_slow;     /* through H5Dread */
    bool is_plain;    /* no filters, and through the page cache: parts of a box are read
                         at the cost of their bytes */
    bool is_in_place; /* plain, and stored as it is handed out */
    uint64_t staging_per_chunk, staging_fixed;
    cl_compression compression; /* of the storage, which outputs inherit; all zeros:
                                   none, or one that Clast does not write */
    const char *file, *path;    /* NULL for memory */
    bool is_untrusted;          /* nobody may open the file with libhdf5 */
    uint64_t table_bytes;       /* charged while the source is open */
    /* Hashes of what a dataset's attributes say; 0: nothing. */
    uint64_t units;    /* the units, and the calendar of times */
    uint64_t encoding; /* fill values, packing, limits, flags */
} cl_source_info;

/* What is handed out of a dataset. */
typedef enum {
    CL_READ_DECODED, /* values after CF attributes */
    CL_READ_STORED,  /* values as they are stored */
    CL_READ_BITS     /* elements' bytes, unchanged, in a dtype of their size: unsigned
                        integers, complex128 for 16 bytes; of any type that is no more
                        than its bytes */
} cl_read_mode;

/* Opens a dataset; several sources of one file share the open file. */
clast_status cl_source_open_hdf5(cl_source **source, const char *file, const char *path,
                                 cl_read_mode reading, const cl_log *log,
                                 cl_error *err);
/* A dataset of a file that nobody vouches for. libhdf5 never opens it in this process:
 * a helper program does, and what it says is checked. charge is asked before memory is
 * taken for the dataset's chunks; info.table_bytes is what it granted. */
typedef struct {
    const char *helper; /* NULL: the one that is installed with the library */
    const cl_log *log;
    bool *is_told; /* that the kernel does not confine helpers: it is said once */
    clast_status (*charge)(void *arg, uint64_t bytes, cl_error *err);
    void (*uncharge)(void *arg, uint64_t bytes);
    void *arg;
} cl_untrusted;
clast_status cl_source_open_untrusted(cl_source **source, const char *file,
                                      const char *path, bool raw,
                                      const cl_untrusted *how, cl_error *err);
/* The host's own open dataset; reading and log as above. The id stays the host's. */
clast_status cl_source_open_hdf5_id(cl_source **source, int64_t dataset,
                                    cl_read_mode reading, const cl_log *log,
                                    cl_error *err);
/* What every call of libhdf5 is made under; NULL, NULL: our own lock. CLAST_EVALUE one
 * of them is NULL, CLAST_EBUSY anything of libhdf5 is open here or being called. */
clast_status cl_hdf5_set_lock(clast_lock_fn *lock, clast_lock_fn *unlock, void *arg);

/* The same for one of many: where it is stored in the form of `like`, the canary of
 * that one speaks for both. */
clast_status cl_source_open_hdf5_like(cl_source **source, const char *file,
                                      const char *path, cl_read_mode reading,
                                      const cl_source *like, const cl_log *log,
                                      cl_error *err);

/* What a file says of an axis; NULL: nothing. */
typedef struct {
    char *name;
    char *coordinate; /* path, in the source's file, of the numbers along the axis: 1-d,
                         of the axis' length */
    char *texts;      /* likewise of what is no number: names of stations, say */
} cl_dim;
/* One for each axis; the memory is cl_dims_free()'s, also on failure (CLAST_ENOMEM). */
clast_status cl_source_dims(const cl_source *source, cl_dim *dim, cl_error *err);
void cl_dims_free(int n, cl_dim *dim);
/* A text attribute; false where there is none, or it has no room. */
bool cl_source_attribute(const cl_source *source, const char *name, char *text,
                         size_t size);

/* A whole 1-d dataset, decoded, and how its numbers are to be understood. */
enum { CL_UNITS_TEXT = 80, CL_CALENDAR_TEXT = 24 };
typedef struct {
    clast_dtype dtype;
    int64_t n;
    void *data;                                            /* cl_free() */
    char units[CL_UNITS_TEXT], calendar[CL_CALENDAR_TEXT]; /* "": none */
} cl_values;
/* CLAST_ESHAPE where it has not n elements on one axis. */
clast_status cl_values_read(cl_values *values, const char *file, const char *path,
                            int64_t n, cl_error *err);
/* Memory of the caller (borrowed), or of ours: free_data is then called with data at
 * the end. */
clast_status cl_source_open_memory(cl_source **source, const clast_buffer *buffer,
                                   void (*free_data)(void *data), cl_error *err);
void cl_source_close(cl_source *source); /* NULL is legal */
const cl_source_info *cl_source_get_info(const cl_source *source);
/* Adds what has to be the same for another run to read the same values: file, dataset,
 * size, inode, times of change; of memory a checksum. CLAST_ENOTSUP where nothing says
 * so. */
clast_status cl_source_describe(cl_source *source, cl_text *text, cl_error *err);
/* A number that is the same only for the same dataset of the same unchanged file
 * (device, inode, size, mtime). */
uint64_t cl_source_identity(const cl_source *source);

/* Bytes of staging that fetch and decode of this box need. */
uint64_t cl_source_staging(const cl_source *source, const cl_box *box);
/* staging: 64-byte aligned, what cl_source_staging() said. dst: C-contiguous over the
 * box, likewise aligned; it need not hold its values before decode returned. *stored
 * gets the bytes that were read from the file. */
clast_status cl_source_fetch(cl_source *source, const cl_box *box, void *dst,
                             void *staging, uint64_t *stored, cl_error *err);
/* The same where only elements of the box on the lattice will be looked at: the others
 * get any values, and are read only where that is no more work. Only how->patience need
 * be set. */
clast_status cl_source_fetch_some(cl_source *source, const cl_box *box,
                                  const cl_lattice *wanted, void *dst, void *staging,
                                  cl_fetching *how, cl_error *err);
clast_status cl_source_decode(cl_source *source, const cl_box *box, void *dst,
                              void *staging, cl_error *err);
/*
 * The elements of a box where they are in the page cache, without a copy (lease.h): for
 * sources that are in place, and boxes that lie in one run in the file. Whoever wants
 * to see several at a time finds all of them before any is shown, and hides them before
 * anything else is done, since others may be kept waiting meanwhile.
 *
 *   find  where the box is; false: it has to be fetched
 *   show  its elements, C-contiguous; NULL: they have to be fetched, once it is hidden
 *   hide  after each find that was true. CLAST_EIO: what was shown was changed
 */
bool cl_source_find(cl_source *source, const cl_box *box, uint64_t *at);
const void *cl_source_show(cl_source *source, cl_window *window, uint64_t at,
                           uint64_t bytes);
clast_status cl_source_hide(cl_source *source, bool was_shown, cl_error *err);

/*
 * Outputs: all files of one run. begin opens temporary files
 * (".name.host.pid.random.clast-tmp" beside the target) and makes the datasets; put
 * writes units; commit publishes every file by rename, one after another; abort removes
 * what was made, but for the progress of what can be resumed (hdf5_resume.c). Existing
 * files stay as they were until commit.
 */
typedef struct cl_outputs cl_outputs;

/* What the values of an output are to those of an input, as far as the input's
 * attributes still hold for it. */
typedef enum {
    CL_CARRY_NOTHING,  /* or not known */
    CL_CARRY_OTHER,    /* another quantity, computed from the input */
    CL_CARRY_UNITS,    /* another quantity in the same units */
    CL_CARRY_QUANTITY, /* the same quantity, other values */
    CL_CARRY_VALUES    /* some of the input's own values */
} cl_carry_level;

/* What an axis of an output is called, and the numbers along it. */
typedef struct {
    const char *name;   /* NULL: nothing is known of the axis */
    const void *values; /* as many as the axis is long; NULL: only its name is known */
    int64_t stride;     /* bytes */
    clast_dtype dtype;
    const cl_source *like; /* HDF5: whose attributes they have; NULL: none */
} cl_output_dim;

typedef struct {
    const char *file, *path;
    clast_dtype dtype;
    cl_shape shape;
    int64_t chunk[CL_MAXDIM];   /* settled: > 0 and <= the extent where that is > 0;
                                 ignored for rank 0 and empty shapes */
    cl_compression compression; /* settled */
    bool overwrite, no_sync;
    bool in_place; /* an existing file is changed as it is, if all its outputs say so */
    const cl_source *like; /* HDF5: its attributes are carried; NULL: none are */
    cl_carry_level level;
    const cl_output_dim *dim; /* of each axis; NULL: nothing is known */
    const char *identity; /* what run this is, a line for each thing that has to be the
                             same for another to go on with it; NULL: none may */
    /* What the dataset says of where it comes from, NULL: nothing; history: a line for
     * the file. */
    const char *version, *program, *inputs, *history;
    const atomic_bool *is_canceled; /* NULL: never; looked at while a file is copied
                                        and before anything is published */
    struct cl_copy *into; /* duplicate.h: the dataset is there, in a copy under way; all
                             outputs of a run then, and `index` is its number there */
    size_t index;
} cl_output_spec;

/* Everything that can be wrong is checked here, before anything is read: folder
 * missing, no permission, dataset exists, path through a non-group, same dataset twice.
 */
clast_status cl_outputs_check(size_t n, const cl_output_spec *specs, cl_error *err);
/* What cl_outputs_begin() will do with each file, and the bytes that it has now. */
typedef enum {
    CL_TARGET_NEW,
    CL_TARGET_REPLACED, /* nothing else is in it */
    CL_TARGET_COPIED,
    CL_TARGET_CLONED, /* a copy that shares the blocks */
    CL_TARGET_IN_PLACE
} cl_target_fate;
typedef void cl_target_fn(void *arg, const char *file, cl_target_fate fate,
                          uint64_t bytes);
clast_status cl_outputs_foresee(size_t n, const cl_output_spec *specs,
                                cl_target_fn *tell, void *arg, cl_error *err);
clast_status cl_outputs_begin(cl_outputs **outputs, size_t n,
                              const cl_output_spec *specs, const cl_log *log,
                              cl_error *err);
/* Only finds out what is stored already, without a lock: for cl_outputs_stored() and
 * abort. */
clast_status cl_outputs_look(cl_outputs **outputs, size_t n,
                             const cl_output_spec *specs, cl_error *err);
/* Chunks that an earlier attempt stored, a bit each in C order; they need not be put.
 * NULL: none. Until commit or abort. */
const unsigned char *cl_outputs_stored(const cl_outputs *outputs, size_t index);
/* Bytes of workspace that one put needs, aligned to 64. */
uint64_t cl_output_staging(const cl_output_spec *spec);
/* Bytes of the tables that an output has from begin to commit or abort: maps of its
 * chunks, places of those that wait for their turn, entries of its journal. */
uint64_t cl_output_table_bytes(const cl_output_spec *spec);
/* data: C-contiguous over the box; the box is whole chunks (clipped at the array's
 * end). From any thread. */
clast_status cl_output_put(cl_outputs *outputs, size_t index, const cl_box *box,
                           const void *data, void *staging, uint64_t *stored,
                           cl_error *err);
/* Frees in every case; on failure nothing that existed is changed (of several files the
 * earlier ones may be there, as the message says). Inputs' own file may be the target.
 */
clast_status cl_outputs_commit(cl_outputs *outputs, cl_error *err);
void cl_outputs_abort(cl_outputs *outputs); /* NULL is legal */

/* What is said of a file. */
typedef enum {
    CL_REPORT_TEXT, /* for `clast info`, by one call */
    CL_REPORT_JSON,
    CL_REPORT_NAMES, /* of all datasets, by a call for each */
    CL_REPORT_KINDS
} cl_report_kind;
/* path: of one object, NULL: of all; not for names. The calls come after the lock was
 * let go. */
clast_status cl_hdf5_report(cl_report_kind kind, const char *file, const char *path,
                            clast_text_fn *write, void *arg, cl_error *err);
/* The same of a file that nobody vouches for: by a helper. The texts are plain (see
 * cl_text_plain()), the names any bytes. */
clast_status cl_untrusted_report(cl_report_kind kind, const char *file,
                                 const char *path, const cl_untrusted *how,
                                 clast_text_fn *write, void *arg, cl_error *err);
/* Whether two datasets of any type have the same type, shape and elements. */
clast_status cl_hdf5_same(const char *const file[2], const char *const path[2],
                          bool *is_equal, cl_error *err);

#endif
