/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What earlier runs left beside a target, found out before any file is touched:
 * progress that is refused or gone on with, and finished files that are in place
 * already.
 */
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/hdf5_resume.h"

bool cl_resume_is_in_place(const cl_journal_state *state, const char *target)
{
    struct stat st;
    return state->exists && state->is_finished && stat(target, &st) == 0 &&
           st.st_ino == state->inode && (uint64_t)st.st_size == state->size &&
           (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec ==
               state->modified;
}

clast_status cl_resume_is_known_to(const char *other, const char *target,
                                   bool *is_known, char **text, cl_error *err)
{
    struct stat st;
    cl_journal_state state;
    *is_known = false;
    *text = NULL;
    if (strcmp(other, target) == 0 || stat(target, &st) != 0)
        return CLAST_OK;
    char *name = cl_atomic_file_beside(other, CL_JOURNAL_SUFFIX);
    if (!name)
        return cl_resume_no_memory(target, err);
    const clast_status status = cl_journal_look_for(name, &st, &state, err);
    *is_known = status == CLAST_OK && state.is_beside;
    cl_free(name);
    if (*is_known)
        *text = state.text;
    else
        cl_free(state.text);
    return status;
}

static clast_status is_known_to_spec(const cl_output_spec *spec, const char *target,
                                     bool *is_known, cl_error *err)
{
    char *other, *text;
    bool exists;
    CL_TRY(cl_atomic_file_resolve(spec->file, &other, &exists, err));
    const clast_status status =
        cl_resume_is_known_to(other, target, is_known, &text, err);
    cl_free(text);
    cl_free(other);
    return status;
}

clast_status cl_resume_refuse(const char *file, const char *name,
                              const cl_journal_state *state, cl_error *err)
{
    return cl_error_set(
        err, CLAST_EEXIST,
        "%s: %s keeps the progress of an earlier run (%lld chunks): "
        "the option resume goes on with that run; remove the file to start over",
        file, name, (long long)state->entries);
}

clast_status cl_resume_check(size_t n, const cl_output_spec *specs, size_t index,
                             const char *target, bool *is_published, cl_error *err)
{
    const cl_output_spec *spec = &specs[index];
    cl_journal_state state;
    *is_published = false;
    char *name = cl_atomic_file_beside(target, CL_JOURNAL_SUFFIX);
    if (!name)
        return cl_resume_no_memory(spec->file, err);
    clast_status status = cl_journal_look(name, &state, NULL, NULL, err);
    if (status == CLAST_OK) {
        *is_published = spec->identity && cl_resume_is_in_place(&state, target);
        if (!spec->identity && state.entries > 0 &&
            !cl_resume_is_in_place(&state, target))
            status = cl_resume_refuse(spec->file, name, &state, err);
    }
    const bool is_gone = spec->identity && !state.exists && access(target, F_OK) == 0;
    for (size_t i = 0; i < n && is_gone && status == CLAST_OK && !*is_published; i++)
        status = is_known_to_spec(&specs[i], target, is_published, err);
    cl_free(state.text);
    cl_free(name);
    return status;
}
