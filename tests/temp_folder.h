/* SPDX-License-Identifier: BSD-3-Clause */
/* A folder of the process's own, in which a test works and nothing is left. */
#ifndef CL_TESTS_TEMP_FOLDER_H
#define CL_TESTS_TEMP_FOLDER_H

/* Makes a folder below /tmp and works there; removes it and all that is in it. */
void temp_folder_begin(void);
void temp_folder_end(void);
int temp_folder_count(void); /* names in the folder, hidden ones included */

#endif
