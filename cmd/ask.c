/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/ask.c: see cmd/ask.h. It knows HTTP status codes and problem documents, not what the answers mean. */
#include "cmd/ask.h"

#include <stdio.h>

#include "cmd/terminal.h"
#include "lib/net/net.h"

#define PROBLEM_ARENA_BYTES ((size_t)1024 * 1024)
#define PROBLEM_DEPTH_MAX   8
#define WAIT_NS             ((uint64_t)1000 * 1000 * 1000)

/* ---- the question ---- */

/* "http://host:port" without its last slash; "host:port" is taken for that, too. */
static void append_server(struct sp_ask *ask, struct sp_slice server)
{
    while (server.len > 0 && server.ptr[server.len - 1] == '/')
        server.len--;
    if (!memmem(server.ptr, server.len, "://", 3))
        sp_buf_append_cstr(&ask->url, "http://");
    sp_buf_append_slice(&ask->url, server);
}

void sp_ask_init(struct sp_ask *ask, const char *command, const struct sp_config *config,
                 const char *path)
{
    *ask = (struct sp_ask){.command = command, .method = "GET", .config = config};
    sp_buf_init(&ask->url, SP_ASK_URL_BYTES_MAX);
    append_server(ask, sp_config_get(config, "server")->text);
    sp_buf_append_cstr(&ask->url, path);
}

void sp_ask_fini(struct sp_ask *ask)
{
    sp_buf_fini(&ask->url);
}

void sp_ask_path(struct sp_ask *ask, struct sp_slice segment)
{
    sp_percent_encode(segment, &ask->url);
}

void sp_ask_parameter(struct sp_ask *ask, const char *name, struct sp_slice value)
{
    sp_buf_printf(&ask->url, "%c%s=", ask->has_parameters ? '&' : '?', name);
    sp_percent_encode(value, &ask->url);
    ask->has_parameters = true;
}

void sp_ask_query(struct sp_ask *ask, const char *name, struct sp_slice text)
{
    SP_ASSERT(ask->query_count < SP_ASK_QUERIES_MAX);
    ask->queries[ask->query_count].parameter = name;
    ask->queries[ask->query_count++].text = text;
    sp_ask_parameter(ask, name, text);
}

void sp_ask_option(struct sp_ask *ask, const char *name)
{
    const struct sp_option_value *value = sp_config_get(ask->config, name);
    if (value->set)
        sp_ask_parameter(ask, name, value->text);
}

/* ---- problem documents ---- */

struct problem {
    struct sp_slice title, detail, parameter;
    uint64_t offset, status;
    bool has_offset;
};

static void read_problem(struct sp_slice body, struct sp_arena *arena, struct problem *problem)
{
    struct sp_json_reader r;
    sp_json_reader_init(&r, body, arena, PROBLEM_DEPTH_MAX);
    if (sp_json_next(&r) != SP_JSON_OBJECT_BEGIN)
        return;
    while (sp_json_next(&r) == SP_JSON_KEY) {
        struct sp_slice key = r.text;
        bool is_title = sp_slice_equal_cstr(key, "title");
        bool is_detail = sp_slice_equal_cstr(key, "detail");
        bool is_parameter = sp_slice_equal_cstr(key, "parameter");
        bool is_offset = sp_slice_equal_cstr(key, "offset");
        bool is_status = sp_slice_equal_cstr(key, "status");
        if (!is_title && !is_detail && !is_parameter && !is_offset && !is_status) {
            if (sp_json_skip(&r) != SP_OK)
                return;
            continue;
        }
        enum sp_json_event event = sp_json_next(&r);
        if (is_offset)
            problem->has_offset = event == SP_JSON_NUMBER && sp_parse_u64(r.text, &problem->offset);
        else if (is_status) {
            if (event != SP_JSON_NUMBER || !sp_parse_u64(r.text, &problem->status))
                return;
        } else if (event == SP_JSON_STRING)
            *(is_title    ? &problem->title
              : is_detail ? &problem->detail
                          : &problem->parameter) = r.text;
    }
}

/* Where the line of an offset begins to be shown: its begin, or so far in front of the offset that at most room columns are between.
 * *ret_columns: those. */
static size_t line_from(struct sp_slice query, size_t offset, unsigned room, unsigned *ret_columns)
{
    size_t from = offset;
    *ret_columns = 0;
    while (from > 0 && query.ptr[from - 1] != '\n') {
        size_t before = from - 1;
        while (before > 0 && (query.ptr[before] & 0xc0) == 0x80)
            before--;
        unsigned columns = sp_terminal_width(sp_slice_sub(query, before, from - before));
        if (*ret_columns + columns > room)
            break;
        *ret_columns += columns;
        from = before;
    }
    return from;
}

/* The line of a query that the error is about, as much as fits, with a caret under the byte. */
static void point_at(struct sp_slice query, uint64_t offset)
{
    struct sp_terminal terminal;
    sp_terminal_init(&terminal, stderr);
    unsigned room = terminal.columns - 4,
             columns; /* two in front, and where something is cut off */
    if (query.len == 0 || offset > query.len)
        return;
    size_t from = line_from(query, (size_t)offset, room, &columns);
    bool cut = from > 0 && query.ptr[from - 1] != '\n';
    if (cut) /* so far to the left that what follows is seen, too */
        from = line_from(query, (size_t)offset, room / 2, &columns);
    struct sp_slice rest = sp_slice_sub(query, from, query.len);
    rest = sp_slice_sub(rest, 0, sp_slice_find(rest, '\n'));
    unsigned width = sp_terminal_width(rest);
    fputs(cut ? " \xE2\x80\xA6" : "  ", stderr);
    sp_terminal_cell(&terminal, rest, width < room ? width : room, false);
    fprintf(stderr, "\n  %*s^\n", (int)columns, "");
}

int sp_ask_refused(const struct sp_ask *ask, int http_status, struct sp_slice body)
{
    struct sp_arena arena;
    struct problem problem = {0};
    sp_arena_init(&arena, PROBLEM_ARENA_BYTES);
    read_problem(body, &arena, &problem);
    if (http_status == 0)
        http_status = problem.status <= 599 ? (int)problem.status : 0;
    if (problem.detail.len > 0)
        fprintf(stderr, "spoor %s: %.*s: %.*s\n", ask->command, SP_SLICE_PRINTF(problem.title),
                SP_SLICE_PRINTF(problem.detail));
    else
        fprintf(stderr, "spoor %s: the server answered with status %d\n", ask->command,
                http_status);
    for (uint32_t i = 0; i < ask->query_count && problem.has_offset; i++)
        if (sp_slice_equal_cstr(problem.parameter, ask->queries[i].parameter))
            point_at(ask->queries[i].text, problem.offset);
    sp_arena_fini(&arena);
    if (http_status == 404)
        return SP_EXIT_NOT_FOUND;
    return http_status == 400 ? SP_EXIT_USAGE : SP_EXIT_FAILURE;
}

/* ---- the exchange ---- */

struct reply {
    const struct sp_ask *ask;
    bool done;
    enum sp_status status;
    struct sp_error error;
    int http_status;
    struct sp_buf *body;
    char header[sizeof(((struct sp_ask *)NULL)->header)];
};

static void on_reply(void *cookie, const struct sp_client_reply *answer)
{
    struct reply *reply = cookie;
    reply->done = true;
    reply->status = answer->status;
    reply->error = answer->error;
    reply->http_status = answer->http_status;
    sp_buf_append_slice(reply->body, answer->body);
    if (answer->header.len > 0 && answer->header.len < sizeof(reply->header))
        memcpy(reply->header, answer->header.ptr, answer->header.len);
}

static void on_part(void *cookie, int http_status, struct sp_slice received)
{
    const struct reply *reply = cookie;
    if (reply->ask->on_part && http_status == 200)
        reply->ask->on_part(reply->ask->cookie, received);
}

/* 0: none. */
static uint32_t timeout_ms(const struct sp_ask *ask)
{
    const struct sp_option_value *timeout = sp_config_get(ask->config, "timeout");
    bool has_none = ask->goes_on && !sp_option_is_given(timeout);
    return has_none ? 0 : (uint32_t)(timeout->number / 1000000);
}

static enum sp_status exchange(const struct sp_ask *ask, const char *url, struct reply *reply,
                               struct sp_error *reterr)
{
    struct sp_client *client;
    struct sp_client_options options = {
        .in_flight_max = 1,
        .connections_max = 1,
        .reply_bytes_max = SP_ASK_REPLY_BYTES_MAX,
        .clock = sp_clock_system(),
    };
    enum sp_status status = sp_client_new(&options, &client, reterr);
    if (status != SP_OK)
        return status;
    bool is_post = strcmp(ask->method, "POST") == 0;
    struct sp_header headers[2];
    size_t header_count = 0;
    if (is_post)
        headers[header_count++] =
            (struct sp_header){SP_SLICE("content-type"), SP_SLICE("application/json")};
    if (ask->accept)
        headers[header_count++] =
            (struct sp_header){SP_SLICE("accept"), sp_slice_cstr(ask->accept)};
    struct sp_client_request request = {
        .method = ask->method,
        .headers = headers,
        .header_count = header_count,
        .body = sp_slice_cstr(is_post ? "{}" : ""),
        .url = url,
        .timeout_ms = timeout_ms(ask),
        .reply_header = ask->reply_header,
        .on_reply = on_reply,
        .on_part = on_part,
        .cookie = reply,
    };
    status = sp_client_submit(client, &request, reterr);
    while (status == SP_OK && !reply->done)
        status = sp_client_run(client, WAIT_NS, reterr);
    sp_client_free(client);
    if (status == SP_OK && reply->status != SP_OK) {
        *reterr = reply->error;
        status = reply->status;
    }
    if (status == SP_OK && reply->body->error != SP_OK)
        status = sp_error_set(reterr, reply->body->error, "no memory for the answer");
    return status;
}

int sp_ask_run(struct sp_ask *ask, struct sp_buf *body)
{
    sp_buf_init(body, SP_ASK_REPLY_BYTES_MAX);
    sp_buf_append_byte(&ask->url, 0);
    if (ask->url.error != SP_OK) {
        fprintf(stderr, "spoor %s: the question is too long\n", ask->command);
        return SP_EXIT_USAGE;
    }
    struct reply reply = {.ask = ask, .body = body};
    struct sp_error error = {0};
    enum sp_status status = exchange(ask, (const char *)ask->url.ptr, &reply, &error);
    int code = SP_EXIT_OK;
    if (status != SP_OK) {
        fprintf(stderr, "spoor %s: no answer from %.*s: %s\n", ask->command,
                SP_SLICE_PRINTF(sp_config_get(ask->config, "server")->text), error.message);
        code = status == SP_INVALID_ARGUMENT ? SP_EXIT_USAGE : SP_EXIT_FAILURE;
    } else if (reply.http_status / 100 != 2) {
        code = sp_ask_refused(ask, reply.http_status, sp_buf_slice(body));
    }
    memcpy(ask->header, reply.header, sizeof(ask->header));
    if (code != SP_EXIT_OK)
        sp_buf_fini(body);
    return code;
}

int sp_ask_print(struct sp_slice bytes)
{
    bool written = fwrite(bytes.ptr, 1, bytes.len, stdout) == bytes.len;
    if (written && (bytes.len == 0 || bytes.ptr[bytes.len - 1] != '\n'))
        written = putchar('\n') != EOF;
    if (written && fflush(stdout) == 0)
        return SP_EXIT_OK;
    perror("spoor: cannot write the answer");
    return SP_EXIT_FAILURE;
}
