/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that nobody vouches for, and helpers that are scripts: what the tests of both
 * kinds of answers share. */
#ifndef CL_TESTS_UNTRUSTED_FILES_H
#define CL_TESTS_UNTRUSTED_FILES_H

#include "check_quiet.h"
#include "clast.h"
#include "hdf5_files.h"

/* Of the fixture: with this build's helper. */
extern clast_ctx *untrusted_ctx;
void untrusted_begin(void);
void untrusted_end(void);
clast_ctx *untrusted_open(uint64_t memory, const char *helper);

enum { SPECS = 11 };
/* a.h5 with /x of shape (30, 50), stored in one of SPECS ways. */
void untrusted_make(int i);

/* "./helper": a shell script, and one that says these bytes. */
void helper_script(const char *text);
void helper_says(const unsigned char *said, size_t bytes);

#endif
