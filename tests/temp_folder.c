/* SPDX-License-Identifier: BSD-3-Clause */
#include "temp_folder.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_quiet.h"

static char folder[64];

void temp_folder_begin(void)
{
    strcpy(folder, "/tmp/clast-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static int each_name(bool is_removed)
{
    int n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        n++;
        if (is_removed)
            unlink(e->d_name);
    }
    if (dir)
        closedir(dir);
    return n;
}

void temp_folder_end(void)
{
    ck_assert_int_eq(chdir(folder), 0);
    each_name(true);
    ck_assert_int_eq(chdir("/tmp"), 0);
    rmdir(folder);
}

int temp_folder_count(void)
{
    return each_name(false);
}
