/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How far a run is: a bar on a terminal, lines elsewhere.
 *
 * The bar appears where stderr is a terminal, after one second (at once with
 * --progress), and goes when something else is written or the run ends. With --progress
 * and no terminal there is a line every two seconds. With --progress the last line
 * stays and says what the run did.
 *
 * Called by threads of the run, while others may complain(): stderr's own lock guards
 * what is on the screen.
 */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

enum { BAR = 24, LINE = 160 };

static struct {
    bool is_terminal, is_asked;
    double next;  /* line elsewhere */
    size_t shown; /* columns of the bar on the screen */
} screen;

static void bytes_text(uint64_t bytes, char text[16])
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double v = (double)bytes;
    size_t u = 0;
    for (; v >= 1000 && u < 4; u++)
        v /= 1024;
    snprintf(text, 16, v < 10 && u > 0 ? "%.1f %s" : "%.0f %s", v, unit[u]);
}

static void time_text(double seconds, char text[24])
{
    const unsigned s = seconds < 3.6e8 ? (unsigned)seconds : 360000000;
    if (s < 3600)
        snprintf(text, 24, "%u:%02u", s / 60, s % 60);
    else
        snprintf(text, 24, "%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
}

/* Something else is to be written. With stderr's lock. */
static void hide(void)
{
    if (screen.shown > 0)
        fprintf(stderr, "\r%*s\r", (int)screen.shown, "");
    screen.shown = 0;
}

static void show(const char *line)
{
    const size_t before = screen.shown;
    screen.shown = strlen(line);
    fprintf(stderr, "\r%-*s", (int)(before > screen.shown ? before : screen.shown),
            line);
    fflush(stderr);
}

static void describe(const clast_progress *p, bool has_bar, char line[LINE])
{
    const double part = p->tasks > 0 ? (double)p->tasks_done / (double)p->tasks : 0;
    char read[16], written[16], spent[24], left[24], bar[BAR + 4] = "";
    bytes_text(p->read, read);
    bytes_text(p->written, written);
    time_text(p->seconds, spent);
    time_text(part > 0 ? p->seconds * (1 - part) / part : 0, left);
    if (has_bar) {
        memset(bar, '.', BAR + 2);
        memset(bar + 1, '#', (size_t)(part * BAR));
        bar[0] = '[';
        bar[BAR + 1] = ']';
        bar[BAR + 2] = ' ';
        bar[BAR + 3] = '\0';
    }
    snprintf(line, LINE, "clast: %3.0f %% %s%s read, %s written, %s, %s left",
             floor(100 * part), bar, read, written, spent, part > 0 ? left : "?");
}

static void on_progress(void *arg, const clast_progress *p)
{
    char line[LINE];
    if (screen.is_terminal && !screen.is_asked && p->seconds < 1)
        return;
    flockfile(stderr);
    describe(p, screen.is_terminal, line);
    if (screen.is_terminal) {
        show(line);
    } else if (p->seconds >= screen.next) {
        screen.next = p->seconds + 2;
        fprintf(stderr, "%s\n", line);
    }
    funlockfile(stderr);
}

void progress_watch(clast_ctx *ctx, bool is_asked)
{
    screen.is_terminal = isatty(STDERR_FILENO) == 1;
    screen.is_asked = is_asked;
    if (screen.is_terminal || is_asked)
        clast_set_progress(ctx, on_progress, NULL);
}

void progress_hide(void)
{
    flockfile(stderr);
    hide();
    funlockfile(stderr);
}

void progress_done(const clast_stats *stats)
{
    char read[16], written[16], spilled[16];
    progress_hide();
    if (!screen.is_asked)
        return;
    bytes_text(stats->read, read);
    bytes_text(stats->written, written);
    bytes_text(stats->spilled, spilled);
    fprintf(
        stderr, "clast: 100 %%, %llu tasks, %s read, %s written, %s spilled, %.1f s\n",
        (unsigned long long)stats->tasks, read, written, spilled, stats->run_seconds);
}
