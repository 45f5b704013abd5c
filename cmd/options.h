/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/options.h: the option tables of sub-commands and the one way they are read. */
#pragma once

#include "cmd/cmd.h"
#include "lib/base/base.h"
#include "lib/model/model.h"

/* The largest value of serve's option max-body. */
#define SP_OPTION_BODY_BYTES_MAX ((size_t)1024 * 1024 * 1024)

/* What may once have been let in must decode for ever, so stored bytes are read with the widest limits that any configuration may
 * set. */
extern const struct sp_limits sp_replay_limits;

extern const struct sp_option sp_serve_options[];
extern const size_t sp_serve_option_count;

/* What the reading of a command line needs to know about a sub-command. */
struct sp_command {
    const char *name;      /* "serve" */
    const char *arguments; /* behind the options, for the usage line: "TRACE-ID", or "" */
    const char *summary;   /* one sentence for --help */
    const struct sp_option *options;
    size_t option_count;
    size_t arguments_min, arguments_max; /* how many arguments that are no options it takes */
};

/* Loads the configuration of a sub-command (flags, environment, file). Returns -1 when the command should go on, otherwise
 * the exit code: help was asked for and printed to stdout, or the command line is wrong and stderr says why.
 * *ret is the arena's memory. */
int sp_cmd_options(struct sp_arena *arena, const struct sp_command *command, int argc, char **argv,
                   struct sp_config *ret);

/* The same, then run with what was loaded, which is gone when it returns. The exit code. */
int sp_cmd_run(const struct sp_command *command, int argc, char **argv,
               int (*run)(const struct sp_config *config));

/* Did the user say it, and not only the table? */
bool sp_option_is_given(const struct sp_option_value *value);
