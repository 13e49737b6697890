/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What becomes of a file that exists: it is copied and the copy takes its place; or a
 * new file does, where nothing in it would stay; or, where that is asked for, it is
 * changed as it is. What a run will do can be foreseen without doing it.
 *
 * Changing a file as it is saves the copy and gives up everything else: libhdf5 writes
 * metadata in any order, so a run that is killed leaves a file that may not open, or
 * opens with wrong contents. A run that fails takes its datasets out again. Where the
 * file is an input as well, libhdf5 changes it before the first read and after the last
 * one (hdf5_file.h): datasets are made, then only their unfiltered blocks are written,
 * and filtered chunks wait in the spool of hdf5_order.c for the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/file_copy.h"
#include "io/hdf5_file.h"
#include "io/hdf5_globals.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_output.h"
#include "io/hdf5_provenance.h"
#include "io/hdf5_rest.h"
#include "io/hdf5_scales.h"
#include "io/sys.h"

#define METADATA ((uint64_t)64 << 10) /* of one output, as far as it can be told */

const cl_output_spec *cl_output_file_historian(const cl_outputs *outputs, size_t file)
{
    for (size_t i = 0; i < outputs->n; i++)
        if (outputs->output[i].file == file && outputs->output[i].spec.history)
            return &outputs->output[i].spec;
    return NULL;
}

typedef struct {
    const cl_outputs *outputs;
    size_t file;
} remaking;

/* Whether it is a scale that one of the file's outputs will have again. */
static bool is_remade(void *arg, hid_t dataset, const char *path)
{
    const remaking *r = arg;
    for (size_t i = 0; i < r->outputs->n; i++)
        if (r->outputs->output[i].file == r->file &&
            cl_hdf5_scales_include(&r->outputs->output[i], dataset, path))
            return true;
    return false;
}

static bool is_said_again(void *arg, hid_t group, const char *path)
{
    const remaking *r = arg;
    const bool has_history =
        path[1] == '\0' && cl_output_file_historian(r->outputs, r->file) != NULL;
    return cl_hdf5_globals_include(r->outputs, r->file, group, path,
                                   has_history ? "history" : NULL);
}

/* Whether anything but this run's datasets is in the target; notes its history. */
static bool has_rest(cl_outputs *outputs, size_t index, const char **path)
{
    const bool keeps_history = cl_output_file_historian(outputs, index) != NULL;
    cl_hdf5_file *file;
    cl_hdf5_guard guard;
    size_t n = 0;
    bool is_empty = false;
    for (size_t i = 0; i < outputs->n; i++)
        if (outputs->output[i].file == index)
            path[n++] = outputs->output[i].path;
    cl_hdf5_enter(&guard);
    if (cl_hdf5_file_open(&file, outputs->file[index].atomic.target, NULL) ==
        CLAST_OK) {
        remaking r = {outputs, index};
        is_empty = cl_hdf5_rest_is_empty(
            file->id, &(cl_hdf5_replaced){n, path, is_remade, is_said_again, &r});
        if (keeps_history)
            outputs->file[index].history = cl_hdf5_history(file->id);
        cl_hdf5_file_close(file);
    }
    cl_hdf5_leave(&guard);
    return !is_empty;
}

/* Whether all outputs of a file ask for it. */
static bool is_in_place(const cl_outputs *outputs, size_t file)
{
    for (size_t i = 0; i < outputs->n; i++)
        if (outputs->output[i].file == file && !outputs->output[i].spec.in_place)
            return false;
    return true;
}

/* Whether the file is worth a copy; in doubt it is. */
static bool is_copied(cl_outputs *outputs, size_t file)
{
    const char **path = cl_alloc_array(outputs->n, sizeof *path);
    const bool copies = !path || has_rest(outputs, file, path);
    cl_free(path);
    return copies;
}

/* Room at the end of a file that is changed in place, for what is known to be written:
 * libhdf5 cannot be stopped half-way without damage. What it does not use it cuts
 * off. */
static clast_status reserve(cl_outputs *outputs, size_t index, cl_error *err)
{
    const cl_atomic_file *atomic = &outputs->file[index].atomic;
    const off_t size = atomic->before.st_size;
    uint64_t bytes = 0;
    for (size_t i = 0; i < outputs->n; i++) {
        const cl_output *o = &outputs->output[i];
        if (o->file == index)
            bytes +=
                METADATA + (o->is_direct ? (uint64_t)o->chunks * o->chunk_bytes : 0);
    }
    const int fd = open(atomic->target, O_RDWR | O_CLOEXEC);
    int error = fd < 0 ? errno : 0;
    if (error == 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        error = EBUSY;
    else if (error == 0)
        error = cl_sys_reserve(fd, size, (off_t)bytes);
    if (fd >= 0 && error != 0 && error != EBUSY && cl_sys_truncate(fd, size) != 0)
        error = EIO;
    if (fd >= 0)
        close(fd);
    if (error == 0)
        return CLAST_OK;
    if (error == EBUSY)
        return cl_error_set(err, cl_status_from_errno(error),
                            "%s cannot be changed in place: another program has it "
                            "open and holds a lock on it; whoever reads or writes it "
                            "has to close it first",
                            atomic->file);
    return cl_error_set(err, cl_status_from_errno(error),
                        "%s cannot get %llu more bytes in place: %s", atomic->file,
                        (unsigned long long)bytes, strerror(error));
}

/* Sources of the file are closed for as long as libhdf5 changes it. */
static clast_status lend(cl_output_file *f, cl_error *err)
{
    cl_hdf5_guard guard;
    f->lent = cl_strdup(f->atomic.target);
    if (!f->lent)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for a file name");
    cl_hdf5_enter(&guard);
    const clast_status status = cl_hdf5_file_lend(f->lent, err);
    cl_hdf5_leave(&guard);
    return status;
}

void cl_output_file_give_back(cl_output_file *f)
{
    cl_hdf5_guard guard;
    if (!f->lent)
        return;
    cl_hdf5_enter(&guard);
    /* What others have begun to read meanwhile is not lent, and so not given back: it
     * is another file to them, which they hear with their next read. */
    cl_hdf5_file_lend(f->lent, NULL);
    cl_hdf5_file_give_back(f->lent, true);
    cl_hdf5_leave(&guard);
    cl_free(f->lent);
    f->lent = NULL;
}

clast_status cl_output_file_prepare(cl_outputs *outputs, size_t index, cl_error *err)
{
    cl_atomic_file *atomic = &outputs->file[index].atomic;
    if (!atomic->existed)
        return CLAST_OK;
    atomic->is_canceled = outputs->output[0].spec.is_canceled;
    if (is_in_place(outputs, index)) {
        CL_TRY(cl_atomic_file_in_place(atomic, err));
        CL_TRY(lend(&outputs->file[index], err));
        return reserve(outputs, index, err);
    }
    return is_copied(outputs, index) ? cl_atomic_file_copy(atomic, err)
                                     : cl_atomic_file_empty(atomic, err);
}

/* ---- foresight ---- */

static bool can_clone(const char *target)
{
    char folder[PATH_MAX] = "";
    const size_t n = (size_t)(strrchr(target, '/') - target); /* it is absolute */
    if (n + 1 >= sizeof folder)
        return false;
    memcpy(folder, target, n + 1);
    const int from = open(target, O_RDONLY | O_CLOEXEC);
    const int to = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    const bool result = from >= 0 && to >= 0 && cl_file_clone(from, to);
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    return result;
}

static cl_target_fate fate_of(cl_outputs *outputs, size_t file)
{
    const cl_atomic_file *atomic = &outputs->file[file].atomic;
    if (!atomic->existed)
        return CL_TARGET_NEW;
    if (is_in_place(outputs, file))
        return CL_TARGET_IN_PLACE;
    if (!is_copied(outputs, file))
        return CL_TARGET_REPLACED;
    return can_clone(atomic->target) ? CL_TARGET_CLONED : CL_TARGET_COPIED;
}

/* Enough of an output for the questions above. */
static clast_status add_output(cl_outputs *outputs, const cl_output_spec *spec,
                               cl_error *err)
{
    cl_output *o = &outputs->output[outputs->n];
    cl_output_file *file = &outputs->file[outputs->nfile];
    bool exists;
    char *target;
    outputs->n++;
    CL_TRY(cl_output_settle(o, spec, err));
    CL_TRY(cl_atomic_file_resolve(spec->file, &target, &exists, err));
    size_t f = 0;
    while (f < outputs->nfile && strcmp(outputs->file[f].atomic.target, target) != 0)
        f++;
    o->file = f;
    if (f < outputs->nfile) {
        cl_free(target);
        return CLAST_OK;
    }
    outputs->nfile++;
    file->atomic.target = target;
    file->atomic.existed = exists;
    if (exists && stat(target, &file->atomic.before) != 0)
        return cl_error_set(err, cl_status_from_errno(errno), "%s: %s", spec->file,
                            strerror(errno));
    return CLAST_OK;
}

static void tell_files(cl_outputs *outputs, cl_target_fn *tell, void *arg)
{
    for (size_t f = 0; f < outputs->nfile; f++) {
        size_t i = 0;
        while (outputs->output[i].file != f)
            i++;
        tell(arg, outputs->output[i].spec.file, fate_of(outputs, f),
             (uint64_t)outputs->file[f].atomic.before.st_size);
    }
}

clast_status cl_outputs_foresee(size_t n, const cl_output_spec *specs,
                                cl_target_fn *tell, void *arg, cl_error *err)
{
    cl_outputs all = {.output = cl_calloc(n + 1, sizeof *all.output),
                      .file = cl_calloc(n + 1, sizeof *all.file)};
    clast_status status =
        all.output && all.file
            ? CLAST_OK
            : cl_error_set(err, CLAST_ENOMEM, "no memory for outputs");
    for (size_t i = 0; i < n && status == CLAST_OK; i++)
        status = add_output(&all, &specs[i], err);
    if (status == CLAST_OK)
        tell_files(&all, tell, arg);
    for (size_t i = 0; i < all.n; i++)
        cl_free(all.output[i].path);
    for (size_t f = 0; f < all.nfile; f++) {
        cl_free(all.file[f].atomic.target);
        cl_free(all.file[f].history);
    }
    cl_free(all.output);
    cl_free(all.file);
    return status;
}
