/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Element types: sizes, kinds, NumPy 2's promotion (NEP 50), and single elements as
 * values.
 *
 * A *weak* kind is that of a Python scalar: it takes part in promotion by kind only.
 */
#ifndef CL_BASE_DTYPE_H
#define CL_BASE_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "clast/types.h"

typedef enum {
    CL_KIND_BOOL,
    CL_KIND_INT,
    CL_KIND_UINT,
    CL_KIND_FLOAT,
    CL_KIND_COMPLEX
} cl_kind;

cl_kind cl_dtype_kind(clast_dtype dtype);
static inline bool cl_dtype_is_integer(clast_dtype t)
{
    return t >= CLAST_INT8 && t <= CLAST_UINT64;
}
static inline bool cl_dtype_is_float(clast_dtype t)
{
    return t == CLAST_FLOAT32 || t == CLAST_FLOAT64;
}
static inline bool cl_dtype_is_complex(clast_dtype t)
{
    return t == CLAST_COMPLEX64 || t == CLAST_COMPLEX128;
}
clast_dtype cl_dtype_promote(clast_dtype a, clast_dtype b); /* both strong */
clast_dtype
cl_dtype_promote_weak(clast_dtype strong,
                      cl_kind weak); /* NEP 50: np.int8 array + 1.0 -> float64, ... */
clast_dtype
cl_dtype_of_weak(cl_kind weak); /* among weak scalars only: bool, int64, ... */
clast_dtype cl_dtype_real(clast_dtype t); /* complex64 -> float32, others unchanged */
bool cl_dtype_parse(const char *name,
                    clast_dtype *dtype); /* numpy names: "float32", "bool", "f4" no */

/* One element, 16 bytes, in its own representation. */
typedef union {
    bool b;
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    float f32;
    double f64;
    float c64[2];
    double c128[2];
} cl_scalar;

/* C conversion as NumPy's astype(casting="unsafe"): float to integer truncates;
 * out-of-range values give what x86-64 conversions give in NumPy; complex to real drops
 * the imaginary part; anything to bool is != 0. */
cl_scalar cl_scalar_cast(cl_scalar v, clast_dtype from, clast_dtype to);

/* Whether the integer v is in the range of the integer dtype (true for other kinds). */
bool cl_int_fits(int64_t v, clast_dtype dtype);

#endif
