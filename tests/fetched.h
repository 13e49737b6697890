/* SPDX-License-Identifier: BSD-3-Clause */
/* An array's bytes, whatever its shape and dtype. */
#ifndef FETCHED_H
#define FETCHED_H

#include "base/alloc.h"
#include "clast.h"

typedef struct {
    void *values; /* cl_free() them */
    size_t bytes;
} fetched;

static inline clast_status fetch_bytes(clast_array *a, fetched *f)
{
    int64_t elements = 1;
    for (int k = 0; k < clast_ndim(a); k++)
        elements *= clast_shape(a)[k];
    f->bytes = (size_t)elements * clast_dtype_size(clast_array_dtype(a));
    f->values = cl_calloc(f->bytes + 1, 1);
    return clast_fetch(a, &(clast_buffer){.data = f->values,
                                          .bytes = f->bytes,
                                          .dtype = clast_array_dtype(a),
                                          .ndim = clast_ndim(a),
                                          .shape = clast_shape(a)});
}

#endif
