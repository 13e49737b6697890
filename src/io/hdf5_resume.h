/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Resuming, and what its parts share: hdf5_resume.c begins and ends a file,
 * hdf5_resume_text.c says what run it is, hdf5_resume_left.c what earlier runs left,
 * hdf5_resume_chunks.c keeps and takes over chunks.
 */
#ifndef CL_IO_HDF5_RESUME_H
#define CL_IO_HDF5_RESUME_H

#include "io/hdf5_output.h"

#define CL_JOURNAL_SUFFIX ".clast-journal"

/* Before any file is touched: what an earlier run left of the target of one of these is
 * refused, or the run's own. */
clast_status cl_resume_check(size_t n, const cl_output_spec *specs, size_t index,
                             const char *target, bool *is_published, cl_error *err);
/* Begins a file, or goes on with it. is_dry: only what is stored is found out. */
clast_status cl_resume_begin(cl_outputs *outputs, size_t file, bool is_dry,
                             cl_error *err);
/* Chunks that were stored: their places, or the chunk itself. */
clast_status cl_resume_note(const cl_outputs *outputs, const cl_output *o,
                            const cl_box *box, const cl_box *part, int64_t index,
                            const void *data, cl_error *err);
clast_status cl_resume_log(const cl_outputs *outputs, const cl_output *o, int64_t index,
                           uint32_t mask, const void *bytes, uint64_t size,
                           cl_error *err);
/* All files are complete under their temporary names. */
clast_status cl_resume_finish(cl_outputs *outputs, cl_error *err);
/* The end: of a file that failed, or whose turn to be published did not come, the
 * progress is kept where there is any. */
void cl_resume_leave(cl_outputs *outputs, size_t file);
void cl_resume_done(cl_outputs *outputs);

/* ---- between the parts ---- */

clast_status cl_resume_no_memory(const char *file, cl_error *err);

/* Of the first output of a file that has one; NULL: it cannot be resumed. */
const char *cl_resume_identity(const cl_outputs *outputs, size_t file);
/* The text of a file's journal; its last line is the target as it was. */
clast_status cl_resume_text(cl_outputs *outputs, size_t file, cl_text *text,
                            cl_error *err);
/* Compares line by line. What has become of the target does not matter once it is the
 * run's own result. */
clast_status cl_resume_compare(const cl_atomic_file *a, const char *name,
                               const char *had, const char *has, bool is_published,
                               cl_error *err);

/* Whether the finished file has been renamed to the target. */
bool cl_resume_is_in_place(const cl_journal_state *state, const char *target);
/* Whether the journal beside `other` says that the target, whose own is gone, is the
 * finished file: the run was killed while it removed its journals. *text: that
 * journal's, to be freed. */
clast_status cl_resume_is_known_to(const char *other, const char *target,
                                   bool *is_known, char **text, cl_error *err);
clast_status cl_resume_refuse(const char *file, const char *name,
                              const cl_journal_state *state, cl_error *err);

/* Takes over the chunks of a journal, and says how many; is_dry: only finds out
 * which. */
clast_status cl_resume_take(cl_outputs *outputs, size_t file, const char *name,
                            bool is_dry, cl_error *err);

#endif
