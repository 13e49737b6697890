/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An attribute is read as a record {type, space, values in the type's own layout} and
 * written from it: the bytes stay what they were, in byte order and padding too.
 *
 * Strings of variable length are memory of libhdf5 while they are in a record; they are
 * counted before they are written, since one of them may be of any length. A record is
 * at most CL_ATTRIBUTE_MOST bytes, so what a file says cannot claim memory.
 */
#include "io/hdf5_attributes.h"

#include <string.h>

#include "base/alloc.h"

typedef struct {
    hid_t type, space; /* type: as in memory, a copy that belongs to no file */
    bool is_variable;  /* values: pointers to strings of libhdf5 */
    size_t count, bytes;
    void *values;
} record;

/* ---- records ---- */

static bool is_plain(hid_t type)
{
    const H5T_class_t class = H5Tget_class(type);
    return class == H5T_INTEGER || class == H5T_FLOAT || class == H5T_STRING ||
           class == H5T_ENUM;
}

/* As in memory: a type of variable length that came from a file still belongs to it. */
static hid_t memory_type(hid_t type)
{
    if (H5Tis_variable_str(type) <= 0)
        return H5Tcopy(type);
    const hid_t copy = H5Tcopy(H5T_C_S1);
    if (copy >= 0 && (H5Tset_size(copy, H5T_VARIABLE) < 0 ||
                      H5Tset_cset(copy, H5Tget_cset(type)) < 0 ||
                      H5Tset_strpad(copy, H5Tget_strpad(type)) < 0)) {
        H5Tclose(copy);
        return -1;
    }
    return copy;
}

static bool describe(hid_t attribute, record *r)
{
    const hid_t type = H5Aget_type(attribute);
    if (type >= 0 && is_plain(type)) {
        r->type = memory_type(type);
        r->space = H5Aget_space(attribute);
        r->is_variable = H5Tis_variable_str(type) > 0;
    }
    if (type >= 0)
        H5Tclose(type);
    if (r->type < 0 || r->space < 0)
        return false;
    const hssize_t count = H5Sget_simple_extent_npoints(r->space);
    const size_t item = r->is_variable ? sizeof(char *) : H5Tget_size(r->type);
    r->count = count > 0 ? (size_t)count : 0;
    return count >= 0 && item > 0 && cl_mul_size(r->count, item, &r->bytes) &&
           r->bytes <= CL_ATTRIBUTE_MOST;
}

static bool is_short(const record *r)
{
    const char *const *text = r->values;
    size_t left = CL_ATTRIBUTE_MOST;
    for (size_t i = 0; r->is_variable && i < r->count; i++) {
        const size_t n = text[i] ? strnlen(text[i], left) : 0;
        if (n >= left)
            return false;
        left -= n;
    }
    return true;
}

static void record_fini(record *r)
{
    if (r->values && r->is_variable && r->count > 0)
        H5Dvlen_reclaim(r->type, r->space, H5P_DEFAULT, r->values);
    if (r->type >= 0)
        H5Tclose(r->type);
    if (r->space >= 0)
        H5Sclose(r->space);
    cl_free(r->values);
}

static cl_copied record_read(hid_t object, const char *name, record *r)
{
    *r = (record){.type = H5I_INVALID_HID, .space = H5I_INVALID_HID};
    const hid_t attribute =
        H5Aexists(object, name) > 0 ? H5Aopen(object, name, H5P_DEFAULT) : -1;
    if (attribute < 0)
        return CL_NOT_COPIED;
    cl_copied result = CL_NOT_COPIED;
    if (describe(attribute, r)) {
        r->values = cl_calloc(r->bytes + 1, 1);
        const bool is_read =
            r->values && (r->count == 0 || H5Aread(attribute, r->type, r->values) >= 0);
        if (!r->values)
            result = CL_COPY_NO_MEMORY;
        else if (is_read && is_short(r))
            result = CL_COPIED;
    }
    H5Aclose(attribute);
    return result;
}

static herr_t write_values(hid_t object, const char *name, hid_t type, hid_t space,
                           const void *values)
{
    if (H5Aexists(object, name) > 0 && H5Adelete(object, name) < 0)
        return -1;
    const hid_t attribute =
        H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0)
        return -1;
    const herr_t result = values ? H5Awrite(attribute, type, values) : 0;
    H5Aclose(attribute);
    return result;
}

cl_copied cl_hdf5_attribute_copy(hid_t from, const char *name, hid_t to)
{
    record r;
    cl_copied result = record_read(from, name, &r);
    if (result == CL_COPIED &&
        write_values(to, name, r.type, r.space, r.count > 0 ? r.values : NULL) < 0)
        result = CL_NOT_COPIED;
    record_fini(&r);
    return result;
}

/* ---- texts ---- */

char *cl_hdf5_attribute_text(hid_t object, const char *name)
{
    record r;
    char *text = NULL;
    if (record_read(object, name, &r) == CL_COPIED && r.count == 1 &&
        H5Tget_class(r.type) == H5T_STRING) {
        /* A fixed one need not end in a zero; ours has one more byte, which is. */
        const char *const *variable = r.values;
        const char *from = r.is_variable ? *variable : r.values;
        text = from ? cl_strdup(from) : NULL;
    }
    record_fini(&r);
    return text;
}

herr_t cl_hdf5_attribute_put(hid_t object, const char *name, hid_t type,
                             const void *value)
{
    const hid_t space = H5Screate(H5S_SCALAR);
    if (space < 0)
        return -1;
    const herr_t result = write_values(object, name, type, space, value);
    H5Sclose(space);
    return result;
}

herr_t cl_hdf5_attribute_put_text(hid_t object, const char *name, const char *text)
{
    const size_t n = strlen(text);
    const bool is_long = n > CL_ATTRIBUTE_MOST;
    const hid_t type = H5Tcopy(H5T_C_S1);
    herr_t result = -1;
    if (type >= 0 &&
        H5Tset_size(type, is_long ? H5T_VARIABLE
                          : n > 0 ? n
                                  : 1) >= 0 &&
        H5Tset_cset(type, H5T_CSET_UTF8) >= 0 &&
        H5Tset_strpad(type, is_long ? H5T_STR_NULLTERM : H5T_STR_NULLPAD) >= 0)
        result = cl_hdf5_attribute_put(object, name, type,
                                       is_long ? (const void *)&text : text);
    if (type >= 0)
        H5Tclose(type);
    return result;
}

/* ---- hashes ---- */

static uint64_t mix(uint64_t hash, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ p[i]) * 0x100000001B3u;
    return hash ^ hash >> 32;
}

uint64_t cl_hdf5_attribute_hash(hid_t object, const char *name, uint64_t hash)
{
    record r;
    if (record_read(object, name, &r) == CL_COPIED) {
        hash = mix(hash, name, strlen(name));
        const char *const *variable = r.values;
        const bool is_text = H5Tget_class(r.type) == H5T_STRING;
        if (!r.is_variable)
            hash = mix(hash, r.values, is_text ? strnlen(r.values, r.bytes) : r.bytes);
        for (size_t i = 0; r.is_variable && i < r.count; i++)
            if (variable[i])
                hash = mix(hash, variable[i], strlen(variable[i]));
    }
    record_fini(&r);
    return hash;
}
