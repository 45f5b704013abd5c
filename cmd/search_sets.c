/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/search_sets.c: see cmd/search_sets.h. */
#include "cmd/search_sets.h"

#include "cmd/search_rows.h"

#define SETS_DEPTH_MAX     110 /* values of select() nest; they are skipped */
#define SET_LINE_BYTES_MAX ((size_t)64 * 1024)

/* {"stringValue":"x"} or null, as text; lists and what nests as they stand in the answer. */
static bool read_value(struct sp_json_reader *r, struct sp_slice *ret)
{
    enum sp_json_event event = sp_json_next(r);
    *ret = SP_SLICE("nil");
    if (event == SP_JSON_NULL)
        return true;
    if (event != SP_JSON_OBJECT_BEGIN)
        return false;
    for (event = sp_json_next(r); event == SP_JSON_KEY; event = sp_json_next(r)) {
        struct sp_json_reader ahead = *r;
        event = sp_json_next(&ahead);
        if (event == SP_JSON_STRING || event == SP_JSON_NUMBER) {
            *ret = ahead.text;
            *r = ahead;
        } else if (event == SP_JSON_TRUE || event == SP_JSON_FALSE) {
            *ret = event == SP_JSON_TRUE ? SP_SLICE("true") : SP_SLICE("false");
            *r = ahead;
        } else if (!sp_search_take_raw(r, ret)) {
            return false;
        }
    }
    return event == SP_JSON_OBJECT_END;
}

/* Of what select() asked for there is no type in the answer. */
static bool is_duration(struct sp_slice type, struct sp_slice name)
{
    static const char *const names[] = {"duration", "span:duration", "traceDuration",
                                        "trace:duration", "event:timeSinceStart"};
    if (sp_slice_equal_cstr(type, "duration"))
        return true;
    for (size_t i = 0; i < SP_ARRAY_LEN(names); i++)
        if (sp_slice_equal_cstr(name, names[i]))
            return true;
    return false;
}

/* "by(service) = cart", "span.http.route = /pay", durations as people write them. */
static bool read_attribute(struct sp_json_reader *r, struct sp_buf *line)
{
    struct sp_slice name = {0}, type = {0}, value = {0};
    enum sp_json_event event = sp_json_next(r);
    for (; event == SP_JSON_KEY; event = sp_json_next(r)) {
        struct sp_slice key = r->text;
        if (sp_slice_equal_cstr(key, "value")) {
            if (!read_value(r, &value))
                return false;
        } else if (sp_json_next(r) != SP_JSON_STRING) {
            return false;
        } else if (sp_slice_equal_cstr(key, "name") || sp_slice_equal_cstr(key, "key")) {
            name = r->text;
        } else {
            type = r->text;
        }
    }
    uint64_t ns;
    char text[40];
    size_t point = sp_slice_find(value, '.');
    if (is_duration(type, name) && sp_parse_u64(sp_slice_sub(value, 0, point), &ns))
        value = sp_slice_make(text, sp_format_duration(ns, text));
    sp_buf_printf(line, "  %.*s = %.*s", SP_SLICE_PRINTF(name), SP_SLICE_PRINTF(value));
    return event == SP_JSON_OBJECT_END;
}

static bool read_attributes(struct sp_json_reader *r, struct sp_buf *line)
{
    if (sp_json_next(r) != SP_JSON_ARRAY_BEGIN)
        return false;
    enum sp_json_event event = sp_json_next(r);
    for (; event == SP_JSON_OBJECT_BEGIN; event = sp_json_next(r))
        if (!read_attribute(r, line))
            return false;
    return event == SP_JSON_ARRAY_END;
}

static void print_line(const struct sp_terminal *terminal, struct sp_slice line)
{
    unsigned needed = sp_terminal_width(line);
    fputs("    ", terminal->out);
    sp_terminal_cell(
        terminal, line,
        needed + 4 < terminal->columns || terminal->columns < 40 ? needed : terminal->columns - 4,
        false);
    putc('\n', terminal->out);
}

/* One span, "cart: GET /cart  span.http.route = /cart", if select() asked for something. */
static bool print_span(const struct sp_terminal *terminal, struct sp_json_reader *r)
{
    struct sp_slice service = {0}, name = {0};
    struct sp_buf selected, line;
    sp_buf_init(&selected, SET_LINE_BYTES_MAX);
    sp_buf_init(&line, SET_LINE_BYTES_MAX);
    bool good = true;
    enum sp_json_event event = sp_json_next(r);
    for (; event == SP_JSON_KEY && good; event = good ? sp_json_next(r) : event) {
        struct sp_slice key = r->text;
        if (sp_slice_equal_cstr(key, "attributes"))
            good = read_attributes(r, &selected);
        else if (sp_slice_equal_cstr(key, "serviceName") || sp_slice_equal_cstr(key, "name")) {
            good = sp_json_next(r) == SP_JSON_STRING;
            *(sp_slice_equal_cstr(key, "name") ? &name : &service) = r->text;
        } else
            good = sp_json_skip(r) == SP_OK;
    }
    sp_buf_printf(&line, "  %.*s: %.*s", SP_SLICE_PRINTF(service), SP_SLICE_PRINTF(name));
    sp_buf_append_slice(&line, sp_buf_slice(&selected));
    if (good && selected.len > 0) { /* whole: it is what was asked for */
        fputs("    ", terminal->out);
        sp_terminal_cell(terminal, sp_buf_slice(&line), sp_terminal_width(sp_buf_slice(&line)),
                         false);
        putc('\n', terminal->out);
    }
    sp_buf_fini(&selected);
    sp_buf_fini(&line);
    return good && event == SP_JSON_OBJECT_END;
}

static bool print_spans(const struct sp_terminal *terminal, struct sp_slice spans,
                        struct sp_arena *arena)
{
    struct sp_json_reader r;
    sp_json_reader_init(&r, spans, arena, SETS_DEPTH_MAX);
    if (sp_json_next(&r) != SP_JSON_ARRAY_BEGIN)
        return false;
    enum sp_json_event event = sp_json_next(&r);
    for (; event == SP_JSON_OBJECT_BEGIN; event = sp_json_next(&r))
        if (!print_span(terminal, &r))
            return false;
    return event == SP_JSON_ARRAY_END;
}

/* One set; the reader stands behind its '{'. Nothing is printed of a set that is alone and of which nothing is said. */
static bool print_set(const struct sp_terminal *terminal, struct sp_json_reader *r, bool alone)
{
    struct sp_buf said, line;
    struct sp_slice spans = SP_SLICE("[]");
    uint64_t matched = 0;
    sp_buf_init(&said, SET_LINE_BYTES_MAX);
    sp_buf_init(&line, SET_LINE_BYTES_MAX);
    enum sp_json_event event = sp_json_next(r);
    bool good = true;
    for (; event == SP_JSON_KEY && good; event = good ? sp_json_next(r) : event) {
        struct sp_slice key = r->text;
        if (sp_slice_equal_cstr(key, "matched"))
            good = sp_json_next(r) == SP_JSON_NUMBER && sp_parse_u64(r->text, &matched);
        else if (sp_slice_equal_cstr(key, "attributes"))
            good = read_attributes(r, &said);
        else if (sp_slice_equal_cstr(key, "spans"))
            good = sp_search_take_raw(r, &spans);
        else
            good = sp_json_skip(r) == SP_OK;
    }
    sp_buf_printf(&line, "%llu span%s:", (unsigned long long)matched, matched == 1 ? "" : "s");
    sp_buf_append_slice(&line, sp_buf_slice(&said));
    if (good && (said.len > 0 || !alone))
        print_line(terminal, sp_buf_slice(&line));
    sp_buf_fini(&said);
    sp_buf_fini(&line);
    return good && event == SP_JSON_OBJECT_END && print_spans(terminal, spans, r->arena);
}

bool sp_search_print_sets(const struct sp_terminal *terminal, struct sp_slice sets,
                          struct sp_arena *arena)
{
    struct sp_json_reader r, count;
    size_t set_count = 0;
    sp_json_reader_init(&r, sets, arena, SETS_DEPTH_MAX);
    sp_json_reader_init(&count, sets, arena, SETS_DEPTH_MAX);
    if (sp_json_next(&r) != SP_JSON_ARRAY_BEGIN || sp_json_next(&count) != SP_JSON_ARRAY_BEGIN)
        return false;
    while (sp_json_next(&count) == SP_JSON_OBJECT_BEGIN && sp_json_skip_rest(&count) == SP_OK)
        set_count++;
    enum sp_json_event event = sp_json_next(&r);
    for (; event == SP_JSON_OBJECT_BEGIN; event = sp_json_next(&r))
        if (!print_set(terminal, &r, set_count == 1))
            return false;
    return event == SP_JSON_ARRAY_END;
}

/* ---- explanations ---- */

static bool print_clause(const struct sp_terminal *terminal, struct sp_json_reader *r)
{
    struct sp_slice clause = {0}, spans = SP_SLICE("?"), traces = SP_SLICE("?");
    bool complete = false;
    enum sp_json_event event = sp_json_next(r);
    for (; event == SP_JSON_KEY; event = sp_json_next(r)) {
        struct sp_slice key = r->text;
        event = sp_json_next(r);
        if (sp_slice_equal_cstr(key, "complete"))
            complete = event == SP_JSON_TRUE;
        else if (event != SP_JSON_STRING)
            continue;
        else if (sp_slice_equal_cstr(key, "clause"))
            clause = r->text;
        else if (sp_slice_equal_cstr(key, "spans"))
            spans = r->text;
        else if (sp_slice_equal_cstr(key, "traces"))
            traces = r->text;
    }
    sp_terminal_cell(terminal, spans, 12, true);
    putc(' ', terminal->out);
    sp_terminal_cell(terminal, traces, 10, true);
    bool counted = !sp_slice_equal_cstr(spans, "?");
    fputs(complete || !counted ? "  " : " >", terminal->out); /* at least so many */
    sp_terminal_cell(terminal, clause, sp_terminal_width(clause), false);
    putc('\n', terminal->out);
    return event == SP_JSON_OBJECT_END;
}

static bool print_clauses(const struct sp_terminal *terminal, struct sp_json_reader *r)
{
    if (sp_json_next(r) != SP_JSON_ARRAY_BEGIN)
        return false;
    fprintf(terminal->out, "%12s %10s  %s\n", "SPANS", "TRACES", "CLAUSE ALONE");
    enum sp_json_event event = sp_json_next(r);
    for (; event == SP_JSON_OBJECT_BEGIN; event = sp_json_next(r))
        if (!print_clause(terminal, r))
            return false;
    return event == SP_JSON_ARRAY_END;
}

bool sp_search_print_explanation(const struct sp_terminal *terminal, struct sp_slice explain,
                                 struct sp_arena *arena)
{
    struct sp_json_reader r;
    sp_json_reader_init(&r, explain, arena, SETS_DEPTH_MAX);
    if (sp_json_next(&r) != SP_JSON_OBJECT_BEGIN)
        return false;
    enum sp_json_event event = sp_json_next(&r);
    for (; event == SP_JSON_KEY; event = sp_json_next(&r)) {
        bool clauses = sp_slice_equal_cstr(r.text, "clauses");
        if (clauses ? !print_clauses(terminal, &r) : sp_json_skip(&r) != SP_OK)
            return false;
    }
    return event == SP_JSON_OBJECT_END;
}
