/* SPDX-License-Identifier: BSD-3-Clause */
#include "untrusted_files.h"

#include <stdio.h>
#include <sys/stat.h>

clast_ctx *untrusted_ctx;

clast_ctx *untrusted_open(uint64_t memory, const char *helper)
{
    return clast_open(
        &(clast_options){.memory = memory, .workers = 1, .helper = helper});
}

void untrusted_begin(void)
{
    files_begin();
    untrusted_ctx = untrusted_open(CLAST_MIB(64), HELPER);
    ck_assert_str_eq(clast_ctx_error(untrusted_ctx), "");
}

void untrusted_end(void)
{
    clast_close(&untrusted_ctx);
    ck_assert_int_eq(files_open_ids(), 0);
    files_end();
}

static const file_spec specs[SPECS] = {
    {.shape = {30, 50}},
    {.shape = {30, 50}, .chunk = {7, 9}},
    {.shape = {30, 50}, .chunk = {7, 9}, .is_latest = true},
    {.shape = {30, 50}, .chunk = {7, 9}, .is_latest = true, .unlimited = 1},
    {.shape = {30, 50}, .chunk = {7, 9}, .is_latest = true, .unlimited = 2},
    {.shape = {30, 50}, .chunk = {7, 9}, .filters = FILTER_DEFLATE},
    {.shape = {30, 50},
     .chunk = {7, 9},
     .filters = FILTER_DEFLATE | FILTER_SHUFFLE | FILTER_FLETCHER},
    {.shape = {30, 50}, .chunk = {7, 9}, .filters = FILTER_DEFLATE, .is_noise = true},
    {.shape = {30, 50}, .chunk = {7, 9}, .written = {10, 20}},
    {.shape = {30, 50}, .chunk = {7, 9}, .user_block = 1024, .filters = FILTER_SHUFFLE},
    {.shape = {30, 50},
     .chunk = {7, 9},
     .is_latest = true,
     .filters = FILTER_DEFLATE,
     .has_raw_edges = true},
};

void untrusted_make(int i)
{
    file_spec spec = specs[i];
    spec.file = "a.h5";
    spec.path = "/x";
    spec.ndim = 2;
    files_make(&spec);
}

void helper_script(const char *text)
{
    FILE *f = fopen("helper", "w");
    fprintf(f, "#!/bin/sh\n%s\n", text);
    fclose(f);
    ck_assert_int_eq(chmod("helper", 0700), 0);
}

void helper_says(const unsigned char *said, size_t bytes)
{
    FILE *f = fopen("said", "w");
    ck_assert_uint_eq(fwrite(said, 1, bytes, f), bytes);
    fclose(f);
    helper_script("exec cat said");
}
