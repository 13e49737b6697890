/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The order in which the chunks of a file are written: datasets in the order in which
 * they were made, chunks in C order. So the file has the same bytes whoever computes
 * what when. One order a file; what comes too early waits beside the file.
 */
#ifndef CL_IO_HDF5_ORDER_H
#define CL_IO_HDF5_ORDER_H

#include "io/hdf5_output.h"

/* Of a file whose datasets are open; numbers the chunks of its outputs. */
clast_status cl_chunk_order_new(cl_chunk_order **order, cl_outputs *outputs,
                                size_t file, cl_error *err);
/* Memory that so many chunks in an order may take. */
uint64_t cl_chunk_order_bytes(int64_t chunks);
void cl_chunk_order_free(cl_chunk_order *order); /* NULL is legal */

/* A chunk as it is to be stored (of outputs by_library: its elements): written, or kept
 * until its turn; the bytes are the caller's again. Each chunk once, from any
 * thread. */
clast_status cl_chunk_order_put(cl_chunk_order *order, const cl_output *o,
                                int64_t index, uint32_t mask, const void *bytes,
                                uint64_t size, cl_error *err);
/* Writes a few of the chunks that waited and whose turn it is, as far as they fit into
 * the room. To be called after each put. */
clast_status cl_chunk_order_drain(cl_chunk_order *order, void *room, uint64_t bytes,
                                  cl_error *err);
/* All chunks were put: writes the rest. Allocates room for one chunk where any
 * waits. */
clast_status cl_chunk_order_finish(cl_chunk_order *order, cl_error *err);

#endif
