/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes a first corpus for fuzz_filters: seed_filters FOLDER. A chunk of each codec,
 * by itself and between shuffle and checksum. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/filters.h"
#include "io/shuffle.h"
#include "packing.h"

enum { ELEMENTS = 130, ITEM = 4, BYTES = ELEMENTS * ITEM };

/* The place of an id in the target's table. */
static int id_index(uint32_t id)
{
    static const uint32_t ids[] = {1, 2, 3, 32000, 32001, 32004, 32008, 32015};
    int i = 0;
    while (ids[i] != id)
        i++;
    return i;
}

static void put(FILE *file, uint32_t number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        fputc((int)(number >> 8 * i & 255), file);
}

static void put_filter(FILE *file, uint32_t id, int n, const unsigned *value)
{
    put(file, (uint32_t)id_index(id), 1);
    put(file, (uint32_t)n, 1);
    for (int i = 0; i < n; i++)
        put(file, value[i], 4);
}

static void seed(const char *folder, int index, bool is_between)
{
    const packing p = packing_for(index, ITEM);
    const unsigned item[] = {ITEM};
    unsigned char in[BYTES], shuffled[BYTES], out[3 * BYTES + 1024];
    char path[4096];
    for (int i = 0; i < BYTES; i++)
        in[i] = shuffled[i] = (unsigned char)(i % ITEM ? i % ITEM : i / 7);
    if (is_between)
        cl_shuffle(shuffled, in, BYTES, ITEM);
    size_t n = packing_run(&p, shuffled, BYTES, out);
    snprintf(path, sizeof path, "%s/seed-%d-%d", folder, index, is_between);
    FILE *file = fopen(path, "wb");
    if (!file)
        exit(1);
    put(file, ELEMENTS, 2);
    put(file, 0, 1);
    put(file, ITEM - 1, 1);
    put(file, is_between ? 3 : 1, 1);
    if (is_between)
        put_filter(file, 2, 1, item);
    put_filter(file, p.id, p.nvalue, p.value);
    if (is_between) {
        put_filter(file, 3, 0, NULL);
        const uint32_t sum = cl_fletcher32(out, n);
        for (int i = 0; i < 4; i++)
            out[n++] = (unsigned char)(sum >> 8 * i);
    }
    fwrite(out, 1, n, file);
    fclose(file);
}

int main(int argc, char **argv)
{
    for (int i = 0; argc == 2 && i < PACKINGS; i++)
        if (packings[i].is_here)
            for (int between = 0; between < 2; between++)
                seed(argv[1], i, between);
    return argc != 2;
}
