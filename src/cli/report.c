/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that are written beside the results: --stats, --trace, --graph.
 *
 * Whether one can be written is tried before the run, with a temporary file in its
 * folder that goes at once; it is written after the run, under a temporary name, and
 * renamed. What is no regular file (a terminal, a pipe, /dev/null) is written as it is.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

static int failed(const char *option, const char *file, int code)
{
    complain("%s: %s: %s", option, file, strerror(errno));
    return code;
}

/* There, and not to be replaced. */
static bool is_special(const char *file)
{
    struct stat now;
    return stat(file, &now) == 0 && !S_ISREG(now.st_mode);
}

/* Where links lead; the name itself where there is nothing yet. */
static const char *target_of(const char *file, char *target)
{
    return realpath(file, target) != NULL ? target : file;
}

/* "folder/.name.XXXXXX" */
static bool temporary_name(const char *target, char *temp, size_t size)
{
    const char *slash = strrchr(target, '/');
    const char *name = slash != NULL ? slash + 1 : target;
    const int n =
        snprintf(temp, size, "%.*s.%s.XXXXXX", (int)(name - target), target, name);
    if (n > 0 && (size_t)n < size)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

int report_check(const char *option, const char *file)
{
    char target[PATH_MAX], temp[PATH_MAX + 16];
    struct stat now;
    if (file == NULL)
        return EXIT_DONE;
    if (is_special(file)) {
        if (stat(file, &now) == 0 && S_ISDIR(now.st_mode))
            errno = EISDIR;
        else if (access(file, W_OK) == 0)
            return EXIT_DONE;
        return failed(option, file, EXIT_WRONG);
    }
    if (!temporary_name(target_of(file, target), temp, sizeof temp))
        return failed(option, file, EXIT_WRONG);
    const int fd = mkstemp(temp);
    if (fd < 0)
        return failed(option, file, EXIT_WRONG);
    close(fd);
    unlink(temp);
    return EXIT_DONE;
}

/* As fopen() would have made it. */
static void set_mode(int fd)
{
    const mode_t mask = umask(0);
    umask(mask);
    (void)fchmod(fd, 0666 & ~mask);
}

static bool finish(FILE *to)
{
    const bool is_whole = ferror(to) == 0;
    return fclose(to) == 0 && is_whole;
}

int report_write(const char *option, const char *file, report_fn *write, void *arg)
{
    char real[PATH_MAX], temp[PATH_MAX + 16];
    const char *target = target_of(file, real);
    const bool is_direct = is_special(file);
    if (!is_direct && !temporary_name(target, temp, sizeof temp))
        return failed(option, file, EXIT_FAILED);
    const int fd = is_direct ? -1 : mkstemp(temp);
    FILE *to = is_direct ? fopen(file, "w") : fd >= 0 ? fdopen(fd, "w") : NULL;
    if (to == NULL)
        return failed(option, file, EXIT_FAILED);
    if (!is_direct)
        set_mode(fd);
    int code = write(to, arg);
    errno = 0;
    const bool is_whole = finish(to);
    if (code == EXIT_DONE && (!is_whole || (!is_direct && rename(temp, target) != 0))) {
        errno = errno != 0 ? errno : EIO;
        code = failed(option, file, EXIT_FAILED);
    }
    if (code != EXIT_DONE && !is_direct)
        unlink(temp);
    return code;
}
