/* SPDX-License-Identifier: BSD-3-Clause */
/* Gathering spans into memory of any strides, against reading element by element. */
#include <string.h>

#include "base/alloc.h"
#include "check_main.h"
#include "kernel/gather.h"
#include "kernel/loops.h"
#include "naive.h"
#include "spans.h"

/* Strides of a contiguous block whose axes lie in a random order; returns its bytes. */
static int64_t random_layout(uint64_t *seed, const cl_box *box, int64_t size,
                             int64_t *stride)
{
    int order[CL_MAXDIM];
    for (int a = 0; a < box->ndim; a++) {
        const int at = (int)naive_below(seed, a + 1);
        memmove(order + at + 1, order + at, (size_t)(a - at) * sizeof *order);
        order[at] = a;
    }
    for (int k = 0; k < box->ndim; k++) {
        stride[order[k]] = size;
        size *= box->n[order[k]];
    }
    return size;
}

START_TEST(gathers)
{
    static const clast_dtype dtypes[] = {CLAST_UINT8, CLAST_INT16, CLAST_FLOAT32,
                                         CLAST_FLOAT64, CLAST_COMPLEX128};
    static const int64_t most[] = {1, 3000, 150, 30, 10};
    const clast_dtype dtype = dtypes[_i];
    const size_t size = clast_dtype_size(dtype);
    uint64_t seed = (uint64_t)_i;
    for (int round = 0; round < 300; round++) {
        cl_loops_set(
            (cl_isa)(round % CL_NISA)); /* what the CPU lacks changes nothing */
        cl_box box = {.ndim = (int)naive_below(&seed, 5)};
        for (int a = 0; a < box.ndim; a++) {
            box.lo[a] = naive_below(&seed, 20) - 10;
            box.n[a] = 1 + naive_below(&seed, most[box.ndim]);
        }
        spans s;
        spans_init(&s, &seed, dtype, &box, true);
        spans_cut(&s, &seed);
        int64_t stride[CL_MAXDIM], index[CL_MAXDIM];
        const int64_t bytes = random_layout(&seed, &box, (int64_t)size, stride);
        char *out = cl_alloc((size_t)bytes);
        cl_gather(&box, &s.input, size, out, stride);
        memcpy(index, box.lo, sizeof index);
        do {
            const char *at = out;
            for (int a = 0; a < box.ndim; a++)
                at += (index[a] - box.lo[a]) * stride[a];
            const cl_scalar want = naive_read(&s.input, dtype, box.ndim, index);
            ck_assert_mem_eq(at, &want, size);
        } while (naive_next_index(&box, index));
        cl_free(out);
        spans_fini(&s);
    }
}
END_TEST

START_TEST(empty_copies_touch_nothing)
{
    char out = 3;
    cl_copy_box(8, 2, (const int64_t[]){4, 0}, NULL, (const int64_t[]){8, 8}, &out,
                (const int64_t[]){8, 8});
    ck_assert_int_eq(out, 3);
}
END_TEST

static Suite *gather_suite(void)
{
    Suite *s = suite_create("gather");
    TCase *t = tcase_create("gather");
    tcase_add_loop_test(t, gathers, 0, 5);
    tcase_add_test(t, empty_copies_touch_nothing);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {gather_suite};
    return cl_check_main(suites, 1);
}
