/* SPDX-License-Identifier: BSD-3-Clause */
/* Reports on whole files that nobody vouches for: the other half of test_untrusted. */
#ifndef CL_TESTS_TEST_UNTRUSTED_REPORT_H
#define CL_TESTS_TEST_UNTRUSTED_REPORT_H

#include "check_quiet.h"

Suite *untrusted_report_suite(void);

#endif
