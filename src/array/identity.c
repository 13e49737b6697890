/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a run is, for a later one that goes on with it: a line for each thing that the
 * bits of its results depend on.
 *
 *   input     file, dataset, size, inode, times of change; of memory a checksum
 *   function  of the caller, by name and version
 *   program   the number of the expressions (graph/identify.c)
 *   by        versions of Clast and of the BLAS
 *
 * The outputs add theirs (io/hdf5_resume.c). The budget, the workers and the order of
 * tasks are not in it: they change no bit.
 */
#include "array/request.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

static clast_status say_source(const cl_request *request, uint32_t index, cl_text *text,
                               cl_error *err)
{
    const cl_source_entry *e = &request->ctx->sources.entry[index];
    if (e->persisted)
        return cl_error_set(err, CLAST_ENOTSUP,
                            "to_hdf5: a run that reads a persisted array cannot be "
                            "resumed: no other run has its values");
    if (!e->callee) {
        CL_TRY(cl_source_describe(e->source, text, err));
        cl_text_say(text, "%s\n", e->is_raw ? ", raw" : "");
        return CLAST_OK;
    }
    const cl_user *user = request->source_facts[index].user;
    if (!user->pure)
        return cl_error_set(err, CLAST_ENOTSUP,
                            "to_hdf5: a run that calls '%s' cannot be resumed: the "
                            "function is not named and declared pure",
                            user->name);
    cl_text_say(text, "function ");
    cl_text_json_string(text, user->name, strlen(user->name));
    cl_text_say(text, ", version %u\n", user->version);
    return CLAST_OK;
}

static clast_status say_all(cl_request *request, uint32_t *used, cl_text *text,
                            cl_error *err)
{
    uint64_t program;
    uint32_t n;
    CL_TRY(cl_program_identify(request->ctx->nodes, request->nsource,
                               request->source_facts, request->nsink, request->facts,
                               request->ctx->options.block, &program, used, &n, err));
    for (uint32_t i = 0; i < n; i++)
        CL_TRY(say_source(request, used[i], text, err));
    cl_text_say(text, "program %016" PRIx64 "\nby Clast " CLAST_VERSION ", %.900s\n",
                program, cl_engine_numerics());
    cl_text_add(text, "", 1);
    if (text->has_failed)
        return cl_error_set(err, CLAST_ENOMEM,
                            "compute: no memory to describe the run");
    return CLAST_OK;
}

clast_status cl_request_identify(cl_request *request, cl_error *err)
{
    cl_text text = {0};
    uint32_t *used = cl_alloc_array((size_t)request->nsource + 1, sizeof *used);
    if (!used)
        return cl_error_set(err, CLAST_ENOMEM,
                            "compute: no memory to describe the run");
    const clast_status status = say_all(request, used, &text, err);
    cl_free(used);
    if (status != CLAST_OK) {
        cl_text_fini(&text);
        return status;
    }
    request->identity = text.data;
    for (size_t i = 0; i < request->nspec; i++)
        if (request->spec[i].identity)
            request->spec[i].identity = request->identity;
    return CLAST_OK;
}
