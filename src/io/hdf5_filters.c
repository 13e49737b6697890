/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Filters of datasets that Clast makes.
 *
 * libhdf5 need not have a filter: one that is optional is noted in the file all the
 * same, and chunks are stored past it (H5Dwrite_chunk). Nothing is registered, so a
 * host program finds the filters that it had. Where it has registered the filter, or a
 * plugin is installed, libhdf5 lets that one complete the parameters when the dataset
 * is made. Most write what is there already; bitshuffle's puts its three in front of
 * what it was given, so they are left out then. What the dataset has in the end is
 * compared with what chunks are going to be stored with.
 */
#include "io/hdf5_filters.h"

enum { BITSHUFFLE_OWN = 3 };

static bool add(hid_t list, H5Z_filter_t id, size_t n, const uint32_t *value)
{
    if (id == H5Z_FILTER_SHUFFLE)
        return H5Pset_shuffle(list) >= 0;
    if (id == H5Z_FILTER_FLETCHER32)
        return H5Pset_fletcher32(list) >= 0;
    const size_t skipped =
        id == CL_FILTER_BITSHUFFLE && H5Zfilter_avail(id) > 0 ? BITSHUFFLE_OWN : 0;
    return H5Pset_filter(list, id, H5Z_FLAG_OPTIONAL, n - skipped, value + skipped) >=
           0;
}

bool cl_hdf5_filters_write(hid_t list, const cl_filters *filters)
{
    uint32_t id, n, value[CL_CODEC_VALUES];
    bool is_good = true;
    for (int i = 0; is_good && (id = cl_filters_get(filters, i, value, &n)) != 0; i++)
        is_good = add(list, (H5Z_filter_t)id, n, value);
    return is_good;
}

bool cl_hdf5_filters_read(hid_t list, uint32_t item, cl_filters *filters)
{
    const int n = H5Pget_nfilters(list);
    bool is_ours = n >= 0;
    cl_filters_init(filters, item);
    for (int i = 0; i < n && is_ours; i++) {
        unsigned flags, value[CL_CODEC_VALUES] = {0}, config;
        size_t nvalue = CL_CODEC_VALUES;
        const H5Z_filter_t id =
            H5Pget_filter2(list, (unsigned)i, &flags, &nvalue, value, 0, NULL, &config);
        is_ours = id >= 0 && cl_filters_add(filters, (uint32_t)id, i, value, nvalue);
    }
    return is_ours;
}

bool cl_hdf5_filters_check(hid_t dataset, const cl_filters *filters)
{
    cl_filters there;
    const hid_t list = H5Dget_create_plist(dataset);
    const bool is_read = list >= 0 && cl_hdf5_filters_read(list, filters->item, &there);
    if (list >= 0)
        H5Pclose(list);
    return is_read && cl_filters_same(&there, filters);
}
