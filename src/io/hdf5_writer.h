/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file driver for files being written that libhdf5 never sees fail.
 *
 * libhdf5 1.10 does not survive a file that cannot be closed: where its last metadata
 * finds no room on the disk, the file stays half open and the library's exit handler
 * crashes the process later. This driver notes the first error and from then on takes
 * all writes without doing them. The file is lost anyhow; its owner asks for the error
 * after each call.
 *
 * All functions are called under the lock of hdf5_lib.h.
 */
#ifndef CL_IO_HDF5_WRITER_H
#define CL_IO_HDF5_WRITER_H

#include <hdf5.h>
#include <stdbool.h>

/* Makes the driver that of the file access list, for the next file that is opened or
 * made. *error gets the errno of the first thing that fails and is 0 until then; it
 * must live as long as the file is open. goes_on: writes are tried after an error too,
 * for a file that is not lost by it. false: no memory. */
bool cl_hdf5_writer_use(hid_t access_list, int *error, bool goes_on);

#endif
