/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/ask.h: one question to the read API of a running server, for the sub-commands that are clients of it. */
#pragma once

#include "cmd/options.h"

/* The options that every such sub-command has, for its table. */
#define SP_ASK_OPTIONS                                                                             \
    {.name = "server",                                                                             \
     .type = SP_OPTION_TEXT,                                                                       \
     .default_text = "http://127.0.0.1:16686",                                                     \
     .value_name = "URL",                                                                          \
     .help = "The server to ask."},                                                                \
    {                                                                                              \
        .name = "timeout", .type = SP_OPTION_DURATION, .default_text = "60s",                      \
        .value_name = "TIME", .min = 1000000, .max = (uint64_t)24 * 3600 * 1000 * 1000 * 1000,     \
        .help = "How long to wait for the answer."                                                 \
    }

#define SP_ASK_REPLY_BYTES_MAX ((size_t)2 * 1024 * 1024 * 1024)
#define SP_ASK_URL_BYTES_MAX   ((size_t)128 * 1024)
#define SP_ASK_QUERIES_MAX     2

/* A question being put together: path and parameters. Errors stick in url. */
struct sp_ask {
    const char *command; /* for messages: "search" */
    const char *method;  /* "GET", unless it is set; a POST sends an empty JSON object */
    const struct sp_config *config;
    struct sp_buf url;
    bool has_parameters;
    /* TraceQL texts that an error may point into, by their parameters. */
    struct {
        const char *parameter;
        struct sp_slice text;
    } queries[SP_ASK_QUERIES_MAX];
    uint32_t query_count;
    const char *accept;       /* the media type of the answer; NULL: the server's choice */
    const char *reply_header; /* of a good answer, to be kept in header; NULL: none */
    char header[64];          /* its value; "" if there was none, or a longer one */
    bool goes_on; /* the answer has no end: there is no timeout, unless one was asked for */
    /* Of a good answer, before it is whole: all of it so far, whenever more has come. May be NULL. */
    void (*on_part)(void *cookie, struct sp_slice received);
    void *cookie;
};

void sp_ask_init(struct sp_ask *ask, const char *command, const struct sp_config *config,
                 const char *path);
void sp_ask_fini(struct sp_ask *ask);
void sp_ask_path(struct sp_ask *ask, struct sp_slice segment); /* appended percent-encoded */
void sp_ask_parameter(struct sp_ask *ask, const char *name, struct sp_slice value);

/* The same with a TraceQL text, into which errors point. At most SP_ASK_QUERIES_MAX. */
void sp_ask_query(struct sp_ask *ask, const char *name, struct sp_slice text);

/* The same with the value of an option of that name, if it is set. */
void sp_ask_option(struct sp_ask *ask, const char *name);

/* Says what a problem document says, on stderr; the exit code. http_status 0: its own. */
int sp_ask_refused(const struct sp_ask *ask, int http_status, struct sp_slice problem);

/* Asks, and returns SP_EXIT_OK with the answer in *body, which is new. Otherwise stderr says why, and the exit code is:
 * SP_EXIT_NOT_FOUND  there is no such thing.   SP_EXIT_USAGE  the server did not understand the question, or the
 * address is none.   SP_EXIT_FAILURE  no answer, or the server's fault. */
int sp_ask_run(struct sp_ask *ask, struct sp_buf *body);

/* Writes bytes to stdout, with a newline behind them if they have none. SP_EXIT_FAILURE when that fails. */
int sp_ask_print(struct sp_slice bytes);
