/* SPDX-License-Identifier: BSD-3-Clause */
/* How an output's chunks are compressed, as callers ask for it. */
#ifndef CL_ARRAY_COMPRESS_H
#define CL_ARRAY_COMPRESS_H

#include "io/store.h"

/*
 * What a caller's options ask for: `text` as `clast eval --compress` has it, or, where
 * that is NULL, the level of gzip (0: same, -1: none). shuffle: -1 no, 1 bytes, 0 as is
 * usual with the codec. *is_same: the input's is wanted, and *c says none.
 * CLAST_EVALUE, CLAST_ENOTSUP this build lacks the codec.
 */
clast_status cl_compress_ask(cl_compression *c, bool *is_same, const char *text,
                             int gzip, int shuffle, cl_error *err);

#endif
