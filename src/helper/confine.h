/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel lets the helper do once it has the file open. */
#ifndef CL_HELPER_CONFINE_H
#define CL_HELPER_CONFINE_H

#include <stdbool.h>

/* From now on this process may read what is open, write to standard output, allocate
 * and end; whatever else it asks the kernel for kills it. There is no way back. false:
 * the kernel refused (it has no seccomp filters, or forbids them), or this is a machine
 * or a build that no filter was written for; then nothing is changed. */
bool cl_confine(void);

#endif
