/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clast-describe FILE PATH RAW: the process that opens untrusted files with libhdf5 in
 * the place of the one that wants to read them. Its standard output is for Clast only.
 *
 * It takes leave of what it does not need before it opens the file: memory, time,
 * descriptors, writing, cores, new privileges, and a life beyond its parent's.
 */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/hdf5_describe.h"

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
    l.rlim_max = hard < l.rlim_max ? hard : l.rlim_max;
    l.rlim_cur = soft < l.rlim_max ? soft : l.rlim_max;
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

int main(int argc, char **argv)
{
    if (argc != 4 || take_leave() != 0)
        _exit(2);
    _exit(
        !cl_hdf5_describe(argv[1], argv[2], strcmp(argv[3], "1") == 0, STDOUT_FILENO));
}
