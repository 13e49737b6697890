/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CF's calendars (CF conventions 1.10, section 4.4) and UDUNITS' "unit since date".
 *
 * A day is the number of days since January 1st of the year 1, by closed formulas: a
 * year's days before it, a month's days before it, the day. In the standard calendar
 * January 1st of the year 1 is Julian, which is two days before the Gregorian one; to
 * have one count, Gregorian days are the reference.
 *
 * Months and years as units are refused: a year of UDUNITS has 365.242198781 days and
 * a month a twelfth of that, which is seldom meant, and CF warns of both. Months of 30
 * days in the calendar that has no others, and UDUNITS' common years of 365 days in the
 * one without leap years, are clear, and cftime takes these as well.
 *
 * Years are -999999 to 999999. The historical calendars, standard and julian, have no
 * year 0: the year -1 is the one before 1. In the others years are numbers as all
 * others, as CF and ISO 8601 have it.
 */
#include "base/calendar.h"

#include <ctype.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#define DAY_MS ((int64_t)86400000)
#define MS     ((int64_t)1000000) /* nanoseconds */
#define DAY    (DAY_MS * MS)

static bool is_equal(const char *a, const char *b)
{
    while (*a && tolower((unsigned char)*a) == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* ---- calendars */

/* CF's names, in any case; "" is the standard one. */
static bool parse_calendar(const char *name, cl_calendar *calendar)
{
    static const struct {
        const char *name;
        cl_calendar calendar;
    } names[] = {
        {"", CL_CALENDAR_STANDARD},
        {"standard", CL_CALENDAR_STANDARD},
        {"gregorian", CL_CALENDAR_STANDARD},
        {"proleptic_gregorian", CL_CALENDAR_PROLEPTIC},
        {"noleap", CL_CALENDAR_NOLEAP},
        {"365_day", CL_CALENDAR_NOLEAP},
        {"all_leap", CL_CALENDAR_ALL_LEAP},
        {"366_day", CL_CALENDAR_ALL_LEAP},
        {"360_day", CL_CALENDAR_360_DAY},
        {"julian", CL_CALENDAR_JULIAN},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_equal(name, names[i].name)) {
            *calendar = names[i].calendar;
            return true;
        }
    return false;
}

bool cl_calendar_is_same(const char *a, const char *b)
{
    cl_calendar x, y;
    if (!parse_calendar(a, &x) || !parse_calendar(b, &y))
        return strcmp(a, b) == 0;
    return x == y;
}

typedef struct {
    int64_t year; /* counted through: 0 is the one before 1 */
    int month, day;
} date;

/* Without a year 0. */
static bool is_historical(cl_calendar c)
{
    return c == CL_CALENDAR_STANDARD || c == CL_CALENDAR_JULIAN;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* The standard calendar's dates are Julian ones up to its gap. */
static cl_calendar rule_of(cl_calendar c, const date *d)
{
    if (c != CL_CALENDAR_STANDARD)
        return c;
    const int64_t key = (d->year * 12 + d->month) * 31 + d->day;
    return key < ((int64_t)1582 * 12 + 10) * 31 + 15 ? CL_CALENDAR_JULIAN
                                                     : CL_CALENDAR_PROLEPTIC;
}

static bool is_leap(cl_calendar rule, int64_t year)
{
    switch (rule) {
    case CL_CALENDAR_ALL_LEAP:
        return true;
    case CL_CALENDAR_JULIAN:
        return year % 4 == 0;
    case CL_CALENDAR_PROLEPTIC:
        return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    default:
        return false;
    }
}

static const int before_month[] = {0,   31,  59,  90,  120, 151, 181,
                                   212, 243, 273, 304, 334, 365};

static int month_length(cl_calendar rule, const date *d)
{
    if (rule == CL_CALENDAR_360_DAY)
        return 30;
    return before_month[d->month] - before_month[d->month - 1] +
           (d->month == 2 && is_leap(rule, d->year));
}

static bool is_date(cl_calendar c, const date *d)
{
    if (d->year < -999999 || d->year > 999999 || d->month < 1 || d->month > 12)
        return false;
    const cl_calendar rule = rule_of(c, d);
    const bool is_in_gap = c == CL_CALENDAR_STANDARD && d->year == 1582 &&
                           d->month == 10 && d->day > 4 && d->day < 15;
    return d->day >= 1 && d->day <= month_length(rule, d) && !is_in_gap;
}

static int64_t days_of(cl_calendar c, const date *d)
{
    const cl_calendar rule = rule_of(c, d);
    const int64_t y = d->year - 1;
    if (rule == CL_CALENDAR_360_DAY)
        return y * 360 + (d->month - 1) * 30 + d->day - 1;
    int64_t days = y * 365 + before_month[d->month - 1] + d->day - 1 +
                   (d->month > 2 && is_leap(rule, d->year));
    if (rule == CL_CALENDAR_ALL_LEAP)
        days += y;
    if (rule == CL_CALENDAR_JULIAN || rule == CL_CALENDAR_PROLEPTIC)
        days += floor_div(y, 4);
    if (rule == CL_CALENDAR_PROLEPTIC)
        days += floor_div(y, 400) - floor_div(y, 100);
    return rule == CL_CALENDAR_JULIAN && c == CL_CALENDAR_STANDARD ? days - 2 : days;
}

/* ---- text */

/* A number of 1 to `most` digits; false: there is none. */
static bool read_number(const char **at, int most, int64_t *v)
{
    int n = 0;
    *v = 0;
    for (; n < most && isdigit((unsigned char)**at); n++, (*at)++)
        *v = *v * 10 + (**at - '0');
    return n > 0 && !isdigit((unsigned char)**at);
}

/* The digits behind a point, as milliseconds. */
static int64_t read_fraction(const char **at)
{
    double v = 0, scale = 1000;
    for (; isdigit((unsigned char)**at); (*at)++)
        v += (**at - '0') * (scale /= 10);
    return (int64_t)floor(v + 0.5);
}

static void skip_space(const char **at)
{
    while (isspace((unsigned char)**at))
        (*at)++;
}

/* "12", "12:30", "12:30:15.5": milliseconds of the day, and how long what was named
 * lasts. */
static bool read_time(const char **at, int64_t *ms, int64_t *length)
{
    static const int64_t parts[] = {3600000, 60000, 1000};
    *ms = 0;
    for (int i = 0; i < 3; i++) {
        int64_t v;
        if (!read_number(at, 2, &v) || v >= (i == 0 ? 24 : 60))
            return false;
        *ms += v * parts[i];
        *length = parts[i];
        if (**at != ':' || i == 2)
            break;
        (*at)++;
    }
    if (**at == '.' && *length == 1000) {
        (*at)++;
        *ms += read_fraction(at);
        *length = 1;
    }
    return true;
}

/* Z, UTC, +5, +05:30, -0800: what is to be subtracted. */
static bool read_zone(const char **at, int64_t *ms)
{
    int64_t hours, minutes = 0;
    *ms = 0;
    skip_space(at);
    if (**at == 'Z' || strncmp(*at, "UTC", 3) == 0) {
        *at += **at == 'Z' ? 1 : 3;
        return true;
    }
    if (**at != '+' && **at != '-')
        return true;
    const int sign = *(*at)++ == '-' ? -1 : 1;
    if (!read_number(at, 4, &hours))
        return false;
    if (**at == ':') {
        (*at)++;
        if (!read_number(at, 2, &minutes))
            return false;
    } else if (hours > 99) {
        minutes = hours % 100;
        hours /= 100;
    }
    *ms = sign * (hours * 3600000 + minutes * 60000);
    return hours < 24 && minutes < 60;
}

/* The year's, the month's or the day's first day, and the one after its last. */
static bool read_date(cl_calendar c, const char **at, int64_t *first, int64_t *last,
                      bool *is_day, const char **why)
{
    int64_t part[3] = {0, 1, 1};
    int n = 0;
    const int64_t sign = **at == '-' ? -1 : 1;
    *at += **at == '-' || **at == '+';
    do {
        *at += n > 0;
        if (!read_number(at, n == 0 ? 6 : 2, &part[n])) {
            *why = "a date is written as 2000, 2000-01, 2000-01-31 or "
                   "2000-01-31T12:30:15";
            return false;
        }
        n++;
    } while (n < 3 && **at == '-');
    date d = {sign * part[0], (int)part[1], (int)part[2]};
    const bool has_year = d.year != 0 || !is_historical(c);
    d.year += d.year < 0 && is_historical(c);
    if (!has_year || !is_date(c, &d)) {
        *why = has_year ? "there is no such date in this calendar"
                        : "there is no year 0 in this calendar";
        return false;
    }
    date next = d;
    if (n == 1 || (n == 2 && d.month == 12))
        next = (date){d.year + 1, 1, 1};
    else if (n == 2)
        next.month++;
    *first = days_of(c, &d);
    *last = n == 3 ? *first + 1 : days_of(c, &next);
    *is_day = n == 3;
    return true;
}

bool cl_calendar_period(cl_calendar calendar, const char *text, int64_t *begin,
                        int64_t *end, const char **why)
{
    int64_t ms = 0, length = 0, zone = 0;
    bool is_day;
    const char *at = text;
    skip_space(&at);
    if (!read_date(calendar, &at, begin, end, &is_day, why))
        return false;
    *begin *= DAY_MS;
    *end *= DAY_MS;
    bool is_fine = true;
    if (is_day && (*at == 'T' || (*at == ' ' && isdigit((unsigned char)at[1])))) {
        at++;
        is_fine = read_time(&at, &ms, &length);
        *begin += ms;
        *end = *begin + length;
    }
    is_fine = is_fine && read_zone(&at, &zone);
    skip_space(&at);
    if (!is_fine || *at) {
        *why = "a time is written as 2000-01-31T12, 2000-01-31T12:30 or "
               "2000-01-31T12:30:15";
        return false;
    }
    *begin -= zone;
    *end -= zone;
    return true;
}

/* ---- units */

/* The nanoseconds of a unit; 0: it is none of time; -1: of no fixed length in this
 * calendar. Names in any case, as cftime takes them. */
static int64_t unit_of(const char *text, size_t n, cl_calendar calendar)
{
    static const struct {
        const char *name;
        int64_t length;
    } units[] = {
        {"weeks", 7 * DAY},
        {"week", 7 * DAY},
        {"days", DAY},
        {"day", DAY},
        {"d", DAY},
        {"hours", 3600000 * MS},
        {"hour", 3600000 * MS},
        {"hrs", 3600000 * MS},
        {"hr", 3600000 * MS},
        {"h", 3600000 * MS},
        {"minutes", 60000 * MS},
        {"minute", 60000 * MS},
        {"mins", 60000 * MS},
        {"min", 60000 * MS},
        {"seconds", 1000 * MS},
        {"second", 1000 * MS},
        {"secs", 1000 * MS},
        {"sec", 1000 * MS},
        {"s", 1000 * MS},
        {"milliseconds", MS},
        {"millisecond", MS},
        {"millisecs", MS},
        {"millisec", MS},
        {"msecs", MS},
        {"msec", MS},
        {"ms", MS},
        {"microseconds", MS / 1000},
        {"microsecond", MS / 1000},
        {"microsecs", MS / 1000},
        {"microsec", MS / 1000},
        {"us", MS / 1000},
        {"nanoseconds", 1},
        {"nanosecond", 1},
        {"nanosecs", 1},
        {"nanosec", 1},
        {"ns", 1},
        {"months", -1},
        {"month", -1},
        {"years", -1},
        {"year", -1},
        {"common_years", -1},
        {"common_year", -1},
    };
    char word[16];
    if (n >= sizeof word)
        return 0;
    memcpy(word, text, n);
    word[n] = '\0';
    if (calendar == CL_CALENDAR_360_DAY &&
        (is_equal(word, "months") || is_equal(word, "month")))
        return 30 * DAY;
    if (calendar == CL_CALENDAR_NOLEAP &&
        (is_equal(word, "common_years") || is_equal(word, "common_year")))
        return 365 * DAY;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (is_equal(word, units[i].name))
            return units[i].length;
    return 0;
}

/* "since" in any case and something behind it; *at is set there. */
static bool read_since(const char **at)
{
    static const char since[] = "since";
    skip_space(at);
    for (size_t i = 0; i < sizeof since - 1; i++, (*at)++)
        if (tolower((unsigned char)**at) != since[i])
            return false;
    return isspace((unsigned char)**at);
}

static const char *no_calendar(const char *name)
{
    if (is_equal(name, "none"))
        return "the calendar 'none' has no dates";
    if (is_equal(name, "utc") || is_equal(name, "tai"))
        return "the calendars 'utc' and 'tai' need a table of leap seconds, which is "
               "not supported";
    return "the calendar is not known";
}

bool cl_time_units_parse(const char *units, const char *calendar, cl_time_units *t,
                         const char **why)
{
    int64_t end;
    *why = "they are not of the form 'days since 1850-01-01'";
    skip_space(&units);
    const size_t n = strcspn(units, " \t");
    const char *at = units + n;
    const bool is_known = parse_calendar(calendar, &t->calendar);
    t->unit = unit_of(units, n, is_known ? t->calendar : CL_CALENDAR_STANDARD);
    if (t->unit == 0 || !read_since(&at))
        return false;
    if (!is_known) {
        *why = no_calendar(calendar);
        return false;
    }
    if (t->unit < 0) {
        *why = "months and years have no fixed length in this calendar";
        return false;
    }
    return cl_calendar_period(t->calendar, at, &t->origin, &end, why);
}

int64_t cl_time_instant(const cl_time_units *t, double v)
{
    const double ms =
        t->unit < MS ? v / (double)(MS / t->unit) : v * (double)(t->unit / MS);
    if (!(ms > -9e18))
        return INT64_MIN;
    if (ms > 9e18)
        return INT64_MAX;
    int64_t instant;
    if (__builtin_add_overflow((int64_t)nearbyint(ms), t->origin, &instant))
        return ms < 0 ? INT64_MIN : INT64_MAX;
    return instant;
}

/* All three numbers are integers of the largest step in which they are. */
bool cl_time_shift_between(const cl_time_units *from, const cl_time_units *to,
                           cl_time_shift *shift)
{
    int64_t step = from->unit < to->unit ? from->unit : to->unit;
    step = step < MS ? step : MS;
    const double offset = (double)(from->origin - to->origin);
    *shift = (cl_time_shift){(double)(from->unit / step), offset * (double)(MS / step),
                             (double)(to->unit / step)};
    return from->calendar == to->calendar;
}

double cl_time_shift_apply(const cl_time_shift *shift, double v)
{
    return (v * shift->from + shift->offset) / shift->to;
}
