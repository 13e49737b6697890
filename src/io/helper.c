/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the helper is: named by the caller, or the first that is there of
 *   <folder of the library>/<libexecdir as seen from libdir>/clast/clast-describe
 *   <folder of the library>/../helper/clast-describe         (a build tree)
 *   <libexecdir>/clast/clast-describe                        (as configured)
 * so that an installed tree may be moved.
 */
#include "io/helper.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"

#define PATH_ROOM 4096
#define SECONDS   10 /* for the helper, of the clock on the wall */

static const char here_is = 0; /* in this library */

static bool is_program(const char *path)
{
    return access(path, X_OK) == 0;
}

static clast_status find_helper(char path[PATH_ROOM], const char *asked, cl_error *err)
{
    static const char *const beside[] = {CLAST_LIBEXEC_RELATIVE, "../helper"};
    Dl_info here;
    if (asked) {
        snprintf(path, PATH_ROOM, "%s", asked);
        return CLAST_OK;
    }
    const bool is_known =
        dladdr(&here_is, &here) != 0 && here.dli_fname && strrchr(here.dli_fname, '/');
    for (size_t i = 0; is_known && i < sizeof beside / sizeof *beside; i++) {
        const int folder = (int)(strrchr(here.dli_fname, '/') - here.dli_fname);
        const int n = snprintf(path, PATH_ROOM, "%.*s/%s/clast-describe", folder,
                               here.dli_fname, beside[i]);
        if (n < PATH_ROOM && is_program(path))
            return CLAST_OK;
    }
    snprintf(path, PATH_ROOM, "%s/clast-describe", CLAST_LIBEXEC);
    if (is_program(path))
        return CLAST_OK;
    return cl_error_set(err, CLAST_ENOENT,
                        "the helper program for untrusted files is missing: %s", path);
}

clast_status cl_helper_open_file(int *fd, struct stat *st, const char *name,
                                 cl_error *err)
{
    *fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0 && errno == EWOULDBLOCK)
        return cl_error_set(err, CLAST_EACCESS,
                            "%s: another process has a lease of it, and has been told "
                            "to give it up",
                            name);
    if (*fd < 0 || fstat(*fd, st) != 0)
        return cl_error_set(err, cl_status_from_errno(errno), "%s: %s", name,
                            strerror(errno));
    if (!S_ISREG(st->st_mode))
        return cl_error_set(err, CLAST_EFORMAT, "%s is not a regular file", name);
    /* Where somebody has it locked, the helper's libhdf5 says so, unless the user has
     * switched its locks off: then the file is read all the same. */
    cl_helper_lock_file(*fd);
    return CLAST_OK;
}

void cl_helper_lock_file(int fd)
{
    flock(fd, LOCK_SH | LOCK_NB);
}

clast_status cl_helper_start(cl_child *child, const cl_untrusted *how, const char *what,
                             const char *file, const char *path, cl_error *err)
{
    char helper[PATH_ROOM];
    CL_TRY(find_helper(helper, how->helper, err));
    const char *const argv[] = {helper, what, file, path, NULL};
    return cl_child_start(child, argv, SECONDS, err);
}

void cl_helper_tell(const cl_untrusted *how, const cl_described_head *head)
{
    if (head->is_confined || !how->is_told || *how->is_told)
        return;
    *how->is_told = true;
    cl_log_warning(how->log,
                   "untrusted files: the helper process is not confined by seccomp: "
                   "this kernel refuses it, or this build has no filter for it; it has "
                   "its other limits");
}
