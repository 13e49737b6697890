/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Walking through a file, or a group of it: every link once, each object before what is
 * in it, each group entered once, so that cycles end. Called under the lock of
 * hdf5_lib.h.
 */
#ifndef CL_IO_HDF5_WALK_H
#define CL_IO_HDF5_WALK_H

#include <hdf5.h>
#include <stdbool.h>

#include "base/status.h"
#include "io/hdf5_objects.h"

/* One link and, where it is a hard one, its object. The start itself comes first, as
 * "." of itself, with the path "/". */
typedef struct {
    hid_t group;
    const char *name; /* in the group */
    const char *path; /* from the start: "/a/b" */
    int depth;        /* groups above */
    H5L_type_t link;
    size_t link_bytes; /* of the value of one that is not hard */
    H5O_type_t kind; /* of the object; UNKNOWN: it cannot be opened, or no hard link */
    uint64_t address;
    unsigned links; /* hard ones to the object */
    uint64_t nattribute;
    const char *first; /* the path of the same object, where it came before; or NULL */
} cl_walk_item;

typedef enum {
    CL_WALK_ON,
    CL_WALK_OVER, /* not into this group */
    CL_WALK_STOP
} cl_walk_step;
typedef cl_walk_step cl_hdf5_walk_fn(void *arg, const cl_walk_item *item);

typedef enum {
    CL_WALK_DONE,
    CL_WALK_STOPPED,
    CL_WALK_FAILED, /* libhdf5 did */
    CL_WALK_TOO_DEEP,
    CL_WALK_NO_MEMORY
} cl_walk_end;

enum { CL_WALK_MOST_DEPTH = 1000 };

/*
 * start: a file or group. by_creation: in the order of creation where a group keeps it,
 * else and otherwise by name. objects: gets every object that is found; NULL: only
 * those with several links are remembered, for `first`.
 */
cl_walk_end cl_hdf5_walk(hid_t start, bool by_creation, cl_hdf5_objects *objects,
                         cl_hdf5_walk_fn *fn, void *arg);

/* The error of a walk that did not come to its end, "FILE WHAT: why"; CLAST_OK where it
 * did, or fn stopped it. */
clast_status cl_walk_fail(cl_walk_end end, const char *file, const char *what,
                          cl_error *err);

/* Where a soft or an external link leads; file is "" for a soft one. false: no memory.
 * Zeroed memory is legal for fini. */
typedef struct {
    const char *file, *path;
    char *memory;
} cl_link_target;
bool cl_hdf5_link_target(const cl_walk_item *item, cl_link_target *target);
void cl_hdf5_link_target_fini(cl_link_target *target);

#endif
