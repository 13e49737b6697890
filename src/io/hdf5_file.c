/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of input files, hashed by inode, and the ring of those that are open.
 *
 * The descriptor that libhdf5 opened is used for positioned reads as well; it stays
 * valid while the file is used. A file that is replaced by rename goes on being read as
 * it was, unless it had to rest; one that is written in place is found out by size and
 * time and refused.
 *
 * Resting: before one more file is opened, the least recently used of those that nobody
 * uses are closed until fewer than the limit are open. A reader raises `users`, then
 * looks whether the file is open; whoever lets it rest puts `is_open` down, then looks
 * at `users`, and puts it up again where there are some. So (both are sequentially
 * consistent) never do both go on; a reader that finds it resting asks again under the
 * lock. A file that has references of others than sources does not rest.
 */
#include "io/hdf5_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/hdf5_capture.h"
#include "io/hdf5_lib.h"

#define PATH_ROOM 4096

#define BUCKETS   4096
#define OPEN_MOST 32 /* files: libhdf5 takes about 540 KiB for each */

static cl_hdf5_file *files[BUCKETS];
static cl_hdf5_file *oldest, *newest; /* open ones of ours, in the order of opening */
static int nopen, limit;
static _Atomic uint64_t uses;

static cl_hdf5_file **bucket_of(const struct stat *st)
{
    const uint64_t h =
        ((uint64_t)st->st_ino ^ (uint64_t)st->st_dev << 32) * 0x9E3779B97F4A7C15u;
    return &files[h >> 52];
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
           a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Whether it is the file that was opened, and was not changed since. */
static bool is_as_opened(const cl_hdf5_file *f, const struct stat *st)
{
    const struct stat *was = &f->at_open;
    if (atomic_load(&f->loan) != CL_LOAN_READ)
        return is_same(was, st);
    return was->st_dev == st->st_dev && was->st_ino == st->st_ino &&
           was->st_size == st->st_size;
}

static clast_status look_at(const char *name, struct stat *st, cl_error *err)
{
    if (stat(name, st) != 0 || access(name, R_OK) != 0)
        return cl_error_set(err, cl_status_from_errno(errno), "%s: %s", name,
                            strerror(errno));
    if (!S_ISREG(st->st_mode))
        return cl_error_set(err, CLAST_EFORMAT, "%s is not a regular file", name);
    return CLAST_OK;
}

/* Whether this program has the file open for writing, through any driver. Files that
 * only their objects keep open are not found; libhdf5's lock tells of those. */
static bool is_written_here(const struct stat *st)
{
    const ssize_t most = H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_FILE);
    hid_t *id = most > 0 ? cl_alloc((size_t)most * sizeof *id) : NULL;
    bool is_found = false;
    const ssize_t n =
        id ? H5Fget_obj_ids((hid_t)H5F_OBJ_ALL, H5F_OBJ_FILE, (size_t)most, id) : 0;
    for (ssize_t i = 0; i < n && !is_found; i++) {
        char name[PATH_ROOM];
        unsigned intent = 0;
        struct stat other;
        if (H5Fget_intent(id[i], &intent) < 0 || !(intent & H5F_ACC_RDWR))
            continue;
        const ssize_t length = H5Fget_name(id[i], name, sizeof name);
        is_found = length > 0 && length < PATH_ROOM && stat(name, &other) == 0 &&
                   other.st_dev == st->st_dev && other.st_ino == st->st_ino;
    }
    cl_free(id);
    return is_found;
}

static clast_status explain(const char *name, cl_error *err)
{
    const int error = cl_hdf5_capture_error();
    const char *const other = cl_hdf5_capture_other_format();
    if (error == EWOULDBLOCK)
        return cl_error_set(err, CLAST_EACCESS,
                            "%s is open for writing elsewhere and locked by HDF5 "
                            "(HDF5_USE_FILE_LOCKING=FALSE disables its locks)",
                            name);
    if (error == ENOMEM)
        return cl_error_set(err, CLAST_ENOMEM, "%s: no memory to open it", name);
    if (other)
        return cl_error_set(err, CLAST_EFORMAT, "%s is %s, not HDF5", name, other);
    return cl_hdf5_fail(err, CLAST_EFORMAT, "%s cannot be opened as an HDF5 file",
                        name);
}

/* ---- open ones ---- */

static int most_open(void)
{
    struct rlimit files_of_process;
    if (limit > 0)
        return limit;
    if (getrlimit(RLIMIT_NOFILE, &files_of_process) != 0 ||
        files_of_process.rlim_cur / 4 > OPEN_MOST)
        return OPEN_MOST;
    return files_of_process.rlim_cur < 16 ? 4 : (int)(files_of_process.rlim_cur / 4);
}

static void link_open(cl_hdf5_file *f)
{
    f->older = newest;
    f->newer = NULL;
    *(newest ? &newest->newer : &oldest) = f;
    newest = f;
    nopen++;
    atomic_store(&f->used, ++uses);
    atomic_store(&f->is_open, true);
}

static void unlink_open(cl_hdf5_file *f)
{
    *(f->older ? &f->older->newer : &oldest) = f->newer;
    *(f->newer ? &f->newer->older : &newest) = f->older;
    nopen--;
}

static void close_id(cl_hdf5_file *f)
{
    cl_direct_close(&f->direct);
    cl_lease_fini(&f->lease);
    H5Fclose(f->id);
    f->id = H5I_INVALID_HID;
    f->fd = -1;
    unlink_open(f);
}

static void close_clients(cl_hdf5_file *f)
{
    for (cl_hdf5_client *c = f->client; c; c = c->next) {
        if (c->dataset >= 0)
            H5Dclose(c->dataset);
        c->dataset = H5I_INVALID_HID;
    }
}

/* false: somebody began to read it. */
static bool rest(cl_hdf5_file *f)
{
    atomic_store(&f->is_open, false);
    if (atomic_load(&f->users) > 0) {
        atomic_store(&f->is_open, true);
        return false;
    }
    close_clients(f);
    close_id(f);
    return true;
}

/* The one whose last use is the longest ago, of those that may rest. */
static cl_hdf5_file *least_used(void)
{
    cl_hdf5_file *found = NULL;
    for (cl_hdf5_file *f = oldest; f; f = f->newer)
        if (f->nclient == f->references && f->fd >= 0 && f->place &&
            atomic_load(&f->users) == 0 &&
            (!found || atomic_load(&f->used) < atomic_load(&found->used)))
            found = f;
    return found;
}

static void make_room(void)
{
    const int most = most_open();
    bool has_closed = false;
    while (nopen >= most) {
        cl_hdf5_file *f = least_used();
        if (!f || !rest(f))
            break;
        has_closed = true;
    }
    if (has_closed)
        H5garbage_collect();
}

static clast_status is_another(const cl_hdf5_file *f, cl_error *err)
{
    return cl_error_set(err, CLAST_EIO,
                        "%s is another file than the one that was opened: it was "
                        "changed or replaced since",
                        f->name);
}

/* Readers that see a file open do not ask what it is: it is never seen open before it
 * is known to be the `wanted` one. NULL: any. */
static clast_status open_with(cl_hdf5_file *f, const char *name,
                              const struct stat *wanted, cl_error *err)
{
    make_room();
    struct stat found;
    const hid_t list = cl_hdf5_access_list();
    if (list < 0)
        return cl_hdf5_fail(err, CLAST_ENOMEM, "no memory for HDF5 properties");
    clast_status status = CLAST_OK;
    if (!cl_hdf5_capture_use(list))
        status = cl_hdf5_fail(err, CLAST_ENOMEM, "no memory for a file driver");
    else if ((f->id = H5Fopen(name, H5F_ACC_RDONLY, list)) < 0)
        status = explain(name, err);
    H5Pclose(list);
    if (status != CLAST_OK)
        return status;
    cl_hdf5_close_on_exec(f->id);
    f->fd = cl_hdf5_descriptor(f->id);
    if (f->fd >= 0 && fstat(f->fd, &found) != 0)
        f->fd = -1;
    if (wanted && (f->fd < 0 || !is_as_opened(f, &found))) {
        H5Fclose(f->id);
        f->id = H5I_INVALID_HID;
        f->fd = -1;
        return is_another(f, err);
    }
    if (!wanted && f->fd >= 0)
        f->at_open = found;
    if (f->fd >= 0 && !cl_hdf5_capture_is_alone()) /* which may open no more */
        cl_direct_open(&f->direct, f->fd, (uint64_t)found.st_size);
    cl_lease_init(&f->lease, f->fd);
    link_open(f);
    return CLAST_OK;
}

/* Opens a file that rests. */
static clast_status open_again(cl_hdf5_file *f, cl_error *err)
{
    struct stat st;
    if (atomic_load(&f->loan) == CL_LOAN_CLOSED)
        return cl_error_set(err, CLAST_EACCESS,
                            "%s is being changed in place by a run of this program",
                            f->name);
    CL_TRY(look_at(f->place, &st, err));
    if (!is_as_opened(f, &st))
        return is_another(f, err);
    return open_with(f, f->place, &st, err);
}

clast_status cl_hdf5_file_use(cl_hdf5_file *f, cl_error *err)
{
    clast_status status = CLAST_OK;
    atomic_fetch_add(&f->users, 1);
    if (!atomic_load(&f->is_open) && !f->is_host) {
        cl_hdf5_guard guard;
        atomic_fetch_sub(&f->users, 1);
        cl_hdf5_enter(&guard);
        if (f->id < 0)
            status = open_again(f, err);
        if (status == CLAST_OK)
            atomic_fetch_add(&f->users, 1);
        cl_hdf5_leave(&guard);
    }
    atomic_store_explicit(&f->used, atomic_fetch_add(&uses, 1) + 1,
                          memory_order_relaxed);
    return status;
}

void cl_hdf5_file_unuse(cl_hdf5_file *f)
{
    atomic_fetch_sub(&f->users, 1);
}

/* ---- loans ---- */

/* The next one of a file from f on, whatever was changed since it was opened. */
static cl_hdf5_file *next_of(cl_hdf5_file *f, const struct stat *st)
{
    while (f && (f->is_host || f->at_open.st_dev != st->st_dev ||
                 f->at_open.st_ino != st->st_ino))
        f = f->next;
    return f;
}

bool cl_hdf5_file_has_virtual(void)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (const cl_hdf5_file *f = files[i]; f; f = f->next)
            for (const cl_hdf5_client *c = f->client; c; c = c->next)
                if (c->is_virtual)
                    return true;
    return false;
}

clast_status cl_hdf5_file_lend(const char *name, cl_error *err)
{
    struct stat st;
    CL_TRY(look_at(name, &st, err));
    for (cl_hdf5_file *f = next_of(*bucket_of(&st), &st); f;
         f = next_of(f->next, &st)) {
        const bool is_current = is_as_opened(f, &st);
        if (f->nclient != f->references || !f->place || (f->id >= 0 && !rest(f)))
            return cl_error_set(err, CLAST_EBUSY,
                                "%s is being read in this program by something else "
                                "than this run, and cannot be changed in place",
                                f->name);
        if (is_current)
            atomic_store(&f->loan, CL_LOAN_CLOSED);
    }
    return CLAST_OK;
}

typedef void lent_fn(cl_hdf5_file *f, const struct stat *now, const void *arg);

static void each_lent(const char *name, lent_fn *fn, const void *arg)
{
    struct stat st;
    if (look_at(name, &st, NULL) != CLAST_OK)
        return;
    for (cl_hdf5_file *f = next_of(*bucket_of(&st), &st); f; f = next_of(f->next, &st))
        if (atomic_load(&f->loan) == CL_LOAN_CLOSED)
            fn(f, &st, arg);
}

static void share(cl_hdf5_file *f, const struct stat *now, const void *arg)
{
    close_clients(f);
    f->id = *(const hid_t *)arg;
}

void cl_hdf5_file_share(const char *name, hid_t id)
{
    each_lent(name, share, &id);
}

static void give_back(cl_hdf5_file *f, const struct stat *now, const void *arg)
{
    f->at_open = *now;
    atomic_store(&f->loan, *(const bool *)arg ? CL_LOAN_NONE : CL_LOAN_READ);
}

void cl_hdf5_file_give_back(const char *name, bool is_over)
{
    each_lent(name, give_back, &is_over);
}

void cl_hdf5_file_limit(int most)
{
    limit = most;
}

/* ---- datasets in them ---- */

void cl_hdf5_file_join(cl_hdf5_file *f, cl_hdf5_client *c)
{
    c->next = f->client;
    c->link = &f->client;
    if (c->next)
        c->next->link = &c->next;
    f->client = c;
    f->nclient++;
}

void cl_hdf5_file_leave(cl_hdf5_file *f, cl_hdf5_client *c)
{
    if (c->dataset >= 0)
        H5Dclose(c->dataset);
    c->dataset = H5I_INVALID_HID;
    if (!c->link)
        return;
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    c->link = NULL;
    f->nclient--;
}

clast_status cl_hdf5_file_wake(cl_hdf5_file *f, cl_hdf5_client *c, cl_error *err)
{
    if (c->dataset >= 0)
        return CLAST_OK;
    if (f->id < 0)
        CL_TRY(open_again(f, err));
    c->dataset = H5Oopen_by_addr(f->id, c->address);
    return c->dataset >= 0
               ? CLAST_OK
               : cl_hdf5_fail(err, CLAST_EFORMAT,
                              "%s: a dataset cannot be opened again", f->name);
}

/* ---- the table ---- */

static void forget(cl_hdf5_file *f)
{
    if (f->id >= 0)
        close_id(f);
    cl_free(f->name);
    cl_free(f->place);
    cl_free(f);
    cl_hdf5_release();
}

/* NULL: no memory. */
static cl_hdf5_file *new_file(const char *name)
{
    cl_hdf5_file *f = cl_calloc(1, sizeof *f);
    if (!f || !(f->name = cl_strdup(name))) {
        cl_free(f);
        return NULL;
    }
    cl_hdf5_hold();
    f->id = H5I_INVALID_HID;
    f->fd = -1;
    f->references = 1;
    return f;
}

/* Where a file is found again when the working directory is another one; NULL: it
 * cannot be said, and it stays open. */
static char *place_of(const char *name)
{
    char place[2 * PATH_ROOM];
    if (name[0] == '/')
        return cl_strdup(name);
    if (strlen(name) >= PATH_ROOM || !getcwd(place, PATH_ROOM))
        return NULL;
    const size_t n = strlen(place);
    snprintf(place + n, sizeof place - n, "/%s", name);
    return cl_strdup(place);
}

static void enlist(cl_hdf5_file *f)
{
    cl_hdf5_file **bucket = bucket_of(&f->at_open);
    f->next = *bucket;
    *bucket = f;
}

clast_status cl_hdf5_file_open(cl_hdf5_file **file, const char *name, cl_error *err)
{
    struct stat st;
    *file = NULL;
    CL_TRY(cl_hdf5_check_library(err));
    CL_TRY(look_at(name, &st, err));
    for (cl_hdf5_file *f = *bucket_of(&st); f; f = f->next)
        if (!f->is_host && is_as_opened(f, &st)) {
            if (f->id < 0)
                CL_TRY(open_again(f, err));
            f->references++;
            *file = f;
            return CLAST_OK;
        }
    if (is_written_here(&st))
        return cl_error_set(err, CLAST_EACCESS,
                            "%s is open for writing in this program, and the file need "
                            "not hold yet what was written; clast_from_hdf5_id() reads "
                            "the dataset that is open",
                            name);
    cl_hdf5_file *f = new_file(name);
    if (!f)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for an open file");
    f->at_open = st;
    f->place = place_of(name);
    const clast_status status = open_with(f, name, NULL, err);
    if (status != CLAST_OK) {
        forget(f);
        return status;
    }
    enlist(f);
    *file = f;
    return CLAST_OK;
}

clast_status cl_hdf5_file_of_host(cl_hdf5_file **file, hid_t object, cl_error *err)
{
    char name[PATH_ROOM];
    *file = NULL;
    if (H5Fget_name(object, name, sizeof name) < 0)
        return cl_hdf5_fail(err, CLAST_EFORMAT, "its file cannot be told");
    cl_hdf5_file *f = new_file(name);
    if (!f)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for an open file");
    f->is_host = true;
    enlist(f);
    *file = f;
    return CLAST_OK;
}

void cl_hdf5_file_close(cl_hdf5_file *file)
{
    if (!file || --file->references > 0)
        return;
    cl_hdf5_file **link = bucket_of(&file->at_open);
    while (*link != file)
        link = &(*link)->next;
    *link = file->next;
    forget(file);
    H5garbage_collect();
}

clast_status cl_hdf5_file_check(const cl_hdf5_file *file, cl_error *err)
{
    struct stat st;
    if (file->fd < 0)
        return CLAST_OK;
    if (fstat(file->fd, &st) != 0)
        return cl_error_set(err, CLAST_EIO, "%s: %s", file->name, strerror(errno));
    if (is_as_opened(file, &st))
        return CLAST_OK;
    return cl_error_set(err, CLAST_EIO,
                        "%s was changed while it is in use: it had %lld bytes when it "
                        "was opened, now it has %lld",
                        file->name, (long long)file->at_open.st_size,
                        (long long)st.st_size);
}
