/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every kind of source begins with, and the table of what it can do.
 *
 * A kind embeds cl_source as its first member and fills info before it is handed out;
 * after that the source is immutable, so any thread may read from it.
 */
#ifndef CL_IO_SOURCE_CLASS_H
#define CL_IO_SOURCE_CLASS_H

#include "io/store.h"

typedef struct {
    void (*close)(cl_source *source);
    uint64_t (*staging)(const cl_source *source, const cl_box *box);
    clast_status (*fetch)(cl_source *source, const cl_box *box,
                          const cl_lattice *wanted, void *dst, void *staging,
                          cl_fetching *how, cl_error *err);
    clast_status (*decode)(cl_source *source, const cl_box *box, void *dst,
                           void *staging, cl_error *err);
    /* NULL: axes have no names, there are no attributes. */
    clast_status (*dims)(const cl_source *source, cl_dim *dim, cl_error *err);
    bool (*attribute)(const cl_source *source, const char *name, char *text,
                      size_t size);
    clast_status (*describe)(cl_source *source, cl_text *text, cl_error *err);
    /* NULL: nothing is shown in place. */
    bool (*find)(cl_source *source, const cl_box *box, uint64_t *at);
    const void *(*show)(cl_source *source, cl_window *window, uint64_t at,
                        uint64_t bytes);
    clast_status (*hide)(cl_source *source, bool was_shown, cl_error *err);
} cl_source_class;

struct cl_source {
    const cl_source_class *class;
    cl_source_info info;
    uint64_t identity;
};

/* Never given twice in one process, never equal to a cl_identity_hash(). */
uint64_t cl_identity_unique(void);
/* Mixes `n` numbers; the highest bit is clear. */
uint64_t cl_identity_hash(const uint64_t *number, int n);

#endif
