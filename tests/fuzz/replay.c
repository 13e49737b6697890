/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs a fuzz target without a fuzzer: replay FOLDER ROUNDS.
 *
 * Every file of the corpus as it is, then ROUNDS times with up to 8 bytes changed, a
 * piece cut out, or its end cut off; always the same ones. It finds what is easily
 * found, in every build; the fuzzer, which follows coverage, is `make fuzz`.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_target.h"

enum { MOST = 65536 };

static uint64_t state = 88172645463325252u;

static uint32_t pick(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % n;
}

static size_t mutate(uint8_t *data, size_t size)
{
    const uint32_t changes = pick(9);
    for (uint32_t i = 0; i < changes && size > 0; i++)
        data[pick((uint32_t)size)] = (uint8_t)(pick(3) ? pick(256) : 255 * pick(2));
    if (pick(4) == 0 && size > 2) {
        const size_t at = pick((uint32_t)size), n = 1 + pick(8);
        const size_t gone = n < size - at ? n : size - at;
        memmove(data + at, data + at + gone, size - at - gone);
        size -= gone;
    }
    return pick(4) == 0 ? pick((uint32_t)size + 1) : size;
}

static void replay(const char *path, int rounds)
{
    static uint8_t data[MOST], copy[MOST];
    FILE *file = fopen(path, "rb");
    if (!file)
        exit(2);
    const size_t size = fread(data, 1, MOST, file);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    for (int r = 0; r < rounds; r++) {
        memcpy(copy, data, size);
        LLVMFuzzerTestOneInput(copy, mutate(copy, size));
    }
}

int main(int argc, char **argv)
{
    char path[4096];
    int files = 0;
    DIR *folder = argc == 3 ? opendir(argv[1]) : NULL;
    if (!folder)
        return 2;
    for (struct dirent *e; (e = readdir(folder));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
        replay(path, atoi(argv[2]));
        files++;
    }
    closedir(folder);
    printf("%d inputs, each as it is and changed %s times\n", files, argv[2]);
    return files == 0;
}
