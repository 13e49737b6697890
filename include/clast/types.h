/* SPDX-License-Identifier: BSD-3-Clause */
/** Types shared by all parts of the public interface: handles, dtypes, buffers. */
#ifndef CLAST_TYPES_H
#define CLAST_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "clast/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Everything else belongs to one of these. Several may exist in one process. */
typedef struct clast_ctx clast_ctx;

/**
 * An array that exists as an expression. Immutable by contract, and never const in
 * signatures, because arrays of handles would not convert. Owned by the scope it was
 * made in; never freed one by one.
 */
typedef struct clast_array clast_array;

/** Element types, in NumPy's order of kinds. */
typedef enum clast_dtype {
    CLAST_BOOL, /**< one byte, 0 or 1 */
    CLAST_INT8,
    CLAST_INT16,
    CLAST_INT32,
    CLAST_INT64,
    CLAST_UINT8,
    CLAST_UINT16,
    CLAST_UINT32,
    CLAST_UINT64,
    CLAST_FLOAT32,
    CLAST_FLOAT64,
    CLAST_COMPLEX64,  /**< two float32: real, imaginary */
    CLAST_COMPLEX128, /**< two float64: real, imaginary */
    CLAST_NDTYPE      /**< the number of dtypes, not a dtype */
} clast_dtype;

/** The largest rank of an array. */
#define CLAST_MAXDIM 32

/** In place of an axis: all axes. */
#define CLAST_ALL (-2147483647 - 1)

/** In place of a slice bound: "from the end that the step starts at" or "to the end",
 * as an omitted bound. */
#define CLAST_END INT64_MAX

#define CLAST_KIB(n) ((uint64_t)(n) << 10)
#define CLAST_MIB(n) ((uint64_t)(n) << 20)
#define CLAST_GIB(n) ((uint64_t)(n) << 30)

/** Bytes of one element; 0 for a value that is no dtype. */
CLAST_API size_t clast_dtype_size(clast_dtype dtype);

/** NumPy's name, such as "float64"; "?" for a value that is no dtype. */
CLAST_API const char *clast_dtype_name(clast_dtype dtype);

/** A rectangle of the caller's memory. */
typedef struct clast_buffer {
    void *data;   /**< address of element (0, ..., 0) */
    size_t bytes; /**< of the allocation, from data on; a short buffer is an error, not
                     an overrun */
    clast_dtype dtype;
    int ndim;
    const int64_t *shape;   /**< ndim numbers; may be NULL where ndim is 0 */
    const int64_t *strides; /**< count elements, may be negative; NULL: C order.
                                 With a negative stride `data` is the address of element
                               (0, ..., 0) all the same and `bytes` counts the whole
                               extent that the buffer spans. */
} clast_buffer;

/** Receives text piece by piece; `text` is not terminated. */
typedef void clast_text_fn(void *arg, const char *text, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
