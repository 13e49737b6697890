/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Preparing a program: each instruction becomes a step, one typed loop with operands in
 * registers of one strip.
 *
 * Registers are assigned by linear scan over the SSA form: a value takes a free
 * register where it is defined and gives it back after its last use. An instruction's
 * result never shares a register with its operands, so that loops may be `restrict`.
 * The last value goes straight to the output. Constants keep a register for the whole
 * run. Sums, differences and products of floats are paired with the next instruction
 * where they are made for it alone, so that a + b + c is one pass. Division of floats
 * by a constant power of two is a product with its inverse, which has the same bits.
 * O(instructions).
 *
 * A strip is 8 KiB of the widest type, so that a handful of registers stays in L1, but
 * at least 512 elements, so that the step from loop to loop costs little. Slow programs
 * take strips of 2 KiB, or 256 elements: before each step a share of a later strip is
 * asked for (map.c), no more than a core can have on its way from memory. Inputs that
 * are not read in place share one pool of 256 KiB, or of a strip each if that is more:
 * a transposed input is then read in runs of 256 bytes, and L2 holds it.
 */
#include "kernel/loop.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

#define STRIP_BYTES       8192
#define SHORT_STRIP_BYTES 2048
#define SHORT_STRIP       256
#define POOL_BYTES        (256 << 10)
#define NO_VALUE          UINT16_MAX

typedef struct {
    const cl_program *program;
    cl_loop *loop;
    uint16_t *slot;     /* of a value */
    uint32_t *last_use; /* of a value: number of an instruction */
    uint16_t *idle;     /* stack of free registers */
    uint32_t nidle;
    uint32_t pair; /* the last instruction that was joined to the one before it */
    uint16_t made; /* the operation that the last one of its own became */
    uint16_t nimm;
} builder;

/* What an instruction becomes: a loop's operation, and where its second operand is. */
typedef struct {
    uint16_t op, second;
} form;

/* ---- sizes ---- */

static int64_t widest_element(const cl_program *p)
{
    size_t widest = 1;
    for (uint32_t v = 0; v < (uint32_t)p->ninput + p->ninsn; v++) {
        const size_t size = clast_dtype_size(cl_program_dtype(p, (uint16_t)v));
        widest = size > widest ? size : widest;
    }
    for (uint32_t i = 0; i < p->ninsn; i++) {
        const size_t size = clast_dtype_size((clast_dtype)p->insn[i].type);
        widest = size > widest ? size : widest;
    }
    return (int64_t)widest;
}

static int64_t strip_elements(int64_t widest, bool is_slow)
{
    const int64_t least = is_slow ? SHORT_STRIP : 512;
    const int64_t n = (is_slow ? SHORT_STRIP_BYTES : STRIP_BYTES) / widest;
    return n < least ? least : n > 2 * least ? 2 * least : n;
}

static size_t pool_bytes(const cl_loop *l)
{
    size_t bytes = 0;
    for (size_t i = 0; i < l->ninput; i++)
        bytes += cl_round_up((size_t)l->strip * l->input_size[i]);
    if (l->nstep == 0 || l->ninput == 0)
        return 0;
    return bytes > POOL_BYTES ? bytes : POOL_BYTES;
}

/* Must take what cl_run_init gives out. */
static size_t workspace_bytes(const cl_loop *l)
{
    const size_t ninput = l->ninput;
    size_t bytes = cl_round_up((ninput + l->nregister) * sizeof(char *));
    bytes += cl_round_up((l->nregister + 1u) * sizeof(char *));
    bytes += cl_round_up(ninput * sizeof(cl_span *));
    bytes += 3 * cl_round_up(ninput * sizeof(char *));
    bytes += 2 * cl_round_up(ninput * sizeof(int64_t));
    bytes += cl_round_up(ninput * sizeof(uint8_t));
    bytes += cl_round_up(ninput * sizeof(int64_t[CL_MAXDIM]));
    bytes += cl_round_up(l->nmaker * sizeof(int64_t[CL_MAXDIM]));
    bytes += cl_round_up(l->nmaker * sizeof(int64_t));
    bytes += ((size_t)l->nregister + 1) * (size_t)l->register_bytes;
    return bytes + l->pool_bytes;
}

/* ---- registers ---- */

static void find_last_uses(builder *b)
{
    const cl_program *p = b->program;
    for (uint32_t i = 0; i < p->ninsn; i++)
        for (int k = 0; k < cl_ops[p->insn[i].op].arity; k++)
            b->last_use[p->insn[i].arg[k]] = i;
}

static uint16_t take_register(builder *b)
{
    return b->nidle ? b->idle[--b->nidle] : b->loop->nregister++;
}

static void give_register(builder *b, uint16_t reg)
{
    b->idle[b->nidle++] = reg;
}

static bool is_fixed(const builder *b, uint16_t value)
{
    const cl_program *p = b->program;
    return value >= p->ninput && p->insn[value - p->ninput].op == CL_OP_CONST;
}

/* Frees the registers of operands that instruction i uses last. */
static void release_operands(builder *b, uint32_t i)
{
    const cl_insn *in = &b->program->insn[i];
    const int arity = cl_ops[in->op].arity;
    for (int k = 0; k < arity; k++) {
        const uint16_t v = in->arg[k];
        const bool again = (k > 0 && v == in->arg[0]) || (k > 1 && v == in->arg[1]);
        if (!again && v >= b->program->ninput && b->last_use[v] == i && !is_fixed(b, v))
            give_register(b, (uint16_t)(b->slot[v] - b->loop->ninput));
    }
}

/* ---- steps ---- */

static cl_step *add_step(builder *b, uint16_t out)
{
    cl_step *s = &b->loop->step[b->loop->nstep++];
    *s = (cl_step){.out = out};
    return s;
}

/* out = fn(the register `from`) */
static void add_conversion(builder *b, cl_loop_fn *fn, uint16_t from, uint16_t out)
{
    cl_step *s = add_step(b, out);
    s->fn = fn;
    s->arg[0] = s->arg[1] = s->arg[2] = (uint16_t)(b->loop->ninput + from);
}

/* Real part of a constant in `type`; false where it is no real floating number. */
static bool real_constant(const cl_scalar *v, clast_dtype type, double *value)
{
    switch (type) {
    case CLAST_FLOAT32:
        *value = (double)v->f32;
        return true;
    case CLAST_FLOAT64:
        *value = v->f64;
        return true;
    case CLAST_COMPLEX64:
        *value = (double)v->c64[0];
        return v->c64[1] == 0;
    case CLAST_COMPLEX128:
        *value = v->c128[0];
        return v->c128[1] == 0;
    default:
        return false;
    }
}

static bool is_integer_two(const cl_scalar *v, clast_dtype type)
{
    static const cl_scalar two = {.i64 = 2};
    return cl_dtype_is_integer(type) &&
           memcmp(v, &two, clast_dtype_size(type)) == 0; /* little-endian */
}

/* Of a value that is_fixed. */
static const cl_scalar *fixed_value(const builder *b, uint16_t value)
{
    const cl_insn *constant = &b->program->insn[value - b->program->ninput];
    return &b->program->imm[constant->imm].value[0];
}

/* The operation that NumPy uses for powers with a scalar exponent; POW for most. */
static uint16_t power_operation(const builder *b, const cl_insn *in)
{
    const clast_dtype type = (clast_dtype)in->type;
    const uint16_t exponent = in->arg[1];
    if (!is_fixed(b, exponent))
        return CL_OP_POW;
    const cl_scalar *v = fixed_value(b, exponent);
    double e;
    if (is_integer_two(v, type))
        return CL_LOOP_SQUARE;
    if (!real_constant(v, type, &e))
        return CL_OP_POW;
    return e == 2      ? CL_LOOP_SQUARE
           : e == 0.5  ? CL_OP_SQRT
           : e == 1    ? CL_LOOP_COPY
           : e == -1.0 ? CL_LOOP_RECIPROCAL
                       : CL_OP_POW;
}

/* The inverse of a power of two; false where it is none, or one far from 1, whose
 * inverse may not be a normal number. */
static bool exact_inverse(const cl_scalar *v, clast_dtype type, cl_scalar *inverse)
{
    int exponent;
    double x;
    if (!cl_dtype_is_float(type) || !real_constant(v, type, &x) ||
        !(fabs(x) >= 0x1p-120 && fabs(x) <= 0x1p120) ||
        fabs(frexp(x, &exponent)) != 0.5)
        return false;
    *inverse = cl_scalar_cast((cl_scalar){.f64 = 1 / x}, CLAST_FLOAT64, type);
    return true;
}

static void add_fixed(builder *b, uint16_t imm, clast_dtype type, uint16_t out)
{
    cl_loop *l = b->loop;
    l->fixed[l->nfixed++] = (cl_fixed){out, imm, (uint8_t)clast_dtype_size(type)};
}

static form make_form(builder *b, const cl_insn *in)
{
    if (cl_ops[in->op].arity < 2)
        return (form){in->op, 0};
    const clast_dtype type = (clast_dtype)in->type;
    const uint16_t divisor = in->arg[1];
    form f = {in->op, b->slot[divisor]};
    if (in->op == CL_OP_POW)
        f.op = power_operation(b, in);
    if (in->op != CL_OP_DIV || !is_fixed(b, divisor))
        return f;
    cl_scalar inverse;
    if (!exact_inverse(fixed_value(b, divisor), type, &inverse))
        return f;
    const uint16_t imm = b->nimm++, out = b->loop->nregister++;
    b->loop->imm[imm].value[0] = inverse;
    add_fixed(b, imm, type, out);
    return (form){CL_OP_MUL, (uint16_t)(b->loop->ninput + out)};
}

static clast_status add_loop(builder *b, const cl_insn *in, form f, uint16_t out)
{
    const cl_loops *loops = b->loop->loops;
    const int arity = cl_ops[in->op].arity;
    cl_step *s = add_step(b, out);
    for (int k = 0; k < 3; k++)
        s->arg[k] = b->slot[in->arg[k < arity ? k : 0]];
    if (arity > 1)
        s->arg[1] = f.second;
    if (in->op == CL_OP_CAST) {
        s->fn = loops->cast[in->type][in->dtype];
        return CLAST_OK;
    }
    s->fn = loops->op[in->type][f.op];
    if (f.op == CL_OP_POW)
        s->refuses = loops->has_negative[in->type];
    return s->fn ? CLAST_OK : CLAST_EDTYPE;
}

/* Place of an operation among those that make pairs, or -1. */
static int pair_place(uint16_t op)
{
    return op == CL_OP_ADD ? 0 : op == CL_OP_SUB ? 1 : op == CL_OP_MUL ? 2 : -1;
}

/* (a op b) op' c where the step before made a op b for this instruction alone: both in
 * one pass over memory. The pair's result takes the register of a op b, which none of
 * the three operands has. */
static bool add_pair(builder *b, uint32_t i, form f)
{
    const cl_program *p = b->program;
    const cl_insn *in = &p->insn[i], *before = in - 1;
    if (i == 0 || b->pair == i - 1 || in->arg[0] != p->ninput + i - 1 ||
        in->arg[1] == in->arg[0] || b->last_use[in->arg[0]] != i ||
        in->type != before->type)
        return false;
    const int first = pair_place(b->made), second = pair_place(f.op);
    if (first < 0 || second < 0)
        return false;
    cl_step *s = &b->loop->step[b->loop->nstep - 1];
    cl_loop_fn *const fn =
        b->loop->loops->op[in->type][CL_LOOP_PAIR + 3 * first + second];
    if (!fn)
        return false;
    const uint16_t c = in->arg[1];
    s->fn = fn;
    s->arg[2] = f.second;
    s->out = i + 1u == p->ninsn ? NO_VALUE : s->out;
    b->slot[in->arg[0] + 1] = b->slot[in->arg[0]];
    b->pair = i;
    if (c >= p->ninput && b->last_use[c] == i && !is_fixed(b, c))
        give_register(b, (uint16_t)(b->slot[c] - p->ninput));
    return true;
}

/* ARANGE computes in `type` and is cast afterwards. */
static clast_status add_maker(builder *b, const cl_insn *in, uint16_t out)
{
    const cl_loops *loops = b->loop->loops;
    const bool is_cast = in->op == CL_OP_ARANGE && in->type != in->dtype;
    const uint16_t made = is_cast ? take_register(b) : out;
    cl_step *s = add_step(b, made);
    s->make =
        in->op == CL_OP_ARANGE ? loops->arange[in->type] : loops->random[in->dtype];
    s->imm = in->imm;
    s->maker = b->loop->nmaker++;
    if (!s->make)
        return CLAST_EDTYPE;
    s->size = (uint8_t)clast_dtype_size((clast_dtype)(is_cast ? in->type : in->dtype));
    if (is_cast) {
        add_conversion(b, loops->cast[in->type][in->dtype], made, out);
        give_register(b, made);
    }
    return CLAST_OK;
}

/* Squares, copies and reciprocals, which stand for powers and quotients, are cheap. */
static int64_t cost_of(const cl_insn *in, form f)
{
    return f.op == in->op || f.op < CL_NELEMENTWISE ? cl_ops[f.op].cost : 1;
}

static clast_status add_instruction(builder *b, uint32_t i)
{
    const cl_program *p = b->program;
    const cl_insn *in = &p->insn[i];
    const bool is_last = i + 1u == p->ninsn;
    const bool is_constant = in->op == CL_OP_CONST;
    const uint16_t value = (uint16_t)(p->ninput + i);
    const form f = make_form(b, in);
    b->loop->cost += cost_of(in, f);
    if (add_pair(b, i, f))
        return CLAST_OK;
    b->made = f.op;
    const uint16_t out = is_constant ? b->loop->nregister++ /* never shared */
                         : is_last   ? NO_VALUE
                                     : take_register(b);
    b->slot[value] = (uint16_t)(p->ninput + out);
    if (in->op == CL_OP_ARANGE || in->op == CL_OP_RANDOM)
        CL_TRY(add_maker(b, in, out));
    else if (is_constant)
        add_fixed(b, in->imm, (clast_dtype)in->dtype, out);
    else
        CL_TRY(add_loop(b, in, f, out));
    if (is_last && is_constant)
        add_conversion(b, b->loop->loops->op[in->dtype][CL_LOOP_COPY], out, NO_VALUE);
    release_operands(b, i);
    return CLAST_OK;
}

/* The number of the result's register is known when all others are. */
static void number_result(cl_loop *l)
{
    for (uint32_t i = 0; i < l->nstep; i++)
        if (l->step[i].out == NO_VALUE)
            l->step[i].out = l->nregister;
}

static clast_status build(builder *b)
{
    const cl_program *p = b->program;
    for (uint32_t i = 0; i < p->ninput; i++)
        b->slot[i] = (uint16_t)i;
    find_last_uses(b);
    for (uint32_t i = 0; i < p->ninsn; i++)
        CL_TRY(add_instruction(b, i));
    number_result(b->loop);
    return CLAST_OK;
}

/* ---- memory ---- */

static cl_loop *allocate_loop(const cl_program *p)
{
    cl_loop *l = cl_calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->input_size = cl_calloc(p->ninput + 1u, sizeof *l->input_size);
    l->step = cl_calloc(2u * p->ninsn + 1u, sizeof *l->step);
    l->fixed = cl_calloc(2u * p->ninsn + 1u, sizeof *l->fixed); /* with inverses */
    l->imm = cl_calloc((size_t)p->nimm + p->ninsn + 1u, sizeof *l->imm);
    if (l->input_size && l->step && l->fixed && l->imm)
        return l;
    cl_loop_free(l);
    return NULL;
}

void cl_loop_free(cl_loop *l)
{
    if (!l)
        return;
    cl_free(l->input_size);
    cl_free(l->step);
    cl_free(l->fixed);
    cl_free(l->imm);
    cl_free(l);
}

static void describe(cl_loop *l, const cl_program *p)
{
    l->loops = cl_loops_now();
    l->ndim = p->ndim;
    l->ninput = p->ninput;
    l->dtype = cl_program_dtype(p, (uint16_t)(p->ninput + p->ninsn - 1));
    l->size = (uint8_t)clast_dtype_size(l->dtype);
    l->cost = 1 + p->ninput;
    for (uint32_t i = 0; i < p->ninput; i++)
        l->input_size[i] = (uint8_t)clast_dtype_size((clast_dtype)p->input_dtype[i]);
    if (p->nimm)
        memcpy(l->imm, p->imm, p->nimm * sizeof *p->imm);
}

clast_status cl_loop_new(cl_loop **loop, const cl_program *program)
{
    const uint32_t nvalue = (uint32_t)program->ninput + program->ninsn;
    if (nvalue == 0 || nvalue >= NO_VALUE / 2)
        return CLAST_EINTERNAL;
    clast_status status = CLAST_ENOMEM;
    builder b = {.program = program,
                 .loop = allocate_loop(program),
                 .pair = UINT32_MAX,
                 .nimm = program->nimm};
    b.slot = cl_calloc(nvalue, sizeof *b.slot);
    b.last_use = cl_calloc(nvalue, sizeof *b.last_use);
    b.idle = cl_calloc(2 * (size_t)nvalue, sizeof *b.idle);
    if (b.loop && b.slot && b.last_use && b.idle) {
        describe(b.loop, program);
        status = build(&b);
    }
    if (status == CLAST_OK) {
        const int64_t widest = widest_element(program);
        b.loop->strip = strip_elements(widest, cl_loop_is_slow(b.loop));
        b.loop->register_bytes = b.loop->strip * widest;
        b.loop->pool_bytes = pool_bytes(b.loop);
        b.loop->workspace = workspace_bytes(b.loop);
        *loop = b.loop;
        b.loop = NULL;
    }
    cl_loop_free(b.loop);
    cl_free(b.slot);
    cl_free(b.last_use);
    cl_free(b.idle);
    return status;
}

size_t cl_loop_workspace(const cl_loop *loop)
{
    return loop->workspace;
}
