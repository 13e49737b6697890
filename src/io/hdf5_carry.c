/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An attribute is repeated only where it is true of the output.
 *
 * The level says what the output's values are to the input's (store.h), the table below
 * from which level on an attribute of that name holds. What is not in the table says
 * something about where the data comes from and holds at every level. Beyond that:
 *
 *   - Fill values and packing describe stored numbers. Once decoded they are gone; an
 *     output of floats then has _FillValue = NaN if the input had fill values, as
 *     xarray writes it. Raw numbers that are passed on unchanged keep all of it; raw
 *     numbers of packed data that were computed with have no units.
 *   - "days since 1970-01-01" are units of points in time. Sums and differences of
 *     those are none.
 *   - Attributes that name other variables ("coordinates", "grid_mapping") are kept
 *     where all those are there, beside the output.
 *   - References, and what HDF5's dimension scales, netCDF-4 and PyTables write about
 *     the structure of the file, are never copied; scales are made anew.
 *
 * Names are those of the CF conventions 1.10 (appendix A), of the NetCDF users' guide
 * (appendix A) and of the HDF5 dimension scale and image specifications.
 */
#include "io/hdf5_carry.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "io/hdf5_attributes.h"
#include "io/hdf5_cf.h"

#define MOST_ATTRIBUTES 1024 /* of one dataset */

typedef enum { LEVEL, ENCODING, TRUTH, LIMITS, NAMES, NEVER } rule;

static const struct {
    const char *name;
    rule rule;
    cl_carry_level level; /* LEVEL: from which on it holds */
} rules[] = {
    {"units", LEVEL, CL_CARRY_UNITS},
    {"calendar", LEVEL, CL_CARRY_UNITS},
    {"leap_month", LEVEL, CL_CARRY_UNITS},
    {"leap_year", LEVEL, CL_CARRY_UNITS},
    {"month_lengths", LEVEL, CL_CARRY_UNITS},
    {"long_name", LEVEL, CL_CARRY_UNITS},
    {"short_name", LEVEL, CL_CARRY_UNITS},
    {"units_metadata", LEVEL, CL_CARRY_QUANTITY},
    {"standard_name", LEVEL, CL_CARRY_QUANTITY},
    {"cell_methods", LEVEL, CL_CARRY_QUANTITY},
    {"positive", LEVEL, CL_CARRY_QUANTITY},
    {"axis", LEVEL, CL_CARRY_QUANTITY},
    {"computed_standard_name", LEVEL, CL_CARRY_QUANTITY},
    {"_FillValue", ENCODING, 0},
    {"missing_value", ENCODING, 0},
    {"scale_factor", ENCODING, 0},
    {"add_offset", ENCODING, 0},
    {"_Unsigned", ENCODING, 0},
    {CL_CF_BOOL, TRUTH, 0},
    {"valid_min", LIMITS, 0},
    {"valid_max", LIMITS, 0},
    {"valid_range", LIMITS, 0},
    {"flag_masks", LIMITS, 0},
    {"flag_meanings", LIMITS, 0},
    {"flag_values", LIMITS, 0},
    {"ancillary_variables", NAMES, 0},
    {"bounds", NAMES, 0},
    {"cell_measures", NAMES, 0},
    {"climatology", NAMES, 0},
    {"coordinates", NAMES, 0},
    {"formula_terms", NAMES, 0},
    {"geometry", NAMES, 0},
    {"grid_mapping", NAMES, 0},
    {"actual_range", NEVER, 0},
    {"CLASS", NEVER, 0},
    {"NAME", NEVER, 0},
    {"DIMENSION_LIST", NEVER, 0},
    {"DIMENSION_LABELS", NEVER, 0},
    {"REFERENCE_LIST", NEVER, 0},
    {"PALETTE", NEVER, 0},
    {"IMAGE_SUBCLASS", NEVER, 0},
    {"IMAGE_VERSION", NEVER, 0},
    {"_Netcdf4Dimid", NEVER, 0},
    {"_Netcdf4Coordinates", NEVER, 0},
    {"_nc3_strict", NEVER, 0},
    {"_NCProperties", NEVER, 0},
};
enum { RULES = sizeof rules / sizeof *rules };

static const char *const of_units[] = {"units", "calendar"};

typedef struct {
    const cl_hdf5_source *source;
    cl_carry_level level;
    hid_t group, to;
    int seen, left;
    bool has_fill; /* _FillValue or missing_value */
    bool is_out_of_memory;
} carrier;

static bool is_packed(const cl_hdf5_source *s)
{
    return H5Aexists(s->client->dataset, "scale_factor") > 0 ||
           H5Aexists(s->client->dataset, "add_offset") > 0;
}

void cl_hdf5_carry_digest(cl_hdf5_source *source, bool is_raw)
{
    cl_source_info *info = &source->base.info;
    source->is_raw = is_raw;
    for (size_t i = 0; i < sizeof of_units / sizeof *of_units; i++)
        info->units =
            cl_hdf5_attribute_hash(source->client->dataset, of_units[i], info->units);
    for (int i = 0; i < RULES; i++)
        if (rules[i].rule == ENCODING || rules[i].rule == LIMITS)
            info->encoding = cl_hdf5_attribute_hash(source->client->dataset,
                                                    rules[i].name, info->encoding);
}

/* Whether the units count from a point in time. */
static bool are_since(hid_t dataset)
{
    char *units = cl_hdf5_attribute_text(dataset, "units");
    const bool result = units && strstr(units, " since ");
    cl_free(units);
    return result;
}

/* Whether all variables that the text names are links of the group. Words such as
 * "area:" say what the next one is for. */
static bool names_are_there(hid_t dataset, const char *name, hid_t group)
{
    static const char spaces[] = " \t\n\r";
    char *text = cl_hdf5_attribute_text(dataset, name);
    bool result = text != NULL;
    char *rest = NULL;
    for (char *word = text ? strtok_r(text, spaces, &rest) : NULL; word && result;
         word = strtok_r(NULL, spaces, &rest))
        result = word[strlen(word) - 1] == ':' ||
                 (!strchr(word, '/') && H5Lexists(group, word, H5P_DEFAULT) > 0);
    cl_free(text);
    return result;
}

static bool holds(const carrier *c, const char *name)
{
    const cl_hdf5_source *s = c->source;
    int i = 0;
    while (i < RULES && strcmp(rules[i].name, name) != 0)
        i++;
    if (i == RULES)
        return strncmp(name, "clast_", 6) != 0;
    const bool is_same = c->level == CL_CARRY_VALUES;
    switch (rules[i].rule) {
    case LEVEL:
        return c->level >= rules[i].level;
    case ENCODING:
        return s->is_raw && is_same && !s->convert.is_half;
    case TRUTH: /* "bool", of the input's own stored numbers; anything else holds */
        return !cl_hdf5_cf_is_bool(s->client->dataset) || (s->is_raw && is_same);
    case LIMITS:
        return is_same &&
               (s->is_raw || (s->convert.dtype == s->convert.stored && !is_packed(s)));
    case NAMES:
        return names_are_there(s->client->dataset, name, c->group);
    default:
        return false;
    }
}

static herr_t carry_one(hid_t dataset, const char *name, const H5A_info_t *info,
                        void *arg)
{
    carrier *c = arg;
    if (++c->seen > MOST_ATTRIBUTES) {
        c->left++;
        return 1;
    }
    c->has_fill = c->has_fill || strcmp(name, "_FillValue") == 0 ||
                  strcmp(name, "missing_value") == 0;
    if (!holds(c, name))
        return 0;
    const cl_copied result = cl_hdf5_attribute_copy(dataset, name, c->to);
    c->left += result == CL_NOT_COPIED;
    c->is_out_of_memory = result == CL_COPY_NO_MEMORY;
    return c->is_out_of_memory;
}

static void put_nan(hid_t dataset, clast_dtype dtype)
{
    const float single = NAN;
    const double twice = NAN;
    if (dtype == CLAST_FLOAT32)
        cl_hdf5_attribute_put(dataset, "_FillValue", H5T_NATIVE_FLOAT, &single);
    else if (dtype == CLAST_FLOAT64)
        cl_hdf5_attribute_put(dataset, "_FillValue", H5T_NATIVE_DOUBLE, &twice);
}

clast_status cl_hdf5_carry(const cl_source *source, cl_carry_level level,
                           clast_dtype dtype, hid_t group, hid_t dataset, int *left,
                           cl_error *err)
{
    const cl_hdf5_source *s = (const cl_hdf5_source *)source;
    carrier c = {.source = s, .level = level, .group = group, .to = dataset};
    *left = 0;
    if (level == CL_CARRY_NOTHING || source->info.is_untrusted)
        return CLAST_OK;
    CL_TRY(cl_hdf5_source_wake(s, err));
    if (s->is_raw && level < CL_CARRY_VALUES && is_packed(s))
        c.level = CL_CARRY_OTHER;
    if (c.level == CL_CARRY_UNITS && are_since(s->client->dataset))
        c.level = CL_CARRY_OTHER;
    H5Aiterate2(s->client->dataset, H5_INDEX_NAME, H5_ITER_INC, NULL, carry_one, &c);
    if (c.is_out_of_memory)
        return cl_error_set(err, CLAST_ENOMEM, "no memory to copy attributes");
    if (c.has_fill && !s->is_raw)
        put_nan(dataset, dtype);
    *left = c.left;
    return CLAST_OK;
}

static herr_t compare_one(hid_t scale, const char *name, const H5A_info_t *info,
                          void *arg)
{
    static const char *const own[] = {"CLASS", "NAME", "REFERENCE_LIST"};
    const cl_hdf5_source *s = arg;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(name, own[i]) == 0)
            return 0;
    return !s || H5Aexists(s->client->dataset, name) <= 0 ||
           cl_hdf5_attribute_hash(scale, name, 0) !=
               cl_hdf5_attribute_hash(s->client->dataset, name, 0);
}

bool cl_hdf5_carry_is_all(const cl_source *source, hid_t scale)
{
    union { /* looking does not change it */
        const cl_source *in;
        void *arg;
    } s = {.in = source};
    if (source && cl_hdf5_source_wake((const cl_hdf5_source *)source, NULL) != CLAST_OK)
        return false;
    return H5Aiterate2(scale, H5_INDEX_NAME, H5_ITER_INC, NULL, compare_one, s.arg) ==
           0;
}
