/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ctrl-C, SIGTERM and a terminal that goes away: the first signal cancels the run,
 * which cleans up after itself; the second one ends the process at once. What was
 * ignored when the command started, as nohup does, stays so.
 *
 * clast_cancel() does nothing while no run is under way, so a signal that comes just
 * before one would be lost: the handler therefore calls itself again each second by
 * alarm(). Everything it calls is async-signal-safe.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static clast_ctx *volatile watched;
static volatile sig_atomic_t received;

static void on_signal(int number)
{
    if (number != SIGALRM) {
        if (received != 0)
            _exit(128 + number);
        received = number;
    }
    if (watched != NULL)
        clast_cancel(watched);
    alarm(1);
}

static void handle(int number, const struct sigaction *action)
{
    struct sigaction before;
    if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(number, action, NULL);
}

void interrupt_watch(clast_ctx *ctx)
{
    watched = ctx;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    handle(SIGHUP, &action);
    handle(SIGINT, &action);
    handle(SIGTERM, &action);
    sigaction(SIGALRM, &action, NULL);
}

void interrupt_forget(void)
{
    watched = NULL;
}

int interrupt_code(void)
{
    return received == 0 ? 0 : 128 + received;
}
