/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Maps: arrays whose blocks a function of the caller makes.
 *
 * Everything is checked here, so that a plan can only fail for lack of memory: the
 * space (given, or what the inputs broadcast to), the halo of each input, the fold's
 * axes and the shapes of partials and result.
 */
#include "array/user_call.h"

/* One call of clast_map. */
typedef struct {
    cl_make *m;
    cl_callee *c;
    cl_user *u;
    int nin;
    clast_array *const *in;
    const clast_map_options *options;
} map;

static bool fail(map *p, clast_status status, const char *text)
{
    cl_make_fail(p->m, status, "%s", text);
    return false;
}

/* ---- the space ------------------------------------------------------------------ */

static bool is_whole(const map *p, int i)
{
    return p->options->inputs && p->options->inputs[i].access == CLAST_ACCESS_WHOLE;
}

static bool broadcast_inputs(map *p, cl_shape *space)
{
    char x[512], y[512];
    *space = (cl_shape){.ndim = 0};
    for (int i = 0; i < p->nin; i++) {
        const cl_shape so_far = *space, *shape = &p->in[i]->node->shape;
        if (is_whole(p, i) || cl_shape_broadcast(&so_far, shape, space))
            continue;
        cl_make_fail(p->m, CLAST_ESHAPE,
                     "input %d of shape %s does not broadcast with shape %s", i + 1,
                     cl_shape_text(shape, x, sizeof x),
                     cl_shape_text(&so_far, y, sizeof y));
        return false;
    }
    return true;
}

/* Blocks of 16 bytes an element can be counted: a fold's result says nothing of
 * that. */
static bool is_countable(map *p, const cl_shape *space)
{
    char text[512];
    int64_t count;
    if (cl_shape_count(space, &count) && count <= INT64_MAX / 16)
        return true;
    cl_make_fail(p->m, CLAST_ESHAPE, "shape %s has more elements than can be counted",
                 cl_shape_text(space, text, sizeof text));
    return false;
}

static bool settle_space(map *p)
{
    char x[512], y[512];
    const clast_map_options *o = p->options;
    cl_shape inputs, both;
    if (!broadcast_inputs(p, &inputs))
        return false;
    p->u->space = inputs;
    if (!o->shape && (o->ndim == 0 || o->ndim == inputs.ndim))
        return is_countable(p, &inputs);
    if (!cl_make_shape(p->m, o->ndim, o->shape, &p->u->space))
        return false;
    if (cl_shape_broadcast(&inputs, &p->u->space, &both) &&
        cl_shape_equal(&both, &p->u->space))
        return is_countable(p, &both);
    cl_make_fail(p->m, CLAST_ESHAPE, "inputs of shape %s do not broadcast to shape %s",
                 cl_shape_text(&inputs, x, sizeof x),
                 cl_shape_text(&p->u->space, y, sizeof y));
    return false;
}

static bool settle_chunk(map *p)
{
    const int ndim = p->u->space.ndim;
    if (!p->options->chunk)
        return true;
    int64_t *chunk = cl_callee_array(p->m, p->c, (size_t)ndim, sizeof *chunk);
    if (!chunk)
        return false;
    for (int a = 0; a < ndim; a++) {
        chunk[a] = p->options->chunk[a];
        if (chunk[a] < 1 && chunk[a] != -1) {
            cl_make_fail(p->m, CLAST_EVALUE, "a chunk of %lld along axis %d",
                         (long long)chunk[a], a);
            return false;
        }
    }
    p->u->chunk = chunk;
    return true;
}

/* ---- inputs --------------------------------------------------------------------- */

static const int64_t *copy_depth(map *p, const int64_t *from, int ndim)
{
    if (!from)
        return NULL;
    int64_t *to = cl_callee_array(p->m, p->c, (size_t)ndim, sizeof *to);
    for (int a = 0; to && a < ndim; a++)
        to[a] = from[a];
    return to;
}

/* How often a halo goes round the array, along one axis. Twice that is a number,
 * too. */
static int64_t repeats(const cl_user_input *in, int axis, int64_t depth)
{
    const int64_t n = in->shape.dim[axis];
    if (!cl_pad_is_view(in->pad) || in->pad == CLAST_PAD_EDGE || n <= 1)
        return 0;
    const int64_t most = INT64_MAX / 2;
    const int64_t times = depth / (in->pad == CLAST_PAD_REFLECT ? n - 1 : n);
    return times < most ? times : most;
}

static bool check_depth(map *p, int i, const cl_user_input *in, int axis)
{
    const int64_t before = cl_user_before(in, axis), after = cl_user_after(in, axis);
    const int shift = p->u->space.ndim - in->shape.ndim;
    const int64_t n = in->shape.dim[axis];
    if (before < 0 || after < 0) {
        cl_make_fail(p->m, CLAST_EVALUE, "input %d has depth %lld along axis %d", i + 1,
                     (long long)(before < 0 ? before : after), axis);
    } else if ((before > 0 || after > 0) && n != p->u->space.dim[axis + shift]) {
        cl_make_fail(p->m, CLAST_EVALUE,
                     "input %d has a halo along axis %d, which is broadcast", i + 1,
                     axis);
    } else if (repeats(in, axis, before) + repeats(in, axis, after) > CL_MOST_REPEATS) {
        cl_make_fail(p->m, CLAST_ENOTSUP,
                     "a halo of %lld and %lld elements repeats the %lld of axis %d of "
                     "input %d more than %d times",
                     (long long)before, (long long)after, (long long)n, axis, i + 1,
                     CL_MOST_REPEATS);
    }
    return !cl_make_failed(p->m);
}

/* The array with its halo can be counted in bytes, so that no index overflows. */
static bool check_padded(map *p, int i, const cl_user_input *in)
{
    int64_t bytes = (int64_t)clast_dtype_size(in->dtype);
    bool fits = true;
    for (int a = 0; a < in->shape.ndim; a++) {
        int64_t n;
        fits = fits &&
               !__builtin_add_overflow(in->shape.dim[a], cl_user_before(in, a), &n) &&
               !__builtin_add_overflow(n, cl_user_after(in, a), &n) &&
               !__builtin_mul_overflow(bytes, n > 0 ? n : 1, &bytes);
    }
    if (!fits)
        cl_make_fail(p->m, CLAST_ESHAPE,
                     "input %d with its halo has more bytes than 64 bits count", i + 1);
    return fits;
}

static bool settle_input(map *p, int i, cl_user_input *in)
{
    static const clast_map_input plain = {.access = CLAST_ACCESS_BLOCK};
    const clast_map_input *said = p->options->inputs ? &p->options->inputs[i] : &plain;
    const int ndim = p->in[i]->node->shape.ndim;
    *in = (cl_user_input){.access = said->access,
                          .pad = said->pad,
                          .dtype = (clast_dtype)p->in[i]->node->dtype,
                          .shape = p->in[i]->node->shape};
    in->value =
        cl_scalar_cast((cl_scalar){.f64 = said->value}, CLAST_FLOAT64, in->dtype);
    if ((unsigned)said->access >= CLAST_NACCESS || (unsigned)said->pad >= CLAST_NPAD)
        return fail(p, CLAST_EVALUE, "no such access or pad mode");
    if (!cl_make_zeros(p->m, sizeof said->reserved / sizeof *said->reserved,
                       said->reserved))
        return false;
    if (said->access == CLAST_ACCESS_WHOLE) {
        if (said->depth || said->depth_after)
            return fail(p, CLAST_EVALUE, "a halo of an input that is read whole");
        return true;
    }
    in->before = copy_depth(p, said->depth, ndim);
    in->after = said->depth_after ? copy_depth(p, said->depth_after, ndim) : in->before;
    if (cl_make_failed(p->m))
        return false;
    for (int a = 0; a < ndim; a++)
        if (!check_depth(p, i, in, a))
            return false;
    return check_padded(p, i, in);
}

static bool settle_inputs(map *p)
{
    cl_user_input *input = cl_callee_array(p->m, p->c, (size_t)p->nin, sizeof *input);
    if (!input)
        return false;
    p->u->ninput = (uint32_t)p->nin;
    p->u->input = input;
    for (int i = 0; i < p->nin; i++)
        if (!settle_input(p, i, &input[i]))
            return false;
    return true;
}

/* ---- outputs -------------------------------------------------------------------- */

static bool settle_axes(map *p, const clast_fold *f)
{
    const int ndim = p->u->space.ndim;
    if (f->naxes < 0 || (f->naxes > 0 && !f->axes))
        return fail(p, CLAST_EVALUE, "naxes without axes");
    if (!f->axes)
        p->u->axes = ndim < 32 ? (1u << ndim) - 1 : UINT32_MAX;
    for (int i = 0; i < f->naxes; i++) {
        int axis;
        if (!cl_make_axis(p->m, f->axes[i], &p->u->space, &axis))
            return false;
        if (p->u->axes >> axis & 1u) {
            cl_make_fail(p->m, CLAST_EAXIS, "axis %d is given twice", axis);
            return false;
        }
        p->u->axes |= 1u << axis;
    }
    return true;
}

/* The kept axes, then these. */
static bool result_shape(map *p, const cl_shape *tail, cl_shape *shape)
{
    cl_shape kept = {.ndim = 0};
    for (int a = 0; a < p->u->space.ndim; a++)
        if (!(p->u->axes >> a & 1u))
            kept.dim[kept.ndim++] = p->u->space.dim[a];
    if (kept.ndim + tail->ndim > CLAST_MAXDIM) {
        cl_make_fail(p->m, CLAST_ESHAPE,
                     "%d kept axes and %d more are more than %d dimensions", kept.ndim,
                     tail->ndim, CLAST_MAXDIM);
        return false;
    }
    for (int a = 0; a < tail->ndim; a++)
        kept.dim[kept.ndim++] = tail->dim[a];
    *shape = kept;
    return true;
}

static bool check_fold(map *p, const clast_fold *f, const cl_user_output out[2])
{
    int64_t each;
    cl_shape ignored;
    if (!cl_shape_count(&out[1].shape, &each) || each == 0)
        return fail(p, CLAST_ESHAPE, "a partial without elements");
    if (!result_shape(p, &out[1].shape, &ignored))
        return false;
    if (!f->finish &&
        (out[0].dtype != out[1].dtype || !cl_shape_equal(&out[0].shape, &out[1].shape)))
        return fail(p, CLAST_EVALUE,
                    "without finish the partial is the result: dtype and shape of both "
                    "have to be the same");
    for (int a = 0; !f->finish && a < p->u->space.ndim; a++)
        if (p->u->axes >> a & 1u && p->u->space.dim[a] == 0)
            return fail(p, CLAST_ESHAPE,
                        "a reduced axis is empty, and there is no finish");
    return true;
}

static bool settle_fold(map *p, const clast_fold *f, cl_user_output out[2])
{
    const clast_output result = {p->options->dtype, f->ndim, f->shape};
    if (!f->combine)
        return fail(p, CLAST_EVALUE, "combine is NULL");
    if (!cl_make_zeros(p->m, sizeof f->reserved / sizeof *f->reserved, f->reserved) ||
        !settle_axes(p, f) || !cl_make_output(p->m, "the result", &result, &out[0]) ||
        !cl_make_output(p->m, "a partial", &f->partial, &out[1]))
        return false;
    p->u->is_fold = true;
    p->u->has_finish = f->finish != NULL;
    p->u->noutput = 2;
    p->c->kernel[CL_USER_COMBINE] = f->combine;
    p->c->kernel[CL_USER_FINISH] = f->finish;
    return check_fold(p, f, out);
}

static bool settle_outputs(map *p, cl_shape *shape)
{
    cl_user_output *out = cl_callee_array(p->m, p->c, 2, sizeof *out);
    if (!out || !cl_make_dtype(p->m, p->options->dtype))
        return false;
    p->u->output = out;
    p->u->noutput = 1;
    out[0].dtype = p->options->dtype;
    *shape = p->u->space;
    if (!p->options->fold)
        return true;
    return settle_fold(p, p->options->fold, out) &&
           result_shape(p, &out[0].shape, shape);
}

/* ---- the call ------------------------------------------------------------------- */

static cl_node_id map_node(map *p, clast_kernel *kernel, void *user)
{
    const clast_map_options *o = p->options;
    cl_shape shape = {.ndim = 0};
    if (!o)
        return cl_make_fail(p->m, CLAST_EVALUE, "the options are NULL");
    p->c = cl_callee_new(p->m->ctx, o->name ? o->name : "map", kernel, user);
    if (!p->c)
        return cl_make_fail(p->m, CLAST_ENOMEM, "the process is out of memory");
    p->u = &p->c->user;
    p->u->version = o->version;
    p->u->pure = o->pure && o->name;
    p->u->cost = o->cost;
    p->u->workspace = o->workspace;
    if (!(o->cost >= 0))
        fail(p, CLAST_EVALUE, "a negative cost");
    else if (cl_make_zeros(p->m, sizeof o->reserved / sizeof *o->reserved,
                           o->reserved) &&
             settle_space(p) && settle_chunk(p) && settle_inputs(p))
        settle_outputs(p, &shape);
    return cl_callee_node(p->m, p->c, (uint32_t)p->nin, p->in, o->dtype, &shape);
}

clast_array *clast_map(clast_ctx *ctx, int nin, clast_array *const *in,
                       clast_kernel *kernel, void *user,
                       const clast_map_options *options)
{
    cl_make m;
    map p = {.m = &m, .nin = nin, .in = in, .options = options};
    return cl_make_end(&m, cl_make_kernel(&m, "map", ctx, nin, in, kernel)
                               ? map_node(&p, kernel, user)
                               : CL_NO_NODE);
}
