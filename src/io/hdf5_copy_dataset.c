/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datasets of a copy: which way each goes.
 *
 *   filled      other chunks or compression are asked for, and its elements are no more
 *               than bytes: it is made with its own type, extents and properties but
 *               for the storage, and a run of the engine fills it
 *   by H5Ocopy  it stays stored as it is: libhdf5 copies stored chunks without decoding
 *   by hand     it has references, which change, or a committed type, which is to be
 *               the one of the copy: piece by piece through H5Dread and H5Dwrite
 *
 * The pieces are the dataset's chunks, or boxes of at most PIECE bytes. Checksums are
 * kept when compression changes: they protect what is stored.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/dtype.h"
#include "io/hdf5_capture.h"
#include "io/hdf5_copy.h"
#include "io/hdf5_filters.h"
#include "io/hdf5_lib.h"
#include "io/hdf5_type.h"

#define PIECE      ((uint64_t)1 << 20)
#define CHUNK_MOST ((uint64_t)UINT32_MAX)
#define TOO_SMALL  1024 /* bytes of what is not worth a chunk of its own */

/* A dataset of the source. */
typedef struct {
    hid_t id, type, space, list;
    H5S_class_t class;
    H5D_layout_t layout;
    int ndim;
    hsize_t dim[H5S_MAX_RANK], most[H5S_MAX_RANK], chunk[H5S_MAX_RANK];
    hssize_t count;
    size_t item;
} original;

/* A dataset without times gives one without times: the list that libhdf5 gives of a
 * dataset does not say that it has none. */
static bool keep_timeless(const original *o)
{
    H5O_info_t info;
    return H5Oget_info2(o->id, &info, H5O_INFO_TIME) >= 0 &&
           (info.ctime != 0 || H5Pset_obj_track_times(o->list, 0) >= 0);
}

static bool open_original(hid_t dataset, original *o)
{
    *o = (original){.id = dataset,
                    .type = H5Dget_type(dataset),
                    .space = H5Dget_space(dataset),
                    .list = H5Dget_create_plist(dataset)};
    if (dataset < 0 || o->type < 0 || o->space < 0 || o->list < 0 || !keep_timeless(o))
        return false;
    o->class = H5Sget_simple_extent_type(o->space);
    o->layout = H5Pget_layout(o->list);
    o->item = H5Tget_size(o->type);
    o->count = o->class == H5S_NULL ? 0 : H5Sget_simple_extent_npoints(o->space);
    o->ndim = o->class == H5S_SIMPLE
                  ? H5Sget_simple_extent_dims(o->space, o->dim, o->most)
                  : 0;
    return o->layout != H5D_CHUNKED ||
           H5Pget_chunk(o->list, H5S_MAX_RANK, o->chunk) == o->ndim;
}

static void close_original(original *o)
{
    if (o->list >= 0)
        H5Pclose(o->list);
    if (o->space >= 0)
        H5Sclose(o->space);
    if (o->type >= 0)
        H5Tclose(o->type);
}

static bool has_references(const original *o)
{
    return H5Tdetect_class(o->type, H5T_REFERENCE) > 0;
}

/* Boxes of at most PIECE bytes by halving the longest extents. */
static void choose_piece(const original *o, hsize_t *piece)
{
    double bytes = (double)o->item;
    for (int a = 0; a < o->ndim; a++) {
        piece[a] = o->dim[a] > 0 ? o->dim[a] : 1;
        bytes *= (double)piece[a];
    }
    while (bytes > (double)PIECE) {
        int longest = 0;
        for (int a = 1; a < o->ndim; a++)
            if (piece[a] > piece[longest])
                longest = a;
        if (piece[longest] == 1)
            return;
        bytes /= (double)piece[longest];
        piece[longest] = piece[longest] / 2 + piece[longest] % 2;
        bytes *= (double)piece[longest];
    }
}

/* --- by hand ------------------------------------------------------------------------
 */

/* One box of elements, or all of a scalar, whose spaces are selected. */
static bool move_piece(cl_copy *copy, const original *o, hid_t to, hid_t memory,
                       hid_t file, size_t n)
{
    void *value = cl_calloc(n, o->item);
    if (!value)
        return cl_copy_no_memory(copy, "a piece of a dataset");
    bool is_good = H5Dread(o->id, o->type, memory, file, H5P_DEFAULT, value) >= 0;
    if (is_good) {
        cl_copy_translate(copy, o->type, value, n);
        is_good = H5Dwrite(to, o->type, memory, file, H5P_DEFAULT, value) >= 0;
        if (H5Tdetect_class(o->type, H5T_VLEN) > 0 ||
            H5Tdetect_class(o->type, H5T_STRING) > 0)
            H5Dvlen_reclaim(o->type, memory, H5P_DEFAULT, value);
    }
    cl_free(value);
    return is_good;
}

static bool move_box(cl_copy *copy, const original *o, hid_t to, const hsize_t *lo,
                     const hsize_t *n)
{
    size_t count = 1;
    for (int a = 0; a < o->ndim; a++)
        count *= (size_t)n[a];
    const hid_t memory = H5Screate_simple(o->ndim, n, NULL);
    const bool is_good =
        memory >= 0 &&
        H5Sselect_hyperslab(o->space, H5S_SELECT_SET, lo, NULL, n, NULL) >= 0 &&
        move_piece(copy, o, to, memory, o->space, count);
    if (memory >= 0)
        H5Sclose(memory);
    return is_good;
}

/* The next box in C order; false: there is none. */
static bool next_box(const original *o, const hsize_t *piece, hsize_t *lo)
{
    for (int a = o->ndim - 1; a >= 0; a--) {
        lo[a] += piece[a];
        if (lo[a] < o->dim[a])
            return true;
        lo[a] = 0;
    }
    return false;
}

/* Whether there are values to move: not where nothing was ever written. The size is 0
 * as well where the index of chunks cannot be read, which only the space's status
 * tells. */
static bool look_for_values(const original *o, bool *is_good)
{
    H5D_space_status_t status = H5D_SPACE_STATUS_ERROR;
    *is_good = true;
    if (o->count <= 0)
        return false;
    if (H5Dget_storage_size(o->id) > 0)
        return true;
    *is_good = H5Dget_space_status(o->id, &status) >= 0;
    return *is_good && status != H5D_SPACE_STATUS_NOT_ALLOCATED;
}

static bool move_values(cl_copy *copy, const original *o, hid_t to)
{
    hsize_t piece[H5S_MAX_RANK], lo[H5S_MAX_RANK] = {0}, n[H5S_MAX_RANK];
    bool is_good;
    if (!look_for_values(o, &is_good) ||
        H5Pget_external_count(o->list) > 0) /* both files name the same ones */
        return is_good;
    if (o->ndim == 0)
        return move_piece(copy, o, to, o->space, o->space, 1);
    if (o->layout == H5D_CHUNKED)
        memcpy(piece, o->chunk, sizeof piece);
    else
        choose_piece(o, piece);
    do {
        if (cl_copy_is_canceled(copy))
            return false;
        for (int a = 0; a < o->ndim; a++)
            n[a] = piece[a] < o->dim[a] - lo[a] ? piece[a] : o->dim[a] - lo[a];
        if (!move_box(copy, o, to, lo, n))
            return false;
    } while (next_box(o, piece, lo));
    return true;
}

static hid_t create(cl_copy *copy, const original *o, const char *path, hid_t list,
                    hid_t links)
{
    const hid_t type = cl_copy_type(copy, o->type);
    const hid_t to = type < 0 ? type
                              : H5Dcreate2(copy->file.id, path, type, o->space, links,
                                           list, H5P_DEFAULT);
    if (to < 0)
        cl_copy_fail(copy, path, "it cannot be made");
    if (type >= 0)
        H5Tclose(type);
    return to;
}

static bool copy_by_hand(cl_copy *copy, const original *o, const char *path,
                         hid_t links)
{
    const hid_t to = create(copy, o, path, o->list, links);
    bool is_good = to >= 0 && (has_references(o) || move_values(copy, o, to));
    if (to >= 0)
        is_good = H5Dclose(to) >= 0 && is_good;
    return is_good;
}

bool cl_copy_fill_references(cl_copy *copy, hid_t from, const char *path)
{
    original o;
    bool is_good = open_original(from, &o);
    if (is_good && has_references(&o)) {
        const hid_t to = H5Dopen2(copy->file.id, path, H5P_DEFAULT);
        is_good = to >= 0 && move_values(copy, &o, to);
        if (to >= 0)
            is_good = H5Dclose(to) >= 0 && is_good;
    }
    close_original(&o);
    return is_good;
}

/* libhdf5 1.10.8 ends the process where H5Ocopy() cannot read. So the index of chunks
 * is brought into its cache before, and what fails to be read of the chunks is told
 * after. */
static bool copy_as_it_is(cl_copy *copy, const cl_walk_item *item, const original *o,
                          hid_t links)
{
    bool is_good;
    look_for_values(o, &is_good);
    const hid_t list = is_good ? H5Pcreate(H5P_OBJECT_COPY) : H5I_INVALID_HID;
    is_good = list >= 0 && H5Pset_copy_object(list, H5O_COPY_WITHOUT_ATTR_FLAG) >= 0;
    cl_hdf5_capture_postpone(true);
    is_good = is_good && H5Ocopy(item->group, item->name, copy->file.id, item->path,
                                 list, links) >= 0;
    is_good = !cl_hdf5_capture_postpone(false) && is_good;
    if (!is_good)
        cl_copy_fail(copy, item->path, "it cannot be copied");
    if (list >= 0)
        H5Pclose(list);
    return is_good;
}

/* --- another storage ----------------------------------------------------------------
 */

static bool is_same_path(const char *asked, const char *path)
{
    return strcmp(asked, asked[0] == '/' ? path : path + 1) == 0;
}

/* One with the path, else one of the rank, else one for all ranks. */
static cl_copy_rule *find_rule(cl_copy *copy, const char *path, int ndim)
{
    cl_copy_rule *found = NULL;
    for (size_t i = 0; i < copy->set.nrule; i++) {
        cl_copy_rule *rule = &copy->set.rule[i];
        if (rule->path && is_same_path(rule->path, path))
            return rule;
        if (!rule->path && (rule->ndim == ndim || rule->ndim == 0) &&
            (!found || (found->ndim == 0 && rule->ndim != 0)))
            found = rule;
    }
    return found;
}

/* Chunks as asked for; HDF5 has none beyond an axis that cannot grow. */
static void ask_chunks(const original *o, const cl_copy_rule *rule, hsize_t *chunk)
{
    if (!rule || rule->ndim == 0) {
        choose_piece(o, chunk);
        return;
    }
    for (int a = 0; a < o->ndim; a++) {
        const bool is_whole = rule->chunk[a] < 0;
        chunk[a] = is_whole ? o->dim[a] : (hsize_t)rule->chunk[a];
        if (chunk[a] > o->most[a])
            chunk[a] = o->most[a];
        chunk[a] = chunk[a] > 0 ? chunk[a] : 1;
    }
}

static bool has_filter(hid_t list, H5Z_filter_t wanted)
{
    unsigned flags;
    size_t n = 0;
    return H5Pget_filter_by_id2(list, wanted, &flags, &n, NULL, 0, NULL, NULL) >= 0;
}

/* Another pipeline in the list's place. */
static bool replace_filters(hid_t list, const cl_filters *filters)
{
    return H5Premove_filter(list, H5Z_FILTER_ALL) >= 0 &&
           cl_hdf5_filters_write(list, filters);
}

/* Where filters are kept that Clast does not write, they stay libhdf5's, which is told
 * by *by_library. */
static bool set_filters(const cl_copy *copy, const original *o, const hsize_t *chunk,
                        hid_t list, cl_filters *filters, bool *by_library)
{
    static const cl_compression none;
    cl_compression c = copy->set.compression;
    cl_filters there;
    const bool has_checksum = has_filter(o->list, H5Z_FILTER_FLETCHER32);
    const bool is_ours = cl_hdf5_filters_read(o->list, (uint32_t)o->item, &there);
    uint64_t bytes = o->item;
    for (int a = 0; a < o->ndim; a++)
        bytes *= chunk[a];
    *by_library = false;
    if (copy->set.keeps) {
        c = none;
        if (is_ours)
            cl_filters_describe(&there, &c);
        *by_library = memcmp(&c, &none, sizeof c) == 0 && H5Pget_nfilters(o->list) > 0;
    }
    if (*by_library) {
        cl_filters_init(filters, (uint32_t)o->item);
        return true;
    }
    if (c.shuffle == CL_SHUFFLE_BYTES && o->item == 1 && !copy->set.keeps)
        c.shuffle = CL_SHUFFLE_NONE;
    c.fletcher = has_checksum;
    return cl_filters_set(filters, &c, (uint32_t)o->item, bytes) &&
           replace_filters(list, filters);
}

static bool is_same_filters(const original *o, const cl_filters *filters)
{
    cl_filters there;
    cl_compression a, b;
    if (!cl_hdf5_filters_read(o->list, (uint32_t)o->item, &there))
        return false;
    cl_filters_describe(filters, &a);
    cl_filters_describe(&there, &b);
    return memcmp(&a, &b, sizeof a) == 0;
}

/* Whether storage other than the source's is asked for, and possible. */
static bool is_candidate(cl_copy *copy, const original *o, cl_copy_rule *rule,
                         cl_hdf5_type *bits)
{
    const bool is_stored_here =
        o->layout == H5D_CHUNKED ||
        ((o->layout == H5D_CONTIGUOUS || o->layout == H5D_COMPACT) &&
         H5Pget_external_count(o->list) == 0);
    const bool is_small = o->layout != H5D_CHUNKED &&
                          (uint64_t)(o->count > 0 ? o->count : 0) * o->item < TOO_SMALL;
    if (!is_stored_here || o->ndim < 1 || o->ndim > CL_MAXDIM ||
        cl_hdf5_type_bits(o->type, "", bits, NULL) != CLAST_OK)
        return false;
    if (rule)
        return rule->path || !is_small;
    const bool is_packed = copy->set.compression.codec || copy->set.compression.shuffle;
    return !copy->set.keeps && (is_packed ? !is_small : o->layout == H5D_CHUNKED);
}

/* The storage that is wanted. */
typedef struct {
    hid_t list;
    hsize_t chunk[H5S_MAX_RANK];
    cl_filters filters;
    bool by_library; /* which filters */
    bool is_changed; /* it is not the source's */
} storage;

/* Its creation list; negative: libhdf5 failed. What is made has every chunk filtered,
 * also where the source left those out that the array's end cuts. */
static hid_t wanted_list(cl_copy *copy, const original *o, const cl_copy_rule *rule,
                         storage *s)
{
    const hid_t list = s->list = H5Pcopy(o->list);
    hsize_t *chunk = s->chunk;
    const bool keeps_chunks = !rule && o->layout == H5D_CHUNKED;
    if (keeps_chunks)
        memcpy(chunk, o->chunk, (size_t)o->ndim * sizeof *chunk);
    else
        ask_chunks(o, rule, chunk);
    if (list >= 0 && (keeps_chunks || H5Pset_chunk(list, o->ndim, chunk) >= 0) &&
        (o->layout == H5D_CHUNKED ||
         H5Pset_alloc_time(list, H5D_ALLOC_TIME_DEFAULT) >= 0) &&
        H5Pset_chunk_opts(list, 0) >= 0 &&
        set_filters(copy, o, chunk, list, &s->filters, &s->by_library)) {
        s->is_changed = o->layout != H5D_CHUNKED ||
                        memcmp(chunk, o->chunk, (size_t)o->ndim * sizeof *chunk) != 0 ||
                        (!s->by_library && !is_same_filters(o, &s->filters));
        return list;
    }
    if (list >= 0)
        H5Pclose(list);
    return H5I_INVALID_HID;
}

static char *join(const char *group, const char *path)
{
    const size_t n = strlen(group), bytes = n + strlen(path) + 1;
    char *text = cl_alloc(bytes);
    if (text)
        snprintf(text, bytes, "%s%s", n > 0 && group[n - 1] == '/' ? "" : group, path);
    return text;
}

static bool check_chunk_bytes(cl_copy *copy, const char *path, const original *o,
                              const hsize_t *chunk)
{
    uint64_t bytes = o->item;
    for (int a = 0; a < o->ndim; a++)
        if (__builtin_mul_overflow(bytes, (uint64_t)chunk[a], &bytes) ||
            bytes > CHUNK_MOST) {
            cl_error_set(copy->err, CLAST_EVALUE,
                         "%s:%s: its chunks would have more than the %llu bytes that "
                         "HDF5 allows",
                         copy->set.in, path, (unsigned long long)CHUNK_MOST);
            return false;
        }
    return true;
}

/* Notes that a run has to fill it. */
static bool add_dataset(cl_copy *copy, const original *o, const char *path,
                        const storage *s, clast_dtype bits)
{
    if (!cl_grow(&copy->dataset, &copy->room, copy->n + 1, sizeof *copy->dataset))
        return cl_copy_no_memory(copy, "a list of datasets");
    cl_copy_dataset *d = &copy->dataset[copy->n];
    *d = (cl_copy_dataset){.path = join(copy->set.group ? copy->set.group : "", path),
                           .target = cl_strdup(path),
                           .bits = bits};
    d->shape.ndim = o->ndim;
    for (int a = 0; a < o->ndim; a++) {
        d->shape.dim[a] = (int64_t)o->dim[a];
        d->chunk[a] = (int64_t)s->chunk[a];
    }
    d->filters = s->filters;
    d->by_library = s->by_library;
    d->bytes = (uint64_t)o->count * o->item;
    copy->n++;
    if (d->path && d->target)
        return true;
    return cl_copy_no_memory(copy, "a list of datasets");
}

static bool make_to_be_filled(cl_copy *copy, const original *o, const char *path,
                              const storage *s, clast_dtype bits, hid_t links)
{
    if (!check_chunk_bytes(copy, path, o, s->chunk))
        return false;
    const hid_t to = create(copy, o, path, s->list, links);
    if (to >= 0 && !s->by_library && !cl_hdf5_filters_check(to, &s->filters))
        cl_error_set(copy->err, CLAST_ENOTSUP, CL_HDF5_FILTERS_CHANGED, copy->set.in,
                     path);
    if (to < 0 || H5Dclose(to) < 0 || copy->err->status != CLAST_OK)
        return false;
    bool is_good;
    if (look_for_values(o, &is_good))
        return add_dataset(copy, o, path, s, bits);
    if (!is_good)
        cl_copy_fail(copy, path, "its chunks cannot be read");
    return is_good;
}

/* What lies in heaps is read and written: H5Ocopy() of libhdf5 1.10.8 ends the process
 * where a heap cannot be read. */
static bool make_as_it_is(cl_copy *copy, const cl_walk_item *item, const original *o,
                          hid_t links)
{
    return !cl_hdf5_type_is_plain(o->type) || H5Tcommitted(o->type) > 0
               ? copy_by_hand(copy, o, item->path, links)
               : copy_as_it_is(copy, item, o, links);
}

static bool make(cl_copy *copy, const cl_walk_item *item, const original *o,
                 hid_t links)
{
    cl_hdf5_type bits;
    storage s;
    cl_copy_rule *rule = find_rule(copy, item->path, o->ndim);
    if (rule && rule->path && rule->ndim != 0 && rule->ndim != o->ndim) {
        cl_error_set(copy->err, CLAST_EVALUE, "%s:%s has %d axes, the chunks for it %d",
                     copy->set.in, item->path, o->ndim, rule->ndim);
        return false;
    }
    if (!is_candidate(copy, o, rule, &bits))
        return make_as_it_is(copy, item, o, links);
    if (rule)
        rule->is_used = true;
    if (wanted_list(copy, o, rule, &s) < 0) {
        cl_copy_fail(copy, item->path, "its storage cannot be set");
        return false;
    }
    const bool is_good =
        s.is_changed ? make_to_be_filled(copy, o, item->path, &s, bits.dtype, links)
                     : make_as_it_is(copy, item, o, links);
    H5Pclose(s.list);
    return is_good;
}

bool cl_copy_make_dataset(cl_copy *copy, const cl_walk_item *item, hid_t links)
{
    original o;
    const hid_t id = H5Dopen2(item->group, item->name, H5P_DEFAULT);
    if (id < 0) {
        cl_copy_fail(copy, item->path, "it cannot be opened");
        return false;
    }
    const bool is_good = open_original(id, &o) && make(copy, item, &o, links);
    close_original(&o);
    H5Dclose(id);
    return is_good;
}
