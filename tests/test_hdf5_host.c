/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hosts that use HDF5 themselves: their own open datasets in files of every driver,
 * read while they are open for writing and nothing was flushed, held beyond the host's
 * own close; the host's lock; both at the same time from several threads.
 */
#include <fcntl.h>
#include <hdf5.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "check_main.h"
#include "clast.h"
#include "hdf5_files.h"

enum { ROWS = 30, COLUMNS = 50, N = ROWS * COLUMNS, CHUNK = 20 };

static clast_ctx *ctx;
static double wanted[N];

static void begin(void)
{
    files_begin();
    for (int i = 0; i < N; i++)
        wanted[i] = i % 97 - 3.5;
    ctx = clast_open(&(clast_options){.memory = CLAST_MIB(64), .workers = 2});
    ck_assert_str_eq(clast_ctx_error(ctx), "");
}

static void end(void)
{
    clast_close(&ctx);
    ck_assert_int_eq(files_open_ids(), 0);
    files_end();
}

/* ---- files of the host */

static hid_t use_default(hid_t list)
{
    return list;
}

static hid_t use_core(hid_t list)
{
    H5Pset_fapl_core(list, 1 << 16, false);
    return list;
}

static hid_t use_family(hid_t list)
{
    H5Pset_fapl_family(list, 1 << 20, H5P_DEFAULT);
    return list;
}

static hid_t use_split(hid_t list)
{
    H5Pset_fapl_split(list, "-m", H5P_DEFAULT, "-r", H5P_DEFAULT);
    return list;
}

static hid_t use_stdio(hid_t list)
{
    H5Pset_fapl_stdio(list);
    return list;
}

static hid_t use_log(hid_t list)
{
    H5Pset_fapl_log(list, NULL, 0, 0);
    return list;
}

static hid_t use_latest(hid_t list)
{
    H5Pset_libver_bounds(list, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    return list;
}

static hid_t use_strong(hid_t list)
{
    H5Pset_fclose_degree(list, H5F_CLOSE_STRONG);
    return list;
}

typedef hid_t driver_fn(hid_t list);
static const struct {
    const char *file;
    driver_fn *driver;
    bool is_on_disk; /* can be opened again for reading */
} drivers[] = {{"sec2.h5", use_default, true},  {"core.h5", use_core, false},
               {"part%d.h5", use_family, true}, {"split", use_split, true},
               {"stdio.h5", use_stdio, true},   {"log.h5", use_log, true},
               {"late.h5", use_latest, true}};
enum { DRIVERS = sizeof drivers / sizeof *drivers };

/* How a dataset is stored. */
enum { CONTIGUOUS, CHUNKED, FILTERED, COMPACT, LAYOUTS };

static hid_t creation_list(int layout)
{
    static const hsize_t chunk[2] = {CHUNK, CHUNK};
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    if (layout == CHUNKED || layout == FILTERED)
        H5Pset_chunk(list, 2, chunk);
    if (layout == FILTERED)
        H5Pset_shuffle(list), H5Pset_deflate(list, 4);
    if (layout == COMPACT)
        H5Pset_layout(list, H5D_COMPACT);
    return list;
}

/* A dataset of `wanted`, "/x" or, with is_anonymous, without a name. */
static hid_t make_dataset(hid_t file, int layout, bool is_anonymous)
{
    static const hsize_t dim[2] = {ROWS, COLUMNS}, most[2] = {H5S_UNLIMITED, COLUMNS};
    const bool is_chunked = layout == CHUNKED || layout == FILTERED;
    const hid_t list = creation_list(layout),
                space = H5Screate_simple(2, dim, is_chunked ? most : NULL);
    const hid_t dataset =
        is_anonymous ? H5Dcreate_anon(file, H5T_IEEE_F64BE, space, list, H5P_DEFAULT)
                     : H5Dcreate2(file, "/x", H5T_IEEE_F64BE, space, H5P_DEFAULT, list,
                                  H5P_DEFAULT);
    ck_assert(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                       wanted) >= 0);
    H5Sclose(space);
    H5Pclose(list);
    return dataset;
}

static hid_t make_file(const char *name, driver_fn *driver)
{
    const hid_t list = driver(H5Pcreate(H5P_FILE_ACCESS));
    const hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, list);
    ck_assert_int_ge(file, 0);
    H5Pclose(list);
    return file;
}

static hid_t open_file(const char *name, unsigned flags, driver_fn *driver)
{
    const hid_t list = driver(H5Pcreate(H5P_FILE_ACCESS));
    const hid_t file = H5Fopen(name, flags, list);
    ck_assert_int_ge(file, 0);
    H5Pclose(list);
    return file;
}

/* ---- what Clast reads */

static clast_status fetch(clast_array *a, double *values)
{
    const int64_t shape[2] = {ROWS, COLUMNS};
    const clast_buffer into = {values, N * sizeof *values, CLAST_FLOAT64, 2, shape,
                               NULL};
    return clast_fetch(a, &into);
}

static void reads(clast_array *a)
{
    static double values[N];
    memset(values, 0, sizeof values);
    ck_assert_str_eq(clast_error(a), "");
    ck_assert_int_eq(fetch(a, values), CLAST_OK);
    files_same(values, wanted, sizeof values);
}

/* Twice the transposed transpose of it: the planner cuts and reads it otherwise. */
static void computes(clast_array *a)
{
    static double values[N];
    clast_array *twice = clast_add(a, clast_transpose(clast_transpose(a)));
    ck_assert_int_eq(fetch(clast_div(twice, clast_double(ctx, 2)), values), CLAST_OK);
    files_same(values, wanted, sizeof values);
}

static void try_unflushed(int driver, int layout, bool is_anonymous)
{
    const hid_t file = make_file(drivers[driver].file, drivers[driver].driver);
    const hid_t dataset = make_dataset(file, layout, is_anonymous);
    ck_assert_int_eq(H5Iget_ref(dataset), 1);
    clast_array *a = clast_from_hdf5_id(ctx, dataset);
    reads(a);
    ck_assert_int_eq(H5Iget_ref(dataset), 2);
    H5Dclose(dataset);
    H5Fclose(file);
    computes(a);
    ck_assert_int_eq(files_open_ids(), 1);
}

/* Open for writing, nothing flushed; the host closes all it has before the last run. */
START_TEST(unflushed)
{
    for (int i = 0; i < 2 * LAYOUTS; i++) {
        clast_scope_begin(ctx);
        try_unflushed(_i, i / 2, i % 2);
        clast_scope_end(ctx);
        ck_assert_int_eq(files_open_ids(), 0);
    }
}
END_TEST

static void try_read_only(const char *name, driver_fn *driver, int layout)
{
    hid_t file = make_file(name, driver);
    H5Dclose(make_dataset(file, layout, false));
    H5Fclose(file);
    file = open_file(name, H5F_ACC_RDONLY, driver);
    const hid_t dataset = H5Dopen2(file, "/x", H5P_DEFAULT);
    clast_array *a = clast_from_hdf5_id(ctx, dataset);
    const bool is_plain = driver == use_default || driver == use_latest;
    ck_assert_int_eq(H5Iget_ref(dataset), is_plain ? 1 : 2);
    H5Dclose(dataset);
    H5Fclose(file);
    reads(a);
    computes(a);
    if (is_plain)
        reads(clast_sub(clast_add(a, clast_from_hdf5(ctx, name, "/x")), a));
}

/* Open for reading only, through each driver: with the default one opened once more. */
START_TEST(read_only)
{
    for (int layout = 0; layout < LAYOUTS && drivers[_i].is_on_disk; layout++) {
        clast_scope_begin(ctx);
        try_read_only(drivers[_i].file, drivers[_i].driver, layout);
        clast_scope_end(ctx);
        ck_assert_int_eq(files_open_ids(), 0);
    }
}
END_TEST

/* A file that lost its name, or whose name is another file's now, is read through the
 * host's id. */
START_TEST(lost_name)
{
    for (int layout = 0; layout < LAYOUTS; layout++) {
        hid_t file = make_file("a.h5", use_default);
        H5Dclose(make_dataset(file, layout, false));
        H5Fclose(file);
        file = open_file("a.h5", H5F_ACC_RDONLY, use_default);
        const hid_t dataset = H5Dopen2(file, "/x", H5P_DEFAULT);
        ck_assert_int_eq(unlink("a.h5"), 0);
        if (layout % 2 == 1)
            H5Fclose(make_file("a.h5", use_default));
        clast_array *a = clast_from_hdf5_id(ctx, dataset);
        ck_assert_int_eq(H5Iget_ref(dataset), 2);
        H5Dclose(dataset);
        H5Fclose(file);
        reads(a);
        computes(a);
    }
}
END_TEST

/* Each run reads what the host has written by then. */
START_TEST(read_anew_by_each_run)
{
    for (int layout = 0; layout < LAYOUTS; layout++) {
        const hid_t file = make_file("a.h5", use_default);
        const hid_t dataset = make_dataset(file, layout, false);
        clast_scope_begin(ctx);
        clast_array *a = clast_from_hdf5_id(ctx, dataset);
        for (int round = 0; round < 3; round++) {
            reads(a);
            for (int i = 0; i < N; i++)
                wanted[i] += 1;
            H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, wanted);
        }
        reads(a);
        clast_scope_end(ctx);
        H5Dclose(dataset);
        H5Fclose(file);
    }
}
END_TEST

START_TEST(another_shape)
{
    static double values[N];
    const hid_t file = make_file("a.h5", use_default);
    const hid_t dataset = make_dataset(file, _i, false);
    clast_array *a = clast_from_hdf5_id(ctx, dataset);
    H5Dset_extent(dataset, (const hsize_t[2]){ROWS / 2, COLUMNS});
    ck_assert_int_eq(fetch(a, values), CLAST_EIO);
    ck_assert_ptr_nonnull(strstr(clast_ctx_error(ctx), "a.h5:/x was given another"));
    H5Dset_extent(dataset, (const hsize_t[2]){ROWS, COLUMNS});
    ck_assert_int_eq(fetch(a, values), CLAST_OK);
    H5Dclose(dataset);
    H5Fclose(file);
}
END_TEST

/* The array keeps the dataset open, but not against a file that closes strongly. */
START_TEST(strong_close)
{
    static double values[N];
    const hid_t file = make_file("a.h5", use_strong);
    clast_array *a = clast_from_hdf5_id(ctx, make_dataset(file, CHUNKED, false));
    reads(a);
    H5Fclose(file);
    ck_assert_int_eq(fetch(a, values), CLAST_EFORMAT);
    ck_assert_ptr_nonnull(strstr(clast_ctx_error(ctx), "a.h5:/x: reading failed"));
}
END_TEST

START_TEST(held_until_the_last_use)
{
    const hid_t file = make_file("a.h5", use_default);
    const hid_t dataset = make_dataset(file, FILTERED, false);
    clast_scope_begin(ctx);
    clast_array *twice =
        clast_keep(clast_mul(clast_from_hdf5_id(ctx, dataset), clast_double(ctx, 1)));
    clast_scope_end(ctx);
    ck_assert_int_eq(H5Iget_ref(dataset), 2);
    reads(twice);
    clast_drop(twice);
    ck_assert_int_eq(H5Iget_ref(dataset), 1);
    H5Dclose(dataset);
    H5Fclose(file);
}
END_TEST

/* ---- CF attributes */

START_TEST(cf_and_raw)
{
    const int64_t shape[2] = {ROWS, COLUMNS};
    static double values[N];
    const double scale = 0.5, fill = wanted[3];
    const hid_t file = make_file("a.h5", use_core);
    const hid_t dataset = make_dataset(file, FILTERED, false),
                space = H5Screate(H5S_SCALAR);
    const struct {
        const char *name;
        double value;
    } attributes[] = {{"scale_factor", scale}, {"_FillValue", fill}};
    for (int i = 0; i < 2; i++) {
        const hid_t id = H5Acreate2(dataset, attributes[i].name, H5T_NATIVE_DOUBLE,
                                    space, H5P_DEFAULT, H5P_DEFAULT);
        H5Awrite(id, H5T_NATIVE_DOUBLE, &attributes[i].value);
        H5Aclose(id);
    }
    reads(clast_from_hdf5_id_with(ctx, dataset, &(clast_read_options){.raw = true}));
    const clast_buffer into = {values, sizeof values, CLAST_FLOAT64, 2, shape, NULL};
    ck_assert_int_eq(clast_fetch(clast_from_hdf5_id(ctx, dataset), &into), CLAST_OK);
    for (int i = 0; i < N; i++)
        ck_assert(wanted[i] == fill ? values[i] != values[i]
                                    : values[i] == wanted[i] * scale);
    H5Sclose(space);
    H5Dclose(dataset);
    H5Fclose(file);
}
END_TEST

/* ---- refusals */

static void refuses(int64_t id, clast_status status, const char *text)
{
    clast_array *a = clast_from_hdf5_id(ctx, id);
    ck_assert_int_eq(clast_array_status(a), status);
    ck_assert_msg(strstr(clast_error(a), text), "%s", clast_error(a));
}

START_TEST(refused_ids)
{
    const hid_t file = make_file("a.h5", use_default);
    const hid_t dataset = make_dataset(file, CONTIGUOUS, false);
    refuses(file, CLAST_EVALUE, "not the id of a dataset");
    refuses(-1, CLAST_EVALUE, "no open id");
    refuses(INT64_MAX, CLAST_EVALUE, "no open id");
    H5Dclose(dataset);
    refuses(dataset, CLAST_EVALUE, "no open id of the libhdf5 that Clast uses");
    const hid_t space = H5Screate(H5S_NULL);
    const hid_t null = H5Dcreate2(file, "null", H5T_NATIVE_INT, space, H5P_DEFAULT,
                                  H5P_DEFAULT, H5P_DEFAULT);
    refuses(null, CLAST_ESHAPE, "a.h5:/null has a null dataspace");
    ck_assert_int_eq(H5Iget_ref(null), 1);
    H5Dclose(null);
    H5Sclose(space);
    const clast_read_options options = {.reserved = {1}};
    ck_assert_int_eq(clast_array_status(clast_from_hdf5_id_with(ctx, file, &options)),
                     CLAST_ENOTSUP);
    H5Fclose(file);
}
END_TEST

/* By its name: a file that the host has open for writing is refused, one that it has
 * open for reading is not, and one that is open in Clast can be opened by the host. */
START_TEST(by_name)
{
    const hid_t file = make_file("a.h5", _i == 0 ? use_default : use_strong);
    H5Dclose(make_dataset(file, FILTERED, false));
    clast_array *a = clast_from_hdf5(ctx, "a.h5", "/x");
    ck_assert_int_eq(clast_array_status(a), CLAST_EACCESS);
    ck_assert_ptr_nonnull(strstr(clast_error(a), "clast_from_hdf5_id()"));
    H5Fclose(file);
    const hid_t again = open_file("a.h5", H5F_ACC_RDONLY, use_default);
    reads(clast_from_hdf5(ctx, "./a.h5", "/x"));
    H5Fclose(again);
    H5Fclose(open_file("a.h5", H5F_ACC_RDONLY, use_default));
}
END_TEST

/* ---- errors are silent in every thread */

START_TEST(silent_in_all_threads)
{
    static double values[N];
    struct stat st;
    const int log = open("stderr.txt", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const int keep = dup(STDERR_FILENO);
    const hid_t file = make_file("a.h5", use_strong);
    clast_array *a = clast_from_hdf5_id(ctx, make_dataset(file, CHUNKED, false));
    H5Fclose(file);
    H5Eset_auto2(H5E_DEFAULT, (H5E_auto2_t)H5Eprint2, NULL);
    dup2(log, STDERR_FILENO);
    const clast_status status = fetch(a, values);
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
    const hid_t file = make_file("a.h5", use_default);
    H5Dclose(make_dataset(file, FILTERED, false));
    H5Fclose(file);
    ck_assert_int_eq(l.locked, 0);
    clast_array *a = clast_from_hdf5(ctx, "a.h5", "/x");
    const int64_t opened = l.locked;
    ck_assert_int_gt(opened, 0);
    reads(a);
    ck_assert_int_gt(l.locked, opened);
    ck_assert_int_eq(clast_to_hdf5(a, "b.h5", "/y", NULL), CLAST_OK);
    clast_close(&ctx);
    end_lock(&l);
    const int64_t locked = l.locked;
    ctx = clast_open(&(clast_options){.memory = CLAST_MIB(64), .workers = 2});
    reads(clast_from_hdf5(ctx, "b.h5", "/y"));
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
    const hid_t file = make_file("a.h5", use_core);
    const hid_t dataset = make_dataset(file, CONTIGUOUS, false);
    clast_scope_begin(ctx);
    reads(clast_from_hdf5_id(ctx, dataset));
    ck_assert_int_eq(clast_set_hdf5_lock(lock, unlock, &l), CLAST_EBUSY);
    clast_scope_end(ctx);
    ck_assert_int_eq(clast_set_hdf5_lock(NULL, NULL, NULL), CLAST_OK);
    const int64_t shape[1] = {8};
    int status = -1;
    const clast_map_options options = {
        .dtype = CLAST_FLOAT64, .ndim = 1, .shape = shape};
    clast_array *a = clast_map(ctx, 0, NULL, set_during_run, &status, &options);
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
    static const hsize_t dim[2] = {ROWS, COLUMNS};
    char name[32];
    snprintf(name, sizeof name, "host%d.h5", u->index);
    for (int round = 0; round < ROUNDS; round++) {
        double back[N] = {0}, both[N] = {0};
        host_enter(u);
        H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
        const hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT),
                    space = H5Screate_simple(2, dim, NULL);
        const hid_t dataset = H5Dcreate2(file, "x", H5T_NATIVE_DOUBLE, space,
                                         H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        u->faults += H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                              wanted) < 0;
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
        u->faults += memcmp(wanted, back, sizeof back) != 0;
        u->faults += memcmp(wanted, both, sizeof both) != 0;
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
        double back[N] = {0};
        clast_scope_begin(mine);
        clast_array *a = clast_sub(clast_add(clast_from_hdf5(mine, "a.h5", "/x"),
                                             clast_from_hdf5_id(mine, u->shared)),
                                   clast_from_hdf5(mine, "a.h5", "/x"));
        u->faults += clast_to_hdf5(a, name, "/y",
                                   &(clast_hdf5_options){.overwrite = true,
                                                         .no_sync = true}) != CLAST_OK;
        u->faults += fetch(clast_from_hdf5(mine, name, "/y"), back) != CLAST_OK;
        u->faults += memcmp(wanted, back, sizeof back) != 0;
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
    const hid_t file = make_file("a.h5", use_default);
    H5Dclose(make_dataset(file, FILTERED, false));
    H5Fclose(file);
    const hid_t open = make_file("b.h5", use_default);
    const hid_t shared = make_dataset(open, FILTERED, false);
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
    const hid_t file = make_file("a.h5", use_default);
    H5Dclose(make_dataset(file, FILTERED, false));
    H5Fclose(file);
    for (int fd = 0; fd < FDS; fd++)
        d.was_open[fd] = fcntl(fd, F_GETFD) >= 0;
    clast_array *a = clast_from_hdf5(ctx, "a.h5", "/x");
    const int64_t shape[2] = {ROWS, COLUMNS};
    const clast_map_options options = {
        .dtype = CLAST_FLOAT64, .ndim = 2, .shape = shape};
    clast_array *b = clast_map(ctx, 1, &a, look_at_descriptors, &d, &options);
    const clast_sink sinks[2] = {
        clast_sink_hdf5(b, "b.h5", "/x", &(clast_hdf5_options){.gzip = 1}),
        clast_sink_hdf5(b, "c.h5", "/x", NULL)};
    ck_assert_int_eq(clast_compute(ctx, 2, sinks), CLAST_OK);
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
    const hid_t file = make_file("a.h5", use_default);
    const hid_t dataset = make_dataset(file, FILTERED, false);
    clast_array *a = clast_from_hdf5_id(ctx, dataset);
    const int64_t shape[2] = {ROWS, COLUMNS};
    const clast_map_options options = {
        .dtype = CLAST_FLOAT64, .ndim = 2, .shape = shape};
    clast_array *b = clast_map(ctx, 1, &a, have_children, NULL, &options);
    ck_assert_int_eq(clast_to_hdf5(b, "b.h5", "/x", &(clast_hdf5_options){.gzip = 1}),
                     CLAST_OK);
    reads(a);
    reads(clast_from_hdf5(ctx, "b.h5", "/x"));
    H5Dclose(dataset);
    H5Fclose(file);
}
END_TEST

/* ---- copies */

/* Chunks that the array's end cuts are not filtered in the source; compressed otherwise
 * they are, and the copy says so. */
START_TEST(raw_edges_in_a_copy)
{
    const file_spec spec = {.file = "a.h5",
                            .path = "/x",
                            .ndim = 2,
                            .shape = {37, 53},
                            .chunk = {8, 16},
                            .is_latest = true,
                            .has_raw_edges = true,
                            .filters = FILTER_DEFLATE};
    const cl_box whole = {2, {0, 0}, {37, 53}};
    const clast_copy_options options = {.gzip = 2, .overwrite = true};
    files_make(&spec);
    ck_assert_int_eq(clast_hdf5_copy(ctx, "a.h5", NULL, "b.h5", &options), CLAST_OK);
    void *before = files_h5dread("a.h5", "/x", CLAST_FLOAT64, &whole);
    void *after = files_h5dread("b.h5", "/x", CLAST_FLOAT64, &whole);
    files_same(after, before, 37 * 53 * sizeof(double));
    cl_free(before);
    cl_free(after);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hdf5_host");
    TCase *t = tcase_create("datasets");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_loop_test(t, unflushed, 0, DRIVERS);
    tcase_add_loop_test(t, read_only, 0, DRIVERS);
    tcase_add_test(t, lost_name);
    tcase_add_test(t, read_anew_by_each_run);
    tcase_add_loop_test(t, another_shape, CHUNKED, FILTERED + 1);
    tcase_add_test(t, strong_close);
    tcase_add_test(t, held_until_the_last_use);
    tcase_add_test(t, cf_and_raw);
    tcase_add_test(t, refused_ids);
    tcase_add_loop_test(t, by_name, 0, 2);
    suite_add_tcase(s, t);
    t = tcase_create("process");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, silent_in_all_threads);
    tcase_add_test(t, lock_of_the_host);
    tcase_add_test(t, lock_while_in_use);
    tcase_add_loop_test(t, together, 0, 2);
    tcase_add_test(t, closed_on_exec);
    tcase_add_test(t, children_during_a_run);
    tcase_add_test(t, raw_edges_in_a_copy);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
