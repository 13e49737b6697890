/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `clast info`: a description of a file as text, one object a line, attributes below
 * it.
 *
 * Links are visited in the order of their names, each group once, so cycles end. The
 * text is gathered under the lock and handed to the caller's function after it, because
 * nothing of the host may run while the lock is held.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "io/hdf5_cf.h"
#include "io/hdf5_file.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_tree.h"
#include "io/hdf5_type.h"
#include "io/store.h"

#define SHOWN_NUMBERS 8
#define SHOWN_TEXT    200

typedef struct {
    char *text;
    size_t used, capacity;
    bool has_failed; /* no memory */
} text_buffer;

static void say(text_buffer *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(text_buffer *b, const char *format, ...)
{
    char piece[1024];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    const size_t bytes = n < 0                      ? 0
                         : (size_t)n < sizeof piece ? (size_t)n
                                                    : sizeof piece - 1;
    if (b->has_failed || !cl_grow(&b->text, &b->capacity, b->used + bytes, 1)) {
        b->has_failed = true;
        return;
    }
    memcpy(b->text + b->used, piece, bytes);
    b->used += bytes;
}

static void say_extents(text_buffer *b, const hsize_t *n, int ndim)
{
    say(b, "(");
    for (int a = 0; a < ndim; a++)
        say(b, "%s%" PRIu64, a > 0 ? ", " : "", (uint64_t)n[a]);
    say(b, ndim == 1 ? ",)" : ")");
}

static void say_shape(text_buffer *b, hid_t space)
{
    hsize_t dim[H5S_MAX_RANK];
    const int ndim = H5Sget_simple_extent_dims(space, dim, NULL);
    if (H5Sget_simple_extent_type(space) == H5S_NULL)
        say(b, "null");
    else
        say_extents(b, dim, ndim > 0 ? ndim : 0);
}

static void say_filters(text_buffer *b, hid_t plist)
{
    for (int i = 0; i < H5Pget_nfilters(plist); i++) {
        unsigned flags, value[8] = {0}, config;
        size_t n = 8;
        char name[64] = "";
        const H5Z_filter_t id = H5Pget_filter2(plist, (unsigned)i, &flags, &n, value,
                                               sizeof name, name, &config);
        if (id == H5Z_FILTER_DEFLATE)
            say(b, ", gzip %u", value[0]);
        else if (id == H5Z_FILTER_SHUFFLE)
            say(b, ", shuffle");
        else if (id == H5Z_FILTER_FLETCHER32)
            say(b, ", fletcher32");
        else
            say(b, ", filter %d %s", (int)id, name);
    }
}

static void say_layout(text_buffer *b, hid_t dataset)
{
    static const char *const names[] = {[H5D_COMPACT] = "compact",
                                        [H5D_CONTIGUOUS] = "contiguous",
                                        [H5D_CHUNKED] = "chunks ",
                                        [H5D_VIRTUAL] = "virtual"};
    hsize_t chunk[H5S_MAX_RANK];
    const hid_t plist = H5Dget_create_plist(dataset);
    const H5D_layout_t layout = plist < 0 ? H5D_LAYOUT_ERROR : H5Pget_layout(plist);
    if (layout >= H5D_COMPACT && layout <= H5D_VIRTUAL)
        say(b, ", %s", names[layout]);
    if (layout == H5D_CHUNKED) {
        const int ndim = H5Pget_chunk(plist, H5S_MAX_RANK, chunk);
        say_extents(b, chunk, ndim > 0 ? ndim : 0);
    }
    if (plist >= 0) {
        say_filters(b, plist);
        H5Pclose(plist);
    }
}

static void say_dataset(text_buffer *b, hid_t dataset)
{
    char text[120], size[CL_BYTES_TEXT];
    const hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    const hssize_t count = space < 0 ? 0 : H5Sget_simple_extent_npoints(space);
    if (type >= 0 && space >= 0) {
        say(b, "  ");
        say_shape(b, space);
        say(b, " %s", cl_hdf5_type_text(type, text, sizeof text));
        say_layout(b, dataset);
        const uint64_t bytes = (uint64_t)(count > 0 ? count : 0) * H5Tget_size(type);
        say(b, ", %s", cl_bytes_text(bytes, size));
        say(b, ", %s stored", cl_bytes_text(H5Dget_storage_size(dataset), size));
    }
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
}

/* Control characters would let a file write to the reader's terminal. */
static void say_text(text_buffer *b, const char *text, size_t n)
{
    say(b, "\"");
    for (size_t i = 0; i < n && text[i]; i++)
        say(b, "%c", (unsigned char)text[i] < 32 || text[i] == 127 ? '?' : text[i]);
    say(b, "\"");
}

static void say_string(text_buffer *b, hid_t attribute, hid_t type)
{
    char fixed[SHOWN_TEXT + 1] = "";
    char *variable = NULL;
    if (H5Tis_variable_str(type) > 0) {
        if (H5Aread(attribute, type, &variable) >= 0 && variable)
            say_text(b, variable, strnlen(variable, SHOWN_TEXT));
        H5free_memory(variable);
    } else if (H5Tget_size(type) > SHOWN_TEXT) {
        say(b, "a string of %zu bytes", H5Tget_size(type));
    } else if (H5Aread(attribute, type, fixed) >= 0) {
        say_text(b, fixed, H5Tget_size(type));
    }
}

static void say_value(text_buffer *b, hid_t object, hid_t attribute, const char *name)
{
    char text[120];
    double value[SHOWN_NUMBERS];
    bool is_float32;
    const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    const int n = cl_hdf5_attribute(object, name, value, SHOWN_NUMBERS, &is_float32);
    if (n > 0) {
        for (int i = 0; i < n; i++)
            say(b, "%s%.*g", i > 0 ? ", " : "", is_float32 ? 8 : 16, value[i]);
    } else if (type >= 0 && H5Tget_class(type) == H5T_STRING && space >= 0 &&
               H5Sget_simple_extent_npoints(space) == 1) {
        say_string(b, attribute, type);
    } else if (type >= 0 && space >= 0) {
        say(b, "%s ", cl_hdf5_type_text(type, text, sizeof text));
        say_shape(b, space);
    }
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
}

static herr_t say_attribute(hid_t object, const char *name, const H5A_info_t *info,
                            void *arg)
{
    text_buffer *b = arg;
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    say(b, "    ");
    say_text(b, name, strlen(name));
    say(b, " = ");
    if (attribute >= 0) {
        say_value(b, object, attribute, name);
        H5Aclose(attribute);
    }
    say(b, "\n");
    return 0;
}

static void say_object(text_buffer *b, hid_t parent, const char *name,
                       const char *shown)
{
    const hid_t object = H5Oopen(parent, name, H5P_DEFAULT);
    say(b, "%s", shown);
    if (object < 0) {
        say(b, "  cannot be opened\n");
        return;
    }
    const H5I_type_t kind = H5Iget_type(object);
    if (kind == H5I_DATASET)
        say_dataset(b, object);
    else
        say(b, kind == H5I_GROUP ? "  group" : "  datatype");
    say(b, "\n");
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, say_attribute, b);
    H5Oclose(object);
}

static void say_link(text_buffer *b, hid_t group, const char *name,
                     const H5L_info_t *link)
{
    char value[512] = "";
    const char *file = NULL, *path = value;
    unsigned flags;
    if (link->u.val_size < sizeof value)
        H5Lget_val(group, name, value, sizeof value, H5P_DEFAULT);
    if (link->type == H5L_TYPE_EXTERNAL)
        H5Lunpack_elink_val(value, link->u.val_size, &flags, &file, &path);
    say(b, "/%s  link to %s%s%s\n", name, file ? file : "", file ? ":" : "", path);
}

static herr_t visit(hid_t group, const char *name, const H5L_info_t *link, void *arg)
{
    char shown[600];
    snprintf(shown, sizeof shown, "/%s", name);
    if (link->type == H5L_TYPE_HARD)
        say_object(arg, group, name, shown);
    else
        say_link(arg, group, name, link);
    return 0;
}

static clast_status describe(text_buffer *b, const char *file, const char *path,
                             cl_error *err)
{
    cl_hdf5_file *f;
    bool is_external;
    clast_status status = cl_hdf5_file_open(&f, file, err);
    if (status != CLAST_OK)
        return status;
    const cl_tree_kind kind =
        path ? cl_hdf5_tree_look(f->id, path, &is_external) : CL_TREE_GROUP;
    char link[300];
    if (kind == CL_TREE_DANGLING)
        status = cl_error_set(err, CLAST_ENOENT, "%s:%s: %s", file, path,
                              cl_hdf5_tree_dangling(f->id, path, link, sizeof link));
    else if (kind == CL_TREE_NOTHING || kind == CL_TREE_BLOCKED)
        status = cl_error_set(err, CLAST_ENOENT, "%s:%s does not exist", file, path);
    else
        say_object(b, f->id, path ? path : "/", path ? path : "/");
    if (status == CLAST_OK && !path &&
        H5Lvisit(f->id, H5_INDEX_NAME, H5_ITER_INC, visit, b) < 0)
        status = cl_hdf5_fail(err, CLAST_EFORMAT, "%s cannot be read to its end", file);
    cl_hdf5_file_close(f);
    return status;
}

clast_status cl_hdf5_info(const char *file, const char *path, clast_text_fn *write,
                          void *arg, cl_error *err)
{
    text_buffer b = {0};
    cl_hdf5_guard guard;
    cl_hdf5_enter(&guard);
    clast_status status = describe(&b, file, path, err);
    cl_hdf5_leave(&guard);
    if (status == CLAST_OK && b.has_failed)
        status = cl_error_set(err, CLAST_ENOMEM, "no memory for a description");
    if (status == CLAST_OK)
        write(arg, b.text, b.used);
    cl_free(b.text);
    return status;
}
