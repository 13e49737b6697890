/* SPDX-License-Identifier: BSD-3-Clause */
/* Formats that people take for HDF5, told from the first bytes of a file. */
#ifndef CL_IO_OTHER_FORMAT_H
#define CL_IO_OTHER_FORMAT_H

#define CL_FORMAT_BYTES 4 /* that are looked at */

/* What a file is that begins so, and which program makes an HDF5 file of it, in words
 * that go on from "is". NULL: none that is known. */
const char *cl_other_format(const void *begin);

#endif
