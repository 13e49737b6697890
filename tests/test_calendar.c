/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CF's calendars and units, against tables of cftime 1.6 (cftime.date2num) and, day by
 * day, against the definition: a calendar counts on, one day after the other.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/calendar.h"
#include "check_main.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static int64_t first(cl_calendar c, const char *text)
{
    int64_t begin, end;
    const char *why = "";
    ck_assert_msg(cl_calendar_period(c, text, &begin, &end, &why), "%s: %s", text, why);
    return begin;
}

/* Days since the year 1 of the calendar. */
static const struct {
    cl_calendar calendar;
    const char *date;
    int64_t days;
} days[] = {
    {CL_CALENDAR_STANDARD, "1-01-01", 0},
    {CL_CALENDAR_STANDARD, "4-12-31", 1460},
    {CL_CALENDAR_STANDARD, "100-03-01", 36219},
    {CL_CALENDAR_STANDARD, "400-02-28", 145792},
    {CL_CALENDAR_STANDARD, "1582-10-04", 577736},
    {CL_CALENDAR_STANDARD, "1582-10-15", 577737},
    {CL_CALENDAR_STANDARD, "1600-03-01", 584084},
    {CL_CALENDAR_STANDARD, "1700-03-01", 620608},
    {CL_CALENDAR_STANDARD, "1850-01-01", 675335},
    {CL_CALENDAR_STANDARD, "1900-03-01", 693656},
    {CL_CALENDAR_STANDARD, "1970-01-01", 719164},
    {CL_CALENDAR_STANDARD, "1999-12-30", 730119},
    {CL_CALENDAR_STANDARD, "2000-02-29", 730180},
    {CL_CALENDAR_STANDARD, "2000-03-01", 730181},
    {CL_CALENDAR_STANDARD, "2024-12-30", 739251},
    {CL_CALENDAR_STANDARD, "2100-03-01", 766705},
    {CL_CALENDAR_STANDARD, "9999-12-30", 3652059},
    {CL_CALENDAR_PROLEPTIC, "1-01-01", 0},
    {CL_CALENDAR_PROLEPTIC, "4-12-31", 1460},
    {CL_CALENDAR_PROLEPTIC, "100-03-01", 36218},
    {CL_CALENDAR_PROLEPTIC, "400-02-28", 145789},
    {CL_CALENDAR_PROLEPTIC, "1582-10-04", 577724},
    {CL_CALENDAR_PROLEPTIC, "1582-10-15", 577735},
    {CL_CALENDAR_PROLEPTIC, "1600-03-01", 584082},
    {CL_CALENDAR_PROLEPTIC, "1700-03-01", 620606},
    {CL_CALENDAR_PROLEPTIC, "1850-01-01", 675333},
    {CL_CALENDAR_PROLEPTIC, "1900-03-01", 693654},
    {CL_CALENDAR_PROLEPTIC, "1970-01-01", 719162},
    {CL_CALENDAR_PROLEPTIC, "1999-12-30", 730117},
    {CL_CALENDAR_PROLEPTIC, "2000-02-29", 730178},
    {CL_CALENDAR_PROLEPTIC, "2000-03-01", 730179},
    {CL_CALENDAR_PROLEPTIC, "2024-12-30", 739249},
    {CL_CALENDAR_PROLEPTIC, "2100-03-01", 766703},
    {CL_CALENDAR_PROLEPTIC, "9999-12-30", 3652057},
    {CL_CALENDAR_NOLEAP, "1-01-01", 0},
    {CL_CALENDAR_NOLEAP, "4-12-31", 1459},
    {CL_CALENDAR_NOLEAP, "100-03-01", 36194},
    {CL_CALENDAR_NOLEAP, "400-02-28", 145693},
    {CL_CALENDAR_NOLEAP, "1582-10-04", 577341},
    {CL_CALENDAR_NOLEAP, "1582-10-15", 577352},
    {CL_CALENDAR_NOLEAP, "1600-03-01", 583694},
    {CL_CALENDAR_NOLEAP, "1700-03-01", 620194},
    {CL_CALENDAR_NOLEAP, "1850-01-01", 674885},
    {CL_CALENDAR_NOLEAP, "1900-03-01", 693194},
    {CL_CALENDAR_NOLEAP, "1970-01-01", 718685},
    {CL_CALENDAR_NOLEAP, "1999-12-30", 729633},
    {CL_CALENDAR_NOLEAP, "2000-03-01", 729694},
    {CL_CALENDAR_NOLEAP, "2024-12-30", 738758},
    {CL_CALENDAR_NOLEAP, "2100-03-01", 766194},
    {CL_CALENDAR_NOLEAP, "9999-12-30", 3649633},
    {CL_CALENDAR_ALL_LEAP, "1-01-01", 0},
    {CL_CALENDAR_ALL_LEAP, "4-12-31", 1463},
    {CL_CALENDAR_ALL_LEAP, "100-03-01", 36294},
    {CL_CALENDAR_ALL_LEAP, "400-02-28", 146092},
    {CL_CALENDAR_ALL_LEAP, "1582-10-04", 578923},
    {CL_CALENDAR_ALL_LEAP, "1582-10-15", 578934},
    {CL_CALENDAR_ALL_LEAP, "1600-03-01", 585294},
    {CL_CALENDAR_ALL_LEAP, "1700-03-01", 621894},
    {CL_CALENDAR_ALL_LEAP, "1850-01-01", 676734},
    {CL_CALENDAR_ALL_LEAP, "1900-03-01", 695094},
    {CL_CALENDAR_ALL_LEAP, "1970-01-01", 720654},
    {CL_CALENDAR_ALL_LEAP, "1999-12-30", 731632},
    {CL_CALENDAR_ALL_LEAP, "2000-02-29", 731693},
    {CL_CALENDAR_ALL_LEAP, "2000-03-01", 731694},
    {CL_CALENDAR_ALL_LEAP, "2024-12-30", 740782},
    {CL_CALENDAR_ALL_LEAP, "2100-03-01", 768294},
    {CL_CALENDAR_ALL_LEAP, "9999-12-30", 3659632},
    {CL_CALENDAR_360_DAY, "1-01-01", 0},
    {CL_CALENDAR_360_DAY, "100-03-01", 35700},
    {CL_CALENDAR_360_DAY, "400-02-28", 143697},
    {CL_CALENDAR_360_DAY, "1582-10-04", 569433},
    {CL_CALENDAR_360_DAY, "1582-10-15", 569444},
    {CL_CALENDAR_360_DAY, "1600-03-01", 575700},
    {CL_CALENDAR_360_DAY, "1700-03-01", 611700},
    {CL_CALENDAR_360_DAY, "1850-01-01", 665640},
    {CL_CALENDAR_360_DAY, "1900-03-01", 683700},
    {CL_CALENDAR_360_DAY, "1970-01-01", 708840},
    {CL_CALENDAR_360_DAY, "1999-12-30", 719639},
    {CL_CALENDAR_360_DAY, "2000-02-29", 719698},
    {CL_CALENDAR_360_DAY, "2000-03-01", 719700},
    {CL_CALENDAR_360_DAY, "2024-12-30", 728639},
    {CL_CALENDAR_360_DAY, "2100-03-01", 755700},
    {CL_CALENDAR_360_DAY, "9999-12-30", 3599639},
    {CL_CALENDAR_JULIAN, "1-01-01", 0},
    {CL_CALENDAR_JULIAN, "4-12-31", 1460},
    {CL_CALENDAR_JULIAN, "100-03-01", 36219},
    {CL_CALENDAR_JULIAN, "400-02-28", 145792},
    {CL_CALENDAR_JULIAN, "1582-10-04", 577736},
    {CL_CALENDAR_JULIAN, "1582-10-15", 577747},
    {CL_CALENDAR_JULIAN, "1600-03-01", 584094},
    {CL_CALENDAR_JULIAN, "1700-03-01", 620619},
    {CL_CALENDAR_JULIAN, "1850-01-01", 675347},
    {CL_CALENDAR_JULIAN, "1900-03-01", 693669},
    {CL_CALENDAR_JULIAN, "1970-01-01", 719177},
    {CL_CALENDAR_JULIAN, "1999-12-30", 730132},
    {CL_CALENDAR_JULIAN, "2000-02-29", 730193},
    {CL_CALENDAR_JULIAN, "2000-03-01", 730194},
    {CL_CALENDAR_JULIAN, "2024-12-30", 739264},
    {CL_CALENDAR_JULIAN, "2100-03-01", 766719},
    {CL_CALENDAR_JULIAN, "9999-12-30", 3652132},
    /* Of cftime 1.6.2; the historical calendars have no year 0. */
    {CL_CALENDAR_STANDARD, "-4712-01-01", -1721058},
    {CL_CALENDAR_STANDARD, "-401-03-01", -146406},
    {CL_CALENDAR_STANDARD, "-5-02-28", -1769},
    {CL_CALENDAR_STANDARD, "-1-03-01", -306},
    {CL_CALENDAR_STANDARD, "-1-12-30", -2},
    {CL_CALENDAR_PROLEPTIC, "-4712-01-01", -1721388},
    {CL_CALENDAR_PROLEPTIC, "-401-03-01", -146769},
    {CL_CALENDAR_PROLEPTIC, "-5-02-28", -2134},
    {CL_CALENDAR_PROLEPTIC, "-1-03-01", -672},
    {CL_CALENDAR_PROLEPTIC, "-1-12-30", -368},
    {CL_CALENDAR_PROLEPTIC, "0-02-28", -308},
    {CL_CALENDAR_NOLEAP, "-4712-01-01", -1720245},
    {CL_CALENDAR_NOLEAP, "-401-03-01", -146671},
    {CL_CALENDAR_NOLEAP, "-5-02-28", -2132},
    {CL_CALENDAR_NOLEAP, "-1-03-01", -671},
    {CL_CALENDAR_NOLEAP, "-1-12-30", -367},
    {CL_CALENDAR_NOLEAP, "0-02-28", -307},
    {CL_CALENDAR_ALL_LEAP, "-4712-01-01", -1724958},
    {CL_CALENDAR_ALL_LEAP, "-401-03-01", -147072},
    {CL_CALENDAR_ALL_LEAP, "-5-02-28", -2138},
    {CL_CALENDAR_ALL_LEAP, "-1-03-01", -672},
    {CL_CALENDAR_ALL_LEAP, "-1-12-30", -368},
    {CL_CALENDAR_ALL_LEAP, "0-02-28", -308},
    {CL_CALENDAR_360_DAY, "-4712-01-01", -1696680},
    {CL_CALENDAR_360_DAY, "-401-03-01", -144660},
    {CL_CALENDAR_360_DAY, "-5-02-28", -2103},
    {CL_CALENDAR_360_DAY, "-1-03-01", -660},
    {CL_CALENDAR_360_DAY, "-1-12-30", -361},
    {CL_CALENDAR_360_DAY, "0-02-28", -303},
    {CL_CALENDAR_JULIAN, "-4712-01-01", -1721058},
    {CL_CALENDAR_JULIAN, "-401-03-01", -146406},
    {CL_CALENDAR_JULIAN, "-5-02-28", -1769},
    {CL_CALENDAR_JULIAN, "-1-03-01", -306},
    {CL_CALENDAR_JULIAN, "-1-12-30", -2},
};

START_TEST(dates)
{
    const int64_t origin = first(days[_i].calendar, "1-1-1");
    const int64_t ms = first(days[_i].calendar, days[_i].date) - origin;
    ck_assert_msg(ms == days[_i].days * 86400000, "%s: %lld days", days[_i].date,
                  (long long)(ms / 86400000));
}
END_TEST

/* Each day ends where the next one begins, months and years where their last days
 * do. Returns how many days there are. */
static int follow(cl_calendar c, int first_year, int last_year)
{
    int64_t at, begin, end;
    const char *why;
    char text[64];
    int counted = 0;
    snprintf(text, sizeof text, "%d", first_year);
    at = first(c, text);
    for (int year = first_year; year <= last_year; year++) {
        snprintf(text, sizeof text, "%d", year);
        if (!cl_calendar_period(c, text, &begin, &end, &why)) {
            ck_assert_int_eq(year, 0);
            ck_assert_str_eq(why, "there is no year 0 in this calendar");
            continue;
        }
        const int64_t new_year = at;
        for (int month = 1; month <= 12; month++) {
            const int64_t new_month = at;
            for (int day = 1; day <= 31; day++) {
                snprintf(text, sizeof text, "%d-%d-%d", year, month, day);
                if (!cl_calendar_period(c, text, &begin, &end, &why))
                    continue;
                ck_assert_msg(begin == at && end == at + 86400000, "%s", text);
                at = end;
                counted++;
            }
            snprintf(text, sizeof text, "%d-%02d", year, month);
            ck_assert(cl_calendar_period(c, text, &begin, &end, &why));
            ck_assert_msg(begin == new_month && end == at, "%s", text);
        }
        snprintf(text, sizeof text, "%d", year);
        ck_assert(cl_calendar_period(c, text, &begin, &end, &why));
        ck_assert_msg(begin == new_year && end == at, "%s", text);
    }
    return counted;
}

START_TEST(days_follow)
{
    static const int days_of_30[CL_NCALENDAR] = {10948, 10958, 10950,
                                                 10980, 10800, 10958};
    static const int about_0[CL_NCALENDAR] = {3653, 4018, 4015, 4026, 3960, 3653};
    const cl_calendar c = (cl_calendar)_i;
    ck_assert_int_eq(follow(c, 1575, 1604), days_of_30[c]);
    ck_assert_int_eq(follow(c, -5, 5), about_0[c]);
}
END_TEST

/* Of 2000-01-31: what a text names, in milliseconds from the beginning of that day. */
static const struct {
    const char *text;
    int64_t begin, length;
} periods[] = {
    {"2000-01-31", 0, 86400000},
    {" 2000-1-31 ", 0, 86400000},
    {"2000-01-31T12", 43200000, 3600000},
    {"2000-01-31 12:30", 45000000, 60000},
    {"2000-01-31T12:30:15", 45015000, 1000},
    {"2000-01-31T12:30:15.25", 45015250, 1},
    {"2000-01-31T12Z", 43200000, 3600000},
    {"2000-01-31 12:30 UTC", 45000000, 60000},
    {"2000-01-31T12:30+05:30", 45000000 - 19800000, 60000},
    {"2000-01-31 00:00:00 -8", 28800000, 1000},
    {"2000-01-31 00:00:00 -0830", 30600000, 1000},
    {"2000-02", 86400000, (int64_t)29 * 86400000},
    {"2001", (int64_t)336 * 86400000, (int64_t)365 * 86400000},
};

START_TEST(texts)
{
    int64_t begin, end;
    const char *why = "";
    const int64_t day = first(CL_CALENDAR_STANDARD, "2000-01-31");
    ck_assert_msg(
        cl_calendar_period(CL_CALENDAR_STANDARD, periods[_i].text, &begin, &end, &why),
        "%s", why);
    ck_assert_int_eq(begin - day, periods[_i].begin);
    ck_assert_int_eq(end - begin, periods[_i].length);
}
END_TEST

static const struct {
    cl_calendar calendar;
    const char *text;
} wrong[] = {
    {CL_CALENDAR_STANDARD, ""},
    {CL_CALENDAR_STANDARD, "x"},
    {CL_CALENDAR_STANDARD, "2000-"},
    {CL_CALENDAR_STANDARD, "2000-13"},
    {CL_CALENDAR_STANDARD, "2000-00"},
    {CL_CALENDAR_STANDARD, "2000-01-32"},
    {CL_CALENDAR_STANDARD, "2000-01-31T24"},
    {CL_CALENDAR_STANDARD, "2000-01-31T12:60"},
    {CL_CALENDAR_STANDARD, "2000-01-31Tx"},
    {CL_CALENDAR_STANDARD, "2000-01-31 12:30 +25"},
    {CL_CALENDAR_STANDARD, "2000-01-31 noon"},
    {CL_CALENDAR_STANDARD, "2000-01T12"},
    {CL_CALENDAR_STANDARD, "1900-02-29"},
    {CL_CALENDAR_STANDARD, "1582-10-10"},
    {CL_CALENDAR_STANDARD, "0-1-1"},
    {CL_CALENDAR_STANDARD, "1234567"},
    {CL_CALENDAR_STANDARD, "-"},
    {CL_CALENDAR_STANDARD, "--1"},
    {CL_CALENDAR_JULIAN, "0"},
    {CL_CALENDAR_NOLEAP, "2000-02-29"},
    {CL_CALENDAR_ALL_LEAP, "2001-02-30"},
    {CL_CALENDAR_360_DAY, "2000-01-31"},
    {CL_CALENDAR_JULIAN, "2001-02-29"},
};

START_TEST(wrong_texts)
{
    int64_t begin, end;
    const char *why = NULL;
    ck_assert_msg(
        !cl_calendar_period(wrong[_i].calendar, wrong[_i].text, &begin, &end, &why),
        "'%s' is a date", wrong[_i].text);
    ck_assert_ptr_nonnull(why);
}
END_TEST

/* A number of these units is an instant of this date. */
static const struct {
    const char *units, *calendar;
    double number;
    const char *date;
} numbers[] = {
    {"days since 1850-01-01", "noleap", 150 * 365 + 31, "2000-02-01"},
    {"days since 1850-01-01", "", 54786, "2000-01-01"},
    {"Days since 1850-1-1 00:00:00", "Gregorian", 54786.5, "2000-01-01T12"},
    {"hours since 1900-01-01 00:00:0.0", "standard", 876576, "2000-01-01"},
    {"minutes since 2000-01-01T06:00:00Z", "proleptic_gregorian", -360, "2000-01-01"},
    {"seconds since 1970-01-01 00:00:00 UTC", "standard", 946684800.25,
     "2000-01-01T00:00:00.25"},
    {"msec since 1999-12-31", "365_day", 86400000, "2000-01-01"},
    {"d since 2000-1-1 05:00 +05:00", "360_day", 30, "2000-02-01"},
    {"hours since 1-1-1", "366_day", 24.0 * 366 * 1999, "2000-01-01"},
    {"days since 0000-01-01", "noleap", 730000, "2000-01-01"},
    {"days since 1582-10-04", "standard", 1, "1582-10-15"},
    {"days since 1582-10-04", "julian", 1, "1582-10-05"},
    {"days since 1582-10-04", "proleptic_gregorian", 1, "1582-10-05"},
    {"DAYS  Since\t2000-01-01", "STANDARD", 1, "2000-01-02"},
    {"weeks since 2000-01-01", "", 2, "2000-01-15"},
    {"microseconds since 1970-01-01", "standard", 946684800250000.0,
     "2000-01-01T00:00:00.25"},
    {"microsec since 2000-01-01", "standard", 1500, "2000-01-01T00:00:00.002"},
    {"nanoseconds since 1970-01-01", "proleptic_gregorian", 946684800250000000.0,
     "2000-01-01T00:00:00.25"},
    {"ns since 2000-01-01", "noleap", -1e6, "1999-12-31T23:59:59.999"},
    {"months since 2000-01-01", "360_day", 14, "2001-03-01"},
    {"common_years since 2000-01-01", "noleap", 4, "2004-01-01"},
    {"days since -4712-01-01 12:00", "julian", 2451191.5, "2000-01-01"},
    {"days since -1-12-31", "standard", 1, "1-01-01"},
    {"days since -1-12-31", "proleptic_gregorian", 1, "0-01-01"},
    /* a third of a day is no float: it is rounded to a millisecond */
    {"days since 1850-01-01", "standard", 54786 + 1 / 3.0, "2000-01-01T08"},
};

START_TEST(units)
{
    cl_time_units t;
    const char *why = "";
    ck_assert_msg(
        cl_time_units_parse(numbers[_i].units, numbers[_i].calendar, &t, &why),
        "%s: %s", numbers[_i].units, why);
    ck_assert_int_eq(cl_time_instant(&t, numbers[_i].number),
                     first(t.calendar, numbers[_i].date));
}
END_TEST

static const struct {
    const char *units, *calendar;
} no_units[] = {
    {"", ""},
    {"K", ""},
    {"days", ""},
    {"days since", ""},
    {"days after 2000-01-01", ""},
    {"months since 2000-01-01", ""},
    {"months since 2000-01-01", "noleap"},
    {"years since 2000-01-01", "360_day"},
    {"common_years since 2000-01-01", "standard"},
    {"days since2000-01-01", ""},
    {"days sinc 2000-01-01", ""},
    {"fortnights since 2000-01-01", ""},
    {"days since 2000-02-30", ""},
    {"days since 0000-01-01", "standard"},
    {"days since 2000-01-01", "lunar"},
    {"days since 2000-01-01", "none"},
    {"days since 2000-01-01", "UTC"},
    {"days since 2000-01-01", "tai"},
};

START_TEST(wrong_units)
{
    cl_time_units t;
    const char *why = NULL;
    ck_assert(
        !cl_time_units_parse(no_units[_i].units, no_units[_i].calendar, &t, &why));
    ck_assert_ptr_nonnull(why);
}
END_TEST

START_TEST(shifts)
{
    cl_time_units days_1850, hours_2000, noleap;
    cl_time_shift shift;
    const char *why;
    ck_assert(cl_time_units_parse("days since 1850-01-01", "", &days_1850, &why));
    ck_assert(
        cl_time_units_parse("hours since 2000-01-01", "standard", &hours_2000, &why));
    ck_assert(cl_time_units_parse("days since 1850-01-01", "noleap", &noleap, &why));
    ck_assert(cl_time_shift_between(&hours_2000, &days_1850, &shift));
    ck_assert_double_eq(cl_time_shift_apply(&shift, 36), 54787.5);
    ck_assert(cl_time_shift_between(&days_1850, &hours_2000, &shift));
    ck_assert_double_eq(cl_time_shift_apply(&shift, 54787.5), 36);
    ck_assert(!cl_time_shift_between(&days_1850, &noleap, &shift));
    cl_time_units ns_2000;
    ck_assert(cl_time_units_parse("ns since 2000-01-01", "", &ns_2000, &why));
    ck_assert(cl_time_shift_between(&hours_2000, &ns_2000, &shift));
    ck_assert_double_eq(cl_time_shift_apply(&shift, 36), 129600e9);
    ck_assert(cl_time_shift_between(&ns_2000, &days_1850, &shift));
    ck_assert_double_eq(cl_time_shift_apply(&shift, 43200e9), 54786.5);
}
END_TEST

START_TEST(extremes)
{
    cl_time_units t;
    const char *why;
    ck_assert(cl_time_units_parse("days since 1850-01-01", "", &t, &why));
    ck_assert_int_eq(cl_time_instant(&t, NAN), INT64_MIN);
    ck_assert_int_eq(cl_time_instant(&t, -INFINITY), INT64_MIN);
    ck_assert_int_eq(cl_time_instant(&t, INFINITY), INT64_MAX);
    ck_assert_int_eq(cl_time_instant(&t, 1e30), INT64_MAX);
    ck_assert(cl_calendar_is_same("", "Gregorian"));
    ck_assert(cl_calendar_is_same("noleap", "365_day"));
    ck_assert(!cl_calendar_is_same("noleap", "standard"));
    ck_assert(cl_calendar_is_same("lunar", "lunar"));
    ck_assert(!cl_calendar_is_same("lunar", "solar"));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("calendar");
    TCase *t = tcase_create("times");
    tcase_add_loop_test(t, dates, 0, COUNT(days));
    tcase_add_loop_test(t, days_follow, 0, CL_NCALENDAR);
    tcase_add_loop_test(t, texts, 0, COUNT(periods));
    tcase_add_loop_test(t, wrong_texts, 0, COUNT(wrong));
    tcase_add_loop_test(t, units, 0, COUNT(numbers));
    tcase_add_loop_test(t, wrong_units, 0, COUNT(no_units));
    tcase_add_test(t, shifts);
    tcase_add_test(t, extremes);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return cl_check_main((Suite *(*const[])(void)){suite}, 1);
}
