/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is said of a file: text, JSON, or the names of its datasets.
 *
 * Links are visited in the order of their names, each group once, so cycles end. What
 * is said of an object is a function of the walk: hdf5_info.c has that for text,
 * hdf5_json.c for JSON. All is gathered under the lock and handed to the caller's
 * function after it, because nothing of the host may run while the lock is held.
 */
#include "io/hdf5_report.h"

#include <string.h>

#include "io/file_report.h"
#include "io/hdf5_capture.h"
#include "io/hdf5_info.h"
#include "io/hdf5_json.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_tree.h"

/* Paths with a zero byte after each. */
static cl_walk_step add_name(void *arg, const cl_walk_item *item)
{
    cl_text *list = arg;
    if (item->kind == H5O_TYPE_DATASET && !item->first)
        cl_text_add(list, item->path, strlen(item->path) + 1);
    return list->has_failed ? CL_WALK_STOP : CL_WALK_ON;
}

static cl_hdf5_walk_fn *const say[CL_REPORT_KINDS] = {
    [CL_REPORT_TEXT] = cl_hdf5_info_item,
    [CL_REPORT_JSON] = cl_hdf5_json_item,
    [CL_REPORT_NAMES] = add_name};

static clast_status check_path(const cl_hdf5_file *f, const char *path, cl_error *err)
{
    bool is_external;
    char link[300];
    const cl_tree_kind kind = cl_hdf5_tree_look(f->id, path, &is_external);
    if (is_external && cl_hdf5_capture_is_alone())
        return cl_error_set(err, CLAST_ENOTSUP,
                            "%s:%s leads into another file, which is not followed from "
                            "an untrusted one",
                            f->name, path);
    if (kind == CL_TREE_DANGLING)
        return cl_error_set(err, CLAST_ENOENT, "%s:%s: %s", f->name, path,
                            cl_hdf5_tree_dangling(f->id, path, link, sizeof link));
    if (kind == CL_TREE_NOTHING || kind == CL_TREE_BLOCKED)
        return cl_error_set(err, CLAST_ENOENT, "%s:%s does not exist", f->name, path);
    return CLAST_OK;
}

/* One object only, under the path that was asked for. */
static void say_one(hid_t file, const char *path, cl_report_kind kind, cl_text *text)
{
    H5O_info_t info;
    cl_walk_item item = {.group = file,
                         .name = path,
                         .path = path,
                         .link = H5L_TYPE_HARD,
                         .kind = H5O_TYPE_UNKNOWN};
    if (H5Oget_info_by_name2(file, path, &info, H5O_INFO_BASIC, H5P_DEFAULT) >= 0)
        item.kind = info.type;
    say[kind](text, &item);
}

static clast_status say_all(const cl_hdf5_file *f, cl_report_kind kind, cl_text *text,
                            cl_error *err)
{
    return cl_walk_fail(cl_hdf5_walk(f->id, false, NULL, say[kind], text), f->name,
                        "cannot be read to its end", err);
}

clast_status cl_hdf5_report_text(cl_report_kind kind, const cl_hdf5_file *f,
                                 const char *path, cl_text *text, cl_error *err)
{
    if (kind == CL_REPORT_JSON)
        cl_hdf5_json_begin(text, f->name);
    if (path) {
        CL_TRY(check_path(f, path, err));
        say_one(f->id, path, kind, text);
    } else {
        CL_TRY(say_all(f, kind, text, err));
    }
    if (kind == CL_REPORT_JSON)
        cl_hdf5_json_end(text);
    if (kind == CL_REPORT_TEXT)
        cl_text_tame(text);
    return text->has_failed
               ? cl_error_set(err, CLAST_ENOMEM, "no memory for what %s holds", f->name)
               : CLAST_OK;
}

clast_status cl_hdf5_report(cl_report_kind kind, const char *file, const char *path,
                            clast_text_fn *write, void *arg, cl_error *err)
{
    cl_text text = {0};
    cl_hdf5_file *f;
    cl_hdf5_guard guard;
    cl_hdf5_enter(&guard);
    clast_status status = cl_hdf5_file_open(&f, file, err);
    if (status == CLAST_OK) {
        status = cl_hdf5_report_text(kind, f, path, &text, err);
        cl_hdf5_file_close(f);
    }
    cl_hdf5_leave(&guard);
    if (status == CLAST_OK)
        cl_report_speak(kind, text.data, text.used, write, arg);
    cl_text_fini(&text);
    return status;
}
