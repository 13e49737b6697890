/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The line that a run adds to the history of its output files: the command, with what
 * decides about values and storage and nothing else. Workers, memory, scratch and the
 * output's own name are left out, and there is no date, so that the same computation
 * gives the same bytes of file. Where SOURCE_DATE_EPOCH is set (the convention of
 * reproducible-builds.org), that time is put in front, as NCO and CDO do.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

/* ---- words as a POSIX shell reads them ---- */

/* Of a word with control characters, as bash, zsh and POSIX.1-2024 do it. */
static void put_escaped(FILE *to, const char *text)
{
    static const char control[] = "\n\r\t", letters[] = "nrt";
    fputs("$'", to);
    for (const char *p = text; *p != '\0'; p++) {
        const char *special = strchr(control, *p);
        if (special != NULL)
            fprintf(to, "\\%c", letters[special - control]);
        else
            fprintf(to, *p == '\'' || *p == '\\' ? "\\%c" : "%c", *p);
    }
    fputc('\'', to);
}

static void put_word(FILE *to, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_@%+=:,./-";
    if (strpbrk(text, "\n\r\t") != NULL) {
        put_escaped(to, text);
    } else if (text[0] != '\0' && text[strspn(text, plain)] == '\0') {
        fputs(text, to);
    } else {
        fputc('\'', to);
        for (const char *p = text; *p != '\0'; p++)
            fputs(*p == '\'' ? "'\\''" : (const char[]){*p, '\0'}, to);
        fputc('\'', to);
    }
}

/* ---- the line ---- */

static void put_date(FILE *to)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    char *end = NULL;
    errno = 0;
    const time_t when = epoch != NULL ? (time_t)strtoll(epoch, &end, 10) : 0;
    struct tm utc;
    char text[64];
    if (epoch == NULL || end == epoch || *end != '\0' || errno != 0 ||
        gmtime_r(&when, &utc) == NULL ||
        strftime(text, sizeof text, "%a %b %d %H:%M:%S %Y: ", &utc) == 0)
        return;
    fputs(text, to);
}

static void put_inputs(FILE *to, const cli_options *o)
{
    for (int i = 0; i < o->nin; i++) {
        const place *in = &o->in[i];
        const size_t n = strlen(in->name) + strlen(in->file) + strlen(in->path) + 4;
        char *word = malloc(n);
        if (word == NULL)
            return;
        snprintf(word, n, "%s=%s:%s%s", in->name, in->file, in->path,
                 in->many.n > 0 ? ")" : "");
        fputs(" --in ", to);
        put_word(to, word);
        free(word);
    }
}

static void put_storage(FILE *to, const cli_options *o)
{
    for (int i = 0; i < o->nchunk; i++)
        fprintf(to, "%s%" PRId64, i == 0 ? " --chunks " : ",", o->chunk[i]);
    if (o->compress != NULL)
        fprintf(to, " --compress %s", o->compress);
    if (o->block > 0)
        fprintf(to, " --block %" PRIu64, o->block);
    if (o->raw)
        fputs(" --raw", to);
    if (o->any_coordinates)
        fputs(" --any-coordinates", to);
}

char *history_line(const cli_options *o)
{
    char *line = NULL;
    size_t bytes;
    FILE *to = open_memstream(&line, &bytes);
    if (to == NULL)
        return NULL;
    put_date(to);
    fputs("clast eval ", to);
    if (o->program_file != NULL)
        fputs("-f ", to);
    put_word(to, o->program_file != NULL ? o->program_file : o->program);
    put_inputs(to, o);
    put_storage(to, o);
    if (fclose(to) == 0)
        return line;
    free(line);
    return NULL;
}
