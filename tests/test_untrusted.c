/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that nobody vouches for: read as any other where that goes without libhdf5,
 * refused where it does not; and helpers that die, hang up, lie or say nothing.
 *
 * A helper that lies is a script that says again what the true one has said, with some
 * bytes changed: so each check of the description is met from outside.
 */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dtype.h"
#include "check_main.h"
#include "io/description.h"
#include "test_untrusted_report.h"
#include "untrusted_files.h"

static clast_array *open_untrusted(const char *file, const char *path)
{
    return clast_from_hdf5_with(untrusted_ctx, file, path,
                                &(clast_read_options){.untrusted = true});
}

/* ---- the same values */

static void fetch(clast_array *a, double *values)
{
    const int64_t shape[2] = {30, 50};
    const clast_buffer into = {values, 1500 * sizeof *values, CLAST_FLOAT64, 2, shape,
                               NULL};
    ck_assert_str_eq(clast_error(a), "");
    ck_assert_msg(clast_fetch(a, &into) == CLAST_OK, "%s",
                  clast_ctx_error(untrusted_ctx));
}

START_TEST(same_values)
{
    static double trusted[1500], untrusted[1500];
    untrusted_make(_i);
    clast_array *a = open_untrusted("a.h5", "/x");
    fetch(a, untrusted);
    ck_assert_int_eq(files_open_ids(), 0);
    fetch(clast_from_hdf5(untrusted_ctx, "a.h5", "/x"), trusted);
    files_same(trusted, untrusted, sizeof trusted);
    fetch(clast_transpose(clast_transpose(clast_mul(a, clast_int(untrusted_ctx, 1)))),
          untrusted);
    files_same(trusted, untrusted, sizeof trusted);
    ck_assert_int_eq(clast_to_hdf5(a, "b.h5", "/y", NULL), CLAST_OK);
    fetch(clast_from_hdf5(untrusted_ctx, "b.h5", "/y"), untrusted);
    files_same(trusted, untrusted, sizeof trusted);
}
END_TEST

START_TEST(cf_and_raw)
{
    static double values[1500], raw[1500];
    const double scale = 0.5;
    untrusted_make(1);
    files_attribute("a.h5", "/x", "scale_factor", H5T_NATIVE_DOUBLE, &scale, 1);
    fetch(open_untrusted("a.h5", "/x"), values);
    fetch(clast_from_hdf5_with(untrusted_ctx, "a.h5", "/x",
                               &(clast_read_options){.raw = true, .untrusted = true}),
          raw);
    for (int i = 0; i < 1500; i++)
        ck_assert(values[i] == raw[i] * scale);
}
END_TEST

/* ---- refusals */

static void refused(const char *path, clast_status status, const char *text)
{
    clast_array *a = open_untrusted("a.h5", path);
    ck_assert_msg(strstr(clast_error(a), text), "%s", clast_error(a));
    ck_assert_int_eq(clast_array_status(a), status);
}

static void add(hid_t file, const char *path, hid_t type, hid_t list, int ndim,
                hsize_t extent)
{
    const hid_t space = H5Screate_simple(ndim, &extent, NULL);
    H5Dclose(H5Dcreate2(file, path, type, space, H5P_DEFAULT, list, H5P_DEFAULT));
    H5Sclose(space);
}

START_TEST(refused_kinds)
{
    const hsize_t one[1] = {1}, ten[1] = {10};
    const hid_t file = H5Fcreate("a.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_layout(list, H5D_COMPACT);
    add(file, "compact", H5T_NATIVE_INT, list, 1, 10);
    H5Pclose(list);
    list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(list, "/etc/hostname", 0, 8);
    add(file, "external", H5T_NATIVE_CHAR, list, 1, 8);
    H5Pclose(list);
    list = H5Pcreate(H5P_DATASET_CREATE);
    const hid_t space = H5Screate_simple(1, ten, NULL);
    H5Pset_virtual(list, space, "b.h5", "/x", space);
    add(file, "virtual", H5T_NATIVE_INT, list, 1, 10);
    H5Sclose(space);
    H5Pclose(list);
    list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(list, 1, one);
    add(file, "many", H5T_NATIVE_INT, list, 1, (hsize_t)1 << 40);
    H5Pset_chunk(list, 1, ten);
    H5Pset_scaleoffset(list, H5Z_SO_INT, 0);
    add(file, "filter", H5T_NATIVE_INT, list, 1, 10);
    H5Pclose(list);
    add(file, "string", H5T_C_S1, H5P_DEFAULT, 1, 10);
    H5Lcreate_external("b.h5", "/x", file, "link", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    refused("compact", CLAST_ENOTSUP, "only libhdf5 reads");
    refused("external", CLAST_ENOTSUP, "keeps its data in another file");
    refused("virtual", CLAST_ENOTSUP, "is virtual");
    refused("many", CLAST_ENOTSUP, "more than 4194304 chunks");
    refused("filter", CLAST_ENOTSUP, "only libhdf5 reads");
    refused("string", CLAST_EDTYPE, "string");
    refused("link", CLAST_ENOTSUP, "leads into another file");
    refused("link/deeper", CLAST_ENOTSUP, "leads into another file");
    refused("missing", CLAST_ENOENT, "a.h5:/missing does not exist");
    refused("/", CLAST_EFORMAT, "cannot be opened (libhdf5: ");
    refused("", CLAST_EVALUE, "path");
}
END_TEST

START_TEST(refused_files)
{
    FILE *f = fopen("text", "w");
    fputs("no HDF5", f);
    fclose(f);
    ck_assert_int_eq(mkfifo("pipe", 0600), 0);
    const struct {
        const char *file;
        clast_status status;
    } rows[] = {{"text", CLAST_EFORMAT},
                {"pipe", CLAST_EFORMAT},
                {"/tmp", CLAST_EFORMAT},
                {"missing", CLAST_ENOENT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_int_eq(clast_array_status(open_untrusted(rows[i].file, "/x")),
                         rows[i].status);
    untrusted_make(0);
    const hid_t id = H5Fopen("a.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    refused("/x", CLAST_EACCESS, "open for writing");
    const clast_read_options options = {.untrusted = true};
    ck_assert_int_eq(
        clast_array_status(clast_from_hdf5_id_with(untrusted_ctx, id, &options)),
        CLAST_ENOTSUP);
    H5Fclose(id);
}
END_TEST

/* ---- the table of chunks is in the budget */

START_TEST(charged)
{
    const file_spec spec = {
        .file = "a.h5", .path = "/x", .ndim = 1, .shape = {40000}, .chunk = {1}};
    files_make(&spec);
    clast_ctx *small = untrusted_open(CLAST_MIB(2) - (256 << 10), HELPER);
    const clast_read_options options = {.untrusted = true};
    for (int i = 0; i < 5; i++) {
        clast_scope_begin(small);
        clast_array *a = clast_from_hdf5_with(small, "a.h5", "/x", &options);
        ck_assert_str_eq(clast_error(a), "");
        /* Equal sources are one; the charge of the second goes back. */
        a = clast_from_hdf5_with(small, "a.h5", "/x", &options);
        if (clast_array_status(a) != CLAST_EBUDGET)
            ck_assert_str_eq(clast_error(a), "");
        clast_scope_end(small);
    }
    clast_close(&small);
    small = untrusted_open(512 << 10, HELPER);
    clast_array *a = clast_from_hdf5_with(small, "a.h5", "/x", &options);
    ck_assert_int_eq(clast_array_status(a), CLAST_EBUDGET);
    clast_close(&small);
}
END_TEST

/* ---- helpers that cannot be trusted either */

static void with_helper(const char *helper, clast_status status, const char *text)
{
    clast_ctx *other = untrusted_open(CLAST_MIB(8), helper);
    clast_array *a = clast_from_hdf5_with(other, "a.h5", "/x",
                                          &(clast_read_options){.untrusted = true});
    ck_assert_msg(strstr(clast_error(a), text), "'%s' is not in: %s", text,
                  clast_error(a));
    ck_assert_int_eq(clast_array_status(a), status);
    clast_close(&other);
}

START_TEST(helpers_that_die)
{
    untrusted_make(1);
    with_helper("./nothing", CLAST_ENOENT, "cannot be run");
    helper_script("exit 0");
    with_helper("./helper", CLAST_EFORMAT, "ended before all was known");
    helper_script("kill -SEGV $$");
    with_helper("./helper", CLAST_EFORMAT, "signal 11");
    helper_script("kill -XCPU $$");
    with_helper("./helper", CLAST_EFORMAT, "more time than is allowed");
    helper_script("exec yes");
    with_helper("./helper", CLAST_ENOTSUP, "another version");
    helper_script("ls /proc/self/fd >fds; exit 0");
    with_helper("./helper", CLAST_EFORMAT, "ended before all was known");
    FILE *f = fopen("fds", "r");
    int fd, n = 0;
    while (fscanf(f, "%d", &fd) == 1)
        n++;
    fclose(f);
    ck_assert_int_eq(n, 4); /* 0, 1, 2, and the folder that ls looks at */
}
END_TEST

/* What the true helper says of a.h5:/x. */
static unsigned char *record(size_t *bytes)
{
    char command[600];
    snprintf(command, sizeof command, "%s decoded a.h5 /x | cat >said", HELPER);
    ck_assert_int_eq(system(command), 0);
    struct stat st;
    ck_assert_int_eq(stat("said", &st), 0);
    unsigned char *said = malloc((size_t)st.st_size);
    FILE *f = fopen("said", "r");
    *bytes = fread(said, 1, (size_t)st.st_size, f);
    fclose(f);
    ck_assert_uint_ge(*bytes, sizeof(cl_description));
    return said;
}

#define HEAD(member) offsetof(cl_description, member)
#define CHUNK(n, member)                                                               \
    (sizeof(cl_description) + (n) * sizeof(cl_described_chunk) +                       \
     offsetof(cl_described_chunk, member))

static const struct {
    int spec;
    size_t offset, size;
    uint64_t value;
    clast_status status;
    const char *text;
} lies[] = {
    {1, HEAD(head.magic), 1, 'x', CLAST_ENOTSUP, "another version"},
    {1, HEAD(head.head_bytes), 4, 1, CLAST_ENOTSUP, "another version"},
    {1, HEAD(head.status), 4, CLAST_NSTATUS, CLAST_EFORMAT, "its status"},
    {1, HEAD(head.file[1]), 8, 1, CLAST_EIO, "was changed"},
    {1, HEAD(head.file[2]), 8, 1, CLAST_EIO, "was changed"},
    {1, HEAD(stored), 4, CLAST_NDTYPE, CLAST_EFORMAT, "its elements"},
    {1, HEAD(stored), 4, CLAST_INT8, CLAST_EFORMAT, "its dtype"},
    {1, HEAD(dtype), 4, CLAST_INT8, CLAST_EFORMAT, "its dtype"},
    {1, HEAD(dtype), 4, UINT32_MAX, CLAST_EFORMAT, "its elements"},
    {1, HEAD(is_swapped), 4, 2, CLAST_EFORMAT, "its elements"},
    {1, HEAD(is_half), 4, 1, CLAST_EFORMAT, "its dtype"},
    {1, HEAD(has_cf), 4, 7, CLAST_EFORMAT, "its elements"},
    {1, HEAD(nfill), 4, CL_CF_FILLS + 1, CLAST_EFORMAT, "its elements"},
    {1, HEAD(layout), 4, CL_DESCRIBED_LAYOUTS, CLAST_EFORMAT, "its layout"},
    {1, HEAD(layout), 4, CL_DESCRIBED_CONTIGUOUS, CLAST_EFORMAT, "of what has none"},
    {1, HEAD(has_raw_edges), 4, 2, CLAST_EFORMAT, "its layout"},
    {1, HEAD(ndim), 4, 33, CLAST_EFORMAT, "its rank"},
    {1, HEAD(ndim), 4, UINT32_MAX, CLAST_EFORMAT, "its rank"},
    {1, HEAD(ndim), 4, 0, CLAST_EFORMAT, "its chunks"},
    {1, HEAD(dim[0]), 8, UINT64_MAX, CLAST_EFORMAT, "its shape"},
    {1, HEAD(dim[0]), 8, INT64_MAX, CLAST_EFORMAT, "its shape"},
    {1, HEAD(dim[0]), 8, (uint64_t)1 << 50, CLAST_ENOTSUP, "it is cut into"},
    {1, HEAD(dim[0]), 8, 1, CLAST_EFORMAT, "the number of its chunks"},
    {1, HEAD(chunk[0]), 8, 0, CLAST_EFORMAT, "its chunks"},
    {1, HEAD(chunk[1]), 8, UINT64_MAX, CLAST_EFORMAT, "its chunks"},
    {1, HEAD(chunk[1]), 8, (uint64_t)1 << 31, CLAST_EFORMAT, "its chunks"},
    {1, HEAD(chunk[1]), 8, 10, CLAST_EFORMAT, "the number of its chunks"},
    {1, HEAD(nchunk), 8, UINT64_MAX, CLAST_EFORMAT, "the number of its chunks"},
    {1, HEAD(nchunk), 8, 29, CLAST_EFORMAT, "its description is wrong"},
    {1, HEAD(nfilter), 4, UINT32_MAX, CLAST_EFORMAT, "its filters"},
    {1, HEAD(nfilter), 4, 1, CLAST_ENOTSUP, "filter 0"},
    {5, HEAD(filter[0].id), 4, 6, CLAST_ENOTSUP, "filter 6"},
    {5, HEAD(filter[0].nvalue), 4, UINT32_MAX, CLAST_EFORMAT, "its filters"},
    {1, CHUNK(0, at), 8, UINT64_MAX, CLAST_EFORMAT, "behind the end"},
    {1, CHUNK(3, at), 8, (uint64_t)1 << 40, CLAST_EFORMAT, "behind the end"},
    {1, CHUNK(3, bytes), 4, 0, CLAST_EFORMAT, "behind the end"},
    {1, CHUNK(3, bytes), 4, UINT32_MAX, CLAST_EFORMAT, "behind the end"},
    {1, CHUNK(3, bytes), 4, 1, CLAST_EFORMAT, "not that of a chunk"},
    {1, CHUNK(3, index), 8, 2, CLAST_EFORMAT, "the order of its chunks"},
    {1, CHUNK(29, index), 8, 30, CLAST_EFORMAT, "the order of its chunks"},
    {1, CHUNK(4, at), 8, 3000, CLAST_EFORMAT, "share bytes"},
    {1, CHUNK(30, index), 4, 30, CLAST_EFORMAT, "its description is wrong"},
    {1, CHUNK(30, index), 4, 2, CLAST_EFORMAT, "share bytes"},
    {0, HEAD(address), 8, UINT64_MAX, CLAST_EFORMAT, "behind the end"},
    {0, HEAD(address), 8, 1 << 20, CLAST_EFORMAT, "behind the end"},
    {0, HEAD(dim[1]), 8, 1 << 20, CLAST_EFORMAT, "behind the end"},
    {0, HEAD(nchunk), 8, 1, CLAST_EFORMAT, "of what has none"},
};

START_TEST(helpers_that_lie)
{
    size_t bytes;
    untrusted_make(lies[_i].spec);
    unsigned char *said = record(&bytes);
    helper_says(said, bytes);
    with_helper("./helper", CLAST_OK, "");
    memcpy(said + lies[_i].offset, &lies[_i].value, lies[_i].size);
    helper_says(said, bytes);
    with_helper("./helper", lies[_i].status, lies[_i].text);
    free(said);
}
END_TEST

/* Cut off anywhere, and text that is not for terminals. */
START_TEST(helpers_that_stop)
{
    size_t bytes;
    untrusted_make(1);
    unsigned char *said = record(&bytes);
    for (size_t n = 0; n < bytes; n += bytes / 9) {
        helper_says(said, n);
        with_helper("./helper", CLAST_EFORMAT, "ended before all was known");
    }
    cl_description d;
    memcpy(&d, said, sizeof d);
    d.head.status = CLAST_EFORMAT;
    memset(d.head.text, 7, sizeof d.head.text);
    memcpy(said, &d, sizeof d);
    helper_says(said, sizeof d);
    with_helper("./helper", CLAST_EFORMAT, "????????");
    free(said);
}
END_TEST

static void count_warnings(void *arg, clast_log_level level, const char *message)
{
    *(int *)arg += level == CLAST_LOG_WARNING && strstr(message, "seccomp") != NULL;
}

/* A helper that the kernel does not confine is spoken of, once. */
START_TEST(unconfined)
{
    size_t bytes;
    int warnings = 0;
    untrusted_make(1);
    unsigned char *said = record(&bytes);
    cl_description d;
    memcpy(&d, said, sizeof d);
    clast_ctx *other = untrusted_open(CLAST_MIB(8), "./helper");
    clast_set_log(other, count_warnings, &warnings);
    for (int i = 0; i < 3; i++) {
        d.head.is_confined = i == 0;
        memcpy(said, &d, sizeof d);
        helper_says(said, bytes);
        clast_array *a = clast_from_hdf5_with(other, "a.h5", "/x",
                                              &(clast_read_options){.untrusted = true});
        ck_assert_str_eq(clast_error(a), "");
        ck_assert_int_eq(warnings, i > 0);
    }
    clast_close(&other);
    free(said);
}
END_TEST

/* A chunk that could not be that large; one filter of each ratio. */
START_TEST(bombs)
{
    struct stat st = {.st_size = 1 << 20};
    cl_description d;
    cl_described r;
    cl_described_head_init(&d.head, sizeof d, &st);
    d.stored = d.dtype = CLAST_FLOAT64;
    d.layout = CL_DESCRIBED_CHUNKED;
    d.ndim = d.nfilter = 1;
    d.dim[0] = d.chunk[0] = 1 << 28;
    d.filter[0] = (cl_described_filter){1, 1, {6}};
    d.nchunk = 1;
    ck_assert_int_eq(cl_description_check(&d, &st, &r, NULL), CLAST_OK);
    const struct {
        uint32_t bytes;
        clast_status status;
    } rows[] = {{1 << 20, CLAST_EFORMAT}, {1, CLAST_EFORMAT}};
    for (int i = 0; i < 2; i++) {
        const cl_described_chunk chunk = {0, 0, rows[i].bytes, 0};
        ck_assert_int_eq(cl_described_chunk_check(&d, &r, &st, NULL, &chunk, NULL),
                         rows[i].status);
    }
    d.dim[0] = d.chunk[0] = 1 << 17;
    ck_assert_int_eq(cl_description_check(&d, &st, &r, NULL), CLAST_OK);
    const cl_described_chunk honest = {0, 0, 1100, 0};
    ck_assert_int_eq(cl_described_chunk_check(&d, &r, &st, NULL, &honest, NULL),
                     CLAST_OK);
    st.st_size = 1 << 22;
    const cl_described_chunk large = {0, 0, 3 << 20, 0};
    ck_assert_int_eq(cl_described_chunk_check(&d, &r, &st, NULL, &large, NULL),
                     CLAST_EFORMAT);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("untrusted");
    TCase *t = tcase_create("files");
    tcase_add_checked_fixture(t, untrusted_begin, untrusted_end);
    tcase_add_loop_test(t, same_values, 0, SPECS);
    tcase_add_test(t, cf_and_raw);
    tcase_add_test(t, refused_kinds);
    tcase_add_test(t, refused_files);
    tcase_add_test(t, charged);
    suite_add_tcase(s, t);
    t = tcase_create("helpers");
    tcase_add_checked_fixture(t, untrusted_begin, untrusted_end);
    tcase_add_test(t, helpers_that_die);
    tcase_add_loop_test(t, helpers_that_lie, 0, sizeof lies / sizeof *lies);
    tcase_add_test(t, helpers_that_stop);
    tcase_add_test(t, bombs);
    tcase_add_test(t, unconfined);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite, untrusted_report_suite};
    return cl_check_main(suites, 2);
}
