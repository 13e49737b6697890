/* SPDX-License-Identifier: BSD-3-Clause */
/* Under a sanitizer everything takes several times as long: of sweeps and random
 * trials, whose rounds run the same code, a part is done there. */
#ifndef CL_TESTS_CHECK_SHARE_H
#define CL_TESTS_CHECK_SHARE_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CL_CHECK_EVERY 4
#else
#define CL_CHECK_EVERY 1
#endif

#endif
