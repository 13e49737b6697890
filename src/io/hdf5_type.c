/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Classification of datatypes.
 *
 * A type is exact if its bit pattern is that of a C type of this machine, but for the
 * byte order: then raw bytes can be read past libhdf5. Floats are compared by their
 * fields (position and size of exponent and fraction, bias, normalisation), never by
 * size alone: a 16-bit float may be IEEE half or bfloat16. Integers of fewer bits than
 * their bytes hold, bfloat16 and other odd floats are left to H5Dread. It reads such
 * integers in the byte order of the file, and we swap them: where only order and
 * precision differ libhdf5 (1.10) swaps the bytes and forgets to extend the sign.
 *
 * h5py's conventions are followed for what HDF5 lacks: bool is an enum of one byte with
 * FALSE = 0 and TRUE = 1, complex a compound of two equal IEEE floats r and i. Whole
 * bitfields, which PyTables keeps its bools in, are unsigned integers, as in h5py. What
 * has no dtype is refused, never half-converted.
 */
#include "io/hdf5_type.h"

#include <stdio.h>
#include <string.h>

#include "io/hdf5_lib.h"

typedef struct {
    size_t size, sign, exponent, exponent_bits, fraction, fraction_bits, bias;
    clast_dtype dtype;
    bool is_half;
} float_format;

static const float_format float_formats[] = {
    {2, 15, 10, 5, 0, 10, 15, CLAST_FLOAT32, true},
    {4, 31, 23, 8, 0, 23, 127, CLAST_FLOAT32, false},
    {8, 63, 52, 11, 0, 52, 1023, CLAST_FLOAT64, false},
};

static bool is_swapped_order(H5T_order_t order)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return order == H5T_ORDER_BE;
#else
    return order == H5T_ORDER_LE;
#endif
}

static bool is_plain_order(H5T_order_t order)
{
    return order == H5T_ORDER_LE || order == H5T_ORDER_BE;
}

static bool read_integer(hid_t type, cl_hdf5_type *r)
{
    static const clast_dtype dtypes[2][4] = {
        {CLAST_UINT8, CLAST_UINT16, CLAST_UINT32, CLAST_UINT64},
        {CLAST_INT8, CLAST_INT16, CLAST_INT32, CLAST_INT64}};
    const size_t size = H5Tget_size(type);
    if (size == 0 || size > 8)
        return false;
    const int log = size > 4 ? 3 : size > 2 ? 2 : size > 1 ? 1 : 0;
    const H5T_order_t order = H5Tget_order(type);
    r->dtype = dtypes[H5Tget_sign(type) == H5T_SGN_2][log];
    r->is_exact = size == (size_t)1 << log && H5Tget_precision(type) == 8 * size &&
                  H5Tget_offset(type) == 0 && (size == 1 || is_plain_order(order));
    r->is_swapped = size > 1 && is_swapped_order(order);
    return true;
}

static bool is_format(hid_t type, const float_format *f)
{
    size_t sign, exponent, exponent_bits, fraction, fraction_bits;
    return H5Tget_size(type) == f->size &&
           H5Tget_fields(type, &sign, &exponent, &exponent_bits, &fraction,
                         &fraction_bits) >= 0 &&
           sign == f->sign && exponent == f->exponent &&
           exponent_bits == f->exponent_bits && fraction == f->fraction &&
           fraction_bits == f->fraction_bits && H5Tget_ebias(type) == f->bias &&
           H5Tget_norm(type) == H5T_NORM_IMPLIED && H5Tget_offset(type) == 0 &&
           H5Tget_precision(type) == 8 * f->size && is_plain_order(H5Tget_order(type));
}

static bool read_float(hid_t type, cl_hdf5_type *r)
{
    for (size_t i = 0; i < sizeof float_formats / sizeof *float_formats; i++) {
        const float_format *f = &float_formats[i];
        if (is_format(type, f)) {
            *r = (cl_hdf5_type){f->dtype, is_swapped_order(H5Tget_order(type)),
                                f->is_half, true};
            return true;
        }
    }
    const size_t size = H5Tget_size(type);
    *r = (cl_hdf5_type){.dtype = size <= 4 ? CLAST_FLOAT32 : CLAST_FLOAT64};
    return size <= 8;
}

/* Whether member i is called name; for enums its value is i. */
static bool has_name(hid_t type, unsigned i, const char *name)
{
    char *member = H5Tget_member_name(type, i);
    const bool is_equal = member && strcmp(member, name) == 0;
    H5free_memory(member);
    return is_equal;
}

static bool has_value(hid_t type, unsigned i, signed char value)
{
    signed char v;
    return H5Tget_member_value(type, i, &v) >= 0 && v == value;
}

static bool read_enum(hid_t type, cl_hdf5_type *r)
{
    *r = (cl_hdf5_type){.dtype = CLAST_BOOL, .is_exact = true};
    if (H5Tget_size(type) != 1 || H5Tget_nmembers(type) != 2)
        return false;
    const unsigned no = has_name(type, 0, "FALSE") ? 0 : 1;
    return has_name(type, no, "FALSE") && has_value(type, no, 0) &&
           has_name(type, 1 - no, "TRUE") && has_value(type, 1 - no, 1);
}

static bool read_part(hid_t type, unsigned i, cl_hdf5_type *r)
{
    const hid_t part = H5Tget_member_type(type, i);
    const bool is_good = part >= 0 && H5Tget_class(part) == H5T_FLOAT &&
                         read_float(part, r) && r->is_exact && !r->is_half;
    if (part >= 0)
        H5Tclose(part);
    return is_good;
}

static bool read_compound(hid_t type, cl_hdf5_type *r)
{
    cl_hdf5_type re, im;
    if (H5Tget_nmembers(type) != 2 || !has_name(type, 0, "r") ||
        !has_name(type, 1, "i"))
        return false;
    if (!read_part(type, 0, &re) || !read_part(type, 1, &im))
        return false;
    const size_t size = clast_dtype_size(re.dtype);
    *r = re;
    r->dtype = re.dtype == CLAST_FLOAT32 ? CLAST_COMPLEX64 : CLAST_COMPLEX128;
    return re.dtype == im.dtype && re.is_swapped == im.is_swapped &&
           H5Tget_member_offset(type, 0) == 0 &&
           H5Tget_member_offset(type, 1) == size && H5Tget_size(type) == 2 * size;
}

static bool read_type(hid_t type, cl_hdf5_type *r)
{
    *r = (cl_hdf5_type){.dtype = CLAST_NDTYPE};
    switch (H5Tget_class(type)) {
    case H5T_INTEGER:
        return read_integer(type, r);
    case H5T_BITFIELD: /* libhdf5 converts them to nothing else */
        return read_integer(type, r) && r->is_exact;
    case H5T_FLOAT:
        return read_float(type, r);
    case H5T_ENUM:
        return read_enum(type, r);
    case H5T_COMPOUND:
        return read_compound(type, r);
    default:
        return false;
    }
}

clast_status cl_hdf5_type_read(hid_t type, const char *where, cl_hdf5_type *result,
                               cl_error *err)
{
    char text[120];
    if (read_type(type, result))
        return CLAST_OK;
    return cl_error_set(err, CLAST_EDTYPE,
                        "%s holds %s, which has no dtype here (bool, int8 to int64, "
                        "uint8 to uint64, float16 to float64 and complex have)",
                        where, cl_hdf5_type_text(type, text, sizeof text));
}

bool cl_hdf5_type_is_plain(hid_t type)
{
    return H5Tdetect_class(type, H5T_VLEN) <= 0 &&
           H5Tdetect_class(type, H5T_REFERENCE) <= 0 &&
           (H5Tget_class(type) == H5T_STRING ? H5Tis_variable_str(type) <= 0
                                             : H5Tdetect_class(type, H5T_STRING) <= 0);
}

clast_status cl_hdf5_type_bits(hid_t type, const char *where, cl_hdf5_type *result,
                               cl_error *err)
{
    static const clast_dtype of_size[17] = {[1] = CLAST_UINT8,
                                            [2] = CLAST_UINT16,
                                            [4] = CLAST_UINT32,
                                            [8] = CLAST_UINT64,
                                            [16] = CLAST_COMPLEX128};
    const size_t size = H5Tget_size(type);
    const bool has_size = size <= 16 && of_size[size] != CLAST_BOOL;
    if (has_size && H5Tdetect_class(type, H5T_VLEN) <= 0 &&
        H5Tdetect_class(type, H5T_REFERENCE) <= 0 &&
        H5Tdetect_class(type, H5T_STRING) <= 0) {
        *result = (cl_hdf5_type){.dtype = of_size[size], .is_exact = true};
        return CLAST_OK;
    }
    char text[120];
    return cl_error_set(err, CLAST_EDTYPE, "%s holds %s, which is more than bytes",
                        where, cl_hdf5_type_text(type, text, sizeof text));
}

static hid_t make_bool(void)
{
    const hid_t type = H5Tenum_create(H5T_NATIVE_INT8);
    const signed char no = 0, yes = 1;
    if (type >= 0 && H5Tenum_insert(type, "FALSE", &no) >= 0 &&
        H5Tenum_insert(type, "TRUE", &yes) >= 0)
        return type;
    if (type >= 0)
        H5Tclose(type);
    return H5I_INVALID_HID;
}

static hid_t make_complex(hid_t part)
{
    const size_t size = H5Tget_size(part);
    const hid_t type = H5Tcreate(H5T_COMPOUND, 2 * size);
    if (type >= 0 && H5Tinsert(type, "r", 0, part) >= 0 &&
        H5Tinsert(type, "i", size, part) >= 0)
        return type;
    if (type >= 0)
        H5Tclose(type);
    return H5I_INVALID_HID;
}

hid_t cl_hdf5_type_make(clast_dtype dtype)
{
    switch (dtype) {
    case CLAST_BOOL:
        return make_bool();
    case CLAST_COMPLEX64:
        return make_complex(H5T_NATIVE_FLOAT);
    case CLAST_COMPLEX128:
        return make_complex(H5T_NATIVE_DOUBLE);
    default:
        break;
    }
    const hid_t native[CLAST_NDTYPE] = {
        [CLAST_INT8] = H5T_NATIVE_INT8,     [CLAST_INT16] = H5T_NATIVE_INT16,
        [CLAST_INT32] = H5T_NATIVE_INT32,   [CLAST_INT64] = H5T_NATIVE_INT64,
        [CLAST_UINT8] = H5T_NATIVE_UINT8,   [CLAST_UINT16] = H5T_NATIVE_UINT16,
        [CLAST_UINT32] = H5T_NATIVE_UINT32, [CLAST_UINT64] = H5T_NATIVE_UINT64,
        [CLAST_FLOAT32] = H5T_NATIVE_FLOAT, [CLAST_FLOAT64] = H5T_NATIVE_DOUBLE};
    return dtype < CLAST_NDTYPE ? H5Tcopy(native[dtype]) : H5I_INVALID_HID;
}

hid_t cl_hdf5_type_make_read(const cl_hdf5_type *type)
{
    const hid_t id = cl_hdf5_type_make(type->dtype);
    if (id < 0 || !type->is_swapped)
        return id;
    const bool is_little = H5Tget_order(id) == H5T_ORDER_LE;
    if (H5Tset_order(id, is_little ? H5T_ORDER_BE : H5T_ORDER_LE) >= 0)
        return id;
    H5Tclose(id);
    return H5I_INVALID_HID;
}

static void describe_other(hid_t type, char *text, size_t size)
{
    static const char *const name[] = {
        [H5T_INTEGER] = "an integer",  [H5T_FLOAT] = "a float",
        [H5T_TIME] = "a time",         [H5T_STRING] = "a string",
        [H5T_BITFIELD] = "a bitfield", [H5T_OPAQUE] = "an opaque type",
        [H5T_COMPOUND] = "a compound", [H5T_REFERENCE] = "a reference",
        [H5T_ENUM] = "an enum",        [H5T_VLEN] = "a variable-length sequence",
        [H5T_ARRAY] = "an array type"};
    const H5T_class_t class = H5Tget_class(type);
    if (class == H5T_STRING && H5Tis_variable_str(type) > 0)
        snprintf(text, size, "a variable-length string");
    else if (class < 0 || (size_t) class >= sizeof name / sizeof *name)
        snprintf(text, size, "an unknown type");
    else if (class == H5T_COMPOUND || class == H5T_ENUM)
        snprintf(text, size, "%s of %d members and %zu bytes", name[class],
                 H5Tget_nmembers(type), H5Tget_size(type));
    else
        snprintf(text, size, "%s of %zu bytes", name[class], H5Tget_size(type));
}

const char *cl_hdf5_type_text(hid_t type, char *text, size_t size)
{
    cl_hdf5_type t;
    if (!read_type(type, &t) || !t.is_exact)
        describe_other(type, text, size);
    else
        snprintf(text, size, "%s%s", t.is_half ? "float16" : clast_dtype_name(t.dtype),
                 t.is_swapped ? ", big-endian" : "");
    return text;
}
