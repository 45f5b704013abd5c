/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/search.c: `spoor search QUERY`: a table of the traces that match. */
#include <unistd.h>

#include "cmd/ask.h"
#include "cmd/search_follow.h"
#include "cmd/search_lines.h"
#include "cmd/search_rows.h"
#include "cmd/search_sets.h"

#define SEARCH_ARENA_BYTES ((size_t)512 * 1024 * 1024)

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
    {.name = "follow",
     .type = SP_OPTION_BOOL,
     .help =
         "Print matching traces as they come in, without an end; with --json, lines as they are."},
};

/* ---- the table ---- */

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
        struct sp_search_row row;
        enum sp_json_event event = sp_json_next(r);
        if (event == SP_JSON_ARRAY_END)
            return SP_EXIT_OK;
        if (event != SP_JSON_OBJECT_BEGIN || !sp_search_read_row(r, &row))
            return bad_answer();
        if (*ret_count == 0)
            sp_search_print_head(t);
        sp_search_print_row(t, &row);
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
    sp_json_reader_init(&r, body, arena, SP_SEARCH_DEPTH_MAX);
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
            code = sp_search_take_raw(&r, &explain) ? SP_EXIT_OK : bad_answer();
        else if (sp_json_skip(&r) != SP_OK)
            code = bad_answer();
        if (code != SP_EXIT_OK)
            return code;
    }
    if (explain.len > 0 && !sp_search_print_explanation(&terminal, explain, arena))
        return bad_answer();
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("spoor search: cannot write the answer");
        return SP_EXIT_FAILURE;
    }
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
    if (sp_config_get(config, "follow")->flag)
        return sp_search_follow(config);
    struct sp_ask ask;
    struct sp_buf body;
    struct sp_arena arena;
    sp_ask_init(&ask, "search", config, "/v1/search");
    if (config->positional_count > 0)
        sp_ask_query(&ask, "q", config->positional[0]);
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
