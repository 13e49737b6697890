/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an array is: the accessors, and the poisoned arrays that need no memory.
 *
 * The static ones stand where no handle can be made: without memory, inside a callback,
 * or without a context to own it. They belong to nobody and are never written.
 */
#include "array/handle.h"

clast_array cl_poison_memory = {.status = CLAST_ENOMEM,
                                .message = "the process is out of memory"};
clast_array cl_poison_busy = {
    .status = CLAST_EBUSY,
    .message = "a callback cannot use the context that it is called by"};
clast_array cl_poison_null = {.status = CLAST_EVALUE,
                              .message = "NULL in place of an array or a context"};
clast_array cl_poison_none = {.status = CLAST_EVALUE,
                              .message = "an operation on arrays needs at least one"};

clast_status clast_array_status(clast_array *a)
{
    return a ? a->status : cl_poison_null.status;
}

const char *clast_error(clast_array *a)
{
    return a ? a->message : cl_poison_null.message;
}

int clast_ndim(clast_array *a)
{
    return a && a->node ? a->node->shape.ndim : -1;
}

const int64_t *clast_shape(clast_array *a)
{
    return a && a->node ? a->node->shape.dim : NULL;
}

clast_dtype clast_array_dtype(clast_array *a)
{
    return a && a->node ? (clast_dtype)a->node->dtype : CLAST_NDTYPE;
}

clast_ctx *clast_array_ctx(clast_array *a)
{
    return a ? a->ctx : NULL;
}
