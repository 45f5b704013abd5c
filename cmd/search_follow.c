/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/search_follow.c: see cmd/search_follow.h. The server sends a line for each trace, and now and then one that says that it is there. */
#include "cmd/search_follow.h"

#include <stdio.h>

#include "cmd/ask.h"
#include "cmd/search_lines.h"
#include "cmd/search_rows.h"
#include "cmd/search_sets.h"

#define LINE_ARENA_BYTES ((size_t)256 * 1024 * 1024)

struct following {
    struct sp_terminal terminal;
    struct sp_arena arena; /* of one line */
    bool raw;              /* lines as they are */
    bool begun;            /* the head of the table is there */
    bool failed;           /* a line that is not understood */
    size_t seen;           /* bytes of the answer that were looked at */
};

static void print_trace(struct following *following, struct sp_slice object)
{
    struct sp_json_reader r;
    struct sp_search_row row;
    sp_arena_reset(&following->arena);
    sp_json_reader_init(&r, object, &following->arena, SP_SEARCH_DEPTH_MAX);
    if (sp_json_next(&r) != SP_JSON_OBJECT_BEGIN || !sp_search_read_row(&r, &row)) {
        following->failed = true;
        return;
    }
    if (!following->begun)
        sp_search_print_head(&following->terminal);
    following->begun = true;
    sp_search_print_row(&following->terminal, &row);
    if (row.sets.len > 0 &&
        !sp_search_print_sets(&following->terminal, row.sets, &following->arena))
        following->failed = true;
}

/* Behind the rows that it belongs to. */
static void print_left_out(const struct sp_search_left_out *left_out)
{
    fflush(stdout);
    if (left_out->traces > 0)
        fprintf(stderr, "spoor search: %llu more traces came in than are shown\n",
                (unsigned long long)left_out->traces);
    if (left_out->requests > 0)
        fprintf(stderr, "spoor search: traces of %llu requests were not looked at\n",
                (unsigned long long)left_out->requests);
}

static void on_part(void *cookie, struct sp_slice received)
{
    struct following *following = cookie;
    struct sp_slice rest = sp_slice_sub(received, following->seen, received.len), line, object;
    size_t before = rest.len;
    struct sp_search_left_out left_out;
    while (sp_search_lines_next(&rest, &line)) {
        if (following->raw)
            fprintf(stdout, "%.*s\n", SP_SLICE_PRINTF(line));
        else if (sp_search_lines_trace(line, &object))
            print_trace(following, object);
        else if (sp_search_lines_live(line, &left_out))
            print_left_out(&left_out);
    }
    following->seen += before - rest.len;
    fflush(stdout);
}

/* Options of a search that ends mean nothing here. */
static bool takes(const struct sp_config *config)
{
    static const char *const others[] = {"from", "to", "order", "limit", "cursor"};
    bool good = !sp_config_get(config, "explain")->flag && !sp_config_get(config, "lines")->flag;
    for (size_t i = 0; i < SP_ARRAY_LEN(others); i++)
        good &= !sp_option_is_given(sp_config_get(config, others[i]));
    if (!good)
        fputs("spoor search: --follow goes with --json, --server and --timeout only\n", stderr);
    return good;
}

/* The last line says why the server has ended it. */
static int ended(const struct sp_ask *ask, struct sp_slice lines)
{
    struct sp_slice line = {0}, rest = lines;
    struct sp_buf problem;
    while (sp_search_lines_next(&rest, &line))
        ;
    if (sp_slice_starts_with(line, SP_SLICE("{\"done\":")))
        return SP_EXIT_OK;
    int code = SP_EXIT_FAILURE;
    (void)sp_search_lines_join(lines, &problem);
    if (problem.len > 0)
        code = sp_ask_refused(ask, 0, sp_buf_slice(&problem));
    else
        fputs("spoor search: the answer ended without its last line\n", stderr);
    sp_buf_fini(&problem);
    return code;
}

int sp_search_follow(const struct sp_config *config)
{
    struct following following = {.raw = sp_config_get(config, "json")->flag};
    struct sp_ask ask;
    struct sp_buf body;
    if (!takes(config))
        return SP_EXIT_USAGE;
    sp_terminal_init(&following.terminal, stdout);
    sp_arena_init(&following.arena, LINE_ARENA_BYTES);
    sp_ask_init(&ask, "search", config, "/v1/live");
    if (config->positional_count > 0)
        sp_ask_query(&ask, "q", config->positional[0]);
    ask.accept = SP_SEARCH_LINES_MEDIA_TYPE;
    ask.on_part = on_part;
    ask.cookie = &following;
    ask.goes_on = true;
    int code = sp_ask_run(&ask, &body);
    if (code == SP_EXIT_OK) {
        code = ended(&ask, sp_buf_slice(&body));
        sp_buf_fini(&body);
    }
    if (following.failed) {
        fputs("spoor search: the answer is not what this version understands\n", stderr);
        code = SP_EXIT_FAILURE;
    }
    sp_arena_fini(&following.arena);
    sp_ask_fini(&ask);
    return code;
}
