/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of open input files: a short list, searched by what stat says.
 *
 * The descriptor that libhdf5 opened is used for positioned reads as well; it stays
 * valid as long as the file has a reference. A file that is replaced by rename goes on
 * being read as it was; one that is written in place is found out by size and time and
 * refused.
 */
#include "io/hdf5_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/hdf5_capture.h"
#include "io/hdf5_lib.h"

#define PATH_ROOM 4096

static cl_hdf5_file *open_files;

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
           a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
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
        const ssize_t length = H5Fget_name(id[i], name, sizeof name);
        is_found = length > 0 && length < PATH_ROOM &&
                   H5Fget_intent(id[i], &intent) >= 0 && (intent & H5F_ACC_RDWR) &&
                   stat(name, &other) == 0 && other.st_dev == st->st_dev &&
                   other.st_ino == st->st_ino;
    }
    cl_free(id);
    return is_found;
}

static clast_status explain(const char *name, cl_error *err)
{
    const int error = cl_hdf5_capture_error();
    if (error == EWOULDBLOCK)
        return cl_error_set(err, CLAST_EACCESS,
                            "%s is open for writing elsewhere and locked by HDF5 "
                            "(HDF5_USE_FILE_LOCKING=FALSE disables its locks)",
                            name);
    if (error == ENOMEM)
        return cl_error_set(err, CLAST_ENOMEM, "%s: no memory to open it", name);
    return cl_hdf5_fail(err, CLAST_EFORMAT, "%s cannot be opened as an HDF5 file",
                        name);
}

static clast_status open_with(cl_hdf5_file *f, const char *name, cl_error *err)
{
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
    if (f->fd >= 0 && fstat(f->fd, &f->at_open) != 0)
        f->fd = -1;
    return CLAST_OK;
}

static void forget(cl_hdf5_file *f)
{
    if (f->id >= 0)
        H5Fclose(f->id);
    cl_free(f->name);
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

static void enlist(cl_hdf5_file *f)
{
    f->next = open_files;
    open_files = f;
}

clast_status cl_hdf5_file_open(cl_hdf5_file **file, const char *name, cl_error *err)
{
    struct stat st;
    *file = NULL;
    CL_TRY(cl_hdf5_check_library(err));
    CL_TRY(look_at(name, &st, err));
    for (cl_hdf5_file *f = open_files; f; f = f->next)
        if (is_same(&f->at_open, &st)) {
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
    const clast_status status = open_with(f, name, err);
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
    enlist(f);
    *file = f;
    return CLAST_OK;
}

void cl_hdf5_file_close(cl_hdf5_file *file)
{
    if (!file || --file->references > 0)
        return;
    cl_hdf5_file **link = &open_files;
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
    if (is_same(&st, &file->at_open))
        return CLAST_OK;
    return cl_error_set(err, CLAST_EIO,
                        "%s was changed while it is in use: it had %lld bytes when it "
                        "was opened, now it has %lld",
                        file->name, (long long)file->at_open.st_size,
                        (long long)st.st_size);
}
