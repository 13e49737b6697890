/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A trace as JSON in Chrome's trace-event format, which chrome://tracing and Perfetto
 * open: a row for each worker and I/O thread, named by metadata events; a complete
 * event ("X") for each task and transfer; counter events ("C") for memory, ready tasks
 * and bytes a second.
 *
 * Times are whole nanoseconds since the run began, written as microseconds with three
 * digits: both ends are rounded down alike, so events that did not overlap do not
 * overlap in the file. What rings have overwritten is stated: otherData has the sum,
 * and each row an instant event where its first kept one begins.
 */
#include "sched/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BUFFER = 8192, PIECE = 1024 };
#define NO_LANE UINT32_MAX /* events of the process */

typedef struct {
    clast_text_fn *write;
    void *arg;
    const cl_trace *trace;
    bool has_event;
    size_t n;
    char text[BUFFER];
} page;

static void flush(page *p)
{
    if (p->n)
        p->write(p->arg, p->text, p->n);
    p->n = 0;
}

static void put(page *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(page *p, const char *format, ...)
{
    if (p->n + PIECE > BUFFER)
        flush(p);
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(p->text + p->n, PIECE, format, args);
    va_end(args);
    if (n > 0)
        p->n += n < PIECE ? (size_t)n : PIECE - 1;
}

/* Events are many: these do without a format. */
static void put_chars(page *p, const char *text, size_t n)
{
    if (p->n + n > BUFFER)
        flush(p);
    if (n > BUFFER)
        return;
    memcpy(p->text + p->n, text, n);
    p->n += n;
}

static void put_plain(page *p, const char *text)
{
    put_chars(p, text, strlen(text));
}

static void put_number(page *p, uint64_t v)
{
    char digit[20];
    size_t n = sizeof digit;
    do
        digit[--n] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    put_chars(p, digit + n, sizeof digit - n);
}

/* Bytes of the UTF-8 character at s; 0: it is none. */
static int utf8_length(const unsigned char *s)
{
    const int n = s[0] >= 0xF0 && s[0] < 0xF5   ? 4
                  : s[0] >= 0xE0 && s[0] < 0xF0 ? 3
                  : s[0] >= 0xC2 && s[0] < 0xE0 ? 2
                                                : 0;
    for (int i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return n;
}

/* Inside of a JSON string; what is no UTF-8 becomes a question mark. */
static void put_text(page *p, const char *text)
{
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        const int n = *s < 0x80 ? 1 : utf8_length(s);
        if (*s < 0x20)
            put(p, "\\u%04x", *s);
        else if (*s == '"' || *s == '\\')
            put(p, "\\%c", *s);
        else if (n)
            put_chars(p, (const char *)s, (size_t)n);
        else
            put_chars(p, "?", 1);
        s += n ? n : 1;
    }
}

static uint64_t nanoseconds(const page *p, double time)
{
    const double since = time - p->trace->begun;
    return since > 0 ? (uint64_t)(since * 1e9) : 0;
}

static void put_time(page *p, const char *name, uint64_t ns)
{
    const unsigned rest = (unsigned)(ns % 1000);
    const char digits[3] = {(char)('0' + rest / 100), (char)('0' + rest / 10 % 10),
                            (char)('0' + rest % 10)};
    put_plain(p, name);
    put_number(p, ns / 1000);
    put_chars(p, ".", 1);
    put_chars(p, digits, sizeof digits);
}

/* To be continued with ",\"name\":value" and closed. */
static void open_event(page *p, const char *phase, uint32_t lane)
{
    put_plain(p, p->has_event ? ",\n{\"ph\":\"" : "\n{\"ph\":\"");
    put_plain(p, phase);
    put_plain(p, "\",\"pid\":1,\"tid\":");
    put_number(p, (uint64_t)lane + 1);
    p->has_event = true;
}

/* ---- rows ---- */

static void name_lane(page *p, uint32_t lane)
{
    const bool is_worker = lane < p->trace->workers;
    open_event(p, "M", lane);
    put(p, ",\"name\":\"thread_name\",\"args\":{\"name\":\"%s %" PRIu32 "\"}}",
        is_worker ? "worker" : "I/O thread",
        is_worker ? lane : lane - p->trace->workers);
    open_event(p, "M", lane);
    put(p, ",\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":%" PRIu32 "}}",
        lane);
}

static void put_count(page *p, const char *name, uint64_t count)
{
    put_plain(p, name);
    put_number(p, count);
}

static void put_done(page *p, uint32_t lane, const cl_trace_event *e)
{
    const cl_trace_lane *l = &p->trace->lane[lane];
    const uint32_t first = cl_trace_index(p->trace, l, e, 0);
    static const char *const verb[] = {[CL_TRACE_TASK] = "",
                                       [CL_TRACE_READ] = "read ",
                                       [CL_TRACE_DECODE] = "decode ",
                                       [CL_TRACE_SPILL] = "spill ",
                                       [CL_TRACE_RELOAD] = "reload "};
    static const cl_trace_row nameless = {.name = NULL};
    static const cl_parts numbered = {.inner = 1};
    char part[CL_WORDS];
    const cl_trace_kind kind = cl_trace_kind_of(e);
    const uint32_t number = e->kind >> 8;
    const cl_trace_row *row =
        number < p->trace->nrow ? &p->trace->row[number] : &nameless;
    const uint64_t begin = nanoseconds(p, e->begin), end = nanoseconds(p, e->end);
    open_event(p, "X", lane);
    put_plain(p, ",\"cat\":\"");
    put_plain(p, kind != CL_TRACE_TASK ? "transfer" : row->kind ? row->kind : "task");
    put_plain(p, "\",\"name\":\"");
    put_plain(p, verb[kind]);
    if (row->name)
        put_text(p, row->name);
    else
        put_count(p, "stage ", number);
    put_plain(p, " ");
    put_plain(p, cl_part_text(row->parts ? row->parts : &numbered, first, part));
    if (e->count > 1) {
        put_count(p, " and ", e->count - 1);
        put_plain(p, " more");
    }
    put_time(p, "\",\"ts\":", begin);
    put_time(p, ",\"dur\":", end > begin ? end - begin : 0);
    put_count(p, ",\"args\":{\"stage\":", number);
    put_count(p, ",\"index\":", first);
    for (uint32_t i = 1; i < e->count; i++)
        put_count(p, i == 1 ? ",\"and\":[" : ",", cl_trace_index(p->trace, l, e, i));
    if (e->count > 1)
        put_plain(p, "]");
    if (e->together > 1)
        put_count(p, ",\"timed together\":", e->together);
    put_plain(p, "}}");
}

/* Tasks and transfers that are known. */
static uint64_t kept(const cl_trace *t, const cl_trace_lane *l)
{
    uint64_t n = 0;
    for (uint64_t k = cl_trace_first(t, l); k < l->count; k++) {
        const cl_trace_event *e = &l->event[k % t->size];
        n += cl_trace_is_known(t, l, e) ? e->count : 0;
    }
    return n;
}

static void put_loss(page *p, uint32_t lane, const cl_trace_event *first)
{
    const cl_trace_lane *l = &p->trace->lane[lane];
    const uint64_t lost = l->done - kept(p->trace, l);
    if (!lost)
        return;
    open_event(p, "i", lane);
    put(p, ",\"s\":\"t\",\"name\":\"%" PRIu64 " earlier events were dropped\"", lost);
    put_time(p, ",\"ts\":", nanoseconds(p, first->begin));
    put(p, "}");
}

static void put_lane(page *p, uint32_t lane)
{
    const cl_trace *t = p->trace;
    const cl_trace_lane *l = &t->lane[lane];
    bool has_event = false;
    if (l->count == 0)
        return;
    name_lane(p, lane);
    for (uint64_t k = cl_trace_first(t, l); k < l->count; k++) {
        const cl_trace_event *e = &l->event[k % t->size];
        if (!cl_trace_is_known(t, l, e))
            continue;
        if (!has_event)
            put_loss(p, lane, e);
        has_event = true;
        put_done(p, lane, e);
    }
}

/* ---- counters ---- */

static double rate(uint64_t after, uint64_t before, double seconds)
{
    return seconds > 0 ? (double)(after - before) / seconds : 0;
}

static void put_sample(page *p, const cl_trace_sample *s, const cl_trace_sample *before)
{
    const uint64_t now = nanoseconds(p, s->time);
    const double seconds = s->time - before->time;
    open_event(p, "C", NO_LANE);
    put_time(p, ",\"ts\":", now);
    put(p, ",\"name\":\"memory\",\"args\":{\"bytes\":%" PRIu64 "}}", s->memory);
    open_event(p, "C", NO_LANE);
    put_time(p, ",\"ts\":", now);
    put(p, ",\"name\":\"ready tasks\",\"args\":{\"tasks\":%" PRIu32 "}}", s->ready);
    open_event(p, "C", NO_LANE);
    put_time(p, ",\"ts\":", now);
    put(p,
        ",\"name\":\"bytes/s\",\"args\":{\"read\":%.0f,\"written\":%.0f,"
        "\"spilled\":%.0f}}",
        rate(s->read, before->read, seconds),
        rate(s->written, before->written, seconds),
        rate(s->spilled, before->spilled, seconds));
}

void cl_trace_write(const cl_trace *trace, clast_text_fn *write, void *arg)
{
    page p = {.write = write, .arg = arg, .trace = trace};
    uint64_t all = 0, left = 0;
    for (uint32_t i = 0; i < trace->lanes; i++) {
        all += trace->lane[i].done;
        left += kept(trace, &trace->lane[i]);
    }
    put(&p,
        "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"events\":%" PRIu64
        ",\"dropped\":%" PRIu64 "},\n\"traceEvents\":[",
        left, all - left);
    if (left) {
        open_event(&p, "M", NO_LANE);
        put(&p, ",\"name\":\"process_name\",\"args\":{\"name\":\"clast\"}}");
    }
    for (uint32_t i = 0; i < trace->lanes; i++)
        put_lane(&p, i);
    for (uint32_t i = 0; i < trace->nsample; i++)
        put_sample(&p, &trace->sample[i], &trace->sample[i ? i - 1 : 0]);
    put(&p, "\n]}\n");
    flush(&p);
}
