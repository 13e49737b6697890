/* SPDX-License-Identifier: BSD-3-Clause */
/* A row for each signature, of which the version is a part in netCDF-3. */
#include "io/other_format.h"

#include <stddef.h>
#include <string.h>

#define NETCDF_3 "a netCDF-3 file (nccopy -k nc4 makes a netCDF-4 file of it)"

static const struct {
    char signature[CL_FORMAT_BYTES + 1];
    const char *name;
} known[] = {
    {"CDF\1", NETCDF_3},
    {"CDF\2", NETCDF_3},
    {"CDF\5", NETCDF_3},
    {"\016\003\023\001", "an HDF4 file (h4toh5 makes an HDF5 file of it)"},
    {"GRIB", "a GRIB file (cdo -f nc4 copy makes a netCDF-4 file of it)"},
};

const char *cl_other_format(const void *begin)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (memcmp(begin, known[i].signature, CL_FORMAT_BYTES) == 0)
            return known[i].name;
    return NULL;
}
