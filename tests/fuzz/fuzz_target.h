/* SPDX-License-Identifier: BSD-3-Clause */
/* What libFuzzer, and replay.c in its place, calls for every input. */
#ifndef CL_TESTS_FUZZ_TARGET_H
#define CL_TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
