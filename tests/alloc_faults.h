/* SPDX-License-Identifier: BSD-3-Clause */
/* Every allocation fails in turn. */
#ifndef CL_TESTS_ALLOC_FAULTS_H
#define CL_TESTS_ALLOC_FAULTS_H

#include "base/alloc.h"
#include "base/status.h"
#include "check_quiet.h"
#include "check_share.h"

/* Does the work, looks at what a failure must leave as it is, and lets go of all that
 * it got. Allocations fail while it is called, its own through cl_alloc() included. */
typedef clast_status attempt_fn(void *arg);

/* The first time nothing fails; then the first allocation and all later ones, then the
 * second (under a sanitizer the fifth) and all later ones, and so on until the work
 * succeeds. Each time the status is CLAST_ENOMEM, or the work could do without, and no
 * memory is lost. `least`: how many allocations there are at least. */
static inline void fail_every_allocation(attempt_fn *attempt, void *arg, int64_t least)
{
    clast_status status = attempt(arg);
    ck_assert_msg(status == CLAST_OK, "with all memory: %s", clast_status_name(status));
    const uint64_t before = cl_alloc_live();
    bool is_done = false;
    int64_t n = 1 - CL_CHECK_EVERY;
    while (!is_done) {
        n += CL_CHECK_EVERY;
        cl_alloc_fail_after(n);
        status = attempt(arg);
        is_done = !cl_alloc_has_failed();
        cl_alloc_fail_after(-1);
        ck_assert_msg(status == CLAST_OK || status == CLAST_ENOMEM,
                      "allocation %lld: %s", (long long)n, clast_status_name(status));
        ck_assert_msg(cl_alloc_live() == before, "allocation %lld: %lld bytes are lost",
                      (long long)n, (long long)(cl_alloc_live() - before));
    }
    ck_assert_int_eq(status, CLAST_OK);
    ck_assert_int_ge(n, least);
}

#endif
