/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Coordinates, read when they are asked for.
 *
 * What is loaded is a memory source of the context with a node of its own: so the
 * numbers are charged once, arrays of them can be made without another copy, and they
 * live as long as one of those or the coordinate.
 *
 * A coordinate made of others is loaded through them. Of two that meet in an operation
 * it is not known before whether they agree, and reading them only to build `a - b`
 * would be wrong; so that is decided here, and whoever asks hears that they differ.
 */
#include "array/coordinate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "array/handle.h"
#include "base/alloc.h"
#include "base/calendar.h"

struct cl_coordinate {
    clast_ctx *ctx;
    uint32_t references;
    int depth;       /* 0: of a file */
    bool is_both;    /* of two parts: they must agree */
    bool is_of_many; /* the file is the first of several: `values` are there */
    int64_t n;
    char *file, *path; /* NULL where there are parts */
    size_t nparts;
    cl_coordinate_part *part;
    int64_t *length;
    cl_node_id node; /* once it is loaded, and then `values` */
    cl_values values;
};

/* ---- life */

static cl_coordinate *new_coordinate(clast_ctx *ctx, int64_t n)
{
    cl_coordinate *c = cl_calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->ctx = ctx;
    c->references = 1;
    c->n = n;
    c->node = CL_NO_NODE;
    return c;
}

void cl_coordinate_keep(cl_coordinate *c)
{
    if (c)
        c->references++;
}

/* Recursion is as deep as parts of parts, which is bounded (CL_COORDINATE_DEPTH). */
void cl_coordinate_drop(cl_coordinate *c)
{
    if (!c || --c->references > 0)
        return;
    for (size_t i = 0; i < c->nparts; i++)
        cl_coordinate_drop(c->part[i].of);
    if (c->node.v != CL_NO_NODE.v)
        cl_node_drop(c->ctx, c->node);
    cl_free(c->part);
    cl_free(c->length);
    cl_free(c->file);
    cl_free(c->path);
    cl_free(c);
}

cl_coordinate *cl_coordinate_of_file(clast_ctx *ctx, const char *file, const char *path,
                                     int64_t n)
{
    cl_coordinate *c = new_coordinate(ctx, n);
    if (c && (c->file = cl_strdup(file)) && (c->path = cl_strdup(path)))
        return c;
    cl_coordinate_drop(c);
    return NULL;
}

cl_coordinate *cl_coordinate_joined(size_t nparts, const cl_coordinate_part *parts,
                                    const int64_t *n)
{
    cl_coordinate *c = new_coordinate(parts[0].of->ctx, 0);
    if (!c)
        return NULL;
    c->part = cl_alloc_array(nparts, sizeof *c->part);
    c->length = cl_alloc_array(nparts, sizeof *c->length);
    if (!c->part || !c->length) {
        cl_coordinate_drop(c);
        return NULL;
    }
    c->nparts = nparts;
    for (size_t i = 0; i < nparts; i++) {
        c->part[i] = parts[i];
        c->length[i] = n[i];
        c->n += n[i];
        c->depth = parts[i].of->depth >= c->depth ? parts[i].of->depth + 1 : c->depth;
        cl_coordinate_keep(parts[i].of);
    }
    return c;
}

cl_coordinate *cl_coordinate_of_both(const cl_coordinate_part *a,
                                     const cl_coordinate_part *b, int64_t n)
{
    const cl_coordinate_part parts[2] = {*a, *b};
    const int64_t lengths[2] = {n, n};
    cl_coordinate *c = cl_coordinate_joined(2, parts, lengths);
    if (c) {
        c->is_both = true;
        c->n = n;
    }
    return c;
}

static bool is_of_one_file(const cl_coordinate *c)
{
    return c->file && !c->is_of_many;
}

bool cl_coordinate_is_same(const cl_coordinate_part *a, const cl_coordinate_part *b)
{
    if (!a->of || !b->of || a->start != b->start || a->step != b->step)
        return false;
    if (a->of == b->of)
        return true;
    return is_of_one_file(a->of) && is_of_one_file(b->of) && a->of->n == b->of->n &&
           strcmp(a->of->file, b->of->file) == 0 &&
           strcmp(a->of->path, b->of->path) == 0;
}

void cl_coordinate_place(const cl_coordinate *c, const char **file, const char **path)
{
    while (!c->file)
        c = c->part[0].of;
    *file = c->file;
    *path = c->path;
}

bool cl_coordinate_is_deep(const cl_coordinate *c)
{
    return c->depth >= CL_COORDINATE_DEPTH;
}

/* ---- numbers */

double cl_values_at(const cl_values *v, int64_t i)
{
    cl_scalar s = {0};
    const size_t size = clast_dtype_size(v->dtype);
    memcpy(&s, (const char *)v->data + (size_t)i * size, size);
    return cl_scalar_cast(s, v->dtype, CLAST_FLOAT64).f64;
}

/* n numbers of a part to `to`, an array of dtype `dtype`. */
static void gather(const cl_values *from, const cl_coordinate_part *part, int64_t n,
                   clast_dtype dtype, void *to)
{
    const size_t in = clast_dtype_size(from->dtype), out = clast_dtype_size(dtype);
    for (int64_t i = 0; i < n; i++) {
        cl_scalar s = {0};
        const int64_t at = part->start + i * part->step;
        memcpy(&s, (const char *)from->data + (size_t)at * in, in);
        s = cl_scalar_cast(s, from->dtype, dtype);
        memcpy((char *)to + (size_t)i * out, &s, out);
    }
}

static clast_status no_memory(cl_error *err)
{
    return cl_error_set(err, CLAST_ENOMEM, "no memory for a coordinate");
}

static clast_status fail_pair(const cl_coordinate *c, size_t i, clast_status status,
                              const char *what, cl_error *err)
{
    const char *file[2], *path[2];
    cl_coordinate_place(c->part[0].of, &file[0], &path[0]);
    cl_coordinate_place(c->part[i].of, &file[1], &path[1]);
    return cl_error_set(err, status, "%s:%s and %s:%s: %s", file[0], path[0], file[1],
                        path[1], what);
}

/* How numbers are converted to the units of others; from == 0: they have them
 * already. */
static clast_status match_units(const cl_values *to, const cl_values *v,
                                cl_time_shift *shift, char *why, size_t size)
{
    cl_time_units from, into;
    const char *ignored;
    *shift = (cl_time_shift){0};
    if (strcmp(to->units, v->units) == 0 &&
        cl_calendar_is_same(to->calendar, v->calendar))
        return CLAST_OK;
    if (cl_time_units_parse(v->units, v->calendar, &from, &ignored) &&
        cl_time_units_parse(to->units, to->calendar, &into, &ignored) &&
        cl_time_shift_between(&from, &into, shift)) {
        if (from.unit == into.unit && from.origin == into.origin)
            *shift = (cl_time_shift){0};
        return CLAST_OK;
    }
    snprintf(why, size, "the units '%s'%s%s and '%s'%s%s do not go together", to->units,
             to->calendar[0] ? " " : "", to->calendar, v->units,
             v->calendar[0] ? " " : "", v->calendar);
    return CLAST_EVALUE;
}

/* ---- comparing */

typedef struct {
    const cl_values *v[2];
    const cl_coordinate_part *part[2];
    cl_time_shift shift; /* of the second ones; from == 0: none */
    cl_time_units units; /* of the first ones, where there is a shift */
} comparison;

static double compared(const comparison *c, int side, int64_t i)
{
    const cl_coordinate_part *part = c->part[side];
    const double v = cl_values_at(c->v[side], part->start + i * part->step);
    return side == 1 && c->shift.from != 0 ? cl_time_shift_apply(&c->shift, v) : v;
}

/* Integers beyond 2^53 have no float64 of their own. */
static bool are_bits_equal(const comparison *c, int64_t i)
{
    const char *at[2];
    const size_t size = clast_dtype_size(c->v[0]->dtype);
    if (c->v[0]->dtype != c->v[1]->dtype)
        return true;
    for (int k = 0; k < 2; k++)
        at[k] = (const char *)c->v[k]->data +
                (size_t)(c->part[k]->start + i * c->part[k]->step) * size;
    return memcmp(at[0], at[1], size) == 0;
}

static bool is_equal(const comparison *c, int64_t i)
{
    const double x = compared(c, 0, i), y = compared(c, 1, i);
    if (c->shift.from != 0)
        return cl_time_instant(&c->units, x) == cl_time_instant(&c->units, y);
    if (x == y)
        return !cl_dtype_is_integer(c->v[0]->dtype) || are_bits_equal(c, i);
    return isnan(x) && isnan(y);
}

/* With as many digits as tell them apart. */
static void pair_text(double x, double y, char text[2][32])
{
    for (int digits = 10; digits <= 17; digits += 7) {
        snprintf(text[0], 32, "%.*g", digits, x);
        snprintf(text[1], 32, "%.*g", digits, y);
        if (strcmp(text[0], text[1]) != 0)
            return;
    }
}

static clast_status compare_parts(const comparison *c, int64_t n, char *why,
                                  size_t size)
{
    int64_t first = -1, count = 0;
    double most = 0;
    char value[2][32];
    for (int64_t i = 0; i < n; i++) {
        if (is_equal(c, i))
            continue;
        const double d = fabs(compared(c, 0, i) - compared(c, 1, i));
        first = count++ == 0 ? i : first;
        most = d > most ? d : most;
    }
    if (count == 0)
        return CLAST_OK;
    char by[40] = ""; /* nothing where one is NaN, or they differ beyond 2^53 */
    if (most > 0)
        snprintf(by, sizeof by, ", by at most %.3g", most);
    pair_text(compared(c, 0, first), compared(c, 1, first), value);
    snprintf(why, size, "number %lld is %s and %s%s%s; %lld of %lld differ%s",
             (long long)first, value[0], value[1], c->v[0]->units[0] ? " " : "",
             c->v[0]->units, (long long)count, (long long)n, by);
    return CLAST_EVALUE;
}

clast_status cl_values_compare(const cl_values *a, const cl_values *b, char *why,
                               size_t size)
{
    const cl_coordinate_part all = {.step = 1};
    comparison c = {.v = {a, b}, .part = {&all, &all}};
    const char *ignored;
    if (a->units[0] && b->units[0])
        CL_TRY(match_units(a, b, &c.shift, why, size));
    if (c.shift.from != 0)
        cl_time_units_parse(a->units, a->calendar, &c.units, &ignored);
    return compare_parts(&c, a->n, why, size);
}

static clast_status load_both(cl_coordinate *c, cl_values *to, cl_error *err)
{
    char why[200], what[300];
    const cl_values *a = cl_coordinate_load(c->part[0].of, err);
    const cl_values *b = a ? cl_coordinate_load(c->part[1].of, err) : NULL;
    if (!b)
        return err->status;
    const comparison both = {.v = {a, b}, .part = {&c->part[0], &c->part[1]}};
    const bool has_units = strcmp(a->units, b->units) == 0 &&
                           cl_calendar_is_same(a->calendar, b->calendar);
    if (!has_units || compare_parts(&both, c->n, why, sizeof why) != CLAST_OK) {
        snprintf(what, sizeof what,
                 "arrays with these different coordinates were combined: %s",
                 has_units ? why : "their units differ");
        return fail_pair(c, 1, CLAST_EVALUE, what, err);
    }
    memcpy(to->units, a->units, sizeof to->units);
    memcpy(to->calendar, a->calendar, sizeof to->calendar);
    to->dtype = a->dtype;
    to->data = cl_alloc_array((size_t)c->n, clast_dtype_size(to->dtype));
    if (!to->data)
        return no_memory(err);
    gather(a, &c->part[0], c->n, to->dtype, to->data);
    return CLAST_OK;
}

/* Gives the values another dtype and room for `need`. */
static bool convert(cl_values *v, size_t *room, clast_dtype dtype, int64_t need)
{
    const cl_coordinate_part all = {.step = 1};
    if (dtype == v->dtype)
        return cl_grow(&v->data, room, (size_t)need, clast_dtype_size(dtype));
    void *data = cl_alloc_array((size_t)need, clast_dtype_size(dtype));
    if (!data)
        return false;
    gather(v, &all, v->n, dtype, data);
    cl_free(v->data);
    v->data = data;
    v->dtype = dtype;
    *room = (size_t)need;
    return true;
}

static clast_status append_part(cl_values *to, size_t *room, const cl_values *next,
                                const cl_coordinate_part *part, int64_t n, char *why,
                                size_t size)
{
    cl_time_shift shift;
    if (!to->data) {
        *to = *next;
        to->data = NULL;
        to->n = 0;
    }
    CL_TRY(match_units(to, next, &shift, why, size));
    const clast_dtype dtype =
        shift.from != 0 ? CLAST_FLOAT64 : cl_dtype_promote(to->dtype, next->dtype);
    if (!convert(to, room, dtype, to->n + n)) {
        snprintf(why, size, "no memory for coordinates");
        return CLAST_ENOMEM;
    }
    void *end = (char *)to->data + (size_t)to->n * clast_dtype_size(dtype);
    gather(next, part, n, dtype, end);
    for (int64_t k = 0; shift.from != 0 && k < n; k++)
        ((double *)end)[k] = cl_time_shift_apply(&shift, ((double *)end)[k]);
    to->n += n;
    return CLAST_OK;
}

clast_status cl_values_append(cl_values *to, size_t *room, const cl_values *next,
                              char *why, size_t size)
{
    const cl_coordinate_part all = {.step = 1};
    return append_part(to, room, next, &all, next->n, why, size);
}

static clast_status load_joined(cl_coordinate *c, cl_values *to, cl_error *err)
{
    size_t room = 0;
    char why[300];
    for (size_t i = 0; i < c->nparts; i++) {
        const cl_values *v = cl_coordinate_load(c->part[i].of, err);
        const clast_status status =
            v ? append_part(to, &room, v, &c->part[i], c->length[i], why, sizeof why)
              : err->status;
        if (v && status != CLAST_OK)
            return fail_pair(c, i, status, why, err);
        CL_TRY(status);
    }
    return CLAST_OK;
}

/* ---- loading */

/* The source and the node of loaded values, which they take over. */
static clast_status enter(cl_coordinate *c, cl_values *values, uint64_t bytes,
                          cl_error *err)
{
    uint32_t index;
    clast_ctx *ctx = c->ctx;
    const clast_buffer buffer = {values->data, bytes, values->dtype, 1, &c->n, NULL};
    cl_source_entry entry = {.charged = bytes};
    CL_TRY(cl_source_open_memory(&entry.source, &buffer, cl_free, err));
    if (cl_sources_add(&ctx->sources, &entry, &index) != CLAST_OK) {
        values->data = NULL;
        cl_source_close(entry.source);
        return no_memory(err);
    }
    cl_node node = {.op = CL_OP_SOURCE,
                    .dtype = (uint8_t)values->dtype,
                    .shape = {.ndim = 1, .dim = {c->n}},
                    .params = {.source = index}};
    if (cl_nodes_add(ctx->nodes, &node, &c->node) == CLAST_OK)
        return CLAST_OK;
    c->node = CL_NO_NODE;
    ctx->sources.entry[index].charged = 0; /* the caller's to give back */
    cl_sources_remove(&ctx->sources, ctx->engine, index);
    values->data = NULL;
    return no_memory(err);
}

static clast_status read_numbers(cl_coordinate *c, cl_values *values, cl_error *err)
{
    *values = (cl_values){.n = c->n};
    if (c->file)
        return cl_values_read(values, c->file, c->path, c->n, err);
    return c->is_both ? load_both(c, values, err) : load_joined(c, values, err);
}

static clast_status load(cl_coordinate *c, cl_error *err)
{
    if (c->n > CL_COORDINATE_MOST)
        return cl_error_set(err, CLAST_ENOTSUP,
                            "a coordinate has at most %lld numbers, not %lld",
                            (long long)CL_COORDINATE_MOST, (long long)c->n);
    /* Charged before it is read: no element has more than 8 bytes. */
    uint64_t bytes = (uint64_t)c->n * sizeof(double);
    CL_TRY(cl_engine_charge(c->ctx->engine, bytes, err));
    cl_values values;
    clast_status status = read_numbers(c, &values, err);
    if (status == CLAST_OK) {
        const uint64_t used = (uint64_t)c->n * clast_dtype_size(values.dtype);
        cl_engine_uncharge(c->ctx->engine, bytes - used);
        bytes = used;
        status = enter(c, &values, bytes, err);
    }
    if (status == CLAST_OK) {
        c->values = values;
        return CLAST_OK;
    }
    cl_free(values.data);
    cl_engine_uncharge(c->ctx->engine, bytes);
    return status;
}

cl_coordinate *cl_coordinate_of_values(clast_ctx *ctx, cl_values *values,
                                       const char *file, const char *path,
                                       cl_error *err)
{
    cl_coordinate *c = cl_coordinate_of_file(ctx, file, path, values->n);
    if (!c) {
        no_memory(err);
        return NULL;
    }
    c->is_of_many = true;
    const uint64_t bytes = (uint64_t)c->n * clast_dtype_size(values->dtype);
    if (cl_engine_charge(ctx->engine, bytes, err) == CLAST_OK &&
        enter(c, values, bytes, err) != CLAST_OK)
        cl_engine_uncharge(ctx->engine, bytes);
    if (c->node.v == CL_NO_NODE.v) {
        cl_coordinate_drop(c);
        return NULL;
    }
    c->values = *values;
    values->data = NULL;
    return c;
}

const cl_values *cl_coordinate_load(cl_coordinate *c, cl_error *err)
{
    if (c->node.v == CL_NO_NODE.v && load(c, err) != CLAST_OK)
        return NULL;
    return &c->values;
}

clast_status cl_coordinate_node(const cl_coordinate_part *part, int64_t n,
                                cl_node_id *id, cl_error *err)
{
    cl_coordinate *c = part->of;
    cl_map map = cl_map_identity(1);
    if (!cl_coordinate_load(c, err))
        return err->status;
    if (part->start == 0 && part->step == 1 && n == c->n) {
        cl_nodes_keep(c->ctx->nodes, c->node);
        *id = c->node;
        return CLAST_OK;
    }
    map.off[0] = part->start;
    map.step[0] = n == 1 ? 1 : part->step;
    const cl_node node = {.op = CL_OP_MAPPED,
                          .dtype = (uint8_t)c->values.dtype,
                          .nin = 1,
                          .shape = {.ndim = 1, .dim = {n}},
                          .in = &c->node,
                          .map = &map};
    return cl_nodes_add(c->ctx->nodes, &node, id) == CLAST_OK ? CLAST_OK
                                                              : no_memory(err);
}
