/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The expression language: values of scalar programs as Python gives them, messages
 * with line and column, names, limits, and token soup that must not crash.
 *
 * What functions compute is the differential suite's subject; here each is called once.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc_faults.h"
#include "base/alloc.h"
#include "check_main.h"
#include "clast.h"

static clast_ctx *ctx;

static void open_ctx(void)
{
    ctx = clast_open(&(clast_options){.memory = CLAST_MIB(64), .workers = 1});
    ck_assert_int_eq(clast_ctx_status(ctx), CLAST_OK);
}

static void close_ctx(void)
{
    clast_close(&ctx);
}

static double as_double(clast_array *a)
{
    double v = 0;
    const clast_buffer into = {.data = &v, .bytes = sizeof v, .dtype = CLAST_FLOAT64};
    ck_assert_msg(clast_array_status(a) == CLAST_OK, "%s", clast_error(a));
    ck_assert_int_eq(clast_ndim(a), 0);
    ck_assert_int_eq(clast_fetch(clast_astype(a, CLAST_FLOAT64), &into), CLAST_OK);
    return v;
}

/* ---- Python's scalars ---- */

static const struct {
    const char *program;
    double value;
    clast_dtype dtype;
} scalars[] = {
    {"1/2", 0.5, CLAST_FLOAT64},
    {"7//2", 3, CLAST_INT64},
    {"-7//2", -4, CLAST_INT64},
    {"-7 % 3", 2, CLAST_INT64},
    {"7 % -3", -2, CLAST_INT64},
    {"-7.5 % 2", 0.5, CLAST_FLOAT64},
    {"7.5 // -2", -4, CLAST_FLOAT64},
    {"2**10", 1024, CLAST_INT64},
    {"2**-1", 0.5, CLAST_FLOAT64},
    {"-2**2", -4, CLAST_INT64},
    {"2**3**2", 512, CLAST_INT64},
    {"2**-1**2", 0.5, CLAST_FLOAT64},
    {"2*3+4*5", 26, CLAST_INT64},
    {"10-4-3", 3, CLAST_INT64},
    {"64/4/2", 8, CLAST_FLOAT64},
    {"1 | 6 & 3 ^ 8", 11, CLAST_INT64},
    {"1 + 1 == 2", 1, CLAST_BOOL},
    {"True + True", 2, CLAST_INT64},
    {"True & False", 0, CLAST_BOOL},
    {"~True", -2, CLAST_INT64},
    {"~5", -6, CLAST_INT64},
    {"-True", -1, CLAST_INT64},
    {"- -3", 3, CLAST_INT64},
    {"+-~3", 4, CLAST_INT64},
    {"2**63 - 1 - 2**62 == 2**62 - 1", 1, CLAST_BOOL},
    {"-9223372036854775808", -9223372036854775808.0, CLAST_INT64},
    {"0x1F + 0b11 + 0o17 + 1_000", 1049, CLAST_INT64},
    {"1.5e3 + .5 + 2.", 1502.5, CLAST_FLOAT64},
    {"1e-2", 0.01, CLAST_FLOAT64},
    {"pi", 3.14159265358979323846, CLAST_FLOAT64},
    {"np.e", 2.71828182845904523536, CLAST_FLOAT64},
    {"abs(3 + 4j)", 5, CLAST_FLOAT64},
    {"2**53 + 1 > 2.0**53", 1, CLAST_BOOL},
    {"(1, 2, 3)[-1]", 3, CLAST_INT64},
    {"x = 3; y = x * 2\n# a comment; with more\ny + x", 9, CLAST_INT64},
    {"a, b = 1, 2; a - b", -1, CLAST_INT64},
    {"[c] = [7]\nc", 7, CLAST_INT64},
    {"(1 +\n 2)", 3, CLAST_INT64},
    {"1 + \\\n 2", 3, CLAST_INT64},
    {"y = 5", 5, CLAST_INT64},
    {";;\n 4 ;\n", 4, CLAST_INT64},
    {"sum([[1, 2], [3, 4]])", 10, CLAST_INT64},
    {"sum(np.array([1, 2.5]))", 3.5, CLAST_FLOAT64},
    {"sum = 3; sum", 3, CLAST_INT64},
    {"float32(2.5)", 2.5, CLAST_FLOAT32},
    {"sqrt(4)", 2, CLAST_FLOAT64},
    {"arange(10)[3]", 3, CLAST_INT64},
    {"arange(10)[::-1][1:-1:2][-1]", 2, CLAST_INT64},
    {"arange(2, 8, 3).sum()", 7, CLAST_INT64},
    {"arange(6).reshape(2, 3)[1, 0]", 3, CLAST_INT64},
    {"arange(6).reshape((2, -1)).T.shape[0]", 3, CLAST_INT64},
    {"ones((2, 3)).mean(axis=(0, 1))", 1, CLAST_FLOAT64},
    {"zeros((3, 0)).size", 0, CLAST_INT64},
    {"full((2, 2), 7).max()", 7, CLAST_INT64},
    {"arange(4).astype('float32').std(ddof=1)**2", 5.0f / 3, CLAST_FLOAT32},
    {"concatenate([arange(2), arange(3)], axis=0)[4]", 2, CLAST_INT64},
    {"stack((arange(2), arange(2)), axis=1)[1, 0]", 1, CLAST_INT64},
    {"matmul(ones((2, 3)), ones(3))[0]", 3, CLAST_FLOAT64},
    {"dot(2, 3)", 6, CLAST_INT64},
    {"linalg.svd(ones((3, 1)), full_matrices=False)[1][0]**2", 3, CLAST_FLOAT64},
    {"where(True, 1, 2)", 1, CLAST_INT64},
    {"sum(arange(4)[None, ..., newaxis], keepdims=False)", 6, CLAST_INT64},
    {"any(isnan(array([nan, 1])))", 1, CLAST_BOOL},
    {"clip(arange(5), 1, 3).sum()", 10, CLAST_INT64},
    {"flip(arange(3))[0]", 2, CLAST_INT64},
    {"expand_dims(arange(3), axis=(0, 2)).ndim", 3, CLAST_INT64},
    {"squeeze(ones((1, 2, 1)), axis=(0, -1)).ndim", 1, CLAST_INT64},
    {"arange(stop=4, step=3).sum()", 3, CLAST_INT64},
    {"clip(arange(5), min=1, max=2).sum()", 8, CLAST_INT64},
    {"arange(5).clip(max=2).sum()", 7, CLAST_INT64},
    {"zeros(3, 'i2').sum(dtype='f4')", 0, CLAST_FLOAT32},
    {"(arange(4) * 100).sum(dtype=int8)", 88, CLAST_INT8},
    {"arange(4).sum(dtype=bool)", 1, CLAST_BOOL},
    /* ints that int64 does not hold */
    {"uint64(2**64 - 1) - 2**63", 9223372036854775807.0, CLAST_UINT64},
    {"2**63 & ones(2, uint64)[0]", 0, CLAST_UINT64},
    {"float32(1) * 2**64", 18446744073709551616.0, CLAST_FLOAT32},
    {"ones(1, int8)[0] / 2**64 * 2**64", 1, CLAST_FLOAT64},
    {"all(arange(-3, 3) < 2**63)", 1, CLAST_BOOL},
    {"any(-2**64 >= arange(-3, 3))", 0, CLAST_BOOL},
    {"uint64(2**64 - 1) == 2**64 - 1", 1, CLAST_BOOL},
    {"uint64(2**64 - 1) == 2**64", 0, CLAST_BOOL},
    {"minimum(uint64(7), 2**63)", 7, CLAST_UINT64},
    {"where(False, uint64(1), 2**63)", 9223372036854775808.0, CLAST_UINT64},
    {"full(2, 2**63)[1]", 9223372036854775808.0, CLAST_UINT64},
    {"full(2, 2**70, float32)[0]", 0x1p70, CLAST_FLOAT32},
    {"array([2**63])[0]", 9223372036854775808.0, CLAST_UINT64},
    {"array([1, 2**63])[0]", 1, CLAST_FLOAT64},
    {"array([0, 2**64 - 1], uint64)[1] % 1000", 615, CLAST_UINT64},
};

START_TEST(test_scalars)
{
    const double tolerance = 1e-6 * fabs(scalars[_i].value);
    clast_array *a = clast_expr(ctx, scalars[_i].program, 0, NULL);
    ck_assert_msg(clast_array_status(a) == CLAST_OK, "%s: %s", scalars[_i].program,
                  clast_error(a));
    ck_assert_msg(clast_array_dtype(a) == scalars[_i].dtype, "%s is %s",
                  scalars[_i].program, clast_dtype_name(clast_array_dtype(a)));
    const double v = as_double(a);
    const bool is_exact = scalars[_i].dtype != CLAST_FLOAT32 &&
                          strstr(scalars[_i].program, "**2") == NULL;
    ck_assert_msg(is_exact ? v == scalars[_i].value
                           : fabs(v - scalars[_i].value) <= tolerance,
                  "%s is %.17g", scalars[_i].program, v);
}
END_TEST

/* ---- errors: where and what ---- */

static const struct {
    const char *program;
    clast_status status;
    const char *begins, *holds;
} errors[] = {
    {"", CLAST_ESYNTAX, "line 1, column 1: ", "empty"},
    {"arange(1j)", CLAST_EVALUE, "line 1, column 8: ", "stop must be a number"},
    {"arange(step=2)", CLAST_EVALUE, "line 1, column 1: ", "stop is missing"},
    {"arange(3) + 2**63", CLAST_EVALUE, "line 1, column 14: ", "range of int64"},
    {"uint64(3) - 2**64", CLAST_EVALUE, "line 1, column 14: ", "range of uint64"},
    {"-1 * 2**63 - 1 + zeros(2, int)", CLAST_EVALUE, "line 1, column 12: ", "int64"},
    {"array([1, 300], int8)", CLAST_EVALUE, "line 1, column 7: ", "range of int8"},
    {"array([[0], [-1]], uint8)", CLAST_EVALUE, "line 1, column 7: ", "range of uint8"},
    {"mean([1, 2], dtype=int8)", CLAST_EDTYPE, "line 1, column 1: ", "in int8"},
    {"var([1, 2], dtype=complex64)", CLAST_EDTYPE, "line 1, column 1: ", "complex64"},
    {"std([1, 2j], dtype=float64)", CLAST_EDTYPE, "line 1, column 1: ", "complex128"},
    {"1 +", CLAST_ESYNTAX, "line 1, column 4: ", "expected a value"},
    {"1\n\n  2 $ 3", CLAST_ESYNTAX, "line 3, column 5: ", "'$'"},
    {"(1, 2", CLAST_ESYNTAX, "line 1, column 6: ", "')'"},
    {"1 2", CLAST_ESYNTAX, "line 1, column 3: ", "expected an operator"},
    {"1 < 2 < 3", CLAST_ESYNTAX, "line 1, column 7: ", "chained"},
    {"True and False", CLAST_ESYNTAX, "line 1, column 6: ", "use &"},
    {"not True", CLAST_ESYNTAX, "line 1, column 1: ", "use ~"},
    {"y += 1", CLAST_ESYNTAX, "line 1, column 3: ", "y = y + ..."},
    {"1 << 2", CLAST_ESYNTAX, "line 1, column 3: ", "not supported"},
    {"012", CLAST_ESYNTAX, "line 1, column 1: ", "number"},
    {"1x", CLAST_ESYNTAX, "line 1, column 1: ", "number"},
    {"0b2", CLAST_ESYNTAX, "line 1, column 1: ", "number"},
    {"'abc", CLAST_ESYNTAX, "line 1, column 1: ", "no end"},
    {"f(x) = 1", CLAST_ESYNTAX, "line 1, column 1: ", "only names"},
    {"True = 1", CLAST_ESYNTAX, "line 1, column 1: ", "assigned"},
    {"a = b = 1", CLAST_ESYNTAX, "line 1, column 7: ", "chained"},
    {"sum(axis=0, 1)", CLAST_ESYNTAX, "line 1, column 13: ", "positional"},
    {"sum(*x)", CLAST_ESYNTAX, "line 1, column 5: ", "unpacked"},
    {"# caf\xc3\xa9 \xe2\x82\xac\n \xc3\xa9", CLAST_ESYNTAX,
     "line 2, column 2: ", "0xc3"},
    {"nope + 1", CLAST_ENAME, "line 1, column 1: ", "'nope' is unknown"},
    {"sum(3, foo=1)", CLAST_ENAME, "line 1, column 8: ", "foo"},
    {"sum(3, a=1)", CLAST_ENAME, "line 1, column 8: ", "given twice"},
    {"sum()", CLAST_EVALUE, "line 1, column 1: ", "missing"},
    {"sum(1, out=2)", CLAST_ENOTSUP, "line 1, column 8: ", "out is not supported"},
    {"add(1, 2, 3, 4)", CLAST_EVALUE, "line 1, column 1: ", "at most"},
    {"1/0", CLAST_EVALUE, "line 1, column 2: ", "division by zero"},
    {"1%0", CLAST_EVALUE, "line 1, column 2: ", "division by zero"},
    {"0**-1", CLAST_EVALUE, "line 1, column 2: ", "division by zero"},
    {"2**63", CLAST_EVALUE, "line 1, column 2: ", "int64"},
    {"2**1000", CLAST_EVALUE, "line 1, column 2: ", "too large"},
    {"99999999999999999999999999999999999999", CLAST_EVALUE,
     "line 1, column 1: ", "too large"},
    {"ones(3).mean(axis=3)", CLAST_EAXIS, "line 1, column 9: ", "mean"},
    {"ones(3) + ones(4)", CLAST_ESHAPE, "line 1, column 9: ", "(3,)"},
    {"ones(3)[5]", CLAST_EINDEX, "line 1, column 8: ", "5"},
    {"ones(3)[0.5]", CLAST_ENOTSUP, "line 1, column 9: ", "float"},
    {"ones(3)[ones(3)]", CLAST_ENOTSUP, "line 1, column 9: ", "array"},
    {"ones(3)[::0]", CLAST_EINDEX, "line 1, column 9: ", "0"},
    {"ones(3).foo", CLAST_ENAME, "line 1, column 9: ", "foo"},
    {"np.foo", CLAST_ENAME, "line 1, column 4: ", "foo"},
    {"ones(3, dtype='f16')", CLAST_EDTYPE, "line 1, column 9: ", "f16"},
    {"sum + 1", CLAST_EDTYPE, "line 1, column 5: ", "not called"},
    {"(1, 2) + (3,)", CLAST_EDTYPE, "line 1, column 8: ", "tuple"},
    {"array([[1, 2], [3]])", CLAST_ESHAPE, "line 1, column 7: ", "different lengths"},
    {"3(4)", CLAST_EVALUE, "line 1, column 1: ", "called"},
    {"a, b = 1, 2, 3", CLAST_EVALUE, "line 1, column 1: ", "3 values"},
    {"svd(ones((3, 2)))", CLAST_EVALUE, "line 1, column 1: ", "tuple of 3"},
    {"svd(ones((3, 2)), True)", CLAST_ENOTSUP, "line 1, column 1: ", "reduced"},
    {"None", CLAST_EDTYPE, "line 1, column 1: ", "None"},
    {"~1.5", CLAST_EVALUE, "line 1, column 1: ", "float"},
    {"1j < 2", CLAST_EVALUE, "line 1, column 4: ", "complex"},
};

START_TEST(test_errors)
{
    clast_array *a = clast_expr(ctx, errors[_i].program, 0, NULL);
    const char *text = clast_error(a);
    ck_assert_msg(clast_array_status(a) == errors[_i].status, "%s: %s: %s",
                  errors[_i].program, clast_status_name(clast_array_status(a)), text);
    ck_assert_msg(strncmp(text, errors[_i].begins, strlen(errors[_i].begins)) == 0 &&
                      strstr(text, errors[_i].holds) != NULL,
                  "%s: %s", errors[_i].program, text);
    ck_assert_str_eq(clast_ctx_error(ctx), text);
}
END_TEST

/* ---- names ---- */

START_TEST(test_names)
{
    clast_array *three = clast_arange_int(ctx, 0, 3, 1, CLAST_INT64);
    const clast_name names[] = {{"x", three}, {"e", three}};
    const clast_name twice[] = {{"x", three}, {"x", three}};
    const clast_name bad[] = {{"1x", three}};
    ck_assert(as_double(clast_expr(ctx, "sum(x + e)", 2, names)) == 6);
    ck_assert_int_eq(clast_array_status(clast_expr(ctx, "sum(x)", 2, names)),
                     CLAST_ENAME);
    ck_assert_int_eq(clast_array_status(clast_expr(ctx, "x", 2, twice)), CLAST_ENAME);
    ck_assert_int_eq(clast_array_status(clast_expr(ctx, "1", 1, bad)), CLAST_ENAME);

    clast_array *poisoned = clast_reshape(three, 1, (const int64_t[]){7});
    const clast_name sick[] = {{"x", poisoned}};
    ck_assert_ptr_eq(clast_expr(ctx, "x + 1", 1, sick), poisoned);
}
END_TEST

START_TEST(test_several_values)
{
    clast_array *got[3] = {NULL, NULL, NULL};
    const char *const wanted[] = {"a", NULL, "b"};
    ck_assert_int_eq(
        clast_expr_values(ctx, "a, b = 1, 2.5; a + b", 0, NULL, 3, wanted, got),
        CLAST_OK);
    ck_assert(as_double(got[0]) == 1 && as_double(got[1]) == 3.5 &&
              as_double(got[2]) == 2.5);
    const char *const missing[] = {"c"};
    ck_assert_int_eq(clast_expr_values(ctx, "a = 1", 0, NULL, 1, missing, got),
                     CLAST_ENAME);
    ck_assert_int_eq(clast_array_status(got[0]), CLAST_ENAME);
}
END_TEST

/* ---- hostile programs ---- */

static char big[1 << 21];

static void repeat(const char *piece, size_t times, const char *tail)
{
    char *out = big;
    for (size_t i = 0; i < times; i++)
        out = stpcpy(out, piece);
    strcpy(out, tail);
}

static const struct {
    const char *piece;
    size_t times;
    const char *tail;
    clast_status status;
} hostile[] = {
    {"(", 100000, "1", CLAST_ESYNTAX},   {"[", 100000, "1", CLAST_ESYNTAX},
    {"-", 100000, "1", CLAST_ESYNTAX},   {"~-", 50, "1", CLAST_OK},
    {"2**", 100000, "1", CLAST_ESYNTAX}, {"1+", 100000, "1", CLAST_ESYNTAX},
    {"1+", 1500, "1", CLAST_OK},         {"abs(", 100000, "", CLAST_ESYNTAX},
    {"1;", 200000, "1", CLAST_OK},       {"x[", 50000, "", CLAST_ESYNTAX},
    {"1,", 100000, "1", CLAST_EVALUE},   {"# \n", 100000, "1", CLAST_OK},
    {" ", 1500000, "1", CLAST_ESYNTAX},  {"((", 40, "", CLAST_ESYNTAX},
};

START_TEST(test_hostile)
{
    repeat(hostile[_i].piece, hostile[_i].times, hostile[_i].tail);
    clast_array *a = clast_expr(ctx, big, 0, NULL);
    ck_assert_msg(clast_array_status(a) == hostile[_i].status, "%s x %zu: %s",
                  hostile[_i].piece, hostile[_i].times, clast_error(a));
}
END_TEST

static const char *const words[] = {
    "x",     "sum",    "svd",     "(",
    ")",     "[",      "]",       ",",
    ":",     ";",      "\n",      "=",
    "==",    "+",      "-",       "*",
    "**",    "//",     "%",       "@",
    "&",     "|",      "~",       "1",
    "2.5",   "3j",     "0",       "-1",
    "None",  "...",    "True",    ".",
    ".T",    ".shape", "np.",     "axis=",
    "(0,)",  "'C'",    "int8",    "y",
    "[0]",   "[::2]",  "reshape", "mean",
    "where", "zeros",  "stack",   ".astype(",
    "<",     "arange", "1e400",   "9999999999999999999",
};

START_TEST(test_token_soup)
{
    enum { PROGRAMS = 20000, LENGTH = 14 };
    clast_array *x = clast_ones(ctx, 2, (const int64_t[]){3, 4}, CLAST_FLOAT32);
    const clast_name names[] = {{"x", x}};
    uint64_t state = 12345;
    int healthy = 0;
    for (int i = 0; i < PROGRAMS; i++) {
        char program[LENGTH * 24] = "";
        for (int k = 0; k < LENGTH; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            if (state >> 60 < 2)
                break;
            strcat(program, words[(state >> 33) % (sizeof words / sizeof *words)]);
        }
        clast_scope_begin(ctx);
        clast_array *a = clast_expr(ctx, program, 1, names);
        const clast_status status = clast_array_status(a);
        healthy += status == CLAST_OK;
        ck_assert_msg(status < CLAST_NSTATUS && status != CLAST_EINTERNAL, "%s: %s",
                      program, clast_error(a));
        ck_assert_msg((status == CLAST_OK) == (clast_error(a)[0] == '\0'), "%s",
                      program);
        clast_scope_end(ctx);
    }
    ck_assert_int_gt(healthy, 20);
}
END_TEST

static clast_status evaluate(void *arg)
{
    clast_scope_begin(ctx);
    clast_array *a = clast_expr(ctx, "y = [1, 2]; sum(y + ones(2), axis=0)", 0, NULL);
    const clast_status status = clast_array_status(a);
    clast_scope_end(ctx);
    clast_ctx_clear(ctx);
    return status;
}

START_TEST(test_no_memory)
{
    fail_every_allocation(evaluate, NULL, 10);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

static Suite *expr_suite(void)
{
    Suite *s = suite_create("expr");
    TCase *tc = tcase_create("expr");
    tcase_add_checked_fixture(tc, open_ctx, close_ctx);
    tcase_add_loop_test(tc, test_scalars, 0, COUNT(scalars));
    tcase_add_loop_test(tc, test_errors, 0, COUNT(errors));
    tcase_add_test(tc, test_names);
    tcase_add_test(tc, test_several_values);
    tcase_add_loop_test(tc, test_hostile, 0, COUNT(hostile));
    tcase_add_test(tc, test_token_soup);
    tcase_add_test(tc, test_no_memory);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {expr_suite};
    return cl_check_main(suites, 1);
}
