/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Clast: chunked n-dimensional arrays larger than memory.
 *
 * This header includes the whole public interface. A program builds array expressions
 * (nothing is read or computed), then hands them to a sink, which plans and runs one
 * task graph within a fixed memory budget.
 */
#ifndef CLAST_H
#define CLAST_H

#include "clast/array.h"
#include "clast/context.h"
#include "clast/expr.h"
#include "clast/hdf5.h"
#include "clast/linalg.h"
#include "clast/run.h"
#include "clast/sink.h"
#include "clast/status.h"
#include "clast/task.h"
#include "clast/types.h"

#endif
