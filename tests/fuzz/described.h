/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An input of fuzz_described, and the memory files that it is played from: two bytes,
 * how many follow that a helper says behind its head's first members; these; then the
 * file that they are about. The members that nobody guesses (magic, size, which file)
 * are set so that they are right.
 */
#ifndef CL_TESTS_FUZZ_DESCRIBED_H
#define CL_TESTS_FUZZ_DESCRIBED_H

#include <stddef.h>

#include "io/description.h"

/* Where what an input says begins: the status. */
enum { SAID_FROM = offsetof(cl_described_head, status) };

#endif
