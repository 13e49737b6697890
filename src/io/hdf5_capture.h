/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A read-only file driver that can tell where a chunk is stored.
 *
 * While a capture is on in a thread, a read of raw data is not done but noted: its
 * address and size. H5Dread_chunk then answers "where" in a fraction of a microsecond,
 * which no other call of HDF5 1.10 does (H5Dget_chunk_info searches linearly). The
 * driver opens files close-on-exec and read-only, and takes HDF5's shared lock.
 *
 * All functions are called under the lock of hdf5_lib.h.
 */
#ifndef CL_IO_HDF5_CAPTURE_H
#define CL_IO_HDF5_CAPTURE_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

/* Makes the driver that of the file access list; false: no memory. */
bool cl_hdf5_capture_use(hid_t access_list);

/* Why the last open failed, an errno: EWOULDBLOCK where somebody has the file open for
 * writing. 0: it is libhdf5 that refused the contents. */
int cl_hdf5_capture_error(void);

/* What the last file that was opened is instead of an HDF5 file, and what makes one of
 * it. NULL: nothing that is known. */
const char *cl_hdf5_capture_other_format(void);

/* For a process that reads one file: `confine` is called when a file is open and not a
 * byte of it read, and says whether it did what it is for. From then on no other file
 * is opened: EACCES. */
void cl_hdf5_capture_alone(bool (*confine)(void));
bool cl_hdf5_capture_is_alone(void); /* such a process has its file */
bool cl_hdf5_capture_is_confined(void);

/* While `postpones` no read of raw data fails: what cannot be read is zeros. Returns
 * whether there was such a one since the last call, whose errno cl_hdf5_fail() then
 * has. Of a thread. */
bool cl_hdf5_capture_postpone(bool postpones);

typedef enum {
    CL_CHUNK_STORED,
    CL_CHUNK_ABSENT,
    CL_CHUNK_UNKNOWN,
    CL_CHUNK_UNWANTED /* not asked for */
} cl_chunk_state;

/* Where the chunk at these element coordinates is stored: absolute file offset. ABSENT:
 * it was never written. UNKNOWN: H5Dread_chunk may tell, or fail with the reason. */
cl_chunk_state cl_hdf5_locate(hid_t dataset, const hsize_t *offset, uint64_t *at,
                              uint64_t *bytes, uint32_t *mask);

#endif
