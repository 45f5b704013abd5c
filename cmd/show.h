/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/show.h: what sub-commands have in common that ask one question and print the answer as tables, or with --json as it is. */
#pragma once

#include "cmd/answer.h"
#include "cmd/ask.h"
#include "cmd/explain.h"
#include "cmd/table.h"

/* Options that all of them have, for their tables. */
#define SP_SHOW_OPTIONS                                                                            \
    SP_ASK_OPTIONS,                                                                                \
    {                                                                                              \
        .name = "json", .type = SP_OPTION_BOOL, .help = "Print the server's answer as it is."      \
    }

#define SP_SHOW_RANGE_OPTIONS                                                                      \
    {.name = "from",                                                                               \
     .type = SP_OPTION_TEXT,                                                                       \
     .value_name = "TIME",                                                                         \
     .help = "Spans that start then or later: RFC 3339, Unix time, or now-15m."},                  \
    {                                                                                              \
        .name = "to", .type = SP_OPTION_TEXT, .value_name = "TIME",                                \
        .help = "Spans that start before then."                                                    \
    }

/* A command whose table has SP_EXPLAIN_OPTION shows "explain" of the answer below everything else, also when nothing was found. */
struct sp_show {
    struct sp_command command;
    const char *path; /* of the API */
    /* options that become parameters: name of the option, of the parameter; ends with a NULL */
    const char *const (*passed)[2];
    /* NULL, or adds what arguments say */
    void (*prepare)(struct sp_ask *ask, const struct sp_config *config);
    /* Is there anything in the answer? */
    bool (*found)(const struct sp_answer *answer);
    /* False: it could not be written, and stderr says so. Only called when something was found. */
    bool (*print)(const struct sp_answer *answer, const struct sp_terminal *terminal,
                  struct sp_arena *arena);
    bool as_json;        /* as if --json were set */
    const char *nothing; /* a sentence for stderr when nothing was found */
};

/* Asks and prints; an enum sp_exit: SP_EXIT_NOT_FOUND when nothing was found, also with --json. */
int sp_show_main(const struct sp_show *show, int argc, char **argv);

/* The same for who has read the options. */
int sp_show_run(const struct sp_show *show, const struct sp_config *config);

/* For prepare: the first argument, if there is one, is the query q, which errors point into. */
void sp_show_query(struct sp_ask *ask, const struct sp_config *config);
