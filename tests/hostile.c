/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A campaign of damaged files: hostile [--files N] [--first SEED] [--server PROGRAM
 * --client PROGRAM]. TAP on stdout. With the programs of describe_server.h it takes a
 * quarter of the time.
 *
 * Well-made files of every kind of chunk index and filter are changed in 1 to 8 bytes,
 * cut off, or have a piece of themselves copied over another, and read as untrusted
 * ones. Whatever comes of it, this process goes on: it does not crash, does not hang
 * (an alarm would end it), grows no more than its budget allows, and leaks nothing. A
 * seed gives the same file every time; the seeds of a failure are those of its case.
 */
#include <fcntl.h>
#include <hdf5.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "check_main.h"
#include "clast.h"
#include "hdf5_files.h"

#define BUDGET CLAST_MIB(8)
#ifdef __SANITIZE_ADDRESS__
#define MOST_KIB (1 << 20) /* it keeps what is freed */
#else
#define MOST_KIB ((8 + 48 + 8) << 10)
#endif
#define SECONDS 60 /* for one file; its helper has 10 */

static const file_spec specs[] = {
    {.shape = {40, 30}},
    {.shape = {40, 30}, .chunk = {8, 7}, .filters = FILTER_DEFLATE | FILTER_SHUFFLE},
    {.shape = {40, 30}, .chunk = {8, 7}, .filters = FILTER_FLETCHER, .user_block = 512},
    {.shape = {40, 30}, .chunk = {8, 7}, .is_latest = true},
    {.shape = {40, 30},
     .chunk = {8, 7},
     .is_latest = true,
     .unlimited = 1,
     .filters = FILTER_DEFLATE},
    {.shape = {40, 30},
     .chunk = {8, 7},
     .is_latest = true,
     .unlimited = 2,
     .filters = FILTER_DEFLATE | FILTER_SHUFFLE | FILTER_FLETCHER},
    {.shape = {40, 30}, .chunk = {8, 7}, .is_latest = true, .is_early = true},
};
enum { SPECS = sizeof specs / sizeof *specs, MOST_BYTES = 1 << 16 };

static struct {
    unsigned char bytes[MOST_BYTES];
    size_t n;
} base;

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void make_base(int i)
{
    const double scale = 0.5;
    file_spec spec = specs[i];
    spec.file = "base.h5";
    spec.path = "/x";
    spec.ndim = 2;
    files_make(&spec);
    files_attribute("base.h5", "/x", "scale_factor", H5T_NATIVE_DOUBLE, &scale, 1);
    FILE *f = fopen("base.h5", "r");
    ck_assert_ptr_nonnull(f);
    base.n = fread(base.bytes, 1, MOST_BYTES, f);
    fclose(f);
    ck_assert(base.n > 2048 && base.n < MOST_BYTES);
}

/* Metadata is mostly in front: half of the changes go to the first 2 KiB. */
static size_t place(uint64_t *state, size_t n)
{
    const uint64_t r = next(state);
    return (r & 1) && n > 2048 ? (size_t)(r >> 1) % 2048 : (size_t)(r >> 1) % n;
}

static size_t mutate(uint64_t *state, unsigned char *bytes, size_t n)
{
    static const unsigned char favourite[] = {0, 1, 0x7f, 0x80, 0xff};
    const uint64_t kind = next(state) % 16;
    if (kind == 0)
        return (size_t)next(state) % n;
    if (kind == 1) {
        const size_t length = 1 + (size_t)next(state) % 64;
        const size_t from = place(state, n - length), to = place(state, n - length);
        memmove(bytes + to, bytes + from, length);
        return n;
    }
    for (uint64_t left = 1 + next(state) % 8; left > 0; left--) {
        const uint64_t r = next(state);
        bytes[place(state, n)] =
            (r & 1) ? favourite[(r >> 1) % sizeof favourite] : (unsigned char)(r >> 8);
    }
    return n;
}

static bool write_file(const unsigned char *bytes, size_t n)
{
    const int fd = open("hostile.h5", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const bool is_written = fd >= 0 && write(fd, bytes, n) == (ssize_t)n;
    if (fd >= 0)
        close(fd);
    return is_written;
}

static const char *helper = HELPER, *server;

/* The server, which says a byte when it takes requests. */
static void start_server(void)
{
    if (!server)
        return;
    char *const argv[] = {strdup(server), NULL};
    posix_spawn_file_actions_t actions;
    int said[2];
    char byte;
    pid_t pid;
    ck_assert_int_eq(pipe2(said, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, said[1], STDOUT_FILENO);
    ck_assert_int_eq(posix_spawn(&pid, server, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(said[1]);
    ck_assert_int_eq(read(said[0], &byte, 1), 1);
    close(said[0]);
    free(argv[0]);
}

/* How helpers end that say nothing. */
static const char *const ends[] = {
    "ended with signal 11", "ended with signal 6",       "ended with signal 31",
    "ended with signal",    "more time than is allowed", "ended before all was known"};
enum { CONFINED_END = 2, ENDS = sizeof ends / sizeof *ends + 1, WHY = 600 };

static size_t end_of(const char *why)
{
    size_t i = 0;
    while (i < ENDS - 1 && !strstr(why, ends[i]))
        i++;
    return i;
}

/* One run of what the file may hold: its mean over the first axis. */
static clast_status read_file(char why[WHY])
{
    clast_ctx *ctx =
        clast_open(&(clast_options){.memory = BUDGET, .workers = 1, .helper = helper});
    clast_array *x = clast_from_hdf5_with(ctx, "hostile.h5", "/x",
                                          &(clast_read_options){.untrusted = true});
    const int64_t *shape = clast_shape(x);
    clast_status status = clast_array_status(x);
    double count = 1;
    for (int a = 0; a < clast_ndim(x); a++)
        count *= (double)shape[a];
    /* What claims to be large may be; it would only take long. */
    if (status == CLAST_OK && count < 1e6) {
        double value;
        const clast_buffer into = {&value, sizeof value, CLAST_FLOAT64, 0, NULL, NULL};
        clast_array *y = clast_sum(clast_astype(x, CLAST_FLOAT64), CLAST_ALL);
        status = clast_fetch(y, &into);
    }
    snprintf(why, WHY, "%s", clast_ctx_error(ctx));
    clast_close(&ctx);
    return status;
}

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static uint64_t files = 300, first = 1;

START_TEST(campaign)
{
    static unsigned char bytes[MOST_BYTES];
    uint64_t count[CLAST_NSTATUS] = {0};
    uint64_t by_end[ENDS] = {0};
    char first_why[WHY];
    make_base(_i);
    start_server();
    ck_assert(write_file(base.bytes, base.n));
    ck_assert_int_eq(read_file(first_why),
                     CLAST_OK); /* and libraries have what they keep */
    const long before = peak_kib();
    const uint64_t live = cl_alloc_live();
    for (uint64_t k = (uint64_t)_i; k < files; k += SPECS) {
        uint64_t state = (first + k) * 0x2545f4914f6cdd1du;
        memcpy(bytes, base.bytes, base.n);
        const size_t n = mutate(&state, bytes, base.n);
        alarm(SECONDS);
        ck_assert(write_file(bytes, n));
        char why[WHY] = "";
        count[read_file(why)]++;
        by_end[end_of(why)]++;
    }
    alarm(0);
    ck_assert_uint_eq(cl_alloc_live(), live);
    ck_assert_int_eq(files_open_ids(), 0);
    ck_assert_int_le(peak_kib() - before, MOST_KIB);
    ck_assert_uint_eq(count[CLAST_EINTERNAL], 0);
    ck_assert_uint_gt(count[CLAST_EFORMAT], 0);
    /* What is merely damaged is not to need what a confined helper may not. */
    ck_assert_uint_le(by_end[CONFINED_END] * 5, files / SPECS);
    for (int i = 0; i < CLAST_NSTATUS; i++)
        if (count[i] > 0)
            printf("# kind %d: %" PRIu64 " %s\n", _i, count[i],
                   clast_status_name((clast_status)i));
    for (size_t i = 0; i < ENDS - 1; i++)
        if (by_end[i] > 0)
            printf("# kind %d: of these, helpers that %s: %" PRIu64 "\n", _i, ends[i],
                   by_end[i]);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hostile");
    TCase *t = tcase_create("campaign");
    tcase_add_checked_fixture(t, files_begin, files_end);
    tcase_set_timeout(t, 14400);
    tcase_add_loop_test(t, campaign, 0, SPECS);
    suite_add_tcase(s, t);
    return s;
}

int main(int argc, char **argv)
{
    Suite *(*const suites[])(void) = {suite};
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], "--server") == 0)
            server = argv[i + 1];
        else if (strcmp(argv[i], "--client") == 0)
            helper = argv[i + 1];
        else
            *(strcmp(argv[i], "--files") == 0 ? &files : &first) =
                strtoull(argv[i + 1], NULL, 10);
    return cl_check_main(suites, 1);
}
