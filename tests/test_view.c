/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Index maps and views against direct evaluation.
 *
 * Random trees of maps, concatenations and reshapes over random small tensors (rank 0
 * to 4, zero-length and 1-length axes, uneven grids, strided memory) are asked for
 * random boxes. Every element of every piece must have the address that following its
 * index down the tree gives, and every element of the box must be in exactly one piece.
 */
#include "base/view.h"

#include <stdlib.h>
#include <string.h>

#include "check_main.h"

#define CASES_A_SEED 1500
#define MAX_NODES    24
#define MAX_TENSORS  4
#define MAX_ELEMENTS 4000
#define MAX_RANK     5

/* ---- random numbers: xorshift64*, so that a seed names a case everywhere ---- */

static uint64_t state;

static int64_t below(int64_t n)
{
    state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
    return (int64_t)((state * 0x2545F4914F6CDD1Du) >> 33) % n;
}

static int64_t between(int64_t lo, int64_t hi)
{
    return lo + below(hi - lo + 1);
}

/* ---- a forest of views ---- */

typedef struct {
    cl_view view[MAX_NODES];
    uint32_t children[MAX_NODES][4];
    int64_t starts[MAX_NODES][5];
    uint32_t nview;
    cl_tensor tensor[MAX_TENSORS];
    int64_t cuts[MAX_TENSORS][MAX_RANK][16];
    uint32_t ntensor;
} forest;

static int64_t count_of(const cl_shape *s)
{
    int64_t n = -1;
    return cl_shape_count(s, &n) ? n : -1;
}

static bool is_small(const cl_shape *s)
{
    const int64_t n = count_of(s);
    return n >= 0 && n <= MAX_ELEMENTS && s->ndim <= MAX_RANK;
}

static cl_view *new_view(forest *f, cl_view_kind kind, const cl_shape *shape)
{
    cl_view *v = &f->view[f->nview++];
    memset(v, 0, sizeof *v);
    v->kind = kind;
    v->shape = *shape;
    return v;
}

static cl_shape random_shape(void)
{
    static const int64_t extents[] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 6, 8, 12};
    cl_shape s = {.ndim = (int)between(0, 4)};
    for (int a = 0; a < s.ndim; a++) {
        s.dim[a] = extents[below(sizeof extents / sizeof *extents)];
        if (s.dim[a] == 0 && below(3) != 0)
            s.dim[a] = 7;
    }
    return s;
}

static cl_axis random_axis(int64_t n, int64_t *cuts)
{
    if (n == 0 || below(2) == 0)
        return cl_axis_regular(n, between(1, n > 0 ? n : 1));
    int64_t count = 0;
    for (cuts[0] = 0; cuts[count] < n; count++)
        cuts[count + 1] = cuts[count] + between(1, n - cuts[count]);
    return (cl_axis){.n = n, .count = count, .cuts = cuts};
}

static void add_tensor(forest *f)
{
    cl_shape s = random_shape();
    while (!is_small(&s))
        s = random_shape();
    cl_tensor *t = &f->tensor[f->ntensor];
    memset(t, 0, sizeof *t);
    t->dtype = (clast_dtype)below(CLAST_NDTYPE);
    t->strided = below(4) == 0;
    t->grid = cl_grid_single(&s);
    for (int a = 0; a < s.ndim; a++) {
        t->stride[a] = between(-50, 50);
        if (!t->strided)
            t->grid.axis[a] = random_axis(s.dim[a], f->cuts[f->ntensor][a]);
    }
    new_view(f, CL_VIEW_TENSOR, &s)->tensor = f->ntensor++;
}

static uint32_t any_node(const forest *f)
{
    return (uint32_t)(below(3) ? f->nview - 1 : below(f->nview));
}

/* Drives an input axis by a new output axis: a slice of random start, step and length.
 */
static void drive(cl_map *m, cl_shape *out, int in_axis, int64_t extent, int out_axis)
{
    int64_t start = below(extent), step = between(1, 3);
    if (below(2))
        step = -step;
    const int64_t room = step > 0 ? (extent - 1 - start) / step : start / -step;
    m->src[in_axis] = (int8_t)out_axis;
    m->off[in_axis] = start;
    m->step[in_axis] = step;
    out->dim[out_axis] = between(room > 0 && below(4) ? room : 0, room + 1);
    if (below(3) == 0) { /* the whole axis, one way or the other */
        m->step[in_axis] = step > 0 ? 1 : -1;
        m->off[in_axis] = step > 0 ? 0 : extent - 1;
        out->dim[out_axis] = extent;
    }
}

/* A random map onto an input of shape `in`; every src is used at most once. */
static cl_map random_map(const cl_shape *in, cl_shape *out)
{
    cl_map m;
    int used[CL_MAXDIM] = {0};
    memset(&m, 0, sizeof m);
    memset(out, 0, sizeof *out);
    m.nin = in->ndim;
    m.nout = out->ndim = (int)between(0, 4);
    for (int s = 0; s < out->ndim; s++)
        out->dim[s] = between(0, 9) ? between(1, 3) : 0; /* broadcast or newaxis */
    for (int a = 0; a < in->ndim; a++) {
        const int s = out->ndim ? (int)below(out->ndim) : -1;
        m.src[a] = -1;
        if (in->dim[a] > 0 && s >= 0 && !used[s] && below(8)) {
            used[s] = 1;
            drive(&m, out, a, in->dim[a], s);
        } else if (in->dim[a] > 0) {
            m.off[a] = below(in->dim[a]);
        } else if (s >= 0 && !used[s]) { /* an empty axis can only stay empty */
            used[s] = 1;
            m.src[a] = (int8_t)s;
            m.step[a] = 1;
            out->dim[s] = 0;
        } else {
            m.nout = -1; /* nowhere to put it */
        }
    }
    return m;
}

static void add_map(forest *f)
{
    const uint32_t child = any_node(f);
    cl_shape out;
    const cl_map m = random_map(&f->view[child].shape, &out);
    if (m.nout < 0 || !is_small(&out))
        return;
    cl_view *v = new_view(f, CL_VIEW_MAP, &out);
    v->map = m;
    v->child = child;
}

/* Slices node `child` along one axis to [lo, lo + n). */
static uint32_t slice(forest *f, uint32_t child, int axis, int64_t lo, int64_t n)
{
    cl_shape s = f->view[child].shape;
    s.dim[axis] = n;
    cl_view *v = new_view(f, CL_VIEW_MAP, &s);
    v->map = cl_map_identity(s.ndim);
    v->map.off[axis] = lo;
    v->child = child;
    return f->nview - 1;
}

/* A concatenation of slices of one node (so that the other axes fit) in any order. */
static void add_concat(forest *f)
{
    const uint32_t base = any_node(f);
    cl_shape s = f->view[base].shape;
    const uint32_t n = (uint32_t)between(1, 4);
    if (s.ndim == 0 || f->nview + n + 1 > MAX_NODES)
        return;
    const int axis = (int)below(s.ndim);
    const int64_t extent = s.dim[axis];
    uint32_t children[4];
    int64_t starts[5] = {0};
    for (uint32_t i = 0; i < n; i++) {
        const int64_t lo = extent ? below(extent) : 0;
        const int64_t part = between(0, extent - lo);
        children[i] = slice(f, base, axis, lo, part);
        starts[i + 1] = starts[i] + part;
    }
    s.dim[axis] = starts[n];
    if (!is_small(&s))
        return;
    const uint32_t self = f->nview;
    memcpy(f->children[self], children, sizeof children);
    memcpy(f->starts[self], starts, sizeof starts);
    cl_view *v = new_view(f, CL_VIEW_CONCAT, &s);
    v->axis = axis;
    v->nchild = n;
    v->children = f->children[self];
    v->starts = f->starts[self];
}

static int64_t random_divisor(int64_t n)
{
    int64_t d = between(1, n < 12 ? n : 12);
    while (n % d)
        d--;
    return d;
}

static cl_shape random_reshape(int64_t count)
{
    cl_shape s = {.ndim = (int)between(1, MAX_RANK)};
    if (count == 0) {
        for (int a = 0; a < s.ndim; a++)
            s.dim[a] = between(0, 5);
        s.dim[below(s.ndim)] = 0;
        return s;
    }
    const int rest = (int)below(s.ndim); /* this axis takes what is left */
    for (int a = 0; a < s.ndim; a++) {
        s.dim[a] = a == rest ? 1 : random_divisor(count);
        count /= s.dim[a];
    }
    s.dim[rest] = count;
    if (count == 1 && below(4) == 0 && s.ndim == 1)
        s.ndim = 0;
    return s;
}

static void add_reshape(forest *f)
{
    const uint32_t child = any_node(f);
    const cl_shape s = random_reshape(count_of(&f->view[child].shape));
    new_view(f, CL_VIEW_RESHAPE, &s)->child = child;
}

static void grow_forest(forest *f)
{
    memset(f, 0, sizeof *f);
    add_tensor(f);
    for (int64_t steps = below(6); steps > 0 && f->nview + 1 < MAX_NODES; steps--) {
        const int64_t kind = below(10);
        if (kind == 0 && f->ntensor < MAX_TENSORS)
            add_tensor(f);
        else if (kind < 4)
            add_map(f);
        else if (kind < 6)
            add_concat(f);
        else
            add_reshape(f);
    }
}

/* ---- direct evaluation ---- */

typedef struct {
    uint32_t tensor;
    int64_t tile, offset;
} address;

static void unravel(const cl_shape *s, int64_t flat, int64_t *index)
{
    for (int a = s->ndim - 1; a >= 0; a--) {
        index[a] = flat % s->dim[a];
        flat /= s->dim[a];
    }
}

static int64_t ravel(const cl_shape *s, const int64_t *index)
{
    int64_t flat = 0;
    for (int a = 0; a < s->ndim; a++)
        flat = flat * s->dim[a] + index[a];
    return flat;
}

static address tensor_address(const forest *f, uint32_t tensor, const int64_t *index)
{
    const cl_tensor *t = &f->tensor[tensor];
    int64_t coords[CL_MAXDIM], inside[CL_MAXDIM], strided = 0;
    for (int a = 0; a < t->grid.ndim; a++) {
        coords[a] = 0;
        while (cl_axis_hi(&t->grid.axis[a], coords[a]) <= index[a])
            coords[a]++;
        inside[a] = index[a] - cl_axis_lo(&t->grid.axis[a], coords[a]);
        strided += index[a] * t->stride[a];
    }
    const int64_t tile = cl_grid_tile(&t->grid, coords);
    const cl_box box = cl_grid_box(&t->grid, tile);
    const cl_shape extent = cl_shape_of(box.ndim, box.n);
    const int64_t size = (int64_t)clast_dtype_size(t->dtype);
    return (address){tensor, tile,
                     t->strided ? strided : ravel(&extent, inside) * size};
}

static address follow(const forest *f, uint32_t node, const int64_t *index)
{
    const cl_view *v = &f->view[node];
    int64_t in[CL_MAXDIM] = {0};
    uint32_t i = 0;
    switch (v->kind) {
    case CL_VIEW_MAP:
        cl_map_apply(&v->map, index, in);
        return follow(f, v->child, in);
    case CL_VIEW_RESHAPE:
        unravel(&f->view[v->child].shape, ravel(&v->shape, index), in);
        return follow(f, v->child, in);
    case CL_VIEW_CONCAT:
        while (v->starts[i + 1] <= index[v->axis])
            i++;
        memcpy(in, index, (size_t)v->shape.ndim * sizeof *in);
        in[v->axis] -= v->starts[i];
        return follow(f, v->children[i], in);
    case CL_VIEW_TENSOR:
        break;
    }
    return tensor_address(f, v->tensor, index);
}

/* ---- the comparison ---- */

typedef struct {
    const forest *forest;
    uint32_t root;
    cl_box box;
    int pieces;
    unsigned char seen[MAX_ELEMENTS];
} audit;

static clast_status check_piece(void *arg, const cl_piece *p)
{
    audit *au = arg;
    const cl_shape extent = cl_shape_of(p->out.ndim, p->out.n);
    const cl_shape box = cl_shape_of(au->box.ndim, au->box.n);
    const int64_t n = count_of(&extent);
    ck_assert_int_gt(n, 0);
    au->pieces++;
    for (int64_t e = 0; e < n; e++) {
        int64_t index[CL_MAXDIM] = {0}, inside[CL_MAXDIM] = {0}, offset = p->offset;
        unravel(&extent, e, index);
        for (int s = 0; s < extent.ndim; s++) {
            offset += index[s] * p->stride[s];
            index[s] += p->out.lo[s];
            inside[s] = index[s] - au->box.lo[s];
            ck_assert(inside[s] >= 0 && inside[s] < au->box.n[s]);
        }
        const address want = follow(au->forest, au->root, index);
        ck_assert_uint_eq(p->tensor, want.tensor);
        ck_assert_int_eq(p->tile, want.tile);
        ck_assert_int_eq(offset, want.offset);
        ck_assert_int_eq(au->seen[ravel(&box, inside)]++, 0);
    }
    return CLAST_OK;
}

static cl_box random_box(const cl_shape *s)
{
    cl_box b = cl_box_whole(s);
    if (below(3) == 0)
        return b;
    for (int a = 0; a < s->ndim; a++) {
        b.lo[a] = below(s->dim[a] + 1);
        b.n[a] = between(s->dim[a] > b.lo[a], s->dim[a] - b.lo[a]);
    }
    return b;
}

static int check_pieces(const forest *f, uint32_t root, const cl_box *box)
{
    static audit au;
    memset(&au, 0, sizeof au);
    au.forest = f;
    au.root = root;
    au.box = *box;
    ck_assert_int_eq(cl_view_pieces(f->view, f->tensor, root, box, check_piece, &au),
                     CLAST_OK);
    for (int64_t e = 0; e < cl_box_count(box); e++)
        ck_assert_int_eq(au.seen[e], 1);
    return au.pieces;
}

START_TEST(test_random_trees)
{
    static forest f;
    state = 0x9E3779B97F4A7C15u * (uint64_t)(_i + 1);
    for (int i = 0; i < CASES_A_SEED; i++) {
        grow_forest(&f);
        const cl_box box = random_box(&f.view[f.nview - 1].shape);
        check_pieces(&f, f.nview - 1, &box);
    }
}
END_TEST

/* ---- how many pieces: cost matters as much as correctness ---- */

typedef struct {
    cl_shape in, out;
    int64_t tile[4]; /* of the input */
    int pieces;
} reshape_case;

static const reshape_case reshapes[] = {
    {{2, {30, 20}}, {1, {600}}, {30, 20}, 30}, /* a row of the input each */
    {{1, {600}}, {2, {30, 20}}, {600}, 1},     /* affine: one input axis */
    {{1, {600}}, {2, {30, 20}}, {200}, 3},     /* tiles hold whole rows */
    {{1, {600}}, {2, {30, 20}}, {50}, 24},     /* 2 rows, half, half, 2 rows; 6 times */
    {{2, {4, 150}}, {2, {30, 20}}, {4, 150}, 8},  /* 7 rows, half, half, 7; twice */
    {{3, {5, 4, 6}}, {2, {5, 24}}, {5, 4, 6}, 4}, /* groups apart: 5 stays an axis */
    {{3, {5, 4, 6}}, {2, {20, 6}}, {5, 4, 6}, 5},
    {{3, {5, 1, 6}}, {4, {1, 5, 6, 1}}, {5, 1, 6}, 1}, /* only 1-long axes move */
    {{3, {5, 1, 6}}, {4, {1, 5, 6, 1}}, {2, 1, 3}, 6},
    {{2, {4, 100}}, {3, {4, 10, 10}}, {4, 100}, 1},
    {{0, {0}}, {2, {1, 1}}, {0}, 1},
    {{2, {3, 0}}, {1, {0}}, {1, 1}, 0},
};

START_TEST(test_reshape_pieces)
{
    const reshape_case *c = &reshapes[_i];
    static forest f;
    memset(&f, 0, sizeof f);
    f.tensor[0].dtype = CLAST_FLOAT64;
    f.tensor[0].grid.ndim = c->in.ndim;
    for (int a = 0; a < c->in.ndim; a++)
        f.tensor[0].grid.axis[a] = cl_axis_regular(c->in.dim[a], c->tile[a]);
    new_view(&f, CL_VIEW_TENSOR, &c->in);
    new_view(&f, CL_VIEW_RESHAPE, &c->out)->child = 0;
    const cl_box box = cl_box_whole(&c->out);
    ck_assert_int_eq(check_pieces(&f, 1, &box), c->pieces);
}
END_TEST

static clast_status refuse_second(void *arg, const cl_piece *piece)
{
    int *calls = arg;
    return ++*calls == 2 ? CLAST_ECANCELED : CLAST_OK;
}

START_TEST(test_stops_at_first_status)
{
    static forest f;
    memset(&f, 0, sizeof f);
    const cl_shape s = {1, {10}};
    f.tensor[0].grid.ndim = 1;
    f.tensor[0].grid.axis[0] = cl_axis_regular(10, 2);
    new_view(&f, CL_VIEW_TENSOR, &s);
    const cl_box box = cl_box_whole(&s);
    int calls = 0;
    ck_assert_int_eq(cl_view_pieces(f.view, f.tensor, 0, &box, refuse_second, &calls),
                     CLAST_ECANCELED);
    ck_assert_int_eq(calls, 2);
}
END_TEST

/* ---- the laws of maps ---- */

START_TEST(test_map_laws)
{
    state = 0xD1B54A32D192ED03u * (uint64_t)(_i + 1);
    for (int i = 0; i < CASES_A_SEED; i++) {
        const cl_shape s0 = random_shape();
        cl_shape s1, s2, s3;
        const cl_map a = random_map(&s0, &s1);
        if (a.nout < 0)
            continue;
        const cl_map b = random_map(&s1, &s2);
        if (b.nout < 0)
            continue;
        const cl_map c = random_map(&s2, &s3);
        if (c.nout < 0)
            continue;
        const cl_map ba = cl_map_compose(&b, &a), cb = cl_map_compose(&c, &b);
        const cl_map left = cl_map_compose(&c, &ba), right = cl_map_compose(&cb, &a);
        ck_assert_mem_eq(&left, &right, sizeof left); /* associative, in normal form */
        const cl_map e0 = cl_map_identity(s0.ndim), e1 = cl_map_identity(s1.ndim);
        const cl_map ea = cl_map_compose(&e1, &a), ae = cl_map_compose(&a, &e0);
        ck_assert_mem_eq(&ea, &a, sizeof a);
        ck_assert_mem_eq(&ae, &a, sizeof a);
        ck_assert(cl_map_is_identity(&e0));
        for (int64_t k = 0, n = count_of(&s3); k < n && k < 50; k++) {
            int64_t x[CL_MAXDIM], y[CL_MAXDIM], z[CL_MAXDIM], d[CL_MAXDIM];
            unravel(&s3, below(n), x);
            cl_map_apply(&c, x, y);
            cl_map_apply(&ba, y, z);
            cl_map_apply(&left, x, d);
            ck_assert_mem_eq(z, d, (size_t)s0.ndim * sizeof *z);
        }
    }
}
END_TEST

/* Image and injectivity by enumeration. */
static void check_image(const cl_map *m, const cl_shape *in, const cl_shape *out)
{
    static int hits[MAX_ELEMENTS];
    const cl_box whole = cl_box_whole(out), image = cl_map_box(m, &whole);
    const int64_t n = count_of(out);
    int64_t lo[CL_MAXDIM], hi[CL_MAXDIM];
    bool is_injective = true;
    memset(hits, 0, sizeof hits);
    for (int64_t e = 0; e < n; e++) {
        int64_t x[CL_MAXDIM], y[CL_MAXDIM];
        unravel(out, e, x);
        cl_map_apply(m, x, y);
        for (int a = 0; a < in->ndim; a++) {
            lo[a] = e == 0 || y[a] < lo[a] ? y[a] : lo[a];
            hi[a] = e == 0 || y[a] > hi[a] ? y[a] : hi[a];
        }
        is_injective = hits[ravel(in, y)]++ == 0 && is_injective;
    }
    ck_assert(cl_map_is_injective(m, out) == is_injective);
    ck_assert_int_eq(image.ndim, in->ndim);
    if (n == 0)
        ck_assert_int_eq(cl_box_count(&image), in->ndim == 0);
    for (int a = 0; n > 0 && a < in->ndim; a++) {
        ck_assert_int_eq(image.lo[a], lo[a]);
        ck_assert_int_eq(image.n[a], hi[a] - lo[a] + 1);
    }
}

START_TEST(test_map_image)
{
    state = 0xA0761D6478BD642Fu * (uint64_t)(_i + 1);
    for (int i = 0; i < CASES_A_SEED; i++) {
        const cl_shape in = random_shape();
        cl_shape out;
        const cl_map m = random_map(&in, &out);
        if (m.nout >= 0 && count_of(&in) <= MAX_ELEMENTS)
            check_image(&m, &in, &out);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("view");
    TCase *maps = tcase_create("maps");
    tcase_add_loop_test(maps, test_map_laws, 0, 4);
    tcase_add_loop_test(maps, test_map_image, 0, 4);
    suite_add_tcase(s, maps);
    TCase *pieces = tcase_create("pieces");
    tcase_add_loop_test(pieces, test_random_trees, 0, 12);
    tcase_add_loop_test(pieces, test_reshape_pieces, 0,
                        sizeof reshapes / sizeof *reshapes);
    tcase_add_test(pieces, test_stops_at_first_status);
    suite_add_tcase(s, pieces);
    return s;
}

int main(void)
{
    return cl_check_main((Suite *(*const[])(void)){suite}, 1);
}
