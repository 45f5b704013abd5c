/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/graph.c: `spoor graph`: prints the dependency graph as the server exports it. */
#include "cmd/ask.h"

#define GRAPH_CONFIG_ARENA_BYTES ((size_t)1024 * 1024)

static const struct sp_option options[] = {
    SP_ASK_OPTIONS,
    {.name = "format",
     .type = SP_OPTION_CHOICE,
     .default_text = "dot",
     .value_name = "FORMAT",
     .choices = "dot|graphml|json|csv|mermaid",
     .help = "What to print. dot is for graphviz: spoor graph | dot -Tsvg."},
    {.name = "from",
     .type = SP_OPTION_TEXT,
     .value_name = "TIME",
     .help = "Calls since then: RFC 3339, Unix time, or now-15m."},
    {.name = "to", .type = SP_OPTION_TEXT, .value_name = "TIME", .help = "Calls before then."},
    {.name = "service",
     .type = SP_OPTION_TEXT,
     .value_name = "NAME",
     .help = "Only the surroundings of this service."},
    {.name = "hops",
     .type = SP_OPTION_U64,
     .value_name = "N",
     .max = 64,
     .help = "How far the surroundings reach; the server's default is 1."},
};

static int run(const struct sp_config *config)
{
    static const char *const passed[] = {"format", "from", "to", "service", "hops"};
    struct sp_ask ask;
    struct sp_buf body;
    sp_ask_init(&ask, "graph", config, "/v1/graph");
    for (size_t i = 0; i < SP_ARRAY_LEN(passed); i++)
        sp_ask_option(&ask, passed[i]);
    int code = sp_ask_run(&ask, &body);
    if (code == SP_EXIT_OK) {
        code = sp_ask_print(sp_buf_slice(&body));
        sp_buf_fini(&body);
    }
    sp_ask_fini(&ask);
    return code;
}

int sp_cmd_graph(int argc, char **argv)
{
    const struct sp_command command = {
        .name = "graph",
        .arguments = "",
        .summary = "Prints the service dependency graph.",
        .options = options,
        .option_count = SP_ARRAY_LEN(options),
    };
    struct sp_arena arena;
    struct sp_config config;
    sp_arena_init(&arena, GRAPH_CONFIG_ARENA_BYTES);
    int code = sp_cmd_options(&arena, &command, argc, argv, &config);
    if (code < 0)
        code = run(&config);
    sp_arena_fini(&arena);
    return code;
}
