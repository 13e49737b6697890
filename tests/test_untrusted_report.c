/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reports of whole files that nobody vouches for: the same as of any other, and what
 * becomes of those that lie, end, or would steer a terminal.
 */
#include <hdf5.h>
#include <string.h>
#include <sys/stat.h>

#include "io/description.h"
#include "io/file_report.h"
#include "test_untrusted_report.h"
#include "untrusted_files.h"

typedef struct {
    char text[8192];
    size_t n, pieces;
} heard;

static void hear(void *arg, const char *text, size_t bytes)
{
    heard *h = arg;
    ck_assert_uint_lt(h->n + bytes + 1, sizeof h->text);
    memcpy(h->text + h->n, text, bytes);
    h->n += bytes;
    h->text[h->n] = '\0';
    h->pieces++;
}

/* What is said of a file without being asked to trust it is what is said otherwise. */
START_TEST(same_reports)
{
    static const char *const path[] = {NULL, "/x", "/"};
    untrusted_make(6);
    files_attribute("a.h5", "/x", "units", H5T_NATIVE_INT, (int[]){7}, 1);
    for (int i = 0; i < 6; i++) {
        heard one = {.n = 0}, other = {.n = 0};
        const clast_info_options plain = {.json = i % 2};
        const clast_info_options untrusted = {.json = i % 2, .untrusted = true};
        ck_assert_int_eq(clast_hdf5_info_with(untrusted_ctx, "a.h5", path[i / 2],
                                              &plain, hear, &one),
                         CLAST_OK);
        ck_assert_int_eq(clast_hdf5_info_with(untrusted_ctx, "a.h5", path[i / 2],
                                              &untrusted, hear, &other),
                         CLAST_OK);
        ck_assert_ptr_nonnull(strstr(one.text, path[i / 2] ? path[i / 2] : "/x"));
        ck_assert_str_eq(one.text, other.text);
    }
    heard names = {.n = 0};
    const clast_info_options options = {.untrusted = true};
    ck_assert_int_eq(
        clast_hdf5_datasets_with(untrusted_ctx, "a.h5", &options, hear, &names),
        CLAST_OK);
    ck_assert_str_eq(names.text, "/x");
    ck_assert_int_eq(files_open_ids(), 0);
}
END_TEST

static void report_refused(clast_ctx *with, const char *file, const char *path,
                           clast_status status, const char *text)
{
    heard h = {.n = 0};
    const clast_info_options options = {.untrusted = true};
    clast_ctx_clear(with);
    ck_assert_int_eq(clast_hdf5_info_with(with, file, path, &options, hear, &h),
                     status);
    ck_assert_msg(strstr(clast_ctx_error(with), text) != NULL, "'%s' is not in: %s",
                  text, clast_ctx_error(with));
    ck_assert_uint_eq(h.pieces, 0);
}

START_TEST(refused_reports)
{
    untrusted_make(0);
    const hid_t file = H5Fopen("a.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    H5Lcreate_external("b.h5", "/x", file, "link", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    report_refused(untrusted_ctx, "missing", NULL, CLAST_ENOENT, "missing");
    report_refused(untrusted_ctx, "/tmp", NULL, CLAST_EFORMAT, "not a regular file");
    report_refused(untrusted_ctx, "helper", NULL, CLAST_ENOENT, "helper");
    report_refused(untrusted_ctx, "a.h5", "/no", CLAST_ENOENT,
                   "a.h5:/no does not exist");
    report_refused(untrusted_ctx, "a.h5", "/link", CLAST_ENOTSUP,
                   "leads into another file");
    report_refused(untrusted_ctx, "a.h5", "/link/y", CLAST_ENOTSUP,
                   "leads into another file");
    FILE *const old = fopen("old.nc", "wb");
    ck_assert_ptr_nonnull(old);
    ck_assert_int_eq(fprintf(old, "CDF\1%100d", 0), 104);
    ck_assert_int_eq(fclose(old), 0);
    report_refused(untrusted_ctx, "old.nc", NULL, CLAST_EFORMAT,
                   "old.nc is a netCDF-3 file");
    clast_info_options options = {.untrusted = true};
    options.reserved[1] = 1;
    clast_ctx_clear(untrusted_ctx);
    heard h = {.n = 0};
    ck_assert_int_eq(
        clast_hdf5_info_with(untrusted_ctx, "a.h5", NULL, &options, hear, &h),
        CLAST_ENOTSUP);
    ck_assert_ptr_nonnull(strstr(clast_ctx_error(untrusted_ctx), "reserved[1]"));
}
END_TEST

/* A report with this text, told of `bytes`. */
static void say_report(const char *text, size_t n, uint64_t bytes)
{
    struct stat st;
    cl_report r;
    ck_assert_int_eq(stat("a.h5", &st), 0);
    cl_described_head_init(&r.head, sizeof r, &st);
    r.bytes = bytes;
    unsigned char said[4096];
    memcpy(said, &r, sizeof r);
    memcpy(said + sizeof r, text, n);
    helper_says(said, sizeof r + n);
}

static const struct {
    const char *text;
    size_t n;
    uint64_t bytes; /* that are claimed */
    clast_status status;
    const char *why;
} reports[] = {
    {"/x\n", 3, 3, CLAST_OK, ""},
    {"\xC3\xA9\xE2\x82\xAC", 5, 5, CLAST_OK, ""},
    {"", 0, 0, CLAST_OK, ""},
    {"/x\n", 3, 4, CLAST_EFORMAT, "ended before all was known"},
    {"", 0, UINT64_MAX, CLAST_EFORMAT, "bytes of text"},
    {"", 0, CL_REPORT_MOST + 1, CLAST_EFORMAT, "bytes of text"},
    {"", 0, CL_REPORT_MOST, CLAST_EBUDGET, "budget"},
    {"a\x1B[2J", 5, 5, CLAST_EFORMAT, "no plain text"},
    {"a\rb", 3, 3, CLAST_EFORMAT, "no plain text"},
    {"a\0b", 3, 3, CLAST_EFORMAT, "no plain text"},
    {"a\x7F", 2, 2, CLAST_EFORMAT, "no plain text"},
    {"\xC2\x9B", 2, 2, CLAST_EFORMAT, "no plain text"},
    {"\xE2\x80\xAE", 3, 3, CLAST_EFORMAT, "no plain text"},
    {"\xE2\x81\xA6", 3, 3, CLAST_EFORMAT, "no plain text"},
    {"\x9B", 1, 1, CLAST_EFORMAT, "no plain text"},
    {"\xE2\x82", 2, 2, CLAST_EFORMAT, "no plain text"},
};

START_TEST(reports_that_lie)
{
    untrusted_make(1);
    say_report(reports[_i].text, reports[_i].n, reports[_i].bytes);
    clast_ctx *other = untrusted_open(CLAST_MIB(8), "./helper");
    if (reports[_i].status != CLAST_OK) {
        report_refused(other, "a.h5", NULL, reports[_i].status, reports[_i].why);
        clast_close(&other);
        return;
    }
    heard h = {.n = 0};
    const clast_info_options options = {.untrusted = true};
    ck_assert_int_eq(clast_hdf5_info_with(other, "a.h5", NULL, &options, hear, &h),
                     CLAST_OK);
    ck_assert_uint_eq(h.n, reports[_i].n);
    ck_assert_int_eq(memcmp(h.text, reports[_i].text, h.n), 0);
    clast_close(&other);
}
END_TEST

/* Names: any bytes, but each a path, with a zero behind it. */
START_TEST(names_that_lie)
{
    static const struct {
        const char *text;
        size_t n, pieces; /* 0 pieces: refused */
    } rows[] = {{"/x\0/\xFF\x1B\0", 7, 2},
                {"/x", 2, 0},
                {"/x\0/y", 5, 0},
                {"x\0", 2, 0},
                {"/x\0\0", 4, 0}};
    untrusted_make(1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        say_report(rows[i].text, rows[i].n, rows[i].n);
        clast_ctx *other = untrusted_open(CLAST_MIB(8), "./helper");
        heard h = {.n = 0};
        const clast_info_options options = {.untrusted = true};
        const clast_status status =
            clast_hdf5_datasets_with(other, "a.h5", &options, hear, &h);
        ck_assert_uint_eq(h.pieces, rows[i].pieces);
        ck_assert_int_eq(status, rows[i].pieces > 0 ? CLAST_OK : CLAST_EFORMAT);
        clast_close(&other);
    }
}
END_TEST

/* A helper of a report that dies, and one that says what is wrong. */
START_TEST(reports_that_end)
{
    untrusted_make(1);
    helper_script("kill -SEGV $$");
    clast_ctx *other = untrusted_open(CLAST_MIB(8), "./helper");
    report_refused(other, "a.h5", NULL, CLAST_EFORMAT, "a.h5: reading its metadata");
    report_refused(other, "a.h5", NULL, CLAST_EFORMAT, "signal 11");
    cl_report r;
    cl_described_head_init(&r.head, sizeof r, &(struct stat){.st_size = 0});
    helper_says((const unsigned char *)&r, sizeof r);
    report_refused(other, "a.h5", NULL, CLAST_EIO, "was changed");
    cl_error err = {0};
    cl_error_set(&err, CLAST_ENOENT, "red \x1B[31m and gone");
    cl_described_head_fail(&r.head, &err);
    helper_says((const unsigned char *)&r, sizeof r);
    report_refused(other, "a.h5", NULL, CLAST_ENOENT, "red ?[31m and gone");
    r.head.head_bytes--;
    helper_says((const unsigned char *)&r, sizeof r);
    report_refused(other, "a.h5", NULL, CLAST_ENOTSUP, "another version");
    clast_close(&other);
}
END_TEST

Suite *untrusted_report_suite(void)
{
    Suite *s = suite_create("reports");
    TCase *t = tcase_create("reports");
    tcase_add_checked_fixture(t, untrusted_begin, untrusted_end);
    tcase_add_test(t, same_reports);
    tcase_add_test(t, refused_reports);
    tcase_add_loop_test(t, reports_that_lie, 0, sizeof reports / sizeof *reports);
    tcase_add_test(t, names_that_lie);
    tcase_add_test(t, reports_that_end);
    suite_add_tcase(s, t);
    return s;
}
