/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The process that a host and Clast share: libhdf5's messages, the host's lock, both at
 * the same time from several threads, descriptors and children.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_main.h"
#include "host_files.h"

/* ---- errors are silent in every thread */

START_TEST(silent_in_all_threads)
{
    static double values[HOST_N];
    struct stat st;
    const int log = open("stderr.txt", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const int keep = dup(STDERR_FILENO);
    const hid_t file = host_make_file("a.h5", host_use_strong);
    clast_array *a =
        clast_from_hdf5_id(host_ctx, host_make_dataset(file, CHUNKED, false));
    H5Fclose(file);
    H5Eset_auto2(H5E_DEFAULT, (H5E_auto2_t)H5Eprint2, NULL);
    dup2(log, STDERR_FILENO);
    const clast_status status = host_fetch(a, values);
    H5Dopen2(-1, "/x", H5P_DEFAULT); /* what is the host's own goes on printing */
    fflush(stderr);
    const bool is_known = fstat(log, &st) == 0;
    dup2(keep, STDERR_FILENO);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    char text[4096] = "";
    ck_assert(is_known && st.st_size > 0 && st.st_size < (off_t)sizeof text);
    ck_assert_int_eq(pread(log, text, sizeof text - 1, 0), st.st_size);
    ck_assert_int_eq(status, CLAST_EFORMAT);
    ck_assert_ptr_nonnull(strstr(text, "H5Dopen2"));
    ck_assert_ptr_null(strstr(text, "H5Dread"));
    ck_assert_ptr_null(strstr(text, "H5Dget_space"));
    close(log);
    close(keep);
}
END_TEST

/* ---- the host's lock */

/* A mutex that is not recursive and knows its owner: what it is not made for fails. */
typedef struct {
    pthread_mutex_t mutex;
    _Atomic int64_t locked, faults;
} host_lock;

static void lock(void *arg)
{
    host_lock *l = arg;
    l->faults += pthread_mutex_lock(&l->mutex) != 0;
    l->locked++;
}

static void unlock(void *arg)
{
    host_lock *l = arg;
    l->faults += pthread_mutex_unlock(&l->mutex) != 0;
}

static void begin_lock(host_lock *l)
{
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&l->mutex, &kind);
    pthread_mutexattr_destroy(&kind);
    ck_assert_int_eq(clast_set_hdf5_lock(lock, unlock, l), CLAST_OK);
}

static void end_lock(host_lock *l)
{
    ck_assert_int_eq(clast_set_hdf5_lock(NULL, NULL, NULL), CLAST_OK);
    ck_assert_int_eq(l->faults, 0);
    pthread_mutex_destroy(&l->mutex);
}

START_TEST(lock_of_the_host)
{
    host_lock l = {.locked = 0};
    begin_lock(&l);
    const hid_t file = host_make_file("a.h5", host_use_default);
    H5Dclose(host_make_dataset(file, FILTERED, false));
    H5Fclose(file);
    ck_assert_int_eq(l.locked, 0);
    clast_array *a = clast_from_hdf5(host_ctx, "a.h5", "/x");
    const int64_t opened = l.locked;
    ck_assert_int_gt(opened, 0);
    host_reads(a);
    ck_assert_int_gt(l.locked, opened);
    ck_assert_int_eq(clast_to_hdf5(a, "b.h5", "/y", NULL), CLAST_OK);
    clast_close(&host_ctx);
    end_lock(&l);
    const int64_t locked = l.locked;
    host_ctx = clast_open(&(clast_options){.memory = CLAST_MIB(64), .workers = 2});
    host_reads(clast_from_hdf5(host_ctx, "b.h5", "/y"));
    ck_assert_int_eq(l.locked, locked);
}
END_TEST

static clast_status set_during_run(clast_call *call, void *user, int nin,
                                   const clast_view *in, int nout, clast_buffer *out)
{
    memset(out[0].data, 0, out[0].bytes);
    *(int *)user = (int)clast_set_hdf5_lock(NULL, NULL, NULL);
    return CLAST_OK;
}

/* While an array or an output is there the lock stays; half a lock is none. */
START_TEST(lock_while_in_use)
{
    host_lock l = {.locked = 0};
    ck_assert_int_eq(clast_set_hdf5_lock(lock, NULL, &l), CLAST_EVALUE);
    ck_assert_int_eq(clast_set_hdf5_lock(NULL, unlock, &l), CLAST_EVALUE);
    ck_assert_int_eq(clast_set_hdf5_lock(NULL, NULL, NULL), CLAST_OK);
    const hid_t file = host_make_file("a.h5", host_use_core);
    const hid_t dataset = host_make_dataset(file, CONTIGUOUS, false);
    clast_scope_begin(host_ctx);
    host_reads(clast_from_hdf5_id(host_ctx, dataset));
    ck_assert_int_eq(clast_set_hdf5_lock(lock, unlock, &l), CLAST_EBUSY);
    clast_scope_end(host_ctx);
    ck_assert_int_eq(clast_set_hdf5_lock(NULL, NULL, NULL), CLAST_OK);
    const int64_t shape[1] = {8};
    int status = -1;
    const clast_map_options options = {
        .dtype = CLAST_FLOAT64, .ndim = 1, .shape = shape};
    clast_array *a = clast_map(host_ctx, 0, NULL, set_during_run, &status, &options);
    ck_assert_int_eq(clast_to_hdf5(a, "b.h5", "/x", NULL), CLAST_OK);
    ck_assert_int_eq(status, CLAST_EBUSY);
    H5Dclose(dataset);
    H5Fclose(file);
}
END_TEST

/* ---- the host and Clast at the same time */

enum { ROUNDS = 10 };

typedef struct {
    host_lock *lock; /* NULL: libhdf5's own is enough */
    hid_t shared;    /* a dataset that all read, open for writing */
    int index, faults;
} user;

static void host_enter(const user *u)
{
    if (u->lock)
        lock(u->lock);
}

static void host_leave(const user *u)
{
    if (u->lock)
        unlock(u->lock);
}

/* A thread of the host: writes and reads a file of its own, reads what is shared. */
static void *use_hdf5(void *arg)
{
    user *u = arg;
    static const hsize_t dim[2] = {HOST_ROWS, HOST_COLUMNS};
    char name[32];
    snprintf(name, sizeof name, "host%d.h5", u->index);
    for (int round = 0; round < ROUNDS; round++) {
        double back[HOST_N] = {0}, both[HOST_N] = {0};
        host_enter(u);
        H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
        const hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT),
                    space = H5Screate_simple(2, dim, NULL);
        const hid_t dataset = H5Dcreate2(file, "x", H5T_NATIVE_DOUBLE, space,
                                         H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        u->faults += H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                              host_wanted) < 0;
        host_leave(u);
        host_enter(u);
        u->faults += H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                             back) < 0;
        u->faults += H5Dread(u->shared, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL,
                             H5P_DEFAULT, both) < 0;
        u->faults += H5Dopen2(file, "missing", H5P_DEFAULT) >= 0;
        H5Dclose(dataset);
        H5Sclose(space);
        H5Fclose(file);
        host_leave(u);
        u->faults += memcmp(host_wanted, back, sizeof back) != 0;
        u->faults += memcmp(host_wanted, both, sizeof both) != 0;
    }
    return NULL;
}

/* A thread of the host that calls Clast: on a file by its name, on what is shared. */
static void *use_clast(void *arg)
{
    user *u = arg;
    char name[32];
    snprintf(name, sizeof name, "clast%d.h5", u->index);
    clast_ctx *mine =
        clast_open(&(clast_options){.memory = CLAST_MIB(64), .workers = 2});
    for (int round = 0; round < ROUNDS; round++) {
        double back[HOST_N] = {0};
        clast_scope_begin(mine);
        clast_array *a = clast_sub(clast_add(clast_from_hdf5(mine, "a.h5", "/x"),
                                             clast_from_hdf5_id(mine, u->shared)),
                                   clast_from_hdf5(mine, "a.h5", "/x"));
        u->faults += clast_to_hdf5(a, name, "/y",
                                   &(clast_hdf5_options){.overwrite = true,
                                                         .no_sync = true}) != CLAST_OK;
        u->faults += host_fetch(clast_from_hdf5(mine, name, "/y"), back) != CLAST_OK;
        u->faults += memcmp(host_wanted, back, sizeof back) != 0;
        clast_scope_end(mine);
    }
    clast_close(&mine);
    return NULL;
}

/* 0: under the host's lock; 1: under libhdf5's own. */
START_TEST(together)
{
    enum { USERS = 4 };
    host_lock l = {.locked = 0};
    pthread_t thread[USERS];
    user users[USERS];
    hbool_t is_safe = false;
    H5is_library_threadsafe(&is_safe);
    if (_i == 1 && !is_safe)
        return;
    if (_i == 0)
        begin_lock(&l);
    const hid_t file = host_make_file("a.h5", host_use_default);
    H5Dclose(host_make_dataset(file, FILTERED, false));
    H5Fclose(file);
    const hid_t open = host_make_file("b.h5", host_use_default);
    const hid_t shared = host_make_dataset(open, FILTERED, false);
    for (int i = 0; i < USERS; i++) {
        users[i] = (user){_i == 0 ? &l : NULL, shared, i, 0};
        ck_assert_int_eq(
            pthread_create(&thread[i], NULL, i % 2 ? use_clast : use_hdf5, &users[i]),
            0);
    }
    for (int i = 0; i < USERS; i++) {
        pthread_join(thread[i], NULL);
        ck_assert_int_eq(users[i].faults, 0);
    }
    H5Dclose(shared);
    H5Fclose(open);
    if (_i == 0)
        end_lock(&l);
}
END_TEST

/* ---- descriptors */

enum { FDS = 256 };

/* Counts what a program that is started now would inherit, beside what was open. */
static int inherited(const bool *was_open, int *total)
{
    int n = 0;
    *total = 0;
    for (int fd = 0; fd < FDS; fd++) {
        const int flags = fcntl(fd, F_GETFD);
        if (flags < 0 || was_open[fd])
            continue;
        ++*total;
        n += (flags & FD_CLOEXEC) == 0;
    }
    return n;
}

typedef struct {
    bool was_open[FDS];
    _Atomic int inherited, most;
} descriptors;

static clast_status look_at_descriptors(clast_call *call, void *arg, int nin,
                                        const clast_view *in, int nout,
                                        clast_buffer *out)
{
    descriptors *d = arg;
    int total;
    d->inherited += inherited(d->was_open, &total);
    d->most = total > d->most ? total : d->most;
    memcpy(out[0].data, in[0].data, out[0].bytes);
    return CLAST_OK;
}

/* During a run that reads two files, writes two (one through libhdf5, one past it) and
 * spills: nothing of it is handed to a child. */
START_TEST(closed_on_exec)
{
    static descriptors d;
    const hid_t file = host_make_file("a.h5", host_use_default);
    H5Dclose(host_make_dataset(file, FILTERED, false));
    H5Fclose(file);
    for (int fd = 0; fd < FDS; fd++)
        d.was_open[fd] = fcntl(fd, F_GETFD) >= 0;
    clast_array *a = clast_from_hdf5(host_ctx, "a.h5", "/x");
    const int64_t shape[2] = {HOST_ROWS, HOST_COLUMNS};
    const clast_map_options options = {
        .dtype = CLAST_FLOAT64, .ndim = 2, .shape = shape};
    clast_array *b = clast_map(host_ctx, 1, &a, look_at_descriptors, &d, &options);
    const clast_sink sinks[2] = {
        clast_sink_hdf5(b, "b.h5", "/x", &(clast_hdf5_options){.gzip = 1}),
        clast_sink_hdf5(b, "c.h5", "/x", NULL)};
    ck_assert_int_eq(clast_compute(host_ctx, 2, sinks), CLAST_OK);
    ck_assert_int_ge(d.most, 3);
    ck_assert_int_eq(d.inherited, 0);
}
END_TEST

/* ---- children */

/* In a task of a run: children of the two kinds that may be. */
static clast_status have_children(clast_call *call, void *arg, int nin,
                                  const clast_view *in, int nout, clast_buffer *out)
{
    for (int i = 0; i < 2; i++) {
        int status = -1;
        const pid_t child = fork();
        if (child == 0 && i == 0)
            execl("/bin/true", "true", (char *)NULL);
        if (child == 0)
            _exit(i == 0);
        if (waitpid(child, &status, 0) != child || status != 0)
            return clast_call_fail(call, "a child failed");
    }
    memcpy(out[0].data, in[0].data, out[0].bytes);
    return CLAST_OK;
}

/* While inputs are open and outputs half written. */
START_TEST(children_during_a_run)
{
    const hid_t file = host_make_file("a.h5", host_use_default);
    const hid_t dataset = host_make_dataset(file, FILTERED, false);
    clast_array *a = clast_from_hdf5_id(host_ctx, dataset);
    const int64_t shape[2] = {HOST_ROWS, HOST_COLUMNS};
    const clast_map_options options = {
        .dtype = CLAST_FLOAT64, .ndim = 2, .shape = shape};
    clast_array *b = clast_map(host_ctx, 1, &a, have_children, NULL, &options);
    ck_assert_int_eq(clast_to_hdf5(b, "b.h5", "/x", &(clast_hdf5_options){.gzip = 1}),
                     CLAST_OK);
    host_reads(a);
    host_reads(clast_from_hdf5(host_ctx, "b.h5", "/x"));
    H5Dclose(dataset);
    H5Fclose(file);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hdf5_process");
    TCase *t = tcase_create("process");
    tcase_add_checked_fixture(t, host_begin, host_end);
    tcase_add_test(t, silent_in_all_threads);
    tcase_add_test(t, lock_of_the_host);
    tcase_add_test(t, lock_while_in_use);
    tcase_add_loop_test(t, together, 0, 2);
    tcase_add_test(t, closed_on_exec);
    tcase_add_test(t, children_during_a_run);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
