/* queue_shape.c: how many wait for each destination, by how long they have waited: after
 * Postfix's qshape. */
#include "cli/queue_private.h"

#include "base/slice.h"
#include "cli/ask.h"
#include "cli/show.h"
#include "cli/tool.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { ROWS_USUAL = 20, ROWS_MAX = 10000, NAME_WIDTH = 40 };

static bool collect(void *context, const json_t *object)
{
    return json_array_append(context, (json_t *)(uintptr_t)object) == 0;
}

static void print_row(const char *name, const json_t *row)
{
    struct buffer b;
    const json_t *ages = json_object_get(row, "ages");
    buffer_init(&b, 4096);
    show_text(&b, name);
    size_t width = show_width(buffer_slice(&b));
    printf("%*s%.*s%8lld", (int)(width < NAME_WIDTH ? NAME_WIDTH - width : 0), "",
           (int)buffer_len(&b), b.memory == NULL ? "" : b.memory,
           (long long)json_integer_value(json_object_get(row, "recipients")));
    for (size_t i = 0; i < json_array_size(ages); i++)
        printf("%7lld", (long long)json_integer_value(json_array_get(ages, i)));
    putchar('\n');
    buffer_free(&b);
}

static void print_table(const json_t *rows, const json_t *last)
{
    static const char *const bands[] = { "5", "10", "20", "40", "80", "160", "320", "640",
                                         "1280", "1280+" };
    json_int_t all = json_integer_value(json_object_get(last, "rows"));
    printf("%*s%8s", NAME_WIDTH, "minutes up to", "T");
    for (size_t i = 0; i < sizeof bands / sizeof *bands; i++)
        printf("%7s", bands[i]);
    putchar('\n');
    print_row("TOTAL", json_object_get(last, "total"));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *name = json_string_value(json_object_get(row, "name"));
        print_row(name == NULL ? "?" : name, row);
    }
    if ((size_t)all > json_array_size(rows))
        printf("(%lld more rows: --limit)\n", (long long)all - (long long)json_array_size(rows));
}

static void print_json(const json_t *rows, const json_t *last)
{
    json_t *total = json_copy(json_object_get(last, "total"));
    json_object_set_new(total, "name", json_null());
    json_dumpf(total, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(total);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_dumpf(json_array_get(rows, i), stdout, JSON_COMPACT);
        putchar('\n');
    }
}

int queue_shape_show(struct control_client *client, const char *by, const char *limit,
                     bool as_json)
{
    uint64_t most = ROWS_USUAL;
    json_t *last;
    if (by != NULL && strcmp(by, "domain") != 0 && strcmp(by, "site") != 0) {
        cli_complain("--by takes domain or site, not '%s'", by);
        return EX_USAGE;
    }
    if (limit != NULL &&
        (!slice_to_number(slice_from_string(limit), ROWS_MAX, &most) || most == 0)) {
        cli_complain("--limit takes a number from 1 to %d, not '%s'", ROWS_MAX, limit);
        return EX_USAGE;
    }
    json_t *rows = json_array();
    int code = ask(client, json_pack("{s:s,s:b,s:I}", "command", "queue-shape", "by_site",
                                     by != NULL && strcmp(by, "site") == 0, "limit",
                                     (json_int_t)most), collect, rows, &last);
    if (code == 0 && as_json)
        print_json(rows, last);
    else if (code == 0)
        print_table(rows, last);
    if (code == 0)
        json_decref(last);
    json_decref(rows);
    return code;
}
