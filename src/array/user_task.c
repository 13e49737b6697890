/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tasks: one call of a function of the caller on whole arrays.
 *
 * A USER node without axes, and a PART node for each output, which is an array like any
 * other: one block in memory.
 */
#include "array/user_call.h"

static void describe(cl_make *m, cl_callee *c, int nin, clast_array *const *in,
                     int nout, const clast_output *outputs,
                     const clast_task_options *options)
{
    cl_user *u = &c->user;
    cl_user_input *input = cl_callee_array(m, c, (size_t)nin, sizeof *input);
    cl_user_output *output = cl_callee_array(m, c, (size_t)nout, sizeof *output);
    if (!input || !output)
        return;
    u->version = options->version;
    u->pure = options->pure && options->name;
    u->is_task = true;
    u->workspace = options->workspace;
    u->ninput = (uint32_t)nin;
    u->noutput = (uint32_t)nout;
    u->input = input;
    u->output = output;
    for (int i = 0; i < nin; i++)
        input[i] = (cl_user_input){.access = CLAST_ACCESS_WHOLE,
                                   .dtype = (clast_dtype)in[i]->node->dtype,
                                   .shape = in[i]->node->shape};
    for (int i = 0; i < nout; i++)
        if (!cl_make_output(m, "an output", &outputs[i], &output[i]))
            return;
}

static cl_node_id part_of(cl_make *m, cl_node_id task, int which,
                          const cl_user_output *output)
{
    if (cl_make_failed(m))
        return CL_NO_NODE;
    cl_node node = cl_node_of(CL_OP_PART, output->dtype, &output->shape);
    node.nin = 1;
    node.in = &task;
    node.params.part = (uint8_t)which;
    return cl_make_add(m, &node);
}

/* The task; *output: what it makes. */
static cl_node_id task_node(cl_make *m, int nin, clast_array *const *in, int nout,
                            const clast_output *outputs, clast_kernel *kernel,
                            void *user, const clast_task_options *options,
                            const cl_user_output **output)
{
    static const cl_shape none = {.ndim = 0};
    static const size_t reserved = sizeof options->reserved / sizeof *options->reserved;
    if (!cl_make_zeros(m, reserved, options->reserved))
        return CL_NO_NODE;
    cl_callee *c =
        cl_callee_new(m->ctx, options->name ? options->name : "task", kernel, user);
    if (!c)
        return cl_make_fail(m, CLAST_ENOMEM, "the process is out of memory");
    describe(m, c, nin, in, nout, outputs, options);
    *output = c->user.output;
    return cl_callee_node(m, c, (uint32_t)nin, in, CLAST_UINT8, &none);
}

clast_status clast_task(clast_ctx *ctx, int nin, clast_array *const *in, int nout,
                        const clast_output *outputs, clast_array **results,
                        clast_kernel *kernel, void *user,
                        const clast_task_options *options)
{
    static const clast_task_options defaults = {.version = 0};
    const cl_user_output *output = NULL;
    cl_make m;
    cl_node_id task = CL_NO_NODE;
    if (cl_make_kernel(&m, "task", ctx, nin, in, kernel)) {
        if (nout < 1 || nout > CL_MOST_OUTPUTS)
            cl_make_fail(&m, CLAST_EVALUE, "%d outputs, there can be 1 to %d", nout,
                         CL_MOST_OUTPUTS);
        else if (!outputs || !results)
            cl_make_fail(&m, CLAST_EVALUE, "NULL in place of the %s",
                         outputs ? "results" : "outputs");
        else
            task = task_node(&m, nin, in, nout, outputs, kernel, user,
                             options ? options : &defaults, &output);
    }
    /* All parts before the first handle: all are poisoned, or none. */
    cl_node_id part[CL_MOST_OUTPUTS];
    const int count = nout < CL_MOST_OUTPUTS ? nout : CL_MOST_OUTPUTS;
    for (int i = 0; i < count; i++)
        part[i] = output ? part_of(&m, task, i, &output[i]) : CL_NO_NODE;
    clast_array *wrong = NULL;
    for (int i = 0; i < count || i == 0; i++) {
        clast_array *a = cl_make_handle(&m, count > 0 ? part[i] : CL_NO_NODE);
        if (a->status != CLAST_OK && !wrong)
            wrong = a;
        if (results && i < nout)
            results[i] = a;
    }
    const clast_status status = wrong ? wrong->status : CLAST_OK;
    cl_make_close(&m);
    for (int i = count; results && i < nout; i++)
        results[i] = wrong;
    return status;
}
