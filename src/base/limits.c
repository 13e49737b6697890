/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What this process may use: memory and processors, as the kernel, the control groups
 * (versions 1 and 2) and the resource limits say.
 *
 * A control group limits all groups below it, so that every ancestor is asked. Inside a
 * container the path in /proc/self/cgroup may not be visible; then the mount's root is
 * the group itself, which the walk ends with in any case. Files that are not there
 * limit nothing.
 */
#include "base/limits.h"
#include "base/least.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { TEXT = 4096, PATH = 1024 };

/* The file's beginning as text; "" where it cannot be read. */
static const char *slurp(const char *path, char *text, size_t size)
{
    size_t n = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && n + 1 < size) {
        const ssize_t got = read(fd, text + n, size - 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    if (fd >= 0)
        close(fd);
    text[n] = '\0';
    return text;
}

/* Where in the hierarchy of `controller` (NULL: version 2) this process is. */
static bool group_path(const char *root, const char *controller, char *path,
                       size_t size)
{
    char text[TEXT], file[PATH];
    if (snprintf(file, sizeof file, "%s/proc/self/cgroup", root) >= (int)sizeof file)
        return false;
    slurp(file, text, sizeof text);
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        char *names = strchr(line, ':');
        char *place = names ? strchr(names + 1, ':') : NULL;
        if (!place)
            continue;
        *place++ = '\0';
        const bool is_v2 = names[1] == '\0';
        bool found = !controller && is_v2;
        char *inner = NULL;
        for (char *name = strtok_r(names + 1, ",", &inner); name && controller;
             name = strtok_r(NULL, ",", &inner))
            found = found || strcmp(name, controller) == 0;
        if (found)
            return snprintf(path, size, "%s", place) < (int)size;
    }
    return false;
}

typedef uint64_t limit_fn(const char *folder);

/* The least of fn(folder) over this process's group and its ancestors. */
static uint64_t least_of_groups(const char *root, const char *mount,
                                const char *controller, limit_fn *fn)
{
    char group[PATH], folder[2 * PATH];
    if (!group_path(root, controller, group, sizeof group))
        return UINT64_MAX;
    uint64_t least = UINT64_MAX;
    for (;;) {
        if (snprintf(folder, sizeof folder, "%s%s%s", root, mount, group) <
            (int)sizeof folder) {
            const uint64_t limit = fn(folder);
            least = limit < least ? limit : least;
        }
        char *slash = strrchr(group, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* A number in folder/name; `none` where there is no file or no number ("max"). */
static uint64_t number_in(const char *folder, const char *name, uint64_t none)
{
    char path[3 * PATH], text[128], *end;
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return none;
    slurp(path, text, sizeof text);
    errno = 0;
    const long long v = strtoll(text, &end, 10);
    return end == text || errno || v < 0 ? none : (uint64_t)v;
}

static uint64_t memory_v2(const char *folder)
{
    return number_in(folder, "memory.max", UINT64_MAX);
}

static uint64_t memory_v1(const char *folder)
{
    return number_in(folder, "memory.limit_in_bytes", UINT64_MAX);
}

static uint64_t rounded_up(uint64_t quota, uint64_t period)
{
    return quota && period ? (quota - 1) / period + 1 : UINT64_MAX;
}

static uint64_t workers_v2(const char *folder)
{
    char path[3 * PATH], text[128];
    unsigned long long quota, period;
    if (snprintf(path, sizeof path, "%s/cpu.max", folder) >= (int)sizeof path)
        return UINT64_MAX;
    slurp(path, text, sizeof text);
    return sscanf(text, "%llu %llu", &quota, &period) == 2 ? rounded_up(quota, period)
                                                           : UINT64_MAX;
}

static uint64_t workers_v1(const char *folder)
{
    return rounded_up(number_in(folder, "cpu.cfs_quota_us", 0),
                      number_in(folder, "cpu.cfs_period_us", 0));
}

static uint64_t available(const char *root)
{
    char text[TEXT], file[PATH];
    const int n = snprintf(file, sizeof file, "%s/proc/meminfo", root);
    const char *line = n < (int)sizeof file
                           ? strstr(slurp(file, text, sizeof text), "MemAvailable:")
                           : NULL;
    unsigned long long kib;
    if (line && sscanf(line, "MemAvailable: %llu", &kib) == 1)
        return kib << 10;
    return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t cl_limit_memory(const char *root)
{
    uint64_t bytes = available(root);
    bytes =
        cl_lesser_u(bytes, least_of_groups(root, "/sys/fs/cgroup", NULL, memory_v2));
    bytes = cl_lesser_u(
        bytes, least_of_groups(root, "/sys/fs/cgroup/memory", "memory", memory_v1));
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        bytes = cl_lesser_u(bytes, limit.rlim_cur);
    return bytes;
}

int cl_limit_workers(const char *root)
{
    cpu_set_t set[8]; /* 8192 processors */
    uint64_t n = sched_getaffinity(0, sizeof set, set) == 0
                     ? (uint64_t)CPU_COUNT_S(sizeof set, set)
                     : 1;
    n = cl_lesser_u(n, least_of_groups(root, "/sys/fs/cgroup", NULL, workers_v2));
    n = cl_lesser_u(n, least_of_groups(root, "/sys/fs/cgroup/cpu", "cpu", workers_v1));
    n = cl_lesser_u(n, CL_MOST_WORKERS);
    return n ? (int)n : 1;
}
