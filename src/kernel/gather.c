/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Gathering: strided boxes copied into strided memory.
 *
 * A copy is first simplified: axes of length 1 vanish, axes are sorted so that dst's
 * strides fall, and neighbours that are one axis in both memories are merged. Then the
 * innermost axis decides:
 *
 *   runs        unit stride on both sides: memcpy
 *   transpose   dst has unit stride there, src on another axis: panels of 512 bytes of
 *               src's rows, moved in square tiles of one cache line a side, so that
 *               each line of src is read once and each line of dst written once even
 *               where all rows fall into one cache set
 *   strides     everything else, one element at a time
 *
 * Elements are opaque words of 1, 2, 4, 8 or 16 bytes and need not be aligned.
 */
#include "kernel/gather.h"

#include <string.h>

#include "base/shape.h"
#include "kernel/loops.h"

typedef uint8_t word1;
typedef uint16_t word2 __attribute__((aligned(1), may_alias));
typedef uint32_t word4 __attribute__((aligned(1), may_alias));
typedef uint64_t word8 __attribute__((aligned(1), may_alias));
typedef struct {
    word8 v[2];
} __attribute__((may_alias)) word16;

typedef struct {
    int ndim;
    int64_t n[CL_MAXDIM], src[CL_MAXDIM], dst[CL_MAXDIM];
} layout;

/* ---- one axis and two ---- */

typedef void fill_fn(int64_t n, const char *src, char *dst);
typedef void row_fn(int64_t n, const char *src, int64_t src_stride, char *dst,
                    int64_t dst_stride);
/* dst[r * dst_row + c] = src[r + c * src_column] in elements of T for `rows` x
 * `columns`; the steps count bytes. */
typedef void transpose_fn(int64_t rows, int64_t columns, const char *src,
                          int64_t src_column, char *dst, int64_t dst_row);

#define TILE(T)  (64 / (int64_t)sizeof(T))
#define PANEL(T) (512 / (int64_t)sizeof(T))

#define COPIES(T)                                                                      \
    static void copy_row_##T(int64_t n, const char *src, int64_t src_stride,           \
                             char *dst, int64_t dst_stride)                            \
    {                                                                                  \
        for (int64_t i = 0; i < n; i++)                                                \
            *(T *)(dst + i * dst_stride) = *(const T *)(src + i * src_stride);         \
    }                                                                                  \
    static void fill_##T(int64_t n, const char *src, char *dst)                        \
    {                                                                                  \
        const T value = *(const T *)src;                                               \
        T *to = (T *)dst;                                                              \
        for (int64_t i = 0; i < n; i++)                                                \
            to[i] = value;                                                             \
    }                                                                                  \
    static void turn_##T(int64_t rows, const char *src, int64_t src_column, char *dst, \
                         int64_t dst_row)                                              \
    {                                                                                  \
        for (int64_t top = 0; top < rows; top += TILE(T)) {                            \
            T tile[TILE(T)][TILE(T)];                                                  \
            for (int64_t c = 0; c < TILE(T); c++)                                      \
                memcpy(tile[c], src + top * (int64_t)sizeof(T) + c * src_column, 64);  \
            for (int64_t r = 0; r < TILE(T); r++) {                                    \
                T line[TILE(T)];                                                       \
                for (int64_t c = 0; c < TILE(T); c++)                                  \
                    line[c] = tile[c][r];                                              \
                memcpy(dst + (top + r) * dst_row, line, 64);                           \
            }                                                                          \
        }                                                                              \
    }                                                                                  \
    static void copy_edge_##T(int64_t rows, int64_t columns, const char *src,          \
                              int64_t src_column, char *dst, int64_t dst_row)          \
    {                                                                                  \
        for (int64_t r = 0; r < rows; r++)                                             \
            copy_row_##T(columns, src + r * (int64_t)sizeof(T), src_column,            \
                         dst + r * dst_row, sizeof(T));                                \
    }                                                                                  \
    static void transpose_##T(int64_t rows, int64_t columns, const char *src,          \
                              int64_t src_column, char *dst, int64_t dst_row)          \
    {                                                                                  \
        const int64_t size = sizeof(T), whole = columns - columns % TILE(T);           \
        cl_turn_fn *const turn = best_turn(sizeof(T), turn_##T);                       \
        for (int64_t top = 0; top < rows; top += PANEL(T)) {                           \
            const int64_t left_rows = rows - top;                                      \
            const int64_t high = left_rows < PANEL(T) ? left_rows : PANEL(T);          \
            const int64_t full = high - high % TILE(T);                                \
            const char *from = src + top * size;                                       \
            char *to = dst + top * dst_row;                                            \
            for (int64_t c = 0; c < whole; c += TILE(T)) {                             \
                prefetch_rows(from + (c + TILE(T)) * src_column, TILE(T), src_column,  \
                              high * size, whole - c - TILE(T));                       \
                prefetch_written(to + c * size, full, dst_row);                        \
                turn(full, from + c * src_column, src_column, to + c * size, dst_row); \
            }                                                                          \
            copy_edge_##T(high - full, whole, from + full * size, src_column,          \
                          to + full * dst_row, dst_row);                               \
            copy_edge_##T(high, columns - whole, from + whole * src_column,            \
                          src_column, to + whole * size, dst_row);                     \
        }                                                                              \
    }

/* The loop of this CPU, or else the plain one. */
static inline cl_turn_fn *best_turn(size_t size, cl_turn_fn *plain)
{
    cl_turn_fn *const best = size <= 8 ? cl_loops_now()->turn[size] : NULL;
    return best ? best : plain;
}

/* Asks for the next tiles' lines of a panel while the present ones are moved. */
static inline void prefetch_rows(const char *from, int64_t n, int64_t stride,
                                 int64_t bytes, int64_t left)
{
    if (left < n)
        return;
    for (int64_t i = 0; i < n; i++)
        for (int64_t b = 0; b < bytes; b += 64)
            __builtin_prefetch(from + i * stride + b);
}

/* And for the lines that they are written to, those behind `to`, which are rarely in
 * cache. Behind the last tile that may be behind dst. */
static inline void prefetch_written(const char *to, int64_t n, int64_t stride)
{
    uintptr_t line = (uintptr_t)to + 64;
    for (int64_t i = 0; i < n; i++, line += (uintptr_t)stride)
        __builtin_prefetch((const void *)line, 1);
}

COPIES(word1)
COPIES(word2)
COPIES(word4)
COPIES(word8)
COPIES(word16)

static const struct {
    row_fn *row;
    fill_fn *fill;
    transpose_fn *transpose;
} words[17] = {
    [1] = {copy_row_word1, fill_word1, transpose_word1},
    [2] = {copy_row_word2, fill_word2, transpose_word2},
    [4] = {copy_row_word4, fill_word4, transpose_word4},
    [8] = {copy_row_word8, fill_word8, transpose_word8},
    [16] = {copy_row_word16, fill_word16, transpose_word16},
};

void cl_fill(size_t element, int64_t n, const char *src, char *dst)
{
    words[element].fill(n, src, dst);
}

/* ---- simplification ---- */

static int64_t magnitude(int64_t x)
{
    return x < 0 ? -x : x;
}

/* Turns an axis around: it begins at what was its last element. */
static void flip(layout *l, int a, const char **src, char **dst)
{
    *src += (l->n[a] - 1) * l->src[a];
    *dst += (l->n[a] - 1) * l->dst[a];
    l->src[a] = -l->src[a];
    l->dst[a] = -l->dst[a];
}

/* Puts an axis where it belongs among those already there: dst's strides fall. */
static void insert_axis(layout *l, int64_t n, int64_t src, int64_t dst)
{
    int at = l->ndim++;
    for (; at > 0 && magnitude(l->dst[at - 1]) < magnitude(dst); at--) {
        l->n[at] = l->n[at - 1];
        l->src[at] = l->src[at - 1];
        l->dst[at] = l->dst[at - 1];
    }
    l->n[at] = n;
    l->src[at] = src;
    l->dst[at] = dst;
}

static void merge_axes(layout *l)
{
    int kept = 0;
    for (int a = 1; a < l->ndim; a++) {
        if (l->src[kept] == l->src[a] * l->n[a] &&
            l->dst[kept] == l->dst[a] * l->n[a]) {
            l->n[kept] *= l->n[a];
        } else {
            kept++;
            l->n[kept] = l->n[a];
        }
        l->src[kept] = l->src[a];
        l->dst[kept] = l->dst[a];
    }
    l->ndim = l->ndim ? kept + 1 : 0;
}

/* Removes axis a by making it the loop variable of nobody; its steps are returned. */
static void drop_axis(layout *l, int a)
{
    l->ndim--;
    for (; a < l->ndim; a++) {
        l->n[a] = l->n[a + 1];
        l->src[a] = l->src[a + 1];
        l->dst[a] = l->dst[a + 1];
    }
}

/* The axis besides the last along which src is contiguous, or -1. */
static int contiguous_axis(const layout *l, int64_t element)
{
    for (int a = l->ndim - 2; a >= 0; a--)
        if (magnitude(l->src[a]) == element)
            return a;
    return -1;
}

/* ---- walking ---- */

/* Steps an odometer over the outer axes; false when all are done. */
static bool advance(const layout *l, int64_t *index, const char **src, char **dst)
{
    for (int a = l->ndim - 1; a >= 0; a--) {
        *src += l->src[a];
        *dst += l->dst[a];
        if (++index[a] < l->n[a])
            return true;
        *src -= l->n[a] * l->src[a];
        *dst -= l->n[a] * l->dst[a];
        index[a] = 0;
    }
    return false;
}

static void copy_transposed(layout l, int unit, int64_t element, const char *src,
                            char *dst)
{
    if (l.src[unit] < 0)
        flip(&l, unit, &src, &dst);
    const int last = l.ndim - 1;
    const int64_t rows = l.n[unit], columns = l.n[last];
    const int64_t column = l.src[last], row = l.dst[unit];
    drop_axis(&l, last);
    drop_axis(&l, unit);
    int64_t index[CL_MAXDIM] = {0};
    do
        words[element].transpose(rows, columns, src, column, dst, row);
    while (advance(&l, index, &src, &dst));
}

/* The axis to loop over innermost: the last one, unless it is so short that loops over
 * it would cost more than what they copy; then the longest. */
static int row_axis(const layout *l, int64_t element)
{
    int best = l->ndim - 1;
    if (l->n[best] >= 16 || l->n[best] * element >= 128)
        return best;
    for (int a = best - 1; a >= 0; a--)
        if (l->n[a] > l->n[best])
            best = a;
    return best;
}

static void copy_rows(layout l, int64_t element, const char *src, char *dst)
{
    const int row = row_axis(&l, element);
    const int64_t n = l.n[row], from = l.src[row], to = l.dst[row];
    const bool is_run = from == element && to == element;
    drop_axis(&l, row);
    int64_t index[CL_MAXDIM] = {0};
    do {
        if (is_run)
            memcpy(dst, src, (size_t)(n * element));
        else
            words[element].row(n, src, from, dst, to);
    } while (advance(&l, index, &src, &dst));
}

void cl_copy_box(size_t element, int ndim, const int64_t *n, const char *src,
                 const int64_t *src_stride, char *dst, const int64_t *dst_stride)
{
    layout l = {.ndim = 0};
    for (int a = 0; a < ndim; a++) {
        if (n[a] == 0)
            return;
        if (n[a] > 1)
            insert_axis(&l, n[a], src_stride[a], dst_stride[a]);
    }
    for (int a = 0; a < l.ndim; a++)
        if (l.dst[a] < 0)
            flip(&l, a, &src, &dst);
    merge_axes(&l);
    if (l.ndim == 0) {
        memcpy(dst, src, element);
        return;
    }
    const int64_t size = (int64_t)element;
    const int unit = contiguous_axis(&l, size);
    if (unit >= 0 && l.dst[l.ndim - 1] == size && l.src[l.ndim - 1] != size)
        copy_transposed(l, unit, size, src, dst);
    else
        copy_rows(l, size, src, dst);
}

void cl_gather(const cl_box *box, const cl_input *input, size_t element, char *out,
               const int64_t *stride)
{
    for (size_t s = 0; s < input->count; s++) {
        const cl_span *span = &input->span[s];
        cl_box part;
        if (!cl_box_intersect(box, &span->box, &part))
            continue;
        const char *src = span->data;
        char *dst = out;
        for (int a = 0; a < box->ndim; a++) {
            src += (part.lo[a] - span->box.lo[a]) * span->stride[a];
            dst += (part.lo[a] - box->lo[a]) * stride[a];
        }
        cl_copy_box(element, box->ndim, part.n, src, span->stride, dst, stride);
    }
}
