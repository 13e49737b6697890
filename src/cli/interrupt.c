/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ctrl-C and SIGTERM: the first one cancels the run, which cleans up after itself; the
 * second one ends the process at once.
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

void interrupt_watch(clast_ctx *ctx)
{
    watched = ctx;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
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
