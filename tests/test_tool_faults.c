/* SPDX-License-Identifier: BSD-3-Clause */
/* Copies and comparisons of files in which every allocation fails in turn: an error
 * that says so, and nothing of the copy. Failing disks are in test_store_faults.c. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alloc_faults.h"
#include "check_main.h"
#include "clast.h"
#include "hdf5_files.h"

static clast_ctx *open_context(void)
{
    return clast_open(
        &(clast_options){.memory = CLAST_MIB(32), .workers = 1, .scratch = "."});
}

static void begin(void)
{
    files_begin();
    files_make(&(file_spec){.file = "in.h5",
                            .path = "/x",
                            .ndim = 2,
                            .shape = {60, 40},
                            .chunk = {16, 16},
                            .filters = FILTER_DEFLATE | FILTER_FLETCHER});
    files_make(&(file_spec){.file = "in.h5",
                            .path = "/y",
                            .type = H5T_STD_I32BE,
                            .ndim = 2,
                            .shape = {60, 40},
                            .is_added = true});
    files_odd_types("in.h5");
}

/* ---- copies */

typedef struct {
    int gzip;
    bool has_chunks;
} copied;

static const copied copies[] = {{0, false}, {4, true}, {-1, false}};

static clast_status copy(void *arg)
{
    static const int64_t rows[2] = {10, -1};
    static const clast_copy_chunks chunks = {.ndim = 2, .length = rows};
    const copied *c = arg;
    clast_ctx *ctx = open_context();
    const clast_status status =
        clast_hdf5_copy(ctx, "in.h5", NULL, "out.h5",
                        &(clast_copy_options){.nchunks = c->has_chunks,
                                              .chunks = &chunks,
                                              .gzip = c->gzip,
                                              .no_sync = true});
    ck_assert_msg(status == CLAST_OK || strstr(clast_ctx_error(ctx), "memory"), "%s",
                  clast_ctx_error(ctx));
    clast_close(&ctx);
    ck_assert_int_eq(files_count(), 1 + (status == CLAST_OK));
    ck_assert_int_eq(files_open_ids(), 0);
    unlink("out.h5");
    return status;
}

START_TEST(copying)
{
    copied c = copies[_i];
    fail_every_allocation(copy, &c, 30);
}
END_TEST

/* ---- comparisons */

static clast_status compare(void *arg)
{
    static const char *const path[2] = {"/x", "/y"};
    clast_comparison c = {0};
    clast_ctx *ctx = open_context();
    clast_array *a = clast_from_hdf5(ctx, "in.h5", path[*(int *)arg]);
    clast_array *b = clast_mul(a, clast_double(ctx, 1));
    const clast_status status = clast_compare(a, b, NULL, &c);
    if (status == CLAST_OK)
        ck_assert(c.same_shape && c.different == 0);
    clast_close(&ctx);
    ck_assert_int_eq(files_open_ids(), 0);
    return status;
}

START_TEST(comparing)
{
    int which = _i;
    fail_every_allocation(compare, &which, 50);
}
END_TEST

static const char *const odd[] = {"/odd/texts", "/odd/references", "/odd/typed", "/y"};

static clast_status compare_odd(void *arg)
{
    bool is_equal = false;
    const char *path = arg;
    clast_ctx *ctx = open_context();
    const clast_status status =
        clast_hdf5_same(ctx, "in.h5", path, "in.h5", path, &is_equal);
    if (status == CLAST_OK)
        ck_assert(is_equal);
    clast_close(&ctx);
    ck_assert_int_eq(files_open_ids(), 0);
    return status;
}

START_TEST(comparing_of_any_type)
{
    char path[32];
    snprintf(path, sizeof path, "%s", odd[_i]);
    fail_every_allocation(compare_odd, path, 5);
}
END_TEST

static void ignore(void *arg, const char *text, size_t bytes)
{
    *(size_t *)arg += text != NULL ? bytes : 0;
}

/* Text or JSON. */
static clast_status describe(void *arg)
{
    size_t bytes = 0;
    cl_error err = {0};
    const clast_status status =
        cl_hdf5_report(*(bool *)arg ? CL_REPORT_JSON : CL_REPORT_TEXT, "in.h5", NULL,
                       ignore, &bytes, &err);
    ck_assert_int_eq(files_open_ids(), 0);
    return status;
}

START_TEST(describing)
{
    bool is_json = _i == 1;
    fail_every_allocation(describe, &is_json, 5);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("tool_faults");
    TCase *t = tcase_create("tool_faults");
    tcase_add_checked_fixture(t, begin, files_end);
    tcase_add_loop_test(t, copying, 0, (int)(sizeof copies / sizeof *copies));
    tcase_add_loop_test(t, comparing, 0, 2);
    tcase_add_loop_test(t, comparing_of_any_type, 0, (int)(sizeof odd / sizeof *odd));
    tcase_add_loop_test(t, describing, 0, 2);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
