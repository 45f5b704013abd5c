/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/search.c: `spoor search QUERY`: a table of the traces that match. */
#include <unistd.h>

#include "cmd/ask.h"
#include "cmd/search_lines.h"
#include "cmd/search_sets.h"
#include "cmd/terminal.h"

#define SEARCH_ARENA_BYTES ((size_t)512 * 1024 * 1024)
#define SEARCH_DEPTH_MAX   128 /* values of select() nest */

static const struct sp_option options[] = {
    SP_ASK_OPTIONS,
    {.name = "from",
     .type = SP_OPTION_TEXT,
     .value_name = "TIME",
     .help = "Spans that start then or later: RFC 3339, Unix time, or now-15m."},
    {.name = "to",
     .type = SP_OPTION_TEXT,
     .value_name = "TIME",
     .help = "Spans that start before then."},
    {.name = "limit",
     .type = SP_OPTION_U64,
     .default_text = "20",
     .value_name = "N",
     .min = 1,
     .max = 1000,
     .help = "Traces to show."},
    {.name = "order",
     .type = SP_OPTION_TEXT,
     .default_text = "-start",
     .value_name = "ORDER",
     .help = "What to sort by: start, duration, spans, errors, or a number made of spans like "
             "count() or "
             "max(duration); with a minus, the largest first."},
    {.name = "cursor",
     .type = SP_OPTION_TEXT,
     .value_name = "CURSOR",
     .help = "Goes on behind an earlier page."},
    {.name = "explain",
     .type = SP_OPTION_BOOL,
     .help = "Count each clause of the query alone: why nothing was found."},
    {.name = "json", .type = SP_OPTION_BOOL, .help = "Print the server's answer as it is."},
    {.name = "lines",
     .type = SP_OPTION_BOOL,
     .help = "Print the answer as it comes, one JSON object a line: traces, how far the search is, "
             "and the rest of the answer at the end."},
};

/* ---- reading the answer ---- */

struct row {
    struct sp_slice trace_id, service, name;
    uint64_t start_unix_ns, duration_ns, span_count, error_count;
    struct sp_slice sets; /* the JSON of "spanSets" */
};

/* Members of a row: where its value goes. Numbers may stand in quotes. */
static void take_member(struct row *row, struct sp_slice key, struct sp_slice value)
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

/* The value that comes next, as it stands there. */
static bool take_raw(struct sp_json_reader *r, struct sp_slice *ret)
{
    struct sp_json_reader ahead = *r;
    (void)sp_json_next(&ahead);
    size_t begin = ahead.event_pos;
    if (sp_json_skip(r) != SP_OK)
        return false;
    *ret = sp_slice_sub(r->in, begin, r->pos - begin);
    return true;
}

/* One element of "traces"; the reader stands behind its '{'. */
static bool read_row(struct sp_json_reader *r, struct row *row)
{
    *row = (struct row){0};
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
            if (!take_raw(r, &raw))
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

static void print_head(const struct sp_terminal *t)
{
    fprintf(t->out, "%-24s %8s %6s %6s %-32s %s\n", "START", "DURATION", "SPANS", "ERRORS",
            "TRACE ID", "ROOT");
}

static void print_row(const struct sp_terminal *t, const struct row *row)
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
    putc(' ', t->out);
    struct sp_buf root;
    sp_buf_init(&root, 1 << 20);
    if (row->service.len == 0 && row->name.len == 0)
        sp_buf_append_cstr(&root, "(no root is stored)");
    else
        sp_buf_printf(&root, "%.*s: %.*s", SP_SLICE_PRINTF(row->service),
                      SP_SLICE_PRINTF(row->name));
    struct sp_slice whole = sp_buf_slice(&root);
    unsigned room = t->columns > FIXED_COLUMNS + 20 ? t->columns - FIXED_COLUMNS : 20;
    unsigned needed = sp_terminal_width(whole);
    sp_terminal_cell(t, whole, needed < room ? needed : room, false);
    sp_buf_fini(&root);
    putc('\n', t->out);
}

static int bad_answer(void)
{
    fputs("spoor search: the answer is not what this version understands\n", stderr);
    return SP_EXIT_FAILURE;
}

/* Prints the rows of "traces" while it reads them. */
static int print_traces(struct sp_json_reader *r, const struct sp_terminal *t, size_t *ret_count)
{
    if (sp_json_next(r) != SP_JSON_ARRAY_BEGIN)
        return bad_answer();
    for (*ret_count = 0;; ++*ret_count) {
        struct row row;
        enum sp_json_event event = sp_json_next(r);
        if (event == SP_JSON_ARRAY_END)
            return SP_EXIT_OK;
        if (event != SP_JSON_OBJECT_BEGIN || !read_row(r, &row))
            return bad_answer();
        if (*ret_count == 0)
            print_head(t);
        print_row(t, &row);
        if (row.sets.len > 0 && !sp_search_print_sets(t, row.sets, r->arena))
            return bad_answer();
    }
}

static int print_table(struct sp_slice body, struct sp_arena *arena)
{
    struct sp_terminal terminal;
    struct sp_json_reader r;
    size_t count = 0;
    bool complete = true;
    struct sp_slice cursor = {0}, reason = {0}, explain = {0};
    sp_terminal_init(&terminal, stdout);
    sp_json_reader_init(&r, body, arena, SEARCH_DEPTH_MAX);
    if (sp_json_next(&r) != SP_JSON_OBJECT_BEGIN)
        return bad_answer();
    while (sp_json_next(&r) == SP_JSON_KEY) {
        struct sp_slice key = r.text;
        int code = SP_EXIT_OK;
        if (sp_slice_equal_cstr(key, "traces"))
            code = print_traces(&r, &terminal, &count);
        else if (sp_slice_equal_cstr(key, "complete"))
            complete = sp_json_next(&r) == SP_JSON_TRUE;
        else if (sp_slice_equal_cstr(key, "cursor"))
            cursor = sp_json_next(&r) == SP_JSON_STRING ? r.text : (struct sp_slice){0};
        else if (sp_slice_equal_cstr(key, "incompleteReason"))
            reason = sp_json_next(&r) == SP_JSON_STRING ? r.text : (struct sp_slice){0};
        else if (sp_slice_equal_cstr(key, "explain"))
            code = take_raw(&r, &explain) ? SP_EXIT_OK : bad_answer();
        else if (sp_json_skip(&r) != SP_OK)
            code = bad_answer();
        if (code != SP_EXIT_OK)
            return code;
    }
    if (explain.len > 0 && !sp_search_print_explanation(&terminal, explain, arena))
        return bad_answer();
    fflush(stdout);
    if (!complete && sp_slice_equal_cstr(reason, "timeBudget"))
        fputs("The query ran out of time: there may be more, and better ones.\n", stderr);
    if (cursor.len > 0)
        fprintf(stderr, "More: --cursor %.*s\n", SP_SLICE_PRINTF(cursor));
    if (count == 0)
        fputs("No trace matches.\n", stderr);
    return count == 0 ? SP_EXIT_NOT_FOUND : SP_EXIT_OK;
}

static int print_json(struct sp_slice body)
{
    int code = sp_ask_print(body);
    bool empty = sp_slice_starts_with(body, SP_SLICE("{\"traces\":[]"));
    return code == SP_EXIT_OK && empty ? SP_EXIT_NOT_FOUND : code;
}

/* Lines were printed while they came. */
static int after_lines(struct sp_slice body)
{
    return sp_slice_starts_with(body, SP_SLICE("{\"traces\":[]")) ? SP_EXIT_NOT_FOUND : SP_EXIT_OK;
}

/* ---- the command ---- */

/* Puts lines together, and says on stderr what they fail with. */
static int join(const struct sp_ask *ask, struct sp_buf *body)
{
    struct sp_buf whole;
    bool ok = sp_search_lines_join(sp_buf_slice(body), &whole);
    int code = SP_EXIT_OK;
    if (whole.error != SP_OK) {
        fputs("spoor search: no memory for the answer\n", stderr);
        code = SP_EXIT_FAILURE;
    } else if (!ok) {
        code = whole.len > 0 ? sp_ask_refused(ask, 0, sp_buf_slice(&whole)) : bad_answer();
    }
    sp_buf_fini(body);
    sp_buf_init(body, whole.max);
    sp_buf_move(body, &whole);
    sp_buf_fini(&whole);
    return code;
}

static int ask_for_lines(struct sp_ask *ask, struct sp_search_lines *lines, struct sp_buf *body)
{
    ask->accept = SP_SEARCH_LINES_MEDIA_TYPE;
    ask->on_part = sp_search_lines_take;
    ask->cookie = lines;
    int code = sp_ask_run(ask, body);
    sp_search_lines_end(lines);
    if (code != SP_EXIT_OK)
        return code;
    code = join(ask, body);
    if (code != SP_EXIT_OK)
        sp_buf_fini(body);
    return code;
}

static int run(const struct sp_config *config)
{
    static const char *const passed[] = {"from", "to", "limit", "order", "cursor"};
    struct sp_ask ask;
    struct sp_buf body;
    struct sp_arena arena;
    sp_ask_init(&ask, "search", config, "/v1/search");
    if (config->positional_count > 0)
        ask.query = config->positional[0];
    sp_ask_parameter(&ask, "q", ask.query);
    for (size_t i = 0; i < SP_ARRAY_LEN(passed); i++)
        sp_ask_option(&ask, passed[i]);
    if (sp_config_get(config, "explain")->flag)
        sp_ask_parameter(&ask, "explain", SP_SLICE("true"));
    bool json = sp_config_get(config, "json")->flag, lines = sp_config_get(config, "lines")->flag;
    bool for_lines = lines || (!json && isatty(STDERR_FILENO));
    struct sp_search_lines while_it_runs = {
        .copy = lines ? stdout : NULL,
        .progress = lines ? NULL : stderr,
    };
    int code = for_lines ? ask_for_lines(&ask, &while_it_runs, &body) : sp_ask_run(&ask, &body);
    if (code == SP_EXIT_OK) {
        sp_arena_init(&arena, SEARCH_ARENA_BYTES);
        if (lines)
            code = after_lines(sp_buf_slice(&body));
        else
            code =
                json ? print_json(sp_buf_slice(&body)) : print_table(sp_buf_slice(&body), &arena);
        sp_arena_fini(&arena);
        sp_buf_fini(&body);
    }
    sp_ask_fini(&ask);
    return code;
}

int sp_cmd_search(int argc, char **argv)
{
    const struct sp_command command = {
        .name = "search",
        .arguments = "[QUERY]",
        .summary = "Finds traces with a TraceQL query; without one, the newest.",
        .options = options,
        .option_count = SP_ARRAY_LEN(options),
        .arguments_max = 1,
    };
    return sp_cmd_run(&command, argc, argv, run);
}
