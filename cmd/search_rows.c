/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/search_rows.c: see cmd/search_rows.h. */
#include "cmd/search_rows.h"

/* ---- reading the answer ---- */

/* Members of a row: where its value goes. Numbers may stand in quotes. */
static void take_member(struct sp_search_row *row, struct sp_slice key, struct sp_slice value)
{
    const struct {
        const char *name;
        struct sp_slice *text;
        uint64_t *number;
    } members[] = {
        {"traceId", &row->trace_id, NULL},         {"rootServiceName", &row->service, NULL},
        {"rootTraceName", &row->name, NULL},       {"startTimeUnixNano", NULL, &row->start_unix_ns},
        {"durationNano", NULL, &row->duration_ns}, {"spanCount", NULL, &row->span_count},
        {"errorCount", NULL, &row->error_count},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(members); i++) {
        if (!sp_slice_equal_cstr(key, members[i].name))
            continue;
        if (members[i].text)
            *members[i].text = value;
        else if (!sp_parse_u64(value, members[i].number))
            *members[i].number = 0;
    }
}

bool sp_search_take_raw(struct sp_json_reader *r, struct sp_slice *ret)
{
    struct sp_json_reader ahead = *r;
    (void)sp_json_next(&ahead);
    size_t begin = ahead.event_pos;
    if (sp_json_skip(r) != SP_OK)
        return false;
    *ret = sp_slice_sub(r->in, begin, r->pos - begin);
    return true;
}

bool sp_search_read_row(struct sp_json_reader *r, struct sp_search_row *row)
{
    *row = (struct sp_search_row){0};
    for (;;) {
        enum sp_json_event event = sp_json_next(r);
        if (event == SP_JSON_OBJECT_END)
            return true;
        if (event != SP_JSON_KEY)
            return false;
        struct sp_slice key = r->text;
        struct sp_json_reader ahead = *r; /* to see whether the value is a plain one */
        event = sp_json_next(&ahead);
        if (event == SP_JSON_STRING || event == SP_JSON_NUMBER) {
            *r = ahead;
            take_member(row, key, r->text);
        } else {
            struct sp_slice raw;
            if (!sp_search_take_raw(r, &raw))
                return false;
            if (sp_slice_equal_cstr(key, "spanSets"))
                row->sets = raw;
        }
    }
}

/* ---- the table ---- */

static void print_number(const struct sp_terminal *t, uint64_t number, unsigned width)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    sp_terminal_cell(t, sp_slice_make(text, (size_t)len), width, true);
}

#define FIXED_COLUMNS (24 + 1 + 8 + 1 + 6 + 1 + 6 + 1 + 32 + 1)
#define ROOT_MIN      16

/* Behind the ids, or where there is no room for them both, on a line of its own. */
static bool root_is_below(const struct sp_terminal *t)
{
    return !t->is_wide && t->columns < FIXED_COLUMNS + ROOT_MIN;
}

void sp_search_print_head(const struct sp_terminal *t)
{
    fprintf(t->out, "%-24s %8s %6s %6s %-*s%s%s\n", "START", "DURATION", "SPANS", "ERRORS",
            root_is_below(t) ? 0 : 32, "TRACE ID", root_is_below(t) ? "\n  " : " ", "ROOT");
}

void sp_search_print_row(const struct sp_terminal *t, const struct sp_search_row *row)
{
    char text[40];
    size_t len = sp_format_time(row->start_unix_ns, text);
    if (len > 24) { /* milliseconds are enough here */
        text[23] = 'Z';
        len = 24;
    }
    sp_terminal_cell(t, sp_slice_make(text, len), 24, false);
    putc(' ', t->out);
    len = sp_format_duration(row->duration_ns, text);
    sp_terminal_cell(t, sp_slice_make(text, len), 8, true);
    putc(' ', t->out);
    print_number(t, row->span_count, 6);
    putc(' ', t->out);
    if (row->error_count > 0)
        sp_terminal_colour(t, "31");
    print_number(t, row->error_count, 6);
    if (row->error_count > 0)
        sp_terminal_colour(t, "0");
    putc(' ', t->out);
    sp_terminal_cell(t, row->trace_id, 32, false);
    fputs(root_is_below(t) ? "\n  " : " ", t->out);
    struct sp_buf root;
    sp_buf_init(&root, 1 << 20);
    if (row->service.len == 0 && row->name.len == 0)
        sp_buf_append_cstr(&root, "(no root is stored)");
    else
        sp_buf_printf(&root, "%.*s: %.*s", SP_SLICE_PRINTF(row->service),
                      SP_SLICE_PRINTF(row->name));
    struct sp_slice whole = sp_buf_slice(&root);
    unsigned needed = sp_terminal_width(whole);
    unsigned room = t->is_wide         ? needed
                    : root_is_below(t) ? t->columns - 2
                                       : t->columns - FIXED_COLUMNS;
    sp_terminal_cell(t, whole, needed < room ? needed : room, false);
    sp_buf_fini(&root);
    putc('\n', t->out);
}
