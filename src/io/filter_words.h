/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parameters of a filter say, for people: the same in every build, whatever
 * codecs it has. */
#ifndef CL_IO_FILTER_WORDS_H
#define CL_IO_FILTER_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a container does to elements before it compresses them: one of compression.h's
 * shuffles, or what a file leaves open. */
typedef enum {
    CL_SHUFFLED_UNSAID, /* the filter has no such parameter */
    CL_SHUFFLED_NONE,
    CL_SHUFFLED_BYTES,
    CL_SHUFFLED_BITS,
    CL_SHUFFLED_UNKNOWN /* by a number that is not known */
} cl_shuffled;

typedef struct {
    const char *name; /* what people call the filter; NULL: it is not known */
    const char
        *codec; /* inside of a container, "none", "unknown"; NULL: no container */
    cl_shuffled shuffle; /* a container's own */
    bool has_level;
    int32_t level;
} cl_filter_words;

/* Of its n parameters as the file has them. */
cl_filter_words cl_filter_in_words(uint32_t id, const uint32_t *value, size_t n);

#endif
