/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: a dataset of an untrusted file, from what a helper says of it to its
 * values. Both the helper and the file are the input's (described.h): the description's
 * checks, the table of chunks, positioned reads, filters and conversion.
 *
 * Whatever is accepted must lie within the file, cost no more of the budget than was
 * granted, and be the same when it is read in two halves, over other old contents.
 */
#include "described.h"

#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "base/thread.h"
#include "fuzz_target.h"
#include "io/hdf5_untrusted.h"
#include "memory_file.h"

enum { BUDGET = 1 << 20, ELEMENTS = 1 << 16, STAGING = 1 << 24 };

static clast_status charge(void *arg, uint64_t bytes, cl_error *err)
{
    uint64_t *charged = arg;
    if (bytes > BUDGET - *charged)
        return cl_error_set(err, CLAST_EBUDGET, "no room");
    *charged += bytes;
    return CLAST_OK;
}

static void uncharge(void *arg, uint64_t bytes)
{
    uint64_t *charged = arg;
    if (bytes > *charged)
        abort();
    *charged -= bytes;
}

static void *room_for(size_t bytes, int with)
{
    void *p = NULL;
    if (posix_memalign(&p, 64, bytes ? bytes : 1) != 0)
        abort();
    memset(p, with, bytes);
    return p;
}

static uint64_t count_of(const cl_box *box)
{
    uint64_t n = 1;
    for (int a = 0; a < box->ndim; a++)
        if (__builtin_mul_overflow(n, (uint64_t)box->n[a], &n))
            return UINT64_MAX;
    return n;
}

/* NULL: it cannot be read. */
static void *read_box(cl_source *source, const cl_box *box, int with)
{
    const cl_source_info *info = cl_source_get_info(source);
    const size_t bytes = count_of(box) * clast_dtype_size(info->dtype);
    const uint64_t work = cl_source_staging(source, box);
    uint64_t stored = 0;
    cl_error err = {0};
    if (work > STAGING)
        return NULL; /* the budget would say no */
    void *dst = room_for(bytes, with), *staging = room_for(work, with);
    if (cl_source_fetch(source, box, dst, staging, &stored, &err) != CLAST_OK ||
        cl_source_decode(source, box, dst, staging, &err) != CLAST_OK) {
        if (err.text[0] == '\0')
            abort(); /* no reason given */
        free(dst);
        dst = NULL;
    }
    free(staging);
    return dst;
}

static void check_halves(cl_source *source, cl_box box, const char *whole)
{
    const size_t size = clast_dtype_size(cl_source_get_info(source)->dtype);
    const int64_t length = box.ndim > 0 ? box.n[0] : 0, half = length / 2;
    if (half == 0)
        return;
    const size_t row = count_of(&box) / (size_t)length * size;
    const int64_t start[] = {0, half}, extent[] = {half, length - half};
    for (int i = 0; i < 2; i++) {
        box.lo[0] = start[i];
        box.n[0] = extent[i];
        char *part = read_box(source, &box, 0x5a);
        if (!part ||
            memcmp(part, whole + (size_t)start[i] * row, (size_t)extent[i] * row) != 0)
            abort();
        free(part);
    }
}

static void read_source(cl_source *source)
{
    const cl_source_info *info = cl_source_get_info(source);
    cl_box box = {.ndim = info->shape.ndim};
    for (int a = 0; a < box.ndim; a++)
        box.n[a] = info->shape.dim[a];
    const uint64_t count = count_of(&box);
    if (count == 0 || count > ELEMENTS)
        return;
    char *whole = read_box(source, &box, 0);
    if (whole)
        check_halves(source, box, whole);
    free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int file = -1, said = -1;
    if (size < 2)
        return 0;
    const size_t n = data[0] | (size_t)data[1] << 8;
    if (n > size - 2)
        return 0;
    char name[64], *all = room_for(SAID_FROM + n + sizeof(cl_described_head), 0);
    cl_described_head head;
    struct stat st;
    memory_file_set(&file, data + 2 + n, size - 2 - n);
    if (fstat(file, &st) != 0)
        abort();
    cl_described_head_init(&head, sizeof head, &st);
    head.head_bytes = sizeof(cl_description);
    memcpy(all, &head, sizeof head);
    memcpy(all + SAID_FROM, data + 2, n);
    /* which file it is about */
    memcpy(all + offsetof(cl_described_head, file), head.file, sizeof head.file);
    memory_file_set(&said, all, SAID_FROM + n);
    free(all);

    uint64_t charged = 0;
    cl_source *source = NULL;
    cl_error err = {0};
    cl_child child = {.fd = said, .until = cl_clock() + 60};
    const cl_untrusted how = {.charge = charge, .uncharge = uncharge, .arg = &charged};
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    if (cl_source_open_described(&source, name, "/x", false, &how, &child, &err) ==
        CLAST_OK) {
        read_source(source);
        uncharge(&charged, cl_source_get_info(source)->table_bytes);
        cl_source_close(source);
    }
    if (charged != 0)
        abort();
    return 0;
}
