/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A request: the sinks of one run, checked and settled, its plan, and everything that
 * has to stay while it runs.
 *
 * cl_request_prepare() under the context's lock, cl_request_run() without it,
 * cl_request_fini() under it again. Zeroed memory is an empty request.
 */
#ifndef CL_ARRAY_REQUEST_H
#define CL_ARRAY_REQUEST_H

#include "array/axes_out.h"
#include "array/handle.h"
#include "array/plan_cache.h"

typedef struct {
    clast_ctx *ctx;
    uint32_t nsink;
    size_t nspec;
    cl_output_spec *spec;  /* one for each HDF5 sink */
    cl_axes_out **axes;    /* likewise */
    cl_sink_facts *facts;  /* nsink */
    cl_run_sink *run_sink; /* nsink */
    uint32_t nheld;        /* facts[0 .. nheld).node are held */
    uint32_t nsource;
    cl_source_facts *source_facts;
    cl_run_source *source; /* a copy: the context's table may move during the run */
    cl_planned planned;
    cl_plan_key key; /* of the plan */
    uint64_t
        displaced;   /* bytes of persisted arrays that went to scratch for planning */
    uint64_t lacked; /* bytes that would have to be free for planning to get beyond
                        where cl_fit_plan() was refused; 0: it was not for memory */
    bool is_planned; /* completely: for other runs too */
    bool is_reused;  /* the plan is an earlier run's */
    char *scratch;   /* the folder, where it is not the context's */
    const char *scratch_folder;
    double plan_seconds;
    bool in_background;
    bool is_dry;         /* nothing will run */
    char *identity;      /* what run it is, where it may be resumed */
    cl_outputs *outputs; /* begun before the plan, where it may be resumed */
    clast_stats stats;
} cl_request;

/* persist: of the only sink, into it; NULL: as the sinks say. is_dry: it will not run.
 * Where it may be resumed and will run, its files are begun, with the lock let go. */
clast_status cl_request_prepare(cl_request *request, clast_ctx *ctx, int n,
                                const clast_sink *sinks, cl_persisted **persist,
                                bool is_dry, cl_error *err);
/* Fills n datasets of a copy, from number `first` on, with these nodes. */
clast_status cl_request_prepare_copy(cl_request *request, clast_ctx *ctx,
                                     struct cl_copy *copy, size_t first, size_t n,
                                     const cl_node_id *nodes, cl_error *err);
/* identity.c: the text that outputs which may be resumed get. */
clast_status cl_request_identify(cl_request *request, cl_error *err);
clast_status cl_request_predict(cl_request *request, cl_error *err);
clast_status cl_request_run(cl_request *request, cl_error *err);
void cl_request_fini(cl_request *request);

/* The specification of an HDF5 sink with every default settled. */
clast_status cl_sink_settle(clast_ctx *ctx, const clast_sink *sink,
                            cl_output_spec *spec, cl_error *err);
/* Checks of a fetch's buffer against its array. */
clast_status cl_sink_check_buffer(const clast_sink *sink, cl_error *err);
/* No buffer of these sinks, all checked, shares memory with another one or with what
 * the run reads. */
clast_status cl_sinks_check_overlap(const clast_ctx *ctx, int n,
                                    const clast_sink *sinks, cl_error *err);

#endif
