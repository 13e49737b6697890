/* SPDX-License-Identifier: BSD-3-Clause */
/* Dimension scales of outputs: names and coordinates of their axes, as netCDF-4 and
 * xarray read them. Called under the lock of hdf5_lib.h. */
#ifndef CL_IO_HDF5_SCALES_H
#define CL_IO_HDF5_SCALES_H

#include "io/hdf5_output.h"

/* Who used a scale that is about to be replaced. Zeroed memory is legal for fini. */
typedef struct {
    size_t n;
    struct cl_scale_user *user;
} cl_scale_users;

/* Takes a dataset that is going to be deleted off its scales. If it is a scale itself,
 * it is taken off those that use it; *users gets who they are. false: no memory. */
bool cl_hdf5_scales_release(hid_t dataset, cl_scale_users *users);
/* Makes its replacement a scale of theirs, where it still fits. */
void cl_hdf5_scales_restore(hid_t dataset, const char *name, cl_scale_users *users);
void cl_hdf5_scale_users_fini(cl_scale_users *users);

/* Whether an axis of an output can grow, as its input's can. Where chunks have to lie
 * one after another, in a dataset without filters, none can. */
bool cl_hdf5_axis_is_unlimited(const cl_output *o, int axis);

/* Whether an output that is made anew will have a scale at this path that is equal to
 * this dataset, attributes included. */
bool cl_hdf5_scales_include(const cl_output *o, hid_t dataset, const char *path);

/* Names the axes of an output when all datasets of the run are there: attaches scales,
 * which are made beside it unless equal ones exist. Counts the axes that get none in
 * o->lost_scales. CLAST_ENOMEM. */
clast_status cl_hdf5_scales_attach(hid_t file, cl_output *o, cl_error *err);

#endif
