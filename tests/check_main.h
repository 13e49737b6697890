/* SPDX-License-Identifier: BSD-3-Clause */
/* What every test program ends with: run the suites, report as TAP on stdout. */
#ifndef CL_TESTS_CHECK_MAIN_H
#define CL_TESTS_CHECK_MAIN_H

#include <stdlib.h>

#include "check_quiet.h"

/* 0 if every test passed. n >= 1. */
static inline int cl_check_main(Suite *(*const suites[])(void), int n)
{
    /* Check's 4 seconds are too few on a busy machine under a sanitizer; the limit that
     * matters is Meson's, for the whole program. Read when a test case is made. */
    setenv("CK_DEFAULT_TIMEOUT", "500", 0);
    SRunner *runner = srunner_create(suites[0]());
    for (int i = 1; i < n; i++)
        srunner_add_suite(runner, suites[i]());
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

#endif
