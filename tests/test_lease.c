/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Strips in place (io/lease.h): that tasks see them there and come to the same bits;
 * that another process which wants to write waits for a strip and no longer, and harms
 * nobody; that whatever is refused is read; that the host finds its signals, children,
 * descriptors and mappings as they were.
 *
 * What is shown and what is read is seen through the table of system calls, where the
 * other process is let go as well: at a moment when the lease is held.
 */
#include "check_main.h"
#include "clast.h"
#include "fetched.h"
#include "hdf5_files.h"

#include "base/alloc.h"
#include "io/direct.h"
#include "io/lease.h"
#include "io/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SIDE = 1536,
    CHUNK = 512,
    TILE = 8 * CHUNK * CHUNK,
    SMALL = 64 << 10,
    PATIENCE = 20000 /* ms */
};

/* ThreadSanitizer is slow and has nothing to see of a worker alone. At the moments in
 * between there are two. */
#ifdef __SANITIZE_THREAD__
enum { LEAST_WORKERS = 2, FIRST_MOMENT = 5, LAST_MOMENT = 5 };
#else
enum { LEAST_WORKERS = 1, FIRST_MOMENT = 1, LAST_MOMENT = 9 };
#endif

/* ---- another process ---- */

typedef struct {
    pid_t pid;
    int go, done; /* a byte to it, a byte from it */
} other;

/* It waits for a byte, opens the file for writing, cuts it (to < 0: does not), says so
 * and keeps it open until it is let go. */
static other other_start(const char *file, off_t to)
{
    int go[2], done[2];
    char byte = 0;
    ck_assert(pipe(go) == 0 && pipe(done) == 0);
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        close(go[1]);
        if (read(go[0], &byte, 1) != 1)
            _exit(0);
        const int fd = open(file, O_RDWR);
        if (fd < 0 || (to >= 0 && ftruncate(fd, to) != 0) || write(done[1], "", 1) != 1)
            _exit(1);
        _exit(read(go[0], &byte, 1) != 0);
    }
    close(go[0]);
    close(done[1]);
    return (other){pid, go[1], done[0]};
}

static bool other_is_done(const other *o, int patience)
{
    struct pollfd p = {.fd = o->done, .events = POLLIN};
    return poll(&p, 1, patience) == 1;
}

static void other_end(other *o)
{
    int status = -1;
    close(o->go);
    ck_assert_int_eq(waitpid(o->pid, &status, 0), o->pid);
    ck_assert_int_eq(status, 0);
    close(o->done);
}

/* ---- what is shown, what is read ---- */

static cl_sys_table real;
static atomic_int shown, strips, leases; /* leases: asked for */
static atomic_int leased;                /* the descriptor that it was asked for last */
static int lease_error, populate_error;
static bool has_no_room;  /* to map anything */
static atomic_int moment; /* the populate at which the other one is let go; 0: none */
static other *meanwhile;
static atomic_bool is_waiting; /* for it, whoever reads next */
static bool is_taken_away;     /* the lease, then */
static atomic_int in_vain;     /* given back when there was none any more */
static pid_t child;            /* a fork of this process is made then */
static int child_pipe[2];

static void let_go(void)
{
    if (!meanwhile) {
        ck_assert_int_eq(pipe(child_pipe), 0);
        child = fork();
        if (child == 0) {
            char byte;
            close(child_pipe[1]);
            _exit(read(child_pipe[0], &byte, 1) != 0);
        }
        close(child_pipe[0]);
        return;
    }
    ck_assert_int_eq(write(meanwhile->go, "", 1), 1);
    /* until it waits, or did not have to */
    while (real.get_lease(leased) == F_RDLCK && !other_is_done(meanwhile, 1))
        continue;
    if (is_taken_away) {
        ck_assert_int_eq(real.set_lease(leased, F_UNLCK), 0);
        ck_assert(other_is_done(meanwhile, PATIENCE));
    }
    is_waiting = true;
}

static int watched_lease(int fd, int kind)
{
    if (kind == F_UNLCK) {
        const int result = real.set_lease(fd, kind);
        in_vain += result != 0;
        return result;
    }
    leases++;
    leased = fd;
    errno = lease_error;
    return lease_error ? -1 : real.set_lease(fd, kind);
}

static void *watched_map(int fd, off_t at, size_t bytes)
{
    errno = ENOMEM;
    return has_no_room ? MAP_FAILED : real.map(fd, at, bytes);
}

static int watched_populate(void *memory, size_t bytes)
{
    errno = populate_error;
    if (populate_error)
        return -1;
    const int result = real.populate(memory, bytes);
    shown += result == 0;
    if (--moment == 0)
        let_go();
    return result;
}

static ssize_t watched_read(int fd, const struct iovec *iov, int n, off_t at)
{
    size_t bytes = 0;
    for (int i = 0; i < n; i++)
        bytes += iov[i].iov_len;
    if (bytes > SMALL)
        strips++;
    /* It did not have to wait for more than what was looked at then. */
    if (is_waiting)
        ck_assert(other_is_done(meanwhile, PATIENCE));
    return real.preadv_now(fd, iov, n, at);
}

static void watch(void)
{
    real = cl_sys;
    cl_sys.set_lease = watched_lease;
    cl_sys.map = watched_map;
    cl_sys.populate = watched_populate;
    cl_sys.preadv_now = watched_read;
    shown = strips = leases = in_vain = 0;
    lease_error = populate_error = 0;
    has_no_room = false;
    is_waiting = is_taken_away = false;
    moment = 0;
    meanwhile = NULL;
}

static void unwatch(void)
{
    cl_sys = real;
}

/* The system may take pages out of the cache at any moment: who wants to see a file
 * there reads it, and looks again where that did not help. */
enum { TRIES = 5 };

static void warm(const char *file)
{
    size_t bytes;
    cl_free(files_slurp(file, &bytes));
}

/* ---- runs ---- */

static const struct {
    const char *file, *program;
    int shown; /* so many workers are sure to see strips in place; 0: none does */
} programs[] = {
    {"x.h5", "sum(x)", 1},
    {"x.h5", "max(x)", 1},
    {"x.h5", "argmin(x)", 1},
    {"x.h5", "mean(x, axis=0)", 3},
    {"x.h5", "var(x, axis=1)", 3},
    {"x.h5", "sum(exp(-x * x / 2) * sin(x))", 1},
    {"x.h5", "sum(x - y)", 1},
    {"x.h5", "sqrt(abs(x)) + 1", 3},
    {"rows.h5", "std(x)", 1},
    {"rows.h5", "max(x, axis=0)", 1},
    {"line.h5", "x * 2 - 1", 3},
    {"float.h5", "mean(x)", 1},
    /* other bytes than are handed out; chunks beside each other; filters */
    {"swapped.h5", "sum(x)", 0},
    {"packed.h5", "mean(x, axis=0)", 0},
    {"small.h5", "sum(x)", 0},
    {"x.h5", "sum(x @ x)", 0},
};
enum { PROGRAMS = sizeof programs / sizeof *programs, SUM = 0, ROWS = 3, ROOTS = 7 };

static file_spec make_first(void)
{
    const file_spec spec = {.file = "x.h5",
                            .path = "/x",
                            .ndim = 2,
                            .shape = {SIDE, SIDE},
                            .chunk = {CHUNK, CHUNK},
                            .is_noise = true};
    files_make(&spec);
    return spec;
}

static void make_files(void)
{
    file_spec spec = make_first();
    spec.file = "y.h5";
    files_make(&spec);
    spec.file = "small.h5";
    spec.chunk[0] = spec.chunk[1] = CHUNK / 2;
    files_make(&spec);
    spec.file = "rows.h5";
    spec.chunk[0] = spec.chunk[1] = 0;
    files_make(&spec);
    spec.file = "line.h5";
    spec.ndim = 1;
    spec.shape[0] = SIDE * SIDE;
    files_make(&spec);
    spec.ndim = 2;
    spec.shape[0] = SIDE;
    spec.file = "float.h5";
    spec.type = H5T_NATIVE_FLOAT;
    files_make(&spec);
    spec.file = "swapped.h5";
    spec.type = H5T_IEEE_F64BE;
    files_make(&spec);
    spec.file = "packed.h5";
    spec.type = H5T_NATIVE_SHORT;
    spec.is_noise = false;
    files_make(&spec);
    const double scale = 0.5;
    files_attribute("packed.h5", "/x", "scale_factor", H5T_NATIVE_DOUBLE, &scale, 1);
}

static void begin(void)
{
    files_begin();
    make_files();
}

typedef struct {
    clast_status status;
    void *values;
    size_t bytes;
    clast_stats stats;
    char text[400];
} outcome;

/* Whether anybody may open the file for writing without waiting. */
static bool is_open_to_all(const char *file)
{
    const int fd = open(file, O_RDWR | O_NONBLOCK);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int count_mappings(const char *file)
{
    char line[600];
    int found = 0;
    FILE *f = fopen("/proc/self/maps", "r");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f))
        found += strstr(line, file) != NULL;
    fclose(f);
    return found;
}

/* Between the run and the end of its context nobody is kept waiting any more. */
static bool is_without_mapping; /* the option */

static outcome compute(int i, int workers)
{
    outcome o = {0};
    const int mappings = count_mappings(programs[i].file);
    clast_ctx *ctx = clast_open(&(clast_options){.memory = CLAST_MIB(64),
                                                 .workers = workers,
                                                 .block = TILE,
                                                 .no_mapping = is_without_mapping});
    const clast_name names[] = {{"x", clast_from_hdf5(ctx, programs[i].file, "/x")},
                                {"y", clast_from_hdf5(ctx, "y.h5", "/x")}};
    const size_t n = strchr(programs[i].program, 'y') ? 2 : 1;
    clast_array *a = clast_expr(ctx, programs[i].program, n, names);
    fetched got;
    o.status = fetch_bytes(a, &got);
    o.values = got.values;
    o.bytes = got.bytes;
    o.stats = clast_ctx_stats(ctx);
    snprintf(o.text, sizeof o.text, "%s", clast_ctx_error(ctx));
    ck_assert(is_open_to_all(programs[i].file));
    ck_assert_int_eq(count_mappings(programs[i].file), mappings);
    clast_close(&ctx);
    return o;
}

/* What comes of it where no lease is given. */
static outcome expected(int i)
{
    watch();
    lease_error = EINVAL;
    const outcome o = compute(i, 1);
    unwatch();
    ck_assert_msg(o.status == CLAST_OK, "%s", o.text);
    ck_assert_int_eq(shown, 0);
    ck_assert_int_le(leases, 2); /* once for each file */
    return o;
}

static void check(const outcome *want, outcome got)
{
    ck_assert_msg(got.status == CLAST_OK, "%s", got.text);
    ck_assert_uint_eq(got.bytes, want->bytes);
    ck_assert(memcmp(got.values, want->values, want->bytes) == 0);
    ck_assert_uint_eq(got.stats.read, want->stats.read);
    cl_free(got.values);
}

/* Folders of some containers are on file systems that give none. */
static bool has_leases(void)
{
    cl_lease lease;
    uint64_t cached;
    const int fd = open("x.h5", O_RDONLY | O_CLOEXEC);
    cl_lease_init(&lease, fd);
    const bool is_given = cl_lease_take(&lease);
    if (is_given)
        cl_lease_give(&lease);
    cl_lease_fini(&lease);
    const bool is_told = cl_cache_holds(fd, 0, 4096, &cached);
    close(fd);
    return is_given && is_told;
}

static int count_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

START_TEST(strips_in_place)
{
    outcome want = expected(_i);
    const int descriptors = count_descriptors();
    for (int workers = LEAST_WORKERS; workers <= 3; workers++) {
        const bool sees = has_leases() && programs[_i].shown >= workers;
        bool is_seen = false;
        for (int i = 0; i < TRIES && !is_seen; i++) {
            warm(programs[_i].file);
            watch();
            check(&want, compute(_i, workers));
            unwatch();
            ck_assert_int_eq(count_descriptors(), descriptors);
            if (programs[_i].shown == 0)
                ck_assert_int_eq(shown, 0);
            is_seen = !sees || (shown > 0 && (workers > 1 || strips == 0));
        }
        ck_assert_msg(is_seen, "shown %d, read %d", shown, strips);
    }
    cl_free(want.values);
}
END_TEST

/* ---- what is refused ---- */

START_TEST(refused)
{
    static const struct {
        int lease, populate;
        bool has_no_room;
    } row[] = {{EACCES, 0, false}, {EAGAIN, 0, false}, {ENOLCK, 0, false},
               {0, EINVAL, false}, {0, EFAULT, false}, {0, 0, true}};
    for (int i = SUM; i <= ROOTS; i += ROOTS) {
        outcome want = expected(i);
        for (int workers = LEAST_WORKERS; workers <= 2; workers++) {
            watch();
            lease_error = row[_i].lease;
            populate_error = row[_i].populate;
            has_no_room = row[_i].has_no_room;
            check(&want, compute(i, workers));
            unwatch();
            ck_assert_int_eq(shown, 0);
            ck_assert_int_gt(strips, 0);
            if (row[_i].lease == EACCES) /* is not asked again */
                ck_assert_int_le(leases, 1);
        }
        cl_free(want.values);
    }
}
END_TEST

/* By who opened the context. */
START_TEST(not_wanted)
{
    outcome want = expected(SUM);
    is_without_mapping = true;
    watch();
    check(&want, compute(SUM, 1));
    unwatch();
    is_without_mapping = false;
    ck_assert_int_eq(shown, 0);
    ck_assert_int_eq(leases, 0);
    ck_assert_int_gt(strips, 0);
    cl_free(want.values);
}
END_TEST

/* As long as somebody has it open for writing, and be it this process. */
START_TEST(files_that_are_open_for_writing)
{
    outcome want = expected(SUM);
    const int fd = open("x.h5", O_RDWR | O_CLOEXEC);
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    for (int i = 0; i < 2; i++) { /* by a descriptor, by a mapping only */
        watch();
        check(&want, compute(SUM, 1));
        unwatch();
        ck_assert_int_eq(shown, 0);
        if (i == 0)
            close(fd);
    }
    munmap(memory, 4096);
    watch();
    check(&want, compute(SUM, 1));
    unwatch();
    ck_assert_int_eq(shown > 0, has_leases());
    cl_free(want.values);
}
END_TEST

/* Of no file system that is known, or not open at all. */
START_TEST(files_elsewhere)
{
    cl_lease lease;
    const int fd[] = {-1, open("/proc/self/maps", O_RDONLY | O_CLOEXEC)};
    for (int i = 0; i < 2; i++) {
        watch();
        cl_lease_init(&lease, fd[i]);
        ck_assert(!cl_lease_take(&lease) && !cl_lease_take(&lease));
        cl_lease_fini(&lease);
        unwatch();
        ck_assert_int_eq(leases, 0);
    }
    close(fd[1]);
}
END_TEST

/* ---- another process ---- */

/* What the host has of signals: dispositions, and what is blocked and pending. */
typedef struct {
    void (*handler[65])(int);
    bool is_blocked[65], is_pending[65];
} signals;

static void look_at_signals(signals *s)
{
    sigset_t blocked, pending;
    memset(s, 0, sizeof *s);
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    sigpending(&pending);
    for (int i = 1; i <= 64; i++) {
        struct sigaction action = {0};
        sigaction(i, NULL, &action);
        s->handler[i] = action.sa_handler;
        s->is_blocked[i] = sigismember(&blocked, i) == 1;
        s->is_pending[i] = sigismember(&pending, i) == 1;
    }
}

/* Two where both are sure to see strips in place. */
static int workers_at(int i, int n)
{
    return n == 5 && programs[i].shown > 1 ? 2 : 1;
}

/* SIGIO is neither caught nor blocked: had it been sent, this process would be gone. */
START_TEST(opened_meanwhile)
{
    signals before, after;
    outcome want = expected(_i);
    for (int n = FIRST_MOMENT; has_leases() && n <= LAST_MOMENT; n += 4) {
        const int workers = workers_at(_i, n);
        other o = other_start(programs[_i].file, -1);
        look_at_signals(&before);
        watch();
        meanwhile = &o;
        moment = n;
        check(&want, compute(_i, workers));
        unwatch();
        look_at_signals(&after);
        ck_assert(is_waiting);
        ck_assert(memcmp(&before, &after, sizeof before) == 0);
        ck_assert(other_is_done(&o, PATIENCE));
        /* With another lease it could not be there yet. */
        if (workers == 1 && !strchr(programs[_i].program, 'y'))
            ck_assert_int_eq(shown, n);
        ck_assert_int_gt(strips, 0);
        other_end(&o);
    }
    cl_free(want.values);
}
END_TEST

START_TEST(cut_meanwhile)
{
    for (int n = FIRST_MOMENT; has_leases() && n <= LAST_MOMENT; n += 4) {
        make_first();
        other o = other_start("x.h5", TILE / 2);
        watch();
        meanwhile = &o;
        moment = n;
        outcome got = compute(_i, workers_at(_i, n));
        unwatch();
        cl_free(got.values);
        ck_assert(is_waiting);
        ck_assert_msg(got.status == CLAST_EIO || got.status == CLAST_EFORMAT, "%s",
                      got.text);
        ck_assert_msg(strstr(got.text, "x.h5"), "%s", got.text);
        ck_assert_msg(strstr(got.text, "cut off") || strstr(got.text, "changed"), "%s",
                      got.text);
        other_end(&o);
    }
    make_first();
}
END_TEST

/* How many strips one worker sees in place. */
static int count_shown(int i)
{
    warm("x.h5");
    watch();
    const outcome o = compute(i, 1);
    unwatch();
    cl_free(o.values);
    return shown;
}

/* Loses the lease in strip n to one who opens the file, and makes it longer by so many
 * bytes (< 0: does not write it); false: there were fewer strips in place. */
static bool lose(const outcome *want, int i, int n, off_t longer)
{
    size_t bytes;
    make_first();
    cl_free(files_slurp("x.h5", &bytes));
    other o = other_start("x.h5", longer < 0 ? -1 : (off_t)bytes + longer);
    watch();
    meanwhile = &o;
    moment = n;
    is_taken_away = true;
    outcome got = compute(i, workers_at(i, n));
    unwatch();
    other_end(&o);
    if (is_waiting && longer >= 0) {
        ck_assert_int_eq(got.status, CLAST_EIO);
        ck_assert_msg(strstr(got.text, "x.h5 was changed"), "%s", got.text);
        cl_free(got.values);
    } else {
        check(want, got);
    }
    ck_assert_int_eq(in_vain > 0, is_waiting);
    return is_waiting;
}

/* The kernel waits for so long (/proc/sys/fs/lease-break-time), then it ends the lease
 * itself, as the call does that gives it back, and lets the other one in. Here that is
 * in the middle of a strip. What was seen counts if nobody changed the file by then; in
 * the last strip, too, after which nothing is read. */
START_TEST(taken_away)
{
    static const int program[] = {SUM, ROWS, ROOTS};
    static const off_t longer[] = {-1, 0, 4096};
    const int i = program[_i];
    outcome want = expected(i);
    for (int k = 0; has_leases() && k < 3; k++) {
        for (int n = FIRST_MOMENT; n <= LAST_MOMENT; n += 4)
            ck_assert(lose(&want, i, n, longer[k]));
        int tries = TRIES;
        while (tries > 0 && !lose(&want, i, count_shown(i), longer[k]))
            tries--;
        ck_assert_int_gt(tries, 0);
    }
    make_first();
    cl_free(want.values);
}
END_TEST

/* A child that does not exec has the open file, too; the lease ends all the same. */
START_TEST(forked_meanwhile)
{
    outcome want = expected(ROOTS);
    for (int workers = LEAST_WORKERS; has_leases() && workers <= 2; workers++) {
        int status = -1;
        watch();
        moment = 3;
        check(&want, compute(ROOTS, workers));
        unwatch();
        ck_assert(is_open_to_all("x.h5"));
        close(child_pipe[1]);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
    }
    cl_free(want.values);
}
END_TEST

/* ---- leases and windows by themselves ---- */

/* By two holders of x.h5, whose descriptor is returned. */
static int take_twice(cl_lease *lease)
{
    const int fd = open("x.h5", O_RDONLY | O_CLOEXEC);
    cl_lease_init(lease, fd);
    ck_assert(cl_lease_take(lease) && cl_lease_take(lease));
    return fd;
}

START_TEST(holders_share_it)
{
    cl_lease lease;
    if (!has_leases())
        return;
    other o = other_start("x.h5", -1);
    const int fd = take_twice(&lease);
    cl_lease_give(&lease);
    ck_assert_int_eq(fcntl(fd, F_GETLEASE), F_RDLCK);
    ck_assert_int_eq(write(o.go, "", 1), 1);
    while (fcntl(fd, F_GETLEASE) == F_RDLCK && !other_is_done(&o, 1))
        continue;
    ck_assert(!other_is_done(&o, 0));
    ck_assert(!cl_lease_take(&lease)); /* it would never have its turn */
    cl_lease_give(&lease);
    ck_assert(other_is_done(&o, PATIENCE));
    ck_assert(!cl_lease_take(&lease));
    other_end(&o);
    ck_assert(cl_lease_take(&lease));
    cl_lease_give(&lease);
    cl_lease_fini(&lease);
    close(fd);
}
END_TEST

/* By the kernel: nobody gets it while somebody still believes to have it, or the other
 * one has the file open; then there is one again. */
START_TEST(holders_lose_it)
{
    cl_lease lease;
    if (!has_leases())
        return;
    other o = other_start("x.h5", -1);
    const int fd = take_twice(&lease);
    ck_assert_int_eq(write(o.go, "", 1), 1);
    while (fcntl(fd, F_GETLEASE) == F_RDLCK && !other_is_done(&o, 1))
        continue;
    ck_assert_int_eq(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
    ck_assert(other_is_done(&o, PATIENCE));
    for (int holders = 2; holders > 0; holders--) {
        ck_assert(!cl_lease_take(&lease));
        cl_lease_give(&lease);
    }
    ck_assert(!cl_lease_take(&lease));
    other_end(&o);
    ck_assert(cl_lease_take(&lease));
    ck_assert_int_eq(fcntl(fd, F_GETLEASE), F_RDLCK);
    cl_lease_give(&lease);
    cl_lease_fini(&lease);
    close(fd);
}
END_TEST

/* Any bytes that are in the page cache, at any place; not those that are not. */
START_TEST(windows)
{
    size_t bytes;
    char *want = files_slurp("x.h5", &bytes);
    cl_window w = {0};
    const int fd = open("x.h5", O_RDONLY | O_CLOEXEC);
    const size_t n = TILE / 4;
    if (!has_leases())
        return;
    for (int round = 0; round < 3; round++)
        for (size_t at = 0; at + n <= bytes; at += n - 1000) {
            const char *got = NULL;
            for (int i = 0; i < TRIES && !(got = cl_window_show(&w, fd, at, n)); i++)
                warm("x.h5");
            ck_assert_ptr_nonnull(got);
            ck_assert(memcmp(got, want + at, n) == 0);
            ck_assert_uint_le(w.shown, 8 << 20);
        }
    cl_window_close(&w);
    ck_assert_int_eq(count_mappings("x.h5"), 0);
    ck_assert_int_eq(fsync(fd), 0);
    ck_assert_int_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    uint64_t cached;
    ck_assert(cl_cache_holds(fd, 0, n, &cached));
    if (cached < n) /* tmpfs keeps all */
        ck_assert_ptr_null(cl_window_show(&w, fd, 0, n));
    cl_window_close(&w);
    close(fd);
    cl_free(want);
}
END_TEST

static Suite *lease(void)
{
    Suite *s = suite_create("lease");
    TCase *t = tcase_create("lease");
    tcase_add_unchecked_fixture(t, begin, files_end);
    tcase_add_loop_test(t, strips_in_place, 0, PROGRAMS);
    tcase_add_loop_test(t, refused, 0, 6);
    tcase_add_test(t, not_wanted);
    tcase_add_test(t, files_that_are_open_for_writing);
    tcase_add_test(t, files_elsewhere);
    tcase_add_loop_test(t, opened_meanwhile, SUM, ROOTS + 1);
    tcase_add_loop_test(t, cut_meanwhile, SUM, ROOTS + 1);
    tcase_add_loop_test(t, taken_away, 0, 3);
    tcase_add_test(t, forked_meanwhile);
    tcase_add_test(t, holders_share_it);
    tcase_add_test(t, holders_lose_it);
    tcase_add_test(t, windows);
    tcase_set_timeout(t, 120);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {lease};
    return cl_check_main(suites, 1);
}
