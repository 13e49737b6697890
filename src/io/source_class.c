/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Dispatch of the source interface, and identities.
 *
 * An identity is 63 bits of a hash over what names the stored bytes, or, with the
 * highest bit set, a serial number where nothing outside the process names them.
 */
#include "io/source_class.h"

#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"

uint64_t cl_identity_unique(void)
{
    static _Atomic uint64_t next;
    return atomic_fetch_add(&next, 1) | (uint64_t)1 << 63;
}

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014), chained. */
uint64_t cl_identity_hash(const uint64_t *number, int n)
{
    uint64_t h = 0;
    for (int i = 0; i < n; i++) {
        h = (h ^ number[i]) + 0x9e3779b97f4a7c15u;
        h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
        h = (h ^ h >> 27) * 0x94d049bb133111ebu;
        h ^= h >> 31;
    }
    return h >> 1;
}

void cl_source_close(cl_source *source)
{
    if (source)
        source->class->close(source);
}

const cl_source_info *cl_source_get_info(const cl_source *source)
{
    return &source->info;
}

uint64_t cl_source_identity(const cl_source *source)
{
    return source->identity;
}

clast_status cl_source_describe(cl_source *source, cl_text *text, cl_error *err)
{
    return source->class->describe(source, text, err);
}

uint64_t cl_source_staging(const cl_source *source, const cl_box *box)
{
    return source->class->staging(source, box);
}

clast_status cl_source_fetch_some(cl_source *source, const cl_box *box,
                                  const cl_lattice *wanted, void *dst, void *staging,
                                  cl_fetching *how, cl_error *err)
{
    how->waited = false;
    how->stored = 0;
    if (cl_box_count(box) == 0)
        return CLAST_OK;
    return source->class->fetch(source, box, wanted, dst, staging, how, err);
}

clast_status cl_source_fetch(cl_source *source, const cl_box *box, void *dst,
                             void *staging, uint64_t *stored, cl_error *err)
{
    const cl_lattice all = cl_lattice_all();
    cl_fetching how = {.patience = CL_PATIENT};
    const clast_status status =
        cl_source_fetch_some(source, box, &all, dst, staging, &how, err);
    *stored = how.stored;
    return status;
}

clast_status cl_source_decode(cl_source *source, const cl_box *box, void *dst,
                              void *staging, cl_error *err)
{
    if (cl_box_count(box) == 0)
        return CLAST_OK;
    return source->class->decode(source, box, dst, staging, err);
}

bool cl_source_find(cl_source *source, const cl_box *box, uint64_t *at)
{
    return source->info.is_in_place && source->class->find &&
           source->class->find(source, box, at);
}

const void *cl_source_show(cl_source *source, cl_window *window, uint64_t at,
                           uint64_t bytes)
{
    return source->class->show(source, window, at, bytes);
}

clast_status cl_source_hide(cl_source *source, bool was_shown, cl_error *err)
{
    return source->class->hide(source, was_shown, err);
}

clast_status cl_source_dims(const cl_source *source, cl_dim *dim, cl_error *err)
{
    memset(dim, 0, (size_t)source->info.shape.ndim * sizeof *dim);
    return source->class->dims ? source->class->dims(source, dim, err) : CLAST_OK;
}

void cl_dims_free(int n, cl_dim *dim)
{
    for (int a = 0; a < n; a++) {
        cl_free(dim[a].name);
        cl_free(dim[a].coordinate);
        cl_free(dim[a].texts);
        dim[a] = (cl_dim){0};
    }
}

bool cl_source_attribute(const cl_source *source, const char *name, char *text,
                         size_t size)
{
    return source->class->attribute &&
           source->class->attribute(source, name, text, size);
}
