/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program that lets Clast live in it beside an HDF5 of its own or under unusual
 * circumstances: hdf5_host CASE FILE [MORE]. FILE holds /x. Prints the sum of /x, or
 * Clast's message (and fails).
 *
 *   plain    reads and adds
 *   locked   the same, after the program gave its lock
 *   private  the same, while another copy of libhdf5 (MORE) is at work in a thread; the
 *            copy is loaded privately, as wheels of Python do it
 *   writer   writes FILE:/y from a kernel that says "begun" and waits for its input
 *
 * libhdf5's header is not needed: whoever uses a library by dlsym() declares it.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <clast.h>

static _Noreturn void fail(const char *what)
{
    printf("%s\n", what);
    exit(1);
}

static clast_ctx *open_ctx(void)
{
    clast_ctx *ctx =
        clast_open(&(clast_options){.memory = CLAST_MIB(64), .workers = 2});
    if (clast_ctx_status(ctx) != CLAST_OK)
        fail(clast_ctx_error(ctx));
    return ctx;
}

static double sum_of(const char *file)
{
    double v = 0;
    const clast_buffer into = {&v, sizeof v, CLAST_FLOAT64, 0, NULL, NULL};
    clast_ctx *ctx = open_ctx();
    if (clast_fetch(clast_sum(clast_from_hdf5(ctx, file, "/x"), CLAST_ALL), &into))
        fail(clast_ctx_error(ctx));
    clast_close(&ctx);
    return v;
}

/* ---- another copy of libhdf5 */

typedef int64_t id; /* hid_t */
typedef uint64_t extent;
enum { N = 1000, ROUNDS = 100 };

static struct {
    int (*open)(void), (*close)(id), (*close_dataset)(id);
    id (*create)(const char *, unsigned, id, id);
    id (*space)(int, const extent *, const extent *);
    id (*dataset)(id, const char *, id, id, id, id, id);
    int (*write)(id, id, id, id, id, const void *);
    int (*read)(id, id, id, id, id, void *);
    const id *number;
} copy;

static void *symbol(void *library, const char *name)
{
    void *address = dlsym(library, name);
    if (!address || address == dlsym(RTLD_DEFAULT, name))
        fail(name); /* not there, or Clast's own libhdf5 once more */
    return address;
}

static void load(const char *library)
{
    void *l = dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (!l)
        fail(dlerror());
    const struct {
        const char *name;
        void *into;
    } names[] = {{"H5open", &copy.open},
                 {"H5Fclose", &copy.close},
                 {"H5Dclose", &copy.close_dataset},
                 {"H5Fcreate", &copy.create},
                 {"H5Screate_simple", &copy.space},
                 {"H5Dcreate2", &copy.dataset},
                 {"H5Dwrite", &copy.write},
                 {"H5Dread", &copy.read},
                 {"H5T_NATIVE_DOUBLE_g", &copy.number}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *address = symbol(l, names[i].name);
        memcpy(names[i].into, &address, sizeof address);
    }
    copy.open();
}

static void *use_copy(void *name)
{
    static double values[N], back[N];
    const extent dim[1] = {N};
    for (int i = 0; i < N; i++)
        values[i] = i;
    for (int round = 0; round < ROUNDS; round++) {
        memset(back, 0, sizeof back);
        const id file = copy.create(name, 2, 0, 0); /* H5F_ACC_TRUNC */
        const id dataset =
            copy.dataset(file, "x", *copy.number, copy.space(1, dim, NULL), 0, 0, 0);
        if (copy.write(dataset, *copy.number, 0, 0, 0, values) < 0 ||
            copy.read(dataset, *copy.number, 0, 0, 0, back) < 0 ||
            memcmp(values, back, sizeof back) != 0)
            fail("the other HDF5 failed");
        copy.close_dataset(dataset);
        copy.close(file);
    }
    return NULL;
}

static double use_both(const char *file, const char *library)
{
    char name[4096];
    pthread_t thread;
    load(library);
    snprintf(name, sizeof name, "%s.copy", file);
    if (pthread_create(&thread, NULL, use_copy, name) != 0)
        fail("no thread");
    const double v = sum_of(file);
    for (int round = 0; round < 20; round++)
        if (sum_of(file) != v)
            fail("another sum");
    pthread_join(thread, NULL);
    return v;
}

/* ---- the rest */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void lock(void *arg)
{
    pthread_mutex_lock(arg);
}

static void unlock(void *arg)
{
    pthread_mutex_unlock(arg);
}

static clast_status wait_for_input(clast_call *call, void *user, int nin,
                                   const clast_view *in, int nout, clast_buffer *out)
{
    char c;
    if (write(STDOUT_FILENO, "begun\n", 6) != 6 || read(STDIN_FILENO, &c, 1) < 0)
        return clast_call_fail(call, "no pipe");
    memset(out[0].data, 0, out[0].bytes);
    return CLAST_OK;
}

static double be_writer(const char *file)
{
    const int64_t shape[1] = {8};
    clast_ctx *ctx = open_ctx();
    clast_array *a = clast_map(
        ctx, 0, NULL, wait_for_input, NULL,
        &(clast_map_options){.dtype = CLAST_FLOAT64, .ndim = 1, .shape = shape});
    if (clast_to_hdf5(a, file, "/y", NULL) != CLAST_OK)
        fail(clast_ctx_error(ctx));
    clast_close(&ctx);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    double v = 0;
    if (strcmp(argv[1], "locked") == 0 &&
        clast_set_hdf5_lock(lock, unlock, &mutex) != CLAST_OK)
        fail("the lock was refused");
    if (strcmp(argv[1], "private") == 0 && argc == 4)
        v = use_both(argv[2], argv[3]);
    else if (strcmp(argv[1], "writer") == 0)
        v = be_writer(argv[2]);
    else
        v = sum_of(argv[2]);
    printf("%.17g\n", v);
    return 0;
}
