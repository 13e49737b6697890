/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clast-describe WHAT FILE PATH: the process that opens untrusted files with libhdf5 in
 * the place of the one that wants to read them. Its standard output is for Clast only.
 *
 * It takes leave of what it does not need before it opens the file: memory, time,
 * descriptors, writing, cores, new privileges, and a life beyond its parent's. When the
 * file is open, and before a byte of it is read, it gives up nearly all system calls.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/least.h"
#include "helper/confine.h"
#include "io/hdf5_capture.h"
#include "io/hdf5_describe.h"
#include "io/helper.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ADDRESSES RLIM_INFINITY /* a sanitizer reserves terabytes */
#else
#define ADDRESSES ((rlim_t)256 << 20)
#endif
#define SECONDS 5
#define FILES   16

/* No more than it has already. */
static int limit(int what, rlim_t soft, rlim_t hard)
{
    struct rlimit l;
    if (getrlimit((__rlimit_resource_t)what, &l) != 0)
        return -1;
    l.rlim_max = cl_lesser_u(hard, l.rlim_max);
    l.rlim_cur = cl_lesser_u(cl_lesser_u(soft, l.rlim_cur), l.rlim_max);
    return setrlimit((__rlimit_resource_t)what, &l);
}

static int take_leave(void)
{
    const int faults[] = {limit(RLIMIT_AS, ADDRESSES, ADDRESSES),
                          limit(RLIMIT_CPU, SECONDS, SECONDS + 1),
                          limit(RLIMIT_NOFILE, FILES, FILES),
                          limit(RLIMIT_FSIZE, 0, 0),
                          limit(RLIMIT_CORE, 0, 0),
                          prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
                          prctl(PR_SET_DUMPABLE, 0),
                          prctl(PR_SET_PDEATHSIG, SIGKILL)};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (faults[i] != 0)
            return -1;
    return 0;
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, 1);
}

/* What the C library looks up when it is first asked, for which later it has no leave:
 * how much memory there is, before it sorts something large, and the time zone, of
 * which it looks at the file each time that it has no other name. Nothing that is said
 * here depends on it. */
static void look_up(void)
{
    static char much[4096];
    qsort(much, sizeof much, 1, compare);
    setenv("TZ", "UTC0", 1);
    tzset();
}

static bool describe(const char *what, const char *file, const char *path)
{
    static const struct {
        const char *what;
        cl_report_kind kind;
    } reports[] = {{CL_HELPER_TEXT, CL_REPORT_TEXT},
                   {CL_HELPER_JSON, CL_REPORT_JSON},
                   {CL_HELPER_NAMES, CL_REPORT_NAMES}};
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++)
        if (strcmp(what, reports[i].what) == 0)
            return cl_hdf5_describe_file(reports[i].kind, file, *path ? path : NULL,
                                         STDOUT_FILENO);
    return cl_hdf5_describe(file, path, strcmp(what, CL_HELPER_STORED) == 0,
                            STDOUT_FILENO);
}

int main(int argc, char **argv)
{
    if (argc != 4 || take_leave() != 0)
        _exit(2);
    look_up();
    cl_hdf5_capture_alone(cl_confine);
    _exit(!describe(argv[1], argv[2], argv[3]));
}
