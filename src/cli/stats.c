/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --stats: the settled options, and what the plan predicted beside what was measured;
 * as text on stderr or as one JSON object in a file.
 *
 * One table names each number once: text and JSON cannot disagree.
 */
#include <stddef.h>
#include <string.h>

#include "cli.h"

typedef enum { BYTES, COUNT, SECONDS } unit;

static const struct {
    const char *name;
    unit unit;
    size_t offset;    /* of the measured value in clast_stats */
    size_t predicted; /* of its prediction; 0: there is none */
} rows[] = {
#define MEASURED(member, unit)                                                         \
    {                                                                                  \
#member, unit, offsetof(clast_stats, member), 0                                \
    }
#define PREDICTED(member)                                                              \
    {                                                                                  \
#member, BYTES, offsetof(clast_stats, member),                                 \
            offsetof(clast_stats, predicted_##member)                                  \
    }
    PREDICTED(peak),
    PREDICTED(read),
    PREDICTED(written),
    PREDICTED(spilled),
    MEASURED(minimum_memory, BYTES),
    MEASURED(stored_read, BYTES),
    MEASURED(stored_written, BYTES),
    MEASURED(plan_bytes, BYTES),
    MEASURED(plan_reused, COUNT),
    MEASURED(tasks, COUNT),
    MEASURED(blocks, COUNT),
    MEASURED(plan_seconds, SECONDS),
    MEASURED(run_seconds, SECONDS),
    MEASURED(wait_memory, SECONDS),
    MEASURED(wait_read, SECONDS),
    MEASURED(wait_task, SECONDS),
#undef MEASURED
#undef PREDICTED
};

enum { NROWS = sizeof rows / sizeof *rows };

static uint64_t number_at(const clast_stats *stats, size_t offset)
{
    uint64_t v = 0;
    memcpy(&v, (const char *)stats + offset, sizeof v);
    return v;
}

static double seconds_at(const clast_stats *stats, size_t offset)
{
    double v = 0;
    memcpy(&v, (const char *)stats + offset, sizeof v);
    return v;
}

/* A peak is never 0: tables count as well. */
static bool is_predicted(const clast_stats *stats)
{
    return stats->predicted_peak > 0;
}

static void write_value(FILE *to, const clast_stats *stats, unit u, size_t offset)
{
    if (u == SECONDS)
        fprintf(to, "%15.3f s", seconds_at(stats, offset));
    else if (u == COUNT)
        fprintf(to, "%15llu  ", (unsigned long long)number_at(stats, offset));
    else
        fprintf(to, "%11.1f MiB  ", (double)number_at(stats, offset) / 1048576.0);
}

static const char *compression_text(const cli_options *o)
{
    return o->compress != NULL ? o->compress : "same";
}

static void write_text(const cli_options *o, const clast_options *settled,
                       const clast_stats *stats)
{
    fprintf(stderr, "memory          %11.1f MiB\n",
            (double)settled->memory / 1048576.0);
    fprintf(stderr, "workers         %15d\n", settled->workers);
    fprintf(stderr, "block           %11.1f MiB\n",
            (double)(settled->block != 0 ? settled->block : CLAST_MIB(4)) / 1048576.0);
    fprintf(stderr, "scratch         %15s\n",
            settled->scratch != NULL      ? settled->scratch
            : o->nout > 0 || o->nword > 0 ? "beside output"
                                          : "/var/tmp");
    fprintf(stderr, "compress        %15s\n", compression_text(o));
    fprintf(stderr, "%-16s%15s  %17s\n", "", "predicted", "measured");
    for (int i = 0; i < NROWS; i++) {
        fprintf(stderr, "%-16s", rows[i].name);
        if (rows[i].predicted != 0 && is_predicted(stats))
            write_value(stderr, stats, rows[i].unit, rows[i].predicted);
        else if (rows[i].predicted != 0)
            fprintf(stderr, "%15s  ", "not predicted");
        else
            fprintf(stderr, "%17s", "");
        write_value(stderr, stats, rows[i].unit, rows[i].offset);
        fputc('\n', stderr);
    }
}

static void write_json(FILE *to, const cli_options *o, const clast_options *settled,
                       const clast_stats *stats)
{
    fprintf(to, "{\n  \"memory\": %llu,\n  \"workers\": %d,\n  \"block\": %llu,\n",
            (unsigned long long)settled->memory, settled->workers,
            (unsigned long long)settled->block);
    fputs("  \"scratch\": ", to);
    if (settled->scratch != NULL)
        write_json_string(to, settled->scratch);
    else
        fputs("null", to);
    fputs(",\n  \"compress\": ", to);
    write_json_string(to, compression_text(o));
    for (int i = 0; i < NROWS; i++) {
        fprintf(to, ",\n  \"%s\": ", rows[i].name);
        if (rows[i].unit == SECONDS)
            fprintf(to, "%.6f", seconds_at(stats, rows[i].offset));
        else
            fprintf(to, "%llu", (unsigned long long)number_at(stats, rows[i].offset));
        if (rows[i].predicted != 0 && !is_predicted(stats))
            fprintf(to, ",\n  \"predicted_%s\": null", rows[i].name);
        else if (rows[i].predicted != 0)
            fprintf(to, ",\n  \"predicted_%s\": %llu", rows[i].name,
                    (unsigned long long)number_at(stats, rows[i].predicted));
    }
    fputs("\n}\n", to);
}

typedef struct {
    const cli_options *o;
    const clast_options *settled;
    const clast_stats *stats;
} report;

static int write_report(FILE *to, void *arg)
{
    const report *r = arg;
    write_json(to, r->o, r->settled, r->stats);
    return EXIT_DONE;
}

int write_stats(const cli_options *o, const clast_options *settled,
                const clast_stats *stats)
{
    report r = {o, settled, stats};
    if (o->stats_file != NULL)
        return report_write("--stats", o->stats_file, write_report, &r);
    write_text(o, settled, stats);
    return EXIT_DONE;
}
