/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Children by posix_spawn, which a process of many threads and much memory may call.
 *
 * The descriptors that the host has not marked close-on-exec are closed in the child.
 * That the child can be waited for is not relied upon (a host may ignore SIGCHLD, or
 * reap all children itself): what counts is what came through the pipe. How it ended
 * only makes the message better.
 */
#include "io/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/thread.h"

extern char **environ;

static int set_up(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes,
                  int out)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    const int errors[] = {
        posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0),
        posix_spawn_file_actions_adddup2(actions, out, 1),
        posix_spawn_file_actions_addopen(actions, 2, "/dev/null", O_WRONLY, 0),
        posix_spawn_file_actions_addclosefrom_np(actions, 3),
        posix_spawnattr_setsigmask(attributes, &none),
        posix_spawnattr_setsigdefault(attributes, &all),
        posix_spawnattr_setflags(attributes,
                                 POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF),
    };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i] != 0)
            return errors[i];
    return 0;
}

static int spawn(pid_t *pid, const char *const *argv, int out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char *words[CL_CHILD_WORDS + 1]; /* posix_spawn does not change what they are */
    size_t n = 0;
    while (argv[n])
        n++;
    memcpy(words, argv, (n + 1) * sizeof *words);
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        error = set_up(&actions, &attributes, out);
        if (error == 0)
            error = posix_spawn(pid, argv[0], &actions, &attributes, words, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

clast_status cl_child_start(cl_child *child, const char *const *argv, double seconds,
                            cl_error *err)
{
    int ends[2];
    *child = (cl_child){.fd = -1, .until = cl_clock() + seconds};
    if (pipe2(ends, O_CLOEXEC) != 0)
        return cl_error_set(err, cl_status_from_errno(errno), "no pipe: %s",
                            strerror(errno));
    const int error = spawn(&child->pid, argv, ends[1]);
    close(ends[1]);
    if (error != 0) {
        close(ends[0]);
        child->pid = 0;
        return cl_error_set(err, cl_status_from_errno(error), "%s cannot be run: %s",
                            argv[0], strerror(error));
    }
    child->fd = ends[0];
    return CLAST_OK;
}

static void reap(cl_child *child, int *status)
{
    while (child->pid > 0 && waitpid(child->pid, status, 0) < 0 && errno == EINTR)
        continue;
    child->pid = 0;
}

/* The pipe's other end is closed: the child is at its end. */
static clast_status fail_early(cl_child *child, cl_error *err)
{
    int status = 0;
    if (child->pid > 0)
        kill(child->pid, SIGKILL);
    reap(child, &status);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
        return cl_error_set(err, CLAST_EFORMAT,
                            "reading its metadata took more time than is allowed");
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
        return cl_error_set(err, CLAST_EFORMAT,
                            "reading its metadata ended with signal %d (%s): the file "
                            "is damaged, or made to do so",
                            WTERMSIG(status), sigdescr_np(WTERMSIG(status)));
    return cl_error_set(err, CLAST_EFORMAT,
                        "reading its metadata ended before all was known");
}

/* 1: there is something, or the end; 0: not in time; negative: an errno. */
static int wait_for_bytes(const cl_child *child)
{
    for (;;) {
        const double left = child->until - cl_clock();
        struct pollfd p = {.fd = child->fd, .events = POLLIN};
        const int n = left > 0 ? poll(&p, 1, (int)(left * 1e3) + 1) : 0;
        if (n > 0 || left <= 0)
            return n > 0;
        if (n < 0 && errno != EINTR)
            return -errno;
    }
}

clast_status cl_child_read(cl_child *child, void *to, size_t bytes, cl_error *err)
{
    size_t done = 0;
    while (done < bytes) {
        const int ready = wait_for_bytes(child);
        if (ready == 0)
            return cl_error_set(err, CLAST_EFORMAT,
                                "reading its metadata took more time than is allowed");
        const ssize_t n =
            ready < 0 ? -1 : read(child->fd, (char *)to + done, bytes - done);
        if (n == 0)
            return fail_early(child, err);
        if (n > 0)
            done += (size_t)n;
        else if (ready < 0 || errno != EINTR)
            return cl_error_set(err, CLAST_EIO, "reading from a helper failed: %s",
                                strerror(ready < 0 ? -ready : errno));
    }
    return CLAST_OK;
}

void cl_child_end(cl_child *child)
{
    int status;
    if (child->fd >= 0)
        close(child->fd);
    child->fd = -1;
    if (child->pid > 0)
        kill(child->pid, SIGKILL);
    reap(child, &status);
}
