/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The context of a command that runs something: the budget and the workers that its
 * options ask for, signals that cancel, messages and progress on stderr.
 */
#include "cli.h"

static void log_message(void *arg, clast_log_level level, const char *message)
{
    complain("%s%s", level == CLAST_LOG_WARNING ? "warning: " : "", message);
}

/* A part of the memory, of which the default budget is half. */
static uint64_t memory_of(const cli_options *o)
{
    if (o->memory_percent == 0)
        return o->memory;
    clast_ctx *ctx = clast_open(NULL);
    const double half = (double)clast_ctx_options(ctx).memory;
    clast_close(&ctx);
    const double bytes = 2 * half * o->memory_percent / 100;
    return bytes < 1 ? 1 : (uint64_t)bytes;
}

/* Room for about half a million events, or a sixteenth of a smaller budget. */
static uint64_t trace_bytes(const cli_options *o, uint64_t memory)
{
    const uint64_t part = memory / 16, least = CLAST_KIB(64), most = CLAST_MIB(16);
    if (o->trace_file == NULL)
        return 0;
    return memory == 0 || part > most ? most : part < least ? least : part;
}

int session_open(const cli_options *o, clast_ctx **ctx)
{
    const uint64_t memory = memory_of(o);
    const clast_options options = {.memory = memory,
                                   .workers = o->workers,
                                   .scratch = o->scratch,
                                   .block = o->block,
                                   .trace = trace_bytes(o, memory),
                                   .no_mapping = o->no_mapping};
    *ctx = clast_open(&options);
    interrupt_watch(*ctx);
    if (!o->quiet) {
        clast_set_log(*ctx, log_message, NULL);
        progress_watch(*ctx, o->progress);
    }
    const clast_status status = clast_ctx_status(*ctx);
    if (status != CLAST_OK)
        complain("%s", clast_ctx_error(*ctx));
    return exit_code_of(status, false);
}

static void log_warning(void *arg, clast_log_level level, const char *message)
{
    if (level == CLAST_LOG_WARNING)
        log_message(arg, level, message);
}

void session_without_hints(const cli_options *o, clast_ctx *ctx)
{
    if (!o->quiet)
        clast_set_log(ctx, log_warning, NULL);
}

int session_failed(clast_ctx *ctx, clast_status status)
{
    if (status == CLAST_ECANCELED && interrupt_code() != 0)
        complain("interrupted");
    else
        complain("%s", clast_ctx_error(ctx));
    return exit_code_of(status, true);
}

void session_close(clast_ctx **ctx)
{
    interrupt_forget();
    if (*ctx != NULL)
        clast_close(ctx);
}
