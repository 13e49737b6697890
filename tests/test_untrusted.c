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
#include "clast.h"
#include "hdf5_files.h"
#include "io/description.h"
#include "io/file_report.h"

static clast_ctx *ctx;

static clast_ctx *open_with(uint64_t memory, const char *helper)
{
    return clast_open(
        &(clast_options){.memory = memory, .workers = 1, .helper = helper});
}

static void begin(void)
{
    files_begin();
    ctx = open_with(CLAST_MIB(64), HELPER);
    ck_assert_str_eq(clast_ctx_error(ctx), "");
}

static void end(void)
{
    clast_close(&ctx);
    ck_assert_int_eq(files_open_ids(), 0);
    files_end();
}

static clast_array *open_untrusted(const char *file, const char *path)
{
    return clast_from_hdf5_with(ctx, file, path,
                                &(clast_read_options){.untrusted = true});
}

/* ---- the same values */

static const file_spec specs[] = {
    {.shape = {30, 50}},
    {.shape = {30, 50}, .chunk = {7, 9}},
    {.shape = {30, 50}, .chunk = {7, 9}, .is_latest = true},
    {.shape = {30, 50}, .chunk = {7, 9}, .is_latest = true, .unlimited = 1},
    {.shape = {30, 50}, .chunk = {7, 9}, .is_latest = true, .unlimited = 2},
    {.shape = {30, 50}, .chunk = {7, 9}, .filters = FILTER_DEFLATE},
    {.shape = {30, 50},
     .chunk = {7, 9},
     .filters = FILTER_DEFLATE | FILTER_SHUFFLE | FILTER_FLETCHER},
    {.shape = {30, 50}, .chunk = {7, 9}, .filters = FILTER_DEFLATE, .is_noise = true},
    {.shape = {30, 50}, .chunk = {7, 9}, .written = {10, 20}},
    {.shape = {30, 50}, .chunk = {7, 9}, .user_block = 1024, .filters = FILTER_SHUFFLE},
    {.shape = {30, 50},
     .chunk = {7, 9},
     .is_latest = true,
     .filters = FILTER_DEFLATE,
     .has_raw_edges = true},
};
enum { SPECS = sizeof specs / sizeof *specs };

static void make(int i)
{
    file_spec spec = specs[i];
    spec.file = "a.h5";
    spec.path = "/x";
    spec.ndim = 2;
    files_make(&spec);
}

static void fetch(clast_array *a, double *values)
{
    const int64_t shape[2] = {30, 50};
    const clast_buffer into = {values, 1500 * sizeof *values, CLAST_FLOAT64, 2, shape,
                               NULL};
    ck_assert_str_eq(clast_error(a), "");
    ck_assert_msg(clast_fetch(a, &into) == CLAST_OK, "%s", clast_ctx_error(ctx));
}

START_TEST(same_values)
{
    static double trusted[1500], untrusted[1500];
    make(_i);
    clast_array *a = open_untrusted("a.h5", "/x");
    fetch(a, untrusted);
    ck_assert_int_eq(files_open_ids(), 0);
    fetch(clast_from_hdf5(ctx, "a.h5", "/x"), trusted);
    files_same(trusted, untrusted, sizeof trusted);
    fetch(clast_transpose(clast_transpose(clast_mul(a, clast_int(ctx, 1)))), untrusted);
    files_same(trusted, untrusted, sizeof trusted);
    ck_assert_int_eq(clast_to_hdf5(a, "b.h5", "/y", NULL), CLAST_OK);
    fetch(clast_from_hdf5(ctx, "b.h5", "/y"), untrusted);
    files_same(trusted, untrusted, sizeof trusted);
}
END_TEST

START_TEST(cf_and_raw)
{
    static double values[1500], raw[1500];
    const double scale = 0.5;
    make(1);
    files_attribute("a.h5", "/x", "scale_factor", H5T_NATIVE_DOUBLE, &scale, 1);
    fetch(open_untrusted("a.h5", "/x"), values);
    fetch(clast_from_hdf5_with(ctx, "a.h5", "/x",
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
    make(0);
    const hid_t id = H5Fopen("a.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    refused("/x", CLAST_EACCESS, "open for writing");
    const clast_read_options options = {.untrusted = true};
    ck_assert_int_eq(clast_array_status(clast_from_hdf5_id_with(ctx, id, &options)),
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
    clast_ctx *small = open_with(CLAST_MIB(2) - (256 << 10), HELPER);
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
    small = open_with(512 << 10, HELPER);
    clast_array *a = clast_from_hdf5_with(small, "a.h5", "/x", &options);
    ck_assert_int_eq(clast_array_status(a), CLAST_EBUDGET);
    clast_close(&small);
}
END_TEST

/* ---- helpers that cannot be trusted either */

static void write_script(const char *text)
{
    FILE *f = fopen("helper", "w");
    fprintf(f, "#!/bin/sh\n%s\n", text);
    fclose(f);
    ck_assert_int_eq(chmod("helper", 0700), 0);
}

static void with_helper(const char *helper, clast_status status, const char *text)
{
    clast_ctx *other = open_with(CLAST_MIB(8), helper);
    clast_array *a = clast_from_hdf5_with(other, "a.h5", "/x",
                                          &(clast_read_options){.untrusted = true});
    ck_assert_msg(strstr(clast_error(a), text), "'%s' is not in: %s", text,
                  clast_error(a));
    ck_assert_int_eq(clast_array_status(a), status);
    clast_close(&other);
}

START_TEST(helpers_that_die)
{
    make(1);
    with_helper("./nothing", CLAST_ENOENT, "cannot be run");
    write_script("exit 0");
    with_helper("./helper", CLAST_EFORMAT, "ended before all was known");
    write_script("kill -SEGV $$");
    with_helper("./helper", CLAST_EFORMAT, "signal 11");
    write_script("kill -XCPU $$");
    with_helper("./helper", CLAST_EFORMAT, "more time than is allowed");
    write_script("exec yes");
    with_helper("./helper", CLAST_ENOTSUP, "another version");
    write_script("ls /proc/self/fd >fds; exit 0");
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

static void say(const unsigned char *said, size_t bytes)
{
    FILE *f = fopen("said", "w");
    ck_assert_uint_eq(fwrite(said, 1, bytes, f), bytes);
    fclose(f);
    write_script("exec cat said");
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
    make(lies[_i].spec);
    unsigned char *said = record(&bytes);
    say(said, bytes);
    with_helper("./helper", CLAST_OK, "");
    memcpy(said + lies[_i].offset, &lies[_i].value, lies[_i].size);
    say(said, bytes);
    with_helper("./helper", lies[_i].status, lies[_i].text);
    free(said);
}
END_TEST

/* Cut off anywhere, and text that is not for terminals. */
START_TEST(helpers_that_stop)
{
    size_t bytes;
    make(1);
    unsigned char *said = record(&bytes);
    for (size_t n = 0; n < bytes; n += bytes / 9) {
        say(said, n);
        with_helper("./helper", CLAST_EFORMAT, "ended before all was known");
    }
    cl_description d;
    memcpy(&d, said, sizeof d);
    d.head.status = CLAST_EFORMAT;
    memset(d.head.text, 7, sizeof d.head.text);
    memcpy(said, &d, sizeof d);
    say(said, sizeof d);
    with_helper("./helper", CLAST_EFORMAT, "????????");
    free(said);
}
END_TEST

/* ---- reports of whole files */

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
    file_spec spec = specs[6];
    spec.file = "a.h5";
    spec.path = "/x";
    spec.ndim = 2;
    files_make(&spec);
    files_attribute("a.h5", "/x", "units", H5T_NATIVE_INT, (int[]){7}, 1);
    for (int i = 0; i < 6; i++) {
        heard one = {.n = 0}, other = {.n = 0};
        const clast_info_options plain = {.json = i % 2};
        const clast_info_options untrusted = {.json = i % 2, .untrusted = true};
        ck_assert_int_eq(
            clast_hdf5_info_with(ctx, "a.h5", path[i / 2], &plain, hear, &one),
            CLAST_OK);
        ck_assert_int_eq(
            clast_hdf5_info_with(ctx, "a.h5", path[i / 2], &untrusted, hear, &other),
            CLAST_OK);
        ck_assert_ptr_nonnull(strstr(one.text, path[i / 2] ? path[i / 2] : "/x"));
        ck_assert_str_eq(one.text, other.text);
    }
    heard names = {.n = 0};
    const clast_info_options options = {.untrusted = true};
    ck_assert_int_eq(clast_hdf5_datasets_with(ctx, "a.h5", &options, hear, &names),
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
    make(0);
    const hid_t file = H5Fopen("a.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    H5Lcreate_external("b.h5", "/x", file, "link", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    report_refused(ctx, "missing", NULL, CLAST_ENOENT, "missing");
    report_refused(ctx, "/tmp", NULL, CLAST_EFORMAT, "not a regular file");
    report_refused(ctx, "helper", NULL, CLAST_ENOENT, "helper");
    report_refused(ctx, "a.h5", "/no", CLAST_ENOENT, "a.h5:/no does not exist");
    report_refused(ctx, "a.h5", "/link", CLAST_ENOTSUP, "leads into another file");
    report_refused(ctx, "a.h5", "/link/y", CLAST_ENOTSUP, "leads into another file");
    clast_info_options options = {.untrusted = true};
    options.reserved[1] = 1;
    clast_ctx_clear(ctx);
    heard h = {.n = 0};
    ck_assert_int_eq(clast_hdf5_info_with(ctx, "a.h5", NULL, &options, hear, &h),
                     CLAST_ENOTSUP);
    ck_assert_ptr_nonnull(strstr(clast_ctx_error(ctx), "reserved[1]"));
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
    say(said, sizeof r + n);
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
    make(1);
    say_report(reports[_i].text, reports[_i].n, reports[_i].bytes);
    clast_ctx *other = open_with(CLAST_MIB(8), "./helper");
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
    make(1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        say_report(rows[i].text, rows[i].n, rows[i].n);
        clast_ctx *other = open_with(CLAST_MIB(8), "./helper");
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
    make(1);
    write_script("kill -SEGV $$");
    clast_ctx *other = open_with(CLAST_MIB(8), "./helper");
    report_refused(other, "a.h5", NULL, CLAST_EFORMAT, "a.h5: reading its metadata");
    report_refused(other, "a.h5", NULL, CLAST_EFORMAT, "signal 11");
    cl_report r;
    cl_described_head_init(&r.head, sizeof r, &(struct stat){.st_size = 0});
    say((const unsigned char *)&r, sizeof r);
    report_refused(other, "a.h5", NULL, CLAST_EIO, "was changed");
    cl_error err = {0};
    cl_error_set(&err, CLAST_ENOENT, "red \x1B[31m and gone");
    cl_described_head_fail(&r.head, &err);
    say((const unsigned char *)&r, sizeof r);
    report_refused(other, "a.h5", NULL, CLAST_ENOENT, "red ?[31m and gone");
    r.head.head_bytes--;
    say((const unsigned char *)&r, sizeof r);
    report_refused(other, "a.h5", NULL, CLAST_ENOTSUP, "another version");
    clast_close(&other);
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
    make(1);
    unsigned char *said = record(&bytes);
    cl_description d;
    memcpy(&d, said, sizeof d);
    clast_ctx *other = open_with(CLAST_MIB(8), "./helper");
    clast_set_log(other, count_warnings, &warnings);
    for (int i = 0; i < 3; i++) {
        d.head.is_confined = i == 0;
        memcpy(said, &d, sizeof d);
        say(said, bytes);
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
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_loop_test(t, same_values, 0, SPECS);
    tcase_add_test(t, cf_and_raw);
    tcase_add_test(t, refused_kinds);
    tcase_add_test(t, refused_files);
    tcase_add_test(t, charged);
    tcase_add_test(t, same_reports);
    tcase_add_test(t, refused_reports);
    suite_add_tcase(s, t);
    t = tcase_create("helpers");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, helpers_that_die);
    tcase_add_loop_test(t, helpers_that_lie, 0, sizeof lies / sizeof *lies);
    tcase_add_test(t, helpers_that_stop);
    tcase_add_test(t, bombs);
    tcase_add_test(t, unconfined);
    tcase_add_loop_test(t, reports_that_lie, 0, sizeof reports / sizeof *reports);
    tcase_add_test(t, names_that_lie);
    tcase_add_test(t, reports_that_end);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
