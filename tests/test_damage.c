/* SPDX-License-Identifier: BSD-3-Clause */
/* Which chunks of a dataset are damaged: none, some, all; what is refused; and every
 * allocation fails in turn. */
#include <string.h>

#include "alloc_faults.h"
#include "check_main.h"
#include "clast.h"
#include "hdf5_files.h"

enum { ROWS = 50, COLUMNS = 70, HEIGHT = 16, WIDTH = 32, DOWN = 4, ACROSS = 3 };

static const char all_sound[] = "............";

static const struct {
    const char *damaged; /* by chunk, C order */
    int workers;
} damages[] = {{all_sound, 2},      {"x...........", 1}, {"...........x", 3},
               {".x..xx....x.", 1}, {".x..xx....x.", 4}, {"xxxxxxxxxxxx", 2}};
enum { DAMAGES = sizeof damages / sizeof *damages };

static void make_dataset(void)
{
    files_make(&(file_spec){.file = "a.h5",
                            .path = "/x",
                            .ndim = 2,
                            .shape = {ROWS, COLUMNS},
                            .chunk = {HEIGHT, WIDTH},
                            .filters = FILTER_DEFLATE});
}

/* What no deflated chunk begins with. */
static void damage_chunks(const char *damaged)
{
    static const unsigned char junk[40] = {0xff, 0xff, 0xff, 0xff};
    const hid_t file = H5Fopen("a.h5", H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t dataset = H5Dopen2(file, "/x", H5P_DEFAULT);
    for (int i = 0; i < DOWN * ACROSS; i++) {
        const hsize_t at[2] = {(hsize_t)(i / ACROSS * HEIGHT),
                               (hsize_t)(i % ACROSS * WIDTH)};
        if (damaged[i] == 'x')
            ck_assert(H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, at, sizeof junk, junk) >=
                      0);
    }
    H5Dclose(dataset);
    ck_assert(H5Fclose(file) >= 0);
}

typedef struct {
    char damaged[DOWN * ACROSS + 1];
    int last;
} findings;

static void note(void *arg, int ndim, const int64_t *chunk)
{
    findings *f = arg;
    ck_assert_int_eq(ndim, 2);
    ck_assert(chunk[0] >= 0 && chunk[0] < DOWN && chunk[1] >= 0 && chunk[1] < ACROSS);
    const int i = (int)(chunk[0] * ACROSS + chunk[1]);
    ck_assert_int_gt(i, f->last); /* C order, each once */
    f->last = i;
    f->damaged[i] = 'x';
}

static clast_status look(clast_ctx *ctx, const char *path, int64_t *chunks,
                         findings *found)
{
    found->last = -1;
    memcpy(found->damaged, all_sound, sizeof all_sound);
    return clast_hdf5_damage(ctx, "a.h5", path, chunks, note, found);
}

static clast_ctx *open_context(int workers)
{
    return clast_open(&(clast_options){.memory = CLAST_MIB(16), .workers = workers});
}

/* Asked twice: what the first took of the budget was given back. */
START_TEST(finds_damage)
{
    make_dataset();
    damage_chunks(damages[_i].damaged);
    clast_ctx *ctx = open_context(damages[_i].workers);
    for (int i = 0; i < 2; i++) {
        int64_t chunks = -1;
        findings found;
        ck_assert_msg(look(ctx, "/x", &chunks, &found) == CLAST_OK, "%s",
                      clast_ctx_error(ctx));
        ck_assert_int_eq(chunks, DOWN * ACROSS);
        ck_assert_str_eq(found.damaged, damages[_i].damaged);
    }
    clast_close(&ctx);
    ck_assert_int_eq(files_open_ids(), 0);
}
END_TEST

START_TEST(contiguous)
{
    int64_t chunks = -1;
    findings found;
    clast_ctx *ctx = open_context(2);
    files_make(&(file_spec){
        .file = "a.h5", .path = "/x", .ndim = 2, .shape = {ROWS, COLUMNS}});
    ck_assert_int_eq(look(ctx, "/x", &chunks, &found), CLAST_OK);
    ck_assert_int_eq(chunks, 0);
    ck_assert_str_eq(found.damaged, all_sound);
    clast_close(&ctx);
}
END_TEST

START_TEST(no_dtype)
{
    int64_t chunks = -1;
    findings found;
    clast_ctx *ctx = open_context(2);
    const hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, 5);
    const hsize_t n = 8, chunk = 4;
    const hid_t file = H5Fcreate("a.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(1, &n, NULL);
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(list, 1, &chunk);
    H5Dclose(H5Dcreate2(file, "/text", text, space, H5P_DEFAULT, list, H5P_DEFAULT));
    H5Pclose(list);
    H5Sclose(space);
    H5Tclose(text);
    H5Fclose(file);
    ck_assert_int_eq(look(ctx, "/text", &chunks, &found), CLAST_EDTYPE);
    ck_assert_ptr_nonnull(strstr(clast_ctx_error(ctx), "damage: "));
    ck_assert_ptr_nonnull(strstr(clast_ctx_error(ctx), "/text"));
    clast_close(&ctx);
}
END_TEST

static void make_large(const char *path, hsize_t rows)
{
    files_make(&(file_spec){.file = "a.h5",
                            .path = path,
                            .ndim = 2,
                            .shape = {rows, 1024},
                            .chunk = {rows, 1024},
                            .filters = FILTER_DEFLATE,
                            .is_added = true});
}

/* A chunk as large as the budget is refused. One of which the budget holds one at a
 * time is read by one worker; and again, as its room was given back. */
START_TEST(little_room)
{
    int64_t chunks = -1;
    findings found;
    clast_ctx *ctx = open_context(2);
    make_dataset();
    make_large("/budget", 2048);
    make_large("/half", 384);
    ck_assert_int_eq(look(ctx, "/budget", &chunks, &found), CLAST_EBUDGET);
    ck_assert_ptr_nonnull(strstr(clast_ctx_error(ctx), "damage: "));
    clast_ctx_clear(ctx);
    for (int i = 0; i < 2; i++) {
        ck_assert_msg(look(ctx, "/half", &chunks, &found) == CLAST_OK, "%s",
                      clast_ctx_error(ctx));
        ck_assert_int_eq(chunks, 1);
        ck_assert_str_eq(found.damaged, all_sound);
    }
    clast_close(&ctx);
}
END_TEST

/* Lack of memory is no damage. */
static clast_status look_with_faults(void *arg)
{
    int64_t chunks = -1;
    findings found = {{0}, 0};
    clast_ctx *ctx = open_context(1);
    const clast_status status = look(ctx, "/x", &chunks, &found);
    if (status == CLAST_OK)
        ck_assert_str_eq(found.damaged, arg);
    else
        ck_assert_str_eq(found.damaged, all_sound);
    clast_close(&ctx);
    return status;
}

START_TEST(failing_allocations)
{
    char damaged[] = "..x.....x..x";
    make_dataset();
    damage_chunks(damaged);
    fail_every_allocation(look_with_faults, damaged, 12);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("damage");
    TCase *t = tcase_create("damage");
    tcase_add_checked_fixture(t, files_begin, files_end);
    tcase_add_loop_test(t, finds_damage, 0, DAMAGES);
    tcase_add_test(t, contiguous);
    tcase_add_test(t, no_dtype);
    tcase_add_test(t, little_room);
    tcase_add_test(t, failing_allocations);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
