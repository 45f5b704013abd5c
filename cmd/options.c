/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/options.c: every option of `spoor serve`, and the reading of options that all sub-commands share. */
#include "cmd/options.h"

#include <stdio.h>
#include <unistd.h>

#define SP_HELP_BYTES_MAX ((size_t)256 * 1024)

#define MIB    ((uint64_t)1024 * 1024)
#define SECOND ((uint64_t)1000 * 1000 * 1000)

const struct sp_limits sp_replay_limits = {
    .body_bytes_max = SP_OPTION_BODY_BYTES_MAX,
    .spans_max = SIZE_MAX,
    .attributes_max = SIZE_MAX,
    .arena_bytes_max = SIZE_MAX,
    .nesting_max = SP_LIMIT_NESTING,
};

const struct sp_option sp_serve_options[] = {
    {.name = "config",
     .type = SP_OPTION_TEXT,
     .value_name = "FILE",
     .help = "YAML file with any of these options."},
    {.name = "data-dir",
     .type = SP_OPTION_TEXT,
     .default_text = "./spoor-data",
     .value_name = "DIR",
     .help = "Where spans are kept; created if missing."},
    {.name = "otlp-grpc",
     .type = SP_OPTION_ADDRESS,
     .default_text = "127.0.0.1:4317",
     .value_name = "HOST:PORT",
     .help = "Address of OTLP/gRPC."},
    {.name = "otlp-http",
     .type = SP_OPTION_ADDRESS,
     .default_text = "127.0.0.1:4318",
     .value_name = "HOST:PORT",
     .help = "Address of OTLP/HTTP (POST /v1/traces)."},
    {.name = "http",
     .type = SP_OPTION_ADDRESS,
     .default_text = "127.0.0.1:16686",
     .value_name = "HOST:PORT",
     .help = "Address of the web UI and the read API."},
    {.name = "only",
     .type = SP_OPTION_CHOICE,
     .value_name = "ROLE",
     .choices = "collector|query",
     .help = "Run one side only. collector: receives and keeps, without web UI and read API. "
             "query: web UI and read API "
             "only, on the data directory of a collector; shows within a second what that acks."},
    {.name = "durability",
     .type = SP_OPTION_CHOICE,
     .default_text = "sync",
     .value_name = "HOW",
     .choices = "sync|os",
     .help = "sync: a success answer means on disk, it survives power loss. os: handed to the "
             "operating system, it "
             "survives a crash of Spoor only."},
    {.name = "retention",
     .type = SP_OPTION_DURATION,
     .default_text = "0s",
     .value_name = "AGE",
     .help = "Age from which spans are removed, the oldest first, like 30d; 0s: never."},
    {.name = "retention-size",
     .type = SP_OPTION_BYTES,
     .default_text = "0B",
     .value_name = "BYTES",
     .help = "Most room of the data directory, like 100GiB, at least 256MiB: above it the oldest "
             "spans are removed; 0B: no limit."},
    {.name = "max-body",
     .type = SP_OPTION_BYTES,
     .default_text = "64MiB",
     .value_name = "BYTES",
     .min = 1024,
     .max = SP_OPTION_BODY_BYTES_MAX,
     .help = "Largest request body, also after decompression; never more than --memory."},
    {.name = "memory",
     .type = SP_OPTION_BYTES,
     .default_text = "512MiB",
     .value_name = "BYTES",
     .min = 16 * MIB,
     .help =
         "Memory for requests in flight; above it senders are slowed down or asked to try again."},
    {.name = "reply-memory",
     .type = SP_OPTION_BYTES,
     .default_text = "512MiB",
     .value_name = "BYTES",
     .min = 16 * MIB,
     .help = "Memory for answers that wait for their readers, and the most for one of them; above "
             "it clients are asked to try again. Small answers always go."},
    {.name = "backlog",
     .type = SP_OPTION_BYTES,
     .default_text = "256MiB",
     .value_name = "BYTES",
     .min = MIB,
     .help = "Acked bytes that may wait to be written by trace; above it senders are asked to try "
             "again."},
    {.name = "cors-origins",
     .type = SP_OPTION_LIST,
     .value_name = "ORIGIN,...",
     .help = "Origins of web pages that may send spans to OTLP/HTTP; * for any. Off by default."},
    {.name = "frame-ancestors",
     .type = SP_OPTION_LIST,
     .value_name = "ORIGIN,...",
     .help =
         "Origins of web pages that may show the web UI in a frame (trace/?id=ID&embed=1), like "
         "https://grafana.example; self for this one. None by default."},
    {.name = "perfetto-url",
     .type = SP_OPTION_TEXT,
     .default_text = "https://ui.perfetto.dev",
     .value_name = "URL",
     .help = "The Perfetto that the menu of a trace opens, in a window of its own, with the trace: "
             "the browser hands it over, on that click only. none: the menu has no such entry."},
    {.name = "threads",
     .type = SP_OPTION_U64,
     .default_text = "0",
     .value_name = "N",
     .max = 256,
     .help = "Event-loop threads of each listener; 0: one a core."},
    {.name = "query-threads",
     .type = SP_OPTION_U64,
     .default_text = "2",
     .value_name = "N",
     .min = 1,
     .max = 256,
     .help = "Queries that run at the same time."},
    {.name = "query-timeout",
     .type = SP_OPTION_DURATION,
     .default_text = "30s",
     .value_name = "TIME",
     .min = SECOND / 1000,
     .max = 3600 * SECOND,
     .help = "Longest time one query may take."},
    {.name = "query-memory",
     .type = SP_OPTION_BYTES,
     .default_text = "2GiB",
     .value_name = "BYTES",
     .min = MIB,
     .help = "Most memory one query may take."},
    {.name = "allow-cancel",
     .type = SP_OPTION_BOOL,
     .default_text = "false",
     .help = "Let anybody who reaches the read API end running queries (DELETE /v1/queries/ID, and "
             "the Status page)."},
    {.name = "drain-timeout",
     .type = SP_OPTION_DURATION,
     .default_text = "10s",
     .value_name = "TIME",
     .max = 3600 * SECOND,
     .help = "How long SIGTERM waits for requests that are being answered."},
    {.name = "log-level",
     .type = SP_OPTION_CHOICE,
     .default_text = "info",
     .value_name = "LEVEL",
     .choices = "debug|info|warn|error",
     .help = "Least severity that is logged (to stderr)."},
    {.name = "log-format",
     .type = SP_OPTION_CHOICE,
     .default_text = "logfmt",
     .value_name = "FORMAT",
     .choices = "logfmt|json",
     .help = "Form of log lines."},
};
const size_t sp_serve_option_count = SP_ARRAY_LEN(sp_serve_options);

static void print_help(const struct sp_command *command)
{
    struct sp_buf text;
    sp_buf_init(&text, SP_HELP_BYTES_MAX);
    sp_buf_printf(&text, "Usage: spoor %s [OPTION...]%s%s\n\n%s\n\n", command->name,
                  command->arguments[0] != '\0' ? " " : "", command->arguments, command->summary);
    sp_config_help(command->options, command->option_count, &text);
    fwrite(text.ptr, 1, text.len, stdout);
    sp_buf_fini(&text);
}

int sp_cmd_options(struct sp_arena *arena, const struct sp_command *command, int argc, char **argv,
                   struct sp_config *ret)
{
    struct sp_error error;
    enum sp_status status = sp_config_load(arena, command->options, command->option_count, argc,
                                           argv, environ, ret, &error);
    if (status == SP_OK && ret->help) {
        print_help(command);
        return SP_EXIT_OK;
    }
    if (status == SP_OK && ret->positional_count > command->arguments_max)
        status = sp_error_set(&error, SP_INVALID_ARGUMENT, "unexpected argument \"%.*s\"",
                              SP_SLICE_PRINTF(ret->positional[command->arguments_max]));
    if (status == SP_OK && ret->positional_count < command->arguments_min)
        status = sp_error_set(&error, SP_INVALID_ARGUMENT, "%s is missing", command->arguments);
    if (status == SP_OK)
        return -1;
    fprintf(stderr, "spoor %s: %s\n`spoor %s --help` lists all options.\n", command->name,
            error.message, command->name);
    return SP_EXIT_USAGE;
}

/* Of a command line, its environment and its file. */
#define CONFIG_ARENA_BYTES ((size_t)4 * 1024 * 1024)

int sp_cmd_run(const struct sp_command *command, int argc, char **argv,
               int (*run)(const struct sp_config *config))
{
    struct sp_arena arena;
    struct sp_config config;
    sp_arena_init(&arena, CONFIG_ARENA_BYTES);
    int code = sp_cmd_options(&arena, command, argc, argv, &config);
    if (code < 0)
        code = run(&config);
    sp_arena_fini(&arena);
    return code;
}

bool sp_option_is_given(const struct sp_option_value *value)
{
    return value->set && strcmp(value->origin, "default") != 0;
}
