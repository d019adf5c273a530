/* date.c: RFC 5322 3.3 and 4.3. The calendar is the proleptic Gregorian one, reckoned
 * in years that begin with March, so that the leap day comes last. */
#include "wire/message/date.h"

#include "base/ascii.h"
#include "base/moment.h"
#include "base/must.h"
#include "wire/message/lexer.h"

static const char *const months[12] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
};
static const char *const weekdays[7] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };

static const struct { struct slice name; int16_t minutes; } zones[] = {
    { SLICE_INIT("EST"), -300 }, { SLICE_INIT("EDT"), -240 },
    { SLICE_INIT("CST"), -360 }, { SLICE_INIT("CDT"), -300 },
    { SLICE_INIT("MST"), -420 }, { SLICE_INIT("MDT"), -360 },
    { SLICE_INIT("PST"), -480 }, { SLICE_INIT("PDT"), -420 },
};

struct civil {
    int64_t year;
    unsigned month; /* 1 to 12 */
    unsigned day;
};

enum {
    DAYS_IN_400_YEARS = 146097,
    DAYS_TO_1970 = 719468, /* from 0000-03-01 */
};

static int64_t days_of(struct civil date)
{
    int64_t year = date.month > 2 ? date.year : date.year - 1;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t month = (date.month + 9) % 12;
    int64_t of_year = (153 * month + 2) / 5 + (int64_t)date.day - 1;
    return era * DAYS_IN_400_YEARS + of_era * 365 + of_era / 4 - of_era / 100 +
           of_year - DAYS_TO_1970;
}

static struct civil civil_of(int64_t days)
{
    days += DAYS_TO_1970;
    int64_t era = (days >= 0 ? days : days - DAYS_IN_400_YEARS + 1) / DAYS_IN_400_YEARS;
    int64_t day = days - era * DAYS_IN_400_YEARS;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t of_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    unsigned number = (unsigned)(month < 10 ? month + 3 : month - 9);
    return (struct civil){
        .year = year + era * 400 + (number <= 2),
        .month = number,
        .day = (unsigned)(of_year - (153 * month + 2) / 5 + 1),
    };
}

static bool is_real_day(struct civil date)
{
    if (date.day < 1 || date.day > 31)
        return false;
    struct civil back = civil_of(days_of(date));
    return back.month == date.month && back.day == date.day;
}

/* A number of `least` to `most` digits. */
static bool take_digits(struct cursor *c, size_t least, size_t most, struct slice *out_digits,
                        uint64_t *out_value)
{
    struct slice digits = cursor_take_while(c, ascii_is_digit);
    if (digits.len < least || digits.len > most)
        return false;
    *out_digits = digits;
    return slice_to_number(digits, UINT64_MAX, out_value);
}

static bool take_number(struct cursor *c, size_t least, size_t most, uint64_t *out_value)
{
    struct slice digits;
    return take_digits(c, least, most, &digits, out_value);
}

static bool take_month(struct cursor *c, unsigned *out_month)
{
    struct slice name = cursor_take_while(c, ascii_is_alpha);
    for (unsigned i = 0; i < 12; i++)
        if (slice_equal_nocase(name, slice_from_string(months[i]))) {
            *out_month = i + 1;
            return true;
        }
    return false;
}

/* date = day month year; obs-year is two or three digits */
static bool take_day(struct cursor *c, struct civil *out_date)
{
    uint64_t day;
    uint64_t year;
    struct slice digits;
    struct civil date;
    if (!take_number(c, 1, 2, &day) || !lexer_skip_cfws(c) || !take_month(c, &date.month) ||
        !lexer_skip_cfws(c) || !take_digits(c, 2, 5, &digits, &year))
        return false;
    if (digits.len == 2)
        year += year < 50 ? 2000 : 1900;
    else if (digits.len == 3)
        year += 1900;
    if (year < 1900) /* RFC 5322 3.3; in four digits 0003 is no year of mail */
        return false;
    date.day = (unsigned)day;
    date.year = (int64_t)year;
    *out_date = date;
    return is_real_day(date);
}

/* time-of-day = hour ":" minute [ ":" second ] */
static bool take_time(struct cursor *c, int64_t *out_seconds)
{
    uint64_t hour;
    uint64_t minute;
    uint64_t second = 0;
    if (!take_number(c, 1, 2, &hour))
        return false;
    (void)lexer_skip_cfws(c);
    if (!cursor_take_byte(c, ':'))
        return false;
    (void)lexer_skip_cfws(c);
    if (!take_number(c, 2, 2, &minute))
        return false;
    struct cursor ahead = *c;
    (void)lexer_skip_cfws(&ahead);
    if (cursor_take_byte(&ahead, ':')) {
        (void)lexer_skip_cfws(&ahead);
        if (!take_number(&ahead, 2, 2, &second))
            return false;
        *c = ahead;
    }
    *out_seconds = (int64_t)(hour * 3600 + minute * 60 + second);
    return hour < 24 && minute < 60 && second <= 60;
}

/* zone = ("+" / "-") 4DIGIT / obs-zone */
static bool take_zone(struct cursor *c, int16_t *out_minutes)
{
    bool is_west = cursor_sees(c, '-');
    if (is_west || cursor_sees(c, '+')) {
        uint64_t zone;
        (void)cursor_take(c);
        if (!take_number(c, 4, 4, &zone) || zone % 100 > 59 || zone >= 2400)
            return false;
        int minutes = (int)(zone / 100 * 60 + zone % 100);
        *out_minutes = (int16_t)(is_west ? -minutes : minutes);
        return true;
    }
    struct slice name = cursor_take_while(c, ascii_is_alpha);
    *out_minutes = 0;
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
        if (slice_equal_nocase(name, zones[i].name))
            *out_minutes = zones[i].minutes;
    return name.len > 0;
}

/* date-time = [ day-of-week "," ] date time [CFWS] */
bool date_parse(struct slice text, struct date *out_date)
{
    struct cursor c = cursor_over(text);
    (void)lexer_skip_cfws(&c);
    if (cursor_take_while(&c, ascii_is_alpha).len > 0) {
        (void)lexer_skip_cfws(&c);
        if (!cursor_take_byte(&c, ','))
            return false;
        (void)lexer_skip_cfws(&c);
    }
    struct civil day;
    int64_t seconds;
    struct date date;
    if (!take_day(&c, &day) || !lexer_skip_cfws(&c) || !take_time(&c, &seconds) ||
        !lexer_skip_cfws(&c) || !take_zone(&c, &date.zone_minutes))
        return false;
    (void)lexer_skip_cfws(&c);
    if (!cursor_at_end(&c))
        return false;
    seconds += days_of(day) * (DAY_MS / SECOND_MS) - date.zone_minutes * 60;
    date.wall_ms = seconds * SECOND_MS;
    *out_date = date;
    return true;
}

void date_append(struct buffer *out, int64_t wall_ms, int zone_minutes)
{
    must(zone_minutes > -24 * 60 && zone_minutes < 24 * 60);
    int64_t seconds = wall_ms / SECOND_MS - (wall_ms % SECOND_MS < 0) + zone_minutes * 60;
    int64_t days = seconds / 86400 - (seconds % 86400 < 0);
    int64_t of_day = seconds - days * 86400;
    struct civil date = civil_of(days);
    unsigned zone = (unsigned)(zone_minutes < 0 ? -zone_minutes : zone_minutes);
    buffer_append_format(out, "%s, %u %s %lld %02d:%02d:%02d %c%02u%02u",
                         weekdays[((days % 7) + 7) % 7], date.day, months[date.month - 1],
                         (long long)date.year, (int)(of_day / 3600),
                         (int)(of_day / 60 % 60), (int)(of_day % 60),
                         zone_minutes < 0 ? '-' : '+', zone / 60, zone % 60);
}
