/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/main.c: finds the sub-command. */
#include "cmd/cmd.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/base.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"serve", sp_cmd_serve, "receive, keep and answer: the server, with the web UI"},
    {"load", sp_cmd_load, "send generated or recorded spans to a server"},
    {"trace", sp_cmd_trace, "draw one trace as a waterfall in the terminal"},
    {"search", sp_cmd_search, "find traces with a TraceQL query"},
    {"services", sp_cmd_services, "list services with counts"},
    {"operations", sp_cmd_operations, "list operations with counts"},
    {"latency", sp_cmd_latency, "show latency quantiles"},
    {"metrics", sp_cmd_metrics, "show what a TraceQL metric is over time"},
    {"heatmap", sp_cmd_heatmap, "draw spans by time and duration"},
    {"facets", sp_cmd_facets, "count the values of spans, and how some differ from the rest"},
    {"attributes", sp_cmd_attributes, "list attribute keys, or the values of one"},
    {"graph", sp_cmd_graph, "print the service dependency graph"},
    {"critical-path", sp_cmd_critical_path, "show where the time of many traces goes"},
    {"compare", sp_cmd_compare, "compare two traces, or two samples of traces"},
    {"status", sp_cmd_status, "show what a server keeps and is busy with"},
    {"backup", sp_cmd_backup, "copy what a running server keeps"},
    {"check", sp_cmd_check, "say what in a data directory is damaged"},
};

static void print_usage(FILE *out)
{
    fputs("Usage: spoor COMMAND [OPTION...]\n\n"
          "Spoor keeps every span your services send over OTLP and answers questions about "
          "them.\n\nCommands:\n",
          out);
    for (size_t i = 0; i < SP_ARRAY_LEN(commands); i++)
        fprintf(out, "  %-13s %s\n", commands[i].name, commands[i].help);
    fputs("\nExit codes: 0 done, or something was found; 1 nothing was found, or damage; 2 the "
          "question or "
          "an option is\nwrong; 3 it failed.\n",
          out);
    fputs("\n`spoor COMMAND --help` lists the options of a command; `spoor --version` prints the "
          "version.\n",
          out);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        puts("spoor " SPOOR_VERSION);
        return SP_EXIT_OK;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_usage(stdout);
        return SP_EXIT_OK;
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(commands); i++) {
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    if (name[0] != '\0')
        fprintf(stderr, "spoor: there is no command \"%s\"\n\n", name);
    print_usage(stderr);
    return SP_EXIT_USAGE;
}
