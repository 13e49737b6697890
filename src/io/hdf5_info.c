/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Objects of a file as text for people: one object a line, attributes below it.
 *
 * Names and values of files come without control characters, so that each is on its
 * line; what else is not plain text is replaced when all is gathered (hdf5_report.c).
 */
#include "io/hdf5_info.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/least.h"
#include "base/text.h"
#include "io/filter_words.h"
#include "io/hdf5_cf.h"
#include "io/hdf5_dims.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_type.h"

#define SHOWN_NUMBERS 8
#define SHOWN_TEXT    200

/* Control characters would let a file write to the reader's terminal. */
static void say_name(cl_text *b, const char *text, size_t n)
{
    for (size_t i = 0; i < n && text[i]; i++) {
        const bool is_control = (unsigned char)text[i] < 32 || text[i] == 127;
        cl_text_add(b, is_control ? "?" : text + i, 1);
    }
}

static void say_text(cl_text *b, const char *text, size_t n)
{
    cl_text_add(b, "\"", 1);
    say_name(b, text, n);
    cl_text_add(b, "\"", 1);
}

static void say_extents(cl_text *b, const hsize_t *n, int ndim)
{
    cl_text_say(b, "(");
    for (int a = 0; a < ndim; a++)
        cl_text_say(b, "%s%" PRIu64, a > 0 ? ", " : "", (uint64_t)n[a]);
    cl_text_say(b, ndim == 1 ? ",)" : ")");
}

static void say_shape(cl_text *b, hid_t space)
{
    hsize_t dim[H5S_MAX_RANK];
    const int ndim = H5Sget_simple_extent_dims(space, dim, NULL);
    if (H5Sget_simple_extent_type(space) == H5S_NULL)
        cl_text_say(b, "null");
    else
        say_extents(b, dim, ndim > 0 ? ndim : 0);
}

/* " (zstd 5, bit shuffle)" of a container, else the level alone. */
static void say_words(cl_text *b, const cl_filter_words *w)
{
    static const char *const shuffles[] = {[CL_SHUFFLED_UNSAID] = "",
                                           [CL_SHUFFLED_NONE] = ", no shuffle",
                                           [CL_SHUFFLED_BYTES] = ", shuffle",
                                           [CL_SHUFFLED_BITS] = ", bit shuffle",
                                           [CL_SHUFFLED_UNKNOWN] = ", unknown shuffle"};
    if (w->codec)
        cl_text_say(b, " (%s", w->codec);
    if (w->has_level)
        cl_text_say(b, " %" PRId32, w->level);
    if (w->codec)
        cl_text_say(b, "%s)", shuffles[w->shuffle]);
}

/* A filter that libhdf5 did not have when the dataset was made has no name there. */
static void say_filter(cl_text *b, H5Z_filter_t id, const char *name,
                       const unsigned *value, size_t n)
{
    const cl_filter_words words = cl_filter_in_words((uint32_t)id, value, n);
    const char *known = name[0] || !words.name ? name : words.name;
    if (id == H5Z_FILTER_DEFLATE) {
        cl_text_say(b, ", gzip");
    } else {
        cl_text_say(b, ", filter %d ", (int)id);
        say_name(b, known, strlen(known));
    }
    say_words(b, &words);
}

static void say_filters(cl_text *b, hid_t plist)
{
    for (int i = 0; i < H5Pget_nfilters(plist); i++) {
        unsigned flags, value[8] = {0}, config;
        const size_t room = sizeof value / sizeof *value;
        size_t n = room;
        char name[64] = "";
        const H5Z_filter_t id = H5Pget_filter2(plist, (unsigned)i, &flags, &n, value,
                                               sizeof name, name, &config);
        if (id == H5Z_FILTER_SHUFFLE)
            cl_text_say(b, ", shuffle");
        else if (id == H5Z_FILTER_FLETCHER32)
            cl_text_say(b, ", fletcher32");
        else
            say_filter(b, id, name, value, cl_lesser_u(n, room));
    }
}

static void say_layout(cl_text *b, hid_t dataset)
{
    static const char *const names[] = {[H5D_COMPACT] = "compact",
                                        [H5D_CONTIGUOUS] = "contiguous",
                                        [H5D_CHUNKED] = "chunks ",
                                        [H5D_VIRTUAL] = "virtual"};
    hsize_t chunk[H5S_MAX_RANK];
    const hid_t plist = H5Dget_create_plist(dataset);
    const H5D_layout_t layout = plist < 0 ? H5D_LAYOUT_ERROR : H5Pget_layout(plist);
    if (layout >= H5D_COMPACT && layout <= H5D_VIRTUAL)
        cl_text_say(b, ", %s", names[layout]);
    if (layout == H5D_CHUNKED) {
        const int ndim = H5Pget_chunk(plist, H5S_MAX_RANK, chunk);
        say_extents(b, chunk, ndim > 0 ? ndim : 0);
    }
    if (plist >= 0) {
        say_filters(b, plist);
        H5Pclose(plist);
    }
}

/* ", axes "time", "lat", ?" where they have names. */
static void say_dims(cl_text *b, hid_t dataset)
{
    cl_dim dim[CL_MAXDIM];
    const int ndim = cl_hdf5_dims_describe(dataset, dim);
    for (int a = 0; a < ndim; a++) {
        cl_text_say(b, a == 0 ? ", axes " : ", ");
        if (dim[a].name)
            say_text(b, dim[a].name, strlen(dim[a].name));
        else
            cl_text_say(b, "?");
    }
    cl_dims_free(ndim, dim);
}

static void say_dataset(cl_text *b, hid_t dataset)
{
    char text[120], size[CL_BYTES_TEXT];
    const hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    const hssize_t count = space < 0 ? 0 : H5Sget_simple_extent_npoints(space);
    if (type >= 0 && space >= 0) {
        cl_text_say(b, "  ");
        say_shape(b, space);
        cl_text_say(b, " %s", cl_hdf5_type_text(type, text, sizeof text));
        say_layout(b, dataset);
        const uint64_t bytes = (uint64_t)(count > 0 ? count : 0) * H5Tget_size(type);
        cl_text_say(b, ", %s", cl_bytes_text(bytes, size));
        cl_text_say(b, ", %s stored",
                    cl_bytes_text(H5Dget_storage_size(dataset), size));
        say_dims(b, dataset);
    }
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
}

static void say_string(cl_text *b, hid_t attribute, hid_t type)
{
    char fixed[SHOWN_TEXT + 1] = "";
    char *variable = NULL;
    if (H5Tis_variable_str(type) > 0) {
        if (H5Aread(attribute, type, &variable) >= 0 && variable)
            say_text(b, variable, strnlen(variable, SHOWN_TEXT));
        H5free_memory(variable);
    } else if (H5Tget_size(type) > SHOWN_TEXT) {
        cl_text_say(b, "a string of %zu bytes", H5Tget_size(type));
    } else if (H5Aread(attribute, type, fixed) >= 0) {
        say_text(b, fixed, H5Tget_size(type));
    }
}

static void say_value(cl_text *b, hid_t object, hid_t attribute, const char *name)
{
    char text[120];
    double value[SHOWN_NUMBERS];
    bool is_float32;
    const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    const int n = cl_hdf5_attribute(object, name, value, SHOWN_NUMBERS, &is_float32);
    if (n > 0) {
        for (int i = 0; i < n; i++)
            cl_text_say(b, "%s%.*g", i > 0 ? ", " : "", is_float32 ? 8 : 16, value[i]);
    } else if (type >= 0 && H5Tget_class(type) == H5T_STRING && space >= 0 &&
               H5Sget_simple_extent_npoints(space) == 1) {
        say_string(b, attribute, type);
    } else if (type >= 0 && space >= 0) {
        cl_text_say(b, "%s ", cl_hdf5_type_text(type, text, sizeof text));
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
    cl_text *b = arg;
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    cl_text_say(b, "    ");
    say_text(b, name, strlen(name));
    cl_text_say(b, " = ");
    if (attribute >= 0) {
        say_value(b, object, attribute, name);
        H5Aclose(attribute);
    }
    cl_text_say(b, "\n");
    return 0;
}

static void say_object(cl_text *b, hid_t parent, const char *name)
{
    const hid_t object = H5Oopen(parent, name, H5P_DEFAULT);
    if (object < 0) {
        cl_error why = {0};
        cl_hdf5_fail(&why, CLAST_EFORMAT, "cannot be opened");
        cl_text_say(b, "  %s\n", why.text);
        return;
    }
    const H5I_type_t kind = H5Iget_type(object);
    if (kind == H5I_DATASET)
        say_dataset(b, object);
    else
        cl_text_say(b, kind == H5I_GROUP ? "  group" : "  datatype");
    cl_text_say(b, "\n");
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, say_attribute, b);
    H5Oclose(object);
}

static void say_link(cl_text *b, const cl_walk_item *item)
{
    cl_link_target target;
    b->has_failed = !cl_hdf5_link_target(item, &target) || b->has_failed;
    cl_text_say(b, "  link to ");
    say_name(b, target.file, strlen(target.file));
    cl_text_say(b, *target.file ? ":" : "");
    say_name(b, target.path, strlen(target.path));
    cl_text_say(b, "\n");
    cl_hdf5_link_target_fini(&target);
}

static void say_same(cl_text *b, const char *first)
{
    cl_text_say(b, "  same as ");
    say_name(b, first, strlen(first));
    cl_text_say(b, "\n");
}

/* A group's first name says what is in it; any other link says which name that is. */
cl_walk_step cl_hdf5_info_item(void *arg, const cl_walk_item *item)
{
    cl_text *b = arg;
    say_name(b, item->path, strlen(item->path));
    if (item->link != H5L_TYPE_HARD)
        say_link(b, item);
    else if (item->first)
        say_same(b, item->first);
    else
        say_object(b, item->group, item->name);
    return b->has_failed ? CL_WALK_STOP : CL_WALK_ON;
}
