/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many files as one array: a source for each, joined along an axis.
 *
 * What the first file says holds for all: rank, other extents, dtype, units, names and
 * coordinates of axes (file_axes.h); each file is compared with it while it is open,
 * and a difference is refused with the names of both. Each decodes its own packing.
 * Along the joined axis the coordinates are read at once, times brought to the first
 * file's origin, and must go on rising or falling from file to file: that finds files
 * in the wrong order, twice in the list or overlapping.
 *
 * O(files). A few files are open at a time (io/hdf5_file.c); each costs CL_FILE_BYTES
 * of the budget.
 */
#include <stdio.h>
#include <string.h>

#include "array/file_axes.h"
#include "array/labels.h"

/* A source with its names, a node, a place in the tables of a plan. */
enum { CL_FILE_BYTES = 8192 };

typedef struct {
    cl_make *m;
    int n;
    const char *const *file;
    const char *path;
    const clast_files_options *options;
    int axis; /* of the result */
    cl_read_mode reading;
    cl_source *first; /* the table's */
    cl_file_axes axes;
    cl_node_id *member;
    cl_values along;  /* coordinates of the joined axis; data NULL: there are none */
    size_t room;      /* for so many of them */
    int64_t before;   /* numbers of files before the present one */
    uint64_t charged; /* for all of them, while they are collected */
} collection;

static bool differ(const collection *c, int i, clast_status status, const char *what,
                   const char *a, const char *b)
{
    cl_make_fail(c->m, status, "%s:%s has %s %s, %s has %s", c->file[i], c->path, what,
                 b, c->file[0], a);
    return false;
}

/* ---- what must agree */

static bool is_shape_same(const collection *c, int i, const cl_source_info *a,
                          const cl_source_info *b)
{
    char x[512], y[512];
    bool is_same = a->shape.ndim == b->shape.ndim;
    for (int k = 0; is_same && k < a->shape.ndim; k++)
        is_same =
            (k == c->axis && !c->options->stack) || a->shape.dim[k] == b->shape.dim[k];
    return is_same ||
           differ(c, i, CLAST_ESHAPE, "shape", cl_shape_text(&a->shape, x, sizeof x),
                  cl_shape_text(&b->shape, y, sizeof y));
}

static bool are_units_same(const collection *c, int i, const cl_source *source,
                           const char *attribute)
{
    char a[CL_UNITS_TEXT] = "", b[CL_UNITS_TEXT] = "";
    cl_source_attribute(c->first, attribute, a, sizeof a);
    cl_source_attribute(source, attribute, b, sizeof b);
    char x[CL_UNITS_TEXT + 2], y[CL_UNITS_TEXT + 2];
    snprintf(x, sizeof x, "'%s'", a);
    snprintf(y, sizeof y, "'%s'", b);
    return strcmp(a, b) == 0 || differ(c, i, CLAST_EVALUE, attribute, x, y);
}

static bool is_alike(const collection *c, int i, const cl_source *source)
{
    const cl_source_info *a = cl_source_get_info(c->first);
    const cl_source_info *b = cl_source_get_info(source);
    if (!is_shape_same(c, i, a, b))
        return false;
    if (a->dtype != b->dtype)
        return differ(c, i, CLAST_EDTYPE, "dtype", clast_dtype_name(a->dtype),
                      clast_dtype_name(b->dtype));
    if (a->units != b->units && (!are_units_same(c, i, source, "units") ||
                                 !are_units_same(c, i, source, "calendar")))
        return false;
    return !c->options->raw || a->encoding == b->encoding ||
           differ(c, i, CLAST_EVALUE, "raw numbers of", "other meaning",
                  "its own scale_factor, add_offset or _FillValue");
}

/* ---- coordinates */

/* Where the coordinates go on after those of the files before. */
static bool goes_on(collection *c, int i)
{
    const cl_values *v = &c->along;
    const int64_t end = v->n;
    const bool falls = end > 1 && cl_values_at(v, 1) < cl_values_at(v, 0);
    for (int64_t k = c->before > 0 ? c->before : 1; k < end; k++) {
        const double a = cl_values_at(v, k - 1), b = cl_values_at(v, k);
        if (falls ? b < a : b > a)
            continue;
        const int other = k == c->before ? i - 1 : i;
        cl_make_fail(c->m, CLAST_EVALUE,
                     "the coordinates of '%s' do not go on from %s to %s: %.10g comes "
                     "after %.10g %s",
                     c->axes.dim[c->axis].name, c->file[other], c->file[i], b, a,
                     v->units);
        return false;
    }
    c->before = end;
    return true;
}

static bool append(collection *c, int i, const cl_values *next)
{
    char why[300];
    const clast_status status =
        cl_values_append(&c->along, &c->room, next, why, sizeof why);
    if (status == CLAST_OK)
        return goes_on(c, i);
    cl_make_fail(c->m, status, "'%s' of %s and %s: %s", c->axes.dim[c->axis].name,
                 c->file[0], c->file[i], why);
    return false;
}

static bool read_along(collection *c, int i, int64_t n)
{
    cl_values v;
    const char *path = c->options->stack ? NULL : c->axes.dim[c->axis].coordinate;
    if (!path)
        return true;
    if (c->along.n + n > CL_COORDINATE_MOST) {
        cl_make_fail(c->m, CLAST_ENOTSUP, "a coordinate has at most %lld numbers",
                     (long long)CL_COORDINATE_MOST);
        return false;
    }
    const uint64_t bytes = (uint64_t)n * sizeof(double);
    if (cl_engine_charge(c->m->ctx->engine, bytes, &c->m->err) != CLAST_OK) {
        cl_error_prefix(&c->m->err, c->m->op);
        return false;
    }
    c->charged += bytes;
    if (cl_values_read(&v, c->file[i], path, n, &c->m->err) != CLAST_OK) {
        cl_error_prefix(&c->m->err, c->m->op);
        return false;
    }
    const bool is_fine = append(c, i, &v);
    cl_free(v.data);
    return is_fine;
}

/* ---- the files */

static bool enter(collection *c, int i, cl_source *source)
{
    cl_make *m = c->m;
    uint32_t index;
    cl_source_entry entry = {.source = source, .is_raw = c->options->raw};
    if (cl_engine_charge(m->ctx->engine, CL_FILE_BYTES, &m->err) != CLAST_OK) {
        cl_error_prefix(&m->err, m->op);
        cl_source_close(source);
        return false;
    }
    entry.charged = CL_FILE_BYTES;
    if (cl_sources_add(&m->ctx->sources, &entry, &index) != CLAST_OK) {
        cl_source_close(source);
        cl_engine_uncharge(m->ctx->engine, CL_FILE_BYTES);
        cl_make_fail(m, CLAST_ENOMEM, "the process is out of memory");
        return false;
    }
    const cl_source_info *info = cl_source_get_info(source);
    const cl_node_id id = cl_node_source(m, index, info->dtype, &info->shape);
    if (cl_make_failed(m)) {
        cl_sources_remove(&m->ctx->sources, m->ctx->engine, index);
        return false;
    }
    c->member[i] = c->options->stack ? cl_node_expanded(m, id, 1u << c->axis) : id;
    return !cl_make_failed(m);
}

/* Which axis of the result it is. */
static bool settle_axis(collection *c)
{
    const clast_files_options *o = c->options;
    cl_shape shape = cl_source_get_info(c->first)->shape;
    char text[240] = "";
    if (o->stack && shape.ndim == CLAST_MAXDIM) {
        cl_make_fail(c->m, CLAST_ESHAPE, "the arrays have %d dimensions already",
                     CLAST_MAXDIM);
        return false;
    }
    if (o->stack)
        shape.dim[shape.ndim++] = c->n;
    if (o->stack || !o->name)
        return cl_make_axis(c->m, o->axis, &shape, &c->axis);
    for (int k = 0; k < shape.ndim; k++) {
        const size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", k > 0 ? ", " : "",
                 c->axes.dim[k].name ? c->axes.dim[k].name : "?");
        if (c->axes.dim[k].name && strcmp(c->axes.dim[k].name, o->name) == 0) {
            c->axis = k;
            return true;
        }
    }
    cl_make_fail(c->m, CLAST_EAXIS, "%s:%s has no axis '%.60s' (the axes are %s)",
                 c->file[0], c->path, o->name, text);
    return false;
}

/* The first file's axes are what the others must have. */
static bool expect_axes(collection *c)
{
    const int joined = c->options->stack ? -1 : c->axis;
    if (c->options->any_coordinates || c->n == 1 ||
        cl_file_axes_expect(&c->axes, joined, c->first, &c->m->err) == CLAST_OK)
        return true;
    cl_error_prefix(&c->m->err, c->m->op);
    return false;
}

static bool are_axes_alike(collection *c, const cl_source *source)
{
    if (c->options->any_coordinates ||
        cl_file_axes_compare(&c->axes, source, &c->m->err) == CLAST_OK)
        return true;
    cl_error_prefix(&c->m->err, c->m->op);
    return false;
}

static bool open_first(collection *c)
{
    cl_make *m = c->m;
    cl_source *source;
    if (cl_source_open_hdf5(&source, c->file[0], c->path, c->reading, &m->ctx->log,
                            &m->err) != CLAST_OK) {
        cl_error_prefix(&m->err, m->op);
        return false;
    }
    c->first = source;
    if (cl_file_axes_begin(&c->axes, m->ctx, source, &m->err) != CLAST_OK ||
        !settle_axis(c)) {
        cl_source_close(source);
        return false;
    }
    return enter(c, 0, source) && expect_axes(c);
}

static bool open_next(collection *c, int i)
{
    cl_make *m = c->m;
    cl_source *source;
    if (cl_source_open_hdf5_like(&source, c->file[i], c->path, c->reading, c->first,
                                 &m->ctx->log, &m->err) != CLAST_OK) {
        cl_error_prefix(&m->err, m->op);
        return false;
    }
    if (!is_alike(c, i, source) || !are_axes_alike(c, source)) {
        cl_source_close(source);
        return false;
    }
    return enter(c, i, source);
}

static bool open_all(collection *c)
{
    for (int i = 0; i < c->n; i++) {
        if (!c->file[i]) {
            cl_make_fail(c->m, CLAST_EVALUE, "file %d is NULL", i);
            return false;
        }
        if (!(i == 0 ? open_first(c) : open_next(c, i)))
            return false;
        const cl_shape *shape = &cl_make_node(c->m, c->member[i])->shape;
        if (!read_along(c, i, shape->dim[c->axis]))
            return false;
    }
    return true;
}

/* ---- the result */

static void uncharge(collection *c)
{
    cl_engine_uncharge(c->m->ctx->engine, c->charged);
    c->charged = 0;
}

static clast_status label(collection *c, int ndim, const cl_shape *shape)
{
    cl_label to[CL_MAXDIM];
    clast_ctx *ctx = c->m->ctx;
    clast_status status = CLAST_OK;
    for (int k = 0, d = 0; k < ndim; k++) {
        const bool is_new = c->options->stack && k == c->axis;
        const cl_dim *dim = is_new ? NULL : &c->axes.dim[d++];
        to[k] = (cl_label){.part = {.step = 1}};
        to[k].name = dim ? dim->name : c->options->name;
        if (!dim || !dim->coordinate || status != CLAST_OK)
            continue;
        if (k == c->axis)
            to[k].part.of = cl_coordinate_of_values(ctx, &c->along, c->file[0],
                                                    dim->coordinate, &c->m->err);
        else
            to[k].part.of =
                cl_coordinate_of_file(ctx, c->file[0], dim->coordinate, shape->dim[k]);
        if (!to[k].part.of)
            status = c->m->err.status != CLAST_OK ? c->m->err.status : CLAST_ENOMEM;
    }
    if (status == CLAST_OK)
        status = cl_labels_new(ndim, to, &c->m->labels);
    for (int k = 0; k < ndim; k++)
        cl_coordinate_drop(to[k].part.of);
    return status;
}

static cl_node_id collected(collection *c)
{
    cl_make *m = c->m;
    const size_t n = (size_t)c->n;
    const cl_node_id result =
        open_all(c) ? cl_node_joined(m, n, c->member, c->axis) : CL_NO_NODE;
    if (cl_make_failed(m))
        return CL_NO_NODE;
    uncharge(c); /* the coordinate charges what it keeps */
    const cl_shape shape = cl_make_node(m, result)->shape;
    const clast_status status = label(c, shape.ndim, &shape);
    if (status == CLAST_OK)
        return result;
    cl_error_prefix(&m->err, m->op);
    return cl_make_fail(m, status, "the process is out of memory");
}

static bool check_call(cl_make *m, int n, const char *const *files, const char *path,
                       const clast_files_options *o)
{
    if (n < 1 || !files || !path)
        cl_make_fail(m, CLAST_EVALUE, "%s",
                     n < 1  ? "there is no file"
                     : path ? "the files are NULL"
                            : "the path is NULL");
    for (size_t i = 0; i < sizeof o->reserved / sizeof *o->reserved; i++)
        if (o->reserved[i] != 0)
            cl_make_fail(m, CLAST_ENOTSUP, "reserved[%zu] must be zero", i);
    return !cl_make_failed(m);
}

clast_array *clast_from_hdf5_files(clast_ctx *ctx, int n, const char *const *files,
                                   const char *path, const clast_files_options *options)
{
    cl_make m;
    cl_node_id result = CL_NO_NODE;
    const clast_files_options defaults = {0};
    const clast_files_options *o = options ? options : &defaults;
    collection c = {.m = &m,
                    .n = n,
                    .file = files,
                    .path = path,
                    .options = o,
                    .reading = o->raw ? CL_READ_STORED : CL_READ_DECODED};
    if (cl_make_begin_ctx(&m, "from_hdf5_files", ctx) &&
        check_call(&m, n, files, path, o)) {
        c.member = cl_alloc_array((size_t)n, sizeof *c.member);
        result = c.member
                     ? collected(&c)
                     : cl_make_fail(&m, CLAST_ENOMEM, "the process is out of memory");
        uncharge(&c);
        cl_file_axes_fini(&c.axes);
        cl_free(c.along.data);
        cl_free(c.member);
    }
    return cl_make_end(&m, result);
}
