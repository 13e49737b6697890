/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Defaults from control groups of both versions, read from trees that are made here:
 * the least limit on the way from the process's group to the root counts, "max" and
 * missing files limit nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "check_main.h"

enum { MOST = 8 };

static char root[] = "/tmp/clast-test-XXXXXX";

/* The file, its folders and its text. */
static void put(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s%s", root, name);
    for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        (void)mkdir(path, 0700);
        *p = '/';
    }
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    ck_assert_int_eq(fclose(f), 0);
}

static void make_tree(void)
{
    strcpy(root, "/tmp/clast-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void remove_tree(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", root);
    ck_assert_int_eq(system(command), 0);
}

#define FREE     "MemTotal: 9000000 kB\nMemAvailable: 8388608 kB\n" /* 8 GiB */
#define GIB(n)   ((uint64_t)(n) << 30)
#define V2       "/sys/fs/cgroup"
#define V1       "/sys/fs/cgroup/memory"
#define V1_CPU   "/sys/fs/cgroup/cpu"
#define NO_QUOTA CL_MOST_WORKERS

static const struct {
    const char *why;
    struct {
        const char *name, *text;
    } file[MOST];
    uint64_t memory;
    int workers; /* or as many as the affinity mask has */
} trees[] = {
    {"no groups", {{"/proc/meminfo", FREE}}, GIB(8), NO_QUOTA},
    {"version 2",
     {{"/proc/meminfo", FREE},
      {"/proc/self/cgroup", "0::/a/b\n"},
      {V2 "/a/b/memory.max", "1073741824\n"},
      {V2 "/a/b/cpu.max", "100000 100000\n"}},
     GIB(1),
     1},
    {"the parent has less",
     {{"/proc/meminfo", FREE},
      {"/proc/self/cgroup", "0::/a/b\n"},
      {V2 "/a/b/memory.max", "max\n"},
      {V2 "/a/memory.max", "2147483648\n"},
      {V2 "/a/b/cpu.max", "max 100000\n"},
      {V2 "/a/cpu.max", "50000 100000\n"}},
     GIB(2),
     1},
    {"the group is the root of its namespace",
     {{"/proc/meminfo", FREE},
      {"/proc/self/cgroup", "0::/\n"},
      {V2 "/memory.max", "3221225472\n"}},
     GIB(3),
     NO_QUOTA},
    {"more than there is",
     {{"/proc/meminfo", FREE},
      {"/proc/self/cgroup", "0::/a\n"},
      {V2 "/a/memory.max", "99999999999999\n"},
      {V2 "/a/cpu.max", "99900000 100000\n"}},
     GIB(8),
     NO_QUOTA},
    {"version 1",
     {{"/proc/meminfo", FREE},
      {"/proc/self/cgroup", "9:memory:/a/b\n4:cpuacct,cpu:/c\n1:name=systemd:/x\n"},
      {V1 "/a/b/memory.limit_in_bytes", "1073741824\n"},
      {V1 "/memory.limit_in_bytes", "9223372036854771712\n"},
      {V1_CPU "/c/cpu.cfs_quota_us", "100000\n"},
      {V1_CPU "/c/cpu.cfs_period_us", "100000\n"}},
     GIB(1),
     1},
    {"version 1 without a quota, the group not mounted here",
     {{"/proc/meminfo", FREE},
      {"/proc/self/cgroup", "9:memory:/docker/0123\n4:cpu:/docker/0123\n"},
      {V1 "/memory.limit_in_bytes", "2147483648\n"},
      {V1_CPU "/cpu.cfs_quota_us", "-1\n"},
      {V1_CPU "/cpu.cfs_period_us", "100000\n"}},
     GIB(2),
     NO_QUOTA},
    {"both versions",
     {{"/proc/meminfo", FREE},
      {"/proc/self/cgroup", "3:memory:/a\n0::/b\n"},
      {V1 "/a/memory.limit_in_bytes", "4294967296\n"},
      {V2 "/b/memory.max", "3221225472\n"}},
     GIB(3),
     NO_QUOTA},
    {"damaged files",
     {{"/proc/meminfo", FREE},
      {"/proc/self/cgroup", "nonsense\n::\n0:/\n0::/a\n"},
      {V2 "/a/memory.max", "-5\n"},
      {V2 "/a/cpu.max", "0 0\n"},
      {V2 "/memory.max", ""}},
     GIB(8),
     NO_QUOTA},
};

START_TEST(the_least_limit_counts)
{
    make_tree();
    for (int i = 0; i < MOST && trees[_i].file[i].name; i++)
        put(trees[_i].file[i].name, trees[_i].file[i].text);
    const int all = cl_limit_workers("/nowhere");
    const int workers = trees[_i].workers < all ? trees[_i].workers : all;
    ck_assert_msg(cl_limit_memory(root) == trees[_i].memory, "%s: %llu bytes",
                  trees[_i].why, (unsigned long long)cl_limit_memory(root));
    ck_assert_msg(cl_limit_workers(root) == workers, "%s: %d workers", trees[_i].why,
                  cl_limit_workers(root));
    remove_tree();
}
END_TEST

/* Without any file the system is asked. */
START_TEST(nothing_is_there)
{
    const uint64_t memory = cl_limit_memory("/nowhere");
    ck_assert_uint_gt(memory, 0);
    ck_assert_uint_le(memory, (uint64_t)sysconf(_SC_PHYS_PAGES) *
                                  (uint64_t)sysconf(_SC_PAGESIZE));
    ck_assert_int_ge(cl_limit_workers("/nowhere"), 1);
}
END_TEST

static Suite *limits(void)
{
    Suite *s = suite_create("limits");
    TCase *c = tcase_create("limits");
    tcase_add_loop_test(c, the_least_limit_counts, 0,
                        (int)(sizeof trees / sizeof *trees));
    tcase_add_test(c, nothing_is_there);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {limits};
    return cl_check_main(suites, 1);
}
