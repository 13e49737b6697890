/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attributes of a copy, and references.
 *
 * Values are read and written in the type they are stored in, so no bit changes.
 * References are addresses of objects (HDF5 File Format Specification 3.0, IV.A.2.h);
 * the object of the copy with the same path takes their place, wherever they stand in a
 * compound, an array or a sequence. Dimension scales are attributes of that kind and
 * need nothing else.
 */
#include "io/hdf5_copy.h"

#include <string.h>

static void translate_object(cl_copy *copy, void *value)
{
    hobj_ref_t reference;
    memcpy(&reference, value, sizeof reference);
    const char *path = cl_hdf5_objects_find(&copy->objects, reference);
    memset(value, 0, sizeof reference);
    if (reference != 0 && path)
        H5Rcreate(value, copy->file.id, path, H5R_OBJECT, H5I_INVALID_HID);
}

static void translate_region(cl_copy *copy, void *value)
{
    H5O_info_t info;
    const char *path = NULL;
    const hid_t object =
        H5Rdereference2(copy->in->id, H5P_DEFAULT, H5R_DATASET_REGION, value);
    const hid_t region = object < 0
                             ? H5I_INVALID_HID
                             : H5Rget_region(copy->in->id, H5R_DATASET_REGION, value);
    if (region >= 0 && H5Oget_info2(object, &info, H5O_INFO_BASIC) >= 0)
        path = cl_hdf5_objects_find(&copy->objects, info.addr);
    memset(value, 0, sizeof(hdset_reg_ref_t));
    if (path)
        H5Rcreate(value, copy->file.id, path, H5R_DATASET_REGION, region);
    if (region >= 0)
        H5Sclose(region);
    if (object >= 0)
        H5Oclose(object);
}

static void translate_members(cl_copy *copy, hid_t type, char *value)
{
    for (int i = 0; i < H5Tget_nmembers(type); i++) {
        const hid_t member = H5Tget_member_type(type, (unsigned)i);
        if (member < 0)
            continue;
        cl_copy_translate(copy, member, value + H5Tget_member_offset(type, (unsigned)i),
                          1);
        H5Tclose(member);
    }
}

static size_t array_count(hid_t type)
{
    hsize_t dim[H5S_MAX_RANK], n = 1;
    const int ndim = H5Tget_array_dims2(type, dim);
    for (int a = 0; a < ndim; a++)
        n *= dim[a];
    return (size_t)n;
}

/* An array's elements, or those of a sequence. */
static void translate_parts(cl_copy *copy, hid_t type, bool is_sequence, void *value)
{
    hvl_t sequence;
    const hid_t part = H5Tget_super(type);
    if (part < 0)
        return;
    if (is_sequence) {
        memcpy(&sequence, value, sizeof sequence);
        cl_copy_translate(copy, part, sequence.p, sequence.len);
    } else {
        cl_copy_translate(copy, part, value, array_count(type));
    }
    H5Tclose(part);
}

void cl_copy_translate(cl_copy *copy, hid_t type, void *value, size_t n)
{
    const H5T_class_t class = H5Tget_class(type);
    const size_t size = H5Tget_size(type);
    const bool is_object =
        class == H5T_REFERENCE && H5Tequal(type, H5T_STD_REF_OBJ) > 0;
    if (!is_object && H5Tdetect_class(type, H5T_REFERENCE) <= 0)
        return;
    char *at = value;
    for (size_t i = 0; i < n; i++, at += size) {
        if (is_object)
            translate_object(copy, at);
        else if (class == H5T_REFERENCE)
            translate_region(copy, at);
        else if (class == H5T_COMPOUND)
            translate_members(copy, type, at);
        else if (class == H5T_ARRAY || class == H5T_VLEN)
            translate_parts(copy, type, class == H5T_VLEN, at);
    }
}

/* --- attributes ---------------------------------------------------------------------
 */

static bool has_pointers(hid_t type)
{
    return H5Tdetect_class(type, H5T_VLEN) > 0 || H5Tis_variable_str(type) > 0 ||
           H5Tdetect_class(type, H5T_STRING) > 0;
}

static bool copy_value(cl_copy *copy, hid_t from, hid_t to, hid_t type, hid_t space)
{
    size_t bytes;
    const hssize_t n = H5Sget_simple_extent_npoints(space);
    if (n <= 0 || H5Sget_simple_extent_type(space) == H5S_NULL)
        return true;
    if (!cl_mul_size((size_t)n, H5Tget_size(type), &bytes))
        return false;
    void *value = cl_calloc(bytes, 1);
    if (!value)
        return cl_copy_no_memory(copy, "an attribute");
    bool is_good = H5Aread(from, type, value) >= 0;
    if (is_good) {
        cl_copy_translate(copy, type, value, (size_t)n);
        is_good = H5Awrite(to, type, value) >= 0;
        if (has_pointers(type))
            H5Dvlen_reclaim(type, space, H5P_DEFAULT, value);
    }
    cl_free(value);
    return is_good;
}

static bool make_attribute(cl_copy *copy, hid_t from, hid_t object, const char *name)
{
    const hid_t type = H5Aget_type(from), space = H5Aget_space(from);
    const hid_t list = H5Aget_create_plist(from);
    const hid_t stored = type < 0 ? type : cl_copy_type(copy, type);
    hid_t to = H5I_INVALID_HID;
    if (stored >= 0 && space >= 0 && list >= 0)
        to = H5Acreate2(object, name, stored, space, list, H5P_DEFAULT);
    bool is_good = to >= 0 && copy_value(copy, from, to, type, space);
    if (to >= 0)
        is_good = H5Aclose(to) >= 0 && is_good;
    if (stored >= 0)
        H5Tclose(stored);
    if (list >= 0)
        H5Pclose(list);
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    return is_good;
}

typedef struct {
    cl_copy *copy;
    hid_t to;
    const char *path;
} attribute_walk;

static herr_t copy_attribute(hid_t object, const char *name, const H5A_info_t *info,
                             void *arg)
{
    const attribute_walk *w = arg;
    const hid_t from = H5Aopen(object, name, H5P_DEFAULT);
    const bool is_good = from >= 0 && make_attribute(w->copy, from, w->to, name);
    if (!is_good)
        cl_copy_fail(w->copy, w->path, "an attribute cannot be copied");
    if (from >= 0)
        H5Aclose(from);
    return is_good ? 0 : -1;
}

/* In the order they were made in, where that is kept: it is part of what is copied. */
static H5_index_t order_of(hid_t object)
{
    unsigned flags = 0;
    hid_t list = H5I_INVALID_HID;
    const H5I_type_t kind = H5Iget_type(object);
    if (kind == H5I_GROUP)
        list = H5Gget_create_plist(object);
    else if (kind == H5I_DATASET)
        list = H5Dget_create_plist(object);
    if (list < 0)
        return H5_INDEX_NAME;
    H5Pget_attr_creation_order(list, &flags);
    H5Pclose(list);
    return flags & H5P_CRT_ORDER_TRACKED ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
}

static bool copy_comment(hid_t from, hid_t to)
{
    char text[4096] = "";
    const ssize_t n = H5Oget_comment(from, text, sizeof text);
    return n <= 0 || n >= (ssize_t)sizeof text || H5Oset_comment(to, text) >= 0;
}

bool cl_copy_attributes(cl_copy *copy, const cl_walk_item *item)
{
    const hid_t from = H5Oopen(item->group, item->name, H5P_DEFAULT);
    const hid_t to = H5Oopen(copy->file.id, item->path, H5P_DEFAULT);
    attribute_walk w = {copy, to, item->path};
    bool is_good = from >= 0 && to >= 0 && copy_comment(from, to);
    if (is_good && item->nattribute > 0)
        is_good = H5Aiterate2(from, order_of(from), H5_ITER_INC, NULL, copy_attribute,
                              &w) >= 0;
    if (is_good && item->kind == H5O_TYPE_DATASET)
        is_good = cl_copy_fill_references(copy, from, item->path);
    if (!is_good)
        cl_copy_fail(copy, item->path, "it cannot be copied");
    if (to >= 0)
        H5Oclose(to);
    if (from >= 0)
        H5Oclose(from);
    return is_good;
}
