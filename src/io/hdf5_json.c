/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Objects of a file as JSON.
 *
 * Values are read in the type that holds them exactly: integers in 64 bits, signed or
 * not as they are, floats as doubles, texts as their bytes. What has no counterpart in
 * JSON is described by type and shape alone, and so are attributes of more than
 * VALUES_MOST elements. Objects come one a line.
 */
#include "io/hdf5_json.h"

#include <inttypes.h>
#include <string.h>

#include "base/least.h"
#include "io/filter_words.h"
#include "io/hdf5_dims.h"
#include "io/hdf5_type.h"

#define VALUES_MOST 65536

static void add_string(cl_text *t, const char *text)
{
    cl_text_json_string(t, text, strlen(text));
}

static void add_numbers(cl_text *t, const char *name, const hsize_t *n, int count)
{
    cl_text_say(t, ", \"%s\": [", name);
    for (int a = 0; a < count; a++) {
        const char *comma = a > 0 ? ", " : "";
        if (n[a] == H5S_UNLIMITED)
            cl_text_say(t, "%snull", comma);
        else
            cl_text_say(t, "%s%" PRIu64, comma, (uint64_t)n[a]);
    }
    cl_text_say(t, "]");
}

static void add_shape(cl_text *t, hid_t space, bool with_most)
{
    hsize_t dim[H5S_MAX_RANK], most[H5S_MAX_RANK];
    if (space < 0 || H5Sget_simple_extent_type(space) == H5S_NULL) {
        cl_text_say(t, ", \"shape\": null");
        return;
    }
    const int ndim = H5Sget_simple_extent_dims(space, dim, most);
    add_numbers(t, "shape", dim, ndim);
    if (with_most)
        add_numbers(t, "maxshape", most, ndim);
}

static void add_type(cl_text *t, hid_t type)
{
    char text[120];
    cl_hdf5_type_text(type, text, sizeof text);
    char *comma = strstr(text, ", big-endian");
    if (comma)
        *comma = '\0';
    cl_text_say(t, "\"dtype\": ");
    add_string(t, text);
    cl_text_say(t, ", \"itemsize\": %zu, \"byteorder\": \"%s\"", H5Tget_size(type),
                comma ? "big" : "little");
}

/* --- values -------------------------------------------------------------------------
 */

/* How a type's elements are read into memory and written as text. */
typedef struct {
    hid_t memory; /* of the read; H5I_INVALID_HID: not shown */
    size_t size;
    void (*add)(cl_text *t, const void *value, size_t size);
} value_form;

static void add_int64(cl_text *t, const void *value, size_t size)
{
    int64_t v;
    memcpy(&v, value, sizeof v);
    cl_text_say(t, "%" PRId64, v);
}

static void add_uint64(cl_text *t, const void *value, size_t size)
{
    uint64_t v;
    memcpy(&v, value, sizeof v);
    cl_text_say(t, "%" PRIu64, v);
}

static void add_double(cl_text *t, const void *value, size_t size)
{
    double v;
    memcpy(&v, value, sizeof v);
    cl_text_json_double(t, v, false);
}

static void add_float(cl_text *t, const void *value, size_t size)
{
    float v;
    memcpy(&v, value, sizeof v);
    cl_text_json_double(t, (double)v, true);
}

static void add_bool(cl_text *t, const void *value, size_t size)
{
    cl_text_say(t, *(const unsigned char *)value ? "true" : "false");
}

static void add_fixed(cl_text *t, const void *value, size_t size)
{
    cl_text_json_string(t, value, strnlen(value, size));
}

static void add_variable(cl_text *t, const void *value, size_t size)
{
    const char *v;
    memcpy(&v, value, sizeof v);
    add_string(t, v ? v : "");
}

/* memory is to be closed. */
static value_form form_of(hid_t type)
{
    cl_hdf5_type t;
    const H5T_class_t class = H5Tget_class(type);
    if (class == H5T_STRING)
        return (value_form){H5Tcopy(type), H5Tget_size(type),
                            H5Tis_variable_str(type) > 0 ? add_variable : add_fixed};
    if (class == H5T_INTEGER && H5Tget_size(type) <= 8)
        return H5Tget_sign(type) == H5T_SGN_2
                   ? (value_form){H5Tcopy(H5T_NATIVE_INT64), 8, add_int64}
                   : (value_form){H5Tcopy(H5T_NATIVE_UINT64), 8, add_uint64};
    if (class == H5T_FLOAT && H5Tget_size(type) <= 4)
        return (value_form){H5Tcopy(H5T_NATIVE_FLOAT), 4, add_float};
    if (class == H5T_FLOAT && H5Tget_size(type) <= 8)
        return (value_form){H5Tcopy(H5T_NATIVE_DOUBLE), 8, add_double};
    if (class == H5T_ENUM && cl_hdf5_type_read(type, "", &t, NULL) == CLAST_OK)
        return (value_form){H5Tcopy(type), 1, add_bool};
    return (value_form){.memory = H5I_INVALID_HID};
}

static void add_values(cl_text *t, const value_form *form, const char *value,
                       hssize_t n, bool is_scalar)
{
    cl_text_say(t, ", \"value\": %s", is_scalar ? "" : "[");
    for (hssize_t i = 0; i < n; i++) {
        if (i > 0)
            cl_text_say(t, ", ");
        form->add(t, value + (size_t)i * form->size, form->size);
    }
    cl_text_say(t, is_scalar ? "" : "]");
}

static void add_attribute_value(cl_text *t, hid_t attribute, hid_t type, hid_t space)
{
    const hssize_t n = H5Sget_simple_extent_npoints(space);
    const bool is_scalar = H5Sget_simple_extent_type(space) == H5S_SCALAR;
    if (H5Sget_simple_extent_type(space) == H5S_NULL || n < 0 || n > VALUES_MOST)
        return;
    const value_form form = form_of(type);
    char *value = form.memory < 0 ? NULL : cl_calloc((size_t)n + 1, form.size);
    t->has_failed = t->has_failed || (form.memory >= 0 && !value);
    if (value && H5Aread(attribute, form.memory, value) >= 0) {
        add_values(t, &form, value, n, is_scalar);
        if (form.add == add_variable)
            H5Dvlen_reclaim(form.memory, space, H5P_DEFAULT, value);
    }
    cl_free(value);
    if (form.memory >= 0)
        H5Tclose(form.memory);
}

static herr_t add_attribute(hid_t object, const char *name, const H5A_info_t *info,
                            void *arg)
{
    cl_text *t = arg;
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0)
        return 0;
    const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    if (type >= 0 && space >= 0) {
        cl_text_say(t, t->data[t->used - 1] == '{' ? "" : ", ");
        add_string(t, name);
        cl_text_say(t, ": {");
        add_type(t, type);
        add_shape(t, space, false);
        add_attribute_value(t, attribute, type, space);
        cl_text_say(t, "}");
    }
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    H5Aclose(attribute);
    return 0;
}

/* --- datasets -----------------------------------------------------------------------
 */

static void add_words(cl_text *t, const cl_filter_words *w)
{
    static const char *const shuffles[] = {[CL_SHUFFLED_UNSAID] = NULL,
                                           [CL_SHUFFLED_NONE] = "none",
                                           [CL_SHUFFLED_BYTES] = "bytes",
                                           [CL_SHUFFLED_BITS] = "bits",
                                           [CL_SHUFFLED_UNKNOWN] = "unknown"};
    if (w->codec)
        cl_text_say(t, ", \"codec\": \"%s\"", w->codec);
    if (w->has_level)
        cl_text_say(t, ", \"level\": %" PRId32, w->level);
    if (shuffles[w->shuffle])
        cl_text_say(t, ", \"shuffle\": \"%s\"", shuffles[w->shuffle]);
}

static void add_filters(cl_text *t, hid_t list)
{
    cl_text_say(t, ", \"filters\": [");
    for (int i = 0; i < H5Pget_nfilters(list); i++) {
        unsigned flags, value[32] = {0}, config;
        const size_t room = sizeof value / sizeof *value;
        size_t n = room;
        char name[64] = "";
        const H5Z_filter_t id = H5Pget_filter2(list, (unsigned)i, &flags, &n, value,
                                               sizeof name, name, &config);
        const cl_filter_words words =
            cl_filter_in_words((uint32_t)id, value, cl_lesser_u(n, room));
        cl_text_say(t, "%s{\"id\": %d, \"name\": ", i > 0 ? ", " : "", (int)id);
        add_string(t, name[0] || !words.name ? name : words.name);
        add_words(t, &words);
        cl_text_say(t, ", \"values\": [");
        for (size_t k = 0; k < n && k < room; k++)
            cl_text_say(t, "%s%u", k > 0 ? ", " : "", value[k]);
        cl_text_say(t, "]}");
    }
    cl_text_say(t, "]");
}

static void add_layout(cl_text *t, hid_t list)
{
    static const char *const names[] = {[H5D_COMPACT] = "compact",
                                        [H5D_CONTIGUOUS] = "contiguous",
                                        [H5D_CHUNKED] = "chunked",
                                        [H5D_VIRTUAL] = "virtual"};
    hsize_t chunk[H5S_MAX_RANK];
    const H5D_layout_t layout = H5Pget_layout(list);
    if (layout < H5D_COMPACT || layout > H5D_VIRTUAL)
        return;
    cl_text_say(t, ", \"layout\": \"%s\"", names[layout]);
    if (layout == H5D_CHUNKED)
        add_numbers(t, "chunks", chunk, H5Pget_chunk(list, H5S_MAX_RANK, chunk));
    add_filters(t, list);
}

/* "axes": their names, null for one without, where there are any. */
static void add_dims(cl_text *t, hid_t dataset)
{
    cl_dim dim[CL_MAXDIM];
    const int ndim = cl_hdf5_dims_describe(dataset, dim);
    for (int a = 0; a < ndim; a++) {
        cl_text_say(t, a == 0 ? ", \"axes\": [" : ", ");
        if (dim[a].name)
            cl_text_json_string(t, dim[a].name, strlen(dim[a].name));
        else
            cl_text_say(t, "null");
    }
    if (ndim > 0)
        cl_text_say(t, "]");
    cl_dims_free(ndim, dim);
}

static void add_dataset(cl_text *t, hid_t dataset)
{
    const hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    const hid_t list = H5Dget_create_plist(dataset);
    if (type >= 0) {
        cl_text_say(t, ", ");
        add_type(t, type);
    }
    add_shape(t, space, true);
    if (list >= 0)
        add_layout(t, list);
    if (type >= 0 && space >= 0) {
        const hssize_t n = H5Sget_simple_extent_npoints(space);
        cl_text_say(t, ", \"bytes\": %" PRIu64,
                    (uint64_t)(n > 0 ? n : 0) * (uint64_t)H5Tget_size(type));
        cl_text_say(t, ", \"stored_bytes\": %" PRIu64,
                    (uint64_t)H5Dget_storage_size(dataset));
    }
    add_dims(t, dataset);
    if (list >= 0)
        H5Pclose(list);
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
}

/* --- objects ------------------------------------------------------------------------
 */

static void add_object(cl_text *t, const cl_walk_item *item)
{
    const hid_t object = H5Oopen(item->group, item->name, H5P_DEFAULT);
    const H5I_type_t kind = object < 0 ? H5I_BADID : H5Iget_type(object);
    cl_text_say(t, ", \"kind\": \"%s\"",
                kind == H5I_DATASET ? "dataset"
                : kind == H5I_GROUP ? "group"
                : object >= 0       ? "datatype"
                                    : "unreadable");
    if (object < 0)
        return;
    if (kind == H5I_DATASET)
        add_dataset(t, object);
    cl_text_say(t, ", \"attributes\": {");
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, add_attribute, t);
    cl_text_say(t, "}");
    H5Oclose(object);
}

static void add_link(cl_text *t, const cl_walk_item *item)
{
    cl_link_target target;
    t->has_failed = !cl_hdf5_link_target(item, &target) || t->has_failed;
    cl_text_say(t, ", \"kind\": \"%s\"", *target.file ? "external link" : "soft link");
    if (*target.file) {
        cl_text_say(t, ", \"file\": ");
        add_string(t, target.file);
    }
    cl_text_say(t, ", \"target\": ");
    add_string(t, target.path);
    cl_hdf5_link_target_fini(&target);
}

void cl_hdf5_json_begin(cl_text *text, const char *file)
{
    cl_text_say(text, "{\"file\": ");
    add_string(text, file);
    cl_text_say(text, ", \"objects\": [");
}

cl_walk_step cl_hdf5_json_item(void *arg, const cl_walk_item *item)
{
    cl_text *t = arg;
    if (t->has_failed)
        return CL_WALK_STOP;
    cl_text_say(t, "%s\n{\"path\": ", t->data[t->used - 1] == '[' ? "" : ",");
    add_string(t, item->path);
    if (item->link != H5L_TYPE_HARD) {
        add_link(t, item);
    } else if (item->first) {
        cl_text_say(t, ", \"kind\": \"hard link\", \"target\": ");
        add_string(t, item->first);
    } else {
        add_object(t, item);
    }
    cl_text_say(t, "}");
    return CL_WALK_ON;
}

void cl_hdf5_json_end(cl_text *text)
{
    cl_text_say(text, "\n]}\n");
}
