/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Times as the CF conventions write them: "days since 1850-01-01", in one of their
 * calendars, and dates as people write them.
 *
 * An instant is a number of milliseconds since the beginning of the year 1 of its
 * calendar, UTC. Instants of different calendars do not compare. Pure functions.
 */
#ifndef CL_BASE_CALENDAR_H
#define CL_BASE_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    CL_CALENDAR_STANDARD, /* Julian up to 1582-10-04, the day before 1582-10-15 */
    CL_CALENDAR_PROLEPTIC,
    CL_CALENDAR_NOLEAP,
    CL_CALENDAR_ALL_LEAP,
    CL_CALENDAR_360_DAY,
    CL_CALENDAR_JULIAN,
    CL_NCALENDAR
} cl_calendar;

/* Two names of one calendar. */
bool cl_calendar_is_same(const char *a, const char *b);

/* "2000", "2000-01", "2000-01-31", "2000-01-31T12", "2000-01-31 12:30:15.5": the first
 * instant of what it names and the first one after it; `T` or a space before the time,
 * then maybe a time zone (Z, UTC, +5:30, -0800); years may have a sign. false: *why
 * says what is wrong. */
bool cl_calendar_period(cl_calendar calendar, const char *text, int64_t *begin,
                        int64_t *end, const char **why);

/* A number v is the instant origin + v * unit. */
typedef struct {
    cl_calendar calendar;
    int64_t origin; /* milliseconds */
    int64_t unit;   /* nanoseconds */
} cl_time_units;

/* From a variable's attributes; false: they are no times, or (*why) such as cannot be
 * computed with. */
bool cl_time_units_parse(const char *units, const char *calendar, cl_time_units *t,
                         const char **why);
/* Rounded to a millisecond; beyond what int64 holds: its ends. NaN: INT64_MIN. */
int64_t cl_time_instant(const cl_time_units *t, double v);

/* From numbers in one unit to another one: (v * from + offset) / to. */
typedef struct {
    double from, offset, to;
} cl_time_shift;
/* false: one is no time, or the calendars differ. */
bool cl_time_shift_between(const cl_time_units *from, const cl_time_units *to,
                           cl_time_shift *shift);
double cl_time_shift_apply(const cl_time_shift *shift, double v);

#endif
