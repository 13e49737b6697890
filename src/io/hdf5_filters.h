/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pipelines in creation property lists. All functions are called under the lock of
 * hdf5_lib.h.
 */
#ifndef CL_IO_HDF5_FILTERS_H
#define CL_IO_HDF5_FILTERS_H

#include <hdf5.h>

#include "io/filters.h"

/* What is said where cl_hdf5_filters_check() finds it so: file, path. */
#define CL_HDF5_FILTERS_CHANGED                                                        \
    "%s:%s: a filter that is registered in this process changes its parameters"

/* false: it is not one of ours. */
bool cl_hdf5_filters_read(hid_t list, uint32_t item, cl_filters *filters);
/* Adds the pipeline to a list without filters, whether or not libhdf5 has them. */
bool cl_hdf5_filters_write(hid_t list, const cl_filters *filters);
/* Whether the dataset that was made with it has the pipeline: a filter that the host
 * registered may have changed its parameters. */
bool cl_hdf5_filters_check(hid_t dataset, const cl_filters *filters);

#endif
