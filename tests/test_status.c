/* SPDX-License-Identifier: BSD-3-Clause */
/* Errors as values, log lines, and the facts that follow from the operation table. */
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/op.h"
#include "check_main.h"

START_TEST(test_names)
{
    ck_assert_str_eq(clast_status_name(CLAST_OK), "CLAST_OK");
    ck_assert_str_eq(clast_status_name(CLAST_ESHAPE), "CLAST_ESHAPE");
    ck_assert_str_eq(clast_status_text(CLAST_ESHAPE), "shapes do not fit together");
    ck_assert_str_eq(clast_status_name(CLAST_NSTATUS), "CLAST_?");
    ck_assert_str_eq(clast_status_name((clast_status)-1), "CLAST_?");
    for (int s = 0; s <= CLAST_NSTATUS; s++)
        ck_assert_int_gt((int)strlen(clast_status_text((clast_status)s)), 0);
}
END_TEST

START_TEST(test_first_error_wins)
{
    cl_error e = {CLAST_OK, ""};
    cl_error_prefix(&e, "add");
    ck_assert_str_eq(e.text, "");
    ck_assert_int_eq(cl_error_set(&e, CLAST_EAXIS, "axis %d of %d", 3, 2), CLAST_EAXIS);
    ck_assert_int_eq(cl_error_set(&e, CLAST_EIO, "later"), CLAST_EIO);
    ck_assert_int_eq(e.status, CLAST_EAXIS);
    cl_error_prefix(&e, "sum");
    ck_assert_str_eq(e.text, "sum: axis 3 of 2");
    ck_assert_int_eq(cl_error_set(NULL, CLAST_EIO, "nowhere"), CLAST_EIO);
}
END_TEST

START_TEST(test_long_messages_are_cut)
{
    char longer[2 * CL_ERROR_TEXT];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    cl_error e = {CLAST_OK, ""};
    cl_error_set(&e, CLAST_EIO, "%s", longer);
    ck_assert_uint_eq(strlen(e.text), CL_ERROR_TEXT - 1);
    cl_error_prefix(&e, "read");
    ck_assert_uint_eq(strlen(e.text), CL_ERROR_TEXT - 1);
    ck_assert_int_eq(strncmp(e.text, "read: xxx", 9), 0);
    cl_error_prefix(&e, longer);
    ck_assert_uint_eq(strlen(e.text), CL_ERROR_TEXT - 1);
}
END_TEST

static const struct {
    int error;
    clast_status status;
} errnos[] = {
    {ENOENT, CLAST_ENOENT},  {EACCES, CLAST_EACCESS},  {EPERM, CLAST_EACCESS},
    {EROFS, CLAST_EACCESS},  {ENOSPC, CLAST_ENOSPACE}, {EDQUOT, CLAST_ENOSPACE},
    {EFBIG, CLAST_ENOSPACE}, {ENOMEM, CLAST_ENOMEM},   {EIO, CLAST_EIO},
    {EBADF, CLAST_EIO},
};

START_TEST(test_errno)
{
    ck_assert_int_eq(cl_status_from_errno(errnos[_i].error), errnos[_i].status);
}
END_TEST

static char last_line[1100];

static void remember(void *arg, clast_log_level level, const char *message)
{
    *(clast_log_level *)arg = level;
    snprintf(last_line, sizeof last_line, "%s", message);
}

START_TEST(test_log)
{
    clast_log_level level = CLAST_LOG_INFO;
    const cl_log log = {remember, &level}, nowhere = {NULL, NULL};
    cl_log_warning(&log, "%d blocks", 3);
    ck_assert_str_eq(last_line, "3 blocks");
    ck_assert_int_eq(level, CLAST_LOG_WARNING);
    cl_log_info(&log, "done");
    ck_assert_int_eq(level, CLAST_LOG_INFO);
    cl_log_info(&nowhere, "lost");
    cl_log_info(NULL, "lost");
    ck_assert_str_eq(last_line, "done");
}
END_TEST

START_TEST(test_operations)
{
    for (int op = 0; op < CL_NOP; op++)
        ck_assert_ptr_nonnull(cl_ops[op].name);
    ck_assert_str_eq(cl_ops[CL_OP_ADD].name, "add");
    ck_assert_int_eq(cl_ops[CL_OP_WHERE].arity, 3);
    ck_assert_int_eq(cl_ops[CL_OP_DIV].rule, CL_RULE_DIVIDE);
    ck_assert_int_eq(CL_OP_SOURCE, CL_NELEMENTWISE);
    ck_assert_str_eq(cl_reduction_name(CLAST_EVERY), "all");
    ck_assert_str_eq(cl_reduction_name(CLAST_NREDUCTION), "?");
    ck_assert_str_eq(cl_reduction_name(CLAST_NANARGMAX), "nanargmax");
    for (int r = 0; r < CLAST_NREDUCTION; r++) { /* "nan" and the plain one's name */
        const char *name = cl_reduction_name((clast_reduction)r);
        const char *plain = cl_reduction_name(cl_reduction_plain((clast_reduction)r));
        const bool skips = cl_reduction_skips_nan((clast_reduction)r);
        ck_assert_str_eq(name + (skips ? 3 : 0), plain);
        ck_assert(!skips || strncmp(name, "nan", 3) == 0);
    }
}
END_TEST

/* Result dtypes as NumPy gives them; bytes of a partial for 9 output elements. */
static const struct {
    clast_reduction reduction;
    clast_dtype input, accumulator, result;
    int64_t bytes;
} reductions[] = {
    {CLAST_SUM, CLAST_BOOL, CLAST_INT64, CLAST_INT64, 64 + 128},
    {CLAST_SUM, CLAST_INT8, CLAST_INT64, CLAST_INT64, 64 + 128},
    {CLAST_SUM, CLAST_UINT16, CLAST_UINT64, CLAST_UINT64, 64 + 128},
    {CLAST_SUM, CLAST_FLOAT32, CLAST_FLOAT64, CLAST_FLOAT32, 64 + 128},
    {CLAST_SUM, CLAST_COMPLEX64, CLAST_COMPLEX128, CLAST_COMPLEX64, 64 + 192},
    {CLAST_MEAN, CLAST_BOOL, CLAST_FLOAT64, CLAST_FLOAT64, 64 + 128},
    {CLAST_MEAN, CLAST_UINT64, CLAST_FLOAT64, CLAST_FLOAT64, 64 + 128},
    {CLAST_MEAN, CLAST_FLOAT32, CLAST_FLOAT64, CLAST_FLOAT32, 64 + 128},
    {CLAST_MEAN, CLAST_COMPLEX128, CLAST_COMPLEX128, CLAST_COMPLEX128, 64 + 192},
    {CLAST_VAR, CLAST_INT32, CLAST_FLOAT64, CLAST_FLOAT64, 64 + 256},
    {CLAST_VAR, CLAST_COMPLEX64, CLAST_COMPLEX128, CLAST_FLOAT32, 64 + 192 + 128},
    {CLAST_STD, CLAST_FLOAT32, CLAST_FLOAT64, CLAST_FLOAT32, 64 + 256},
    {CLAST_MIN, CLAST_INT8, CLAST_INT8, CLAST_INT8, 64 + 64},
    {CLAST_MAX, CLAST_COMPLEX64, CLAST_COMPLEX64, CLAST_COMPLEX64, 64 + 128},
    {CLAST_ARGMIN, CLAST_INT8, CLAST_INT8, CLAST_INT64, 64 + 64 + 128},
    {CLAST_ARGMAX, CLAST_FLOAT64, CLAST_FLOAT64, CLAST_INT64, 64 + 256},
    {CLAST_ANY, CLAST_FLOAT64, CLAST_BOOL, CLAST_BOOL, 64 + 64},
    {CLAST_EVERY, CLAST_COMPLEX64, CLAST_BOOL, CLAST_BOOL, 64 + 64},
    {CLAST_NANSUM, CLAST_FLOAT32, CLAST_FLOAT64, CLAST_FLOAT32, 64 + 128},
    {CLAST_NANMEAN, CLAST_FLOAT32, CLAST_FLOAT64, CLAST_FLOAT32, 64 + 256},
    {CLAST_NANMEAN, CLAST_COMPLEX64, CLAST_COMPLEX128, CLAST_COMPLEX64, 64 + 192 + 128},
    {CLAST_NANVAR, CLAST_COMPLEX64, CLAST_COMPLEX128, CLAST_FLOAT32, 64 + 192 + 192},
    {CLAST_NANSTD, CLAST_FLOAT64, CLAST_FLOAT64, CLAST_FLOAT64, 64 + 128 + 192},
    {CLAST_NANMAX, CLAST_FLOAT32, CLAST_FLOAT32, CLAST_FLOAT32, 64 + 64},
    {CLAST_NANARGMIN, CLAST_FLOAT32, CLAST_FLOAT32, CLAST_INT64, 64 + 64 + 128},
};

START_TEST(test_reductions)
{
    const clast_reduction r = reductions[_i].reduction;
    const clast_dtype t = reductions[_i].input;
    ck_assert_int_eq(cl_accumulator(r, t), reductions[_i].accumulator);
    ck_assert_int_eq(cl_reduction_dtype(r, t), reductions[_i].result);
    ck_assert_int_eq(cl_partial_bytes(r, t, 9), reductions[_i].bytes);
    ck_assert_int_eq(cl_partial_bytes(r, t, 0), CL_PARTIAL_HEADER);
    ck_assert_int_eq(cl_partial_second(r, t, 9) % 64, 0);
    ck_assert_int_eq(cl_partial_bytes(r, t, INT64_MAX), INT64_MAX);
}
END_TEST

START_TEST(test_reflectors)
{
    ck_assert_int_eq(cl_reflector_bytes(CLAST_FLOAT64, 1000, 100),
                     8 * (1000 + CL_QR_NB) * 100);
    ck_assert_int_eq(cl_reflector_bytes(CLAST_FLOAT32, 1001, 100),
                     4 * (1008 + CL_QR_NB) * 100); /* whole cache lines */
    ck_assert_int_eq(cl_reflector_bytes(CLAST_COMPLEX128, INT64_MAX / 4, 100),
                     INT64_MAX);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("status");
    TCase *t = tcase_create("status");
    tcase_add_test(t, test_names);
    tcase_add_test(t, test_first_error_wins);
    tcase_add_test(t, test_long_messages_are_cut);
    tcase_add_loop_test(t, test_errno, 0, sizeof errnos / sizeof *errnos);
    tcase_add_test(t, test_log);
    suite_add_tcase(s, t);
    TCase *o = tcase_create("op");
    tcase_add_test(o, test_operations);
    tcase_add_loop_test(o, test_reductions, 0, sizeof reductions / sizeof *reductions);
    tcase_add_test(o, test_reflectors);
    suite_add_tcase(s, o);
    return s;
}

int main(void)
{
    return cl_check_main((Suite *(*const[])(void)){suite}, 1);
}
