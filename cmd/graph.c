/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/graph.c: `spoor graph`: prints the dependency graph as the server exports it, or as a table, or what changed of it. */
#include "cmd/show.h"

#define GRAPH_CONFIG_ARENA_BYTES ((size_t)1024 * 1024)

static const struct sp_option options[] = {
    SP_ASK_OPTIONS,
    {.name = "format",
     .type = SP_OPTION_CHOICE,
     .default_text = "dot",
     .value_name = "FORMAT",
     .choices = "dot|graphml|json|csv|mermaid|table",
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
    {.name = "compare-from",
     .type = SP_OPTION_TEXT,
     .value_name = "TIME",
     .help = "With --compare-to: prints what changed since that range, as a table or JSON."},
    {.name = "compare-to", .type = SP_OPTION_TEXT, .value_name = "TIME", .help = "Its end."},
    {.name = "step",
     .type = SP_OPTION_TEXT,
     .value_name = "DURATION",
     .help =
         "Whole minutes, as 5m: calls and p95 of each edge over time, as a table or JSON; needs "
         "--from."},
    {.name = "links",
     .type = SP_OPTION_BOOL,
     .help = "Also from producers to consumers with a trace of their own that link to them; reads "
             "their traces."},
    {.name = "exact",
     .type = SP_OPTION_BOOL,
     .help = "As a table or JSON: exact latencies, from all traces, instead of within 1.1 %."},
    {.name = "nodes",
     .type = SP_OPTION_BOOL,
     .help = "With --format csv: a row for each service, instead of each caller and called."},
    {.name = "json", .type = SP_OPTION_BOOL, .help = "The same as --format json."},
};

static const char no_call[] = "No call is stored in this range.";

/* ---- tables ---- */

static const char *const passed[][2] = {{"from", "from"},
                                        {"to", "to"},
                                        {"service", "service"},
                                        {"hops", "hops"},
                                        {"compare-from", "compareFrom"},
                                        {"compare-to", "compareTo"},
                                        {"step", "step"},
                                        {NULL, NULL}};

static void ask_flags(struct sp_ask *ask, const struct sp_config *config)
{
    if (sp_config_get(config, "links")->flag)
        sp_ask_parameter(ask, "links", SP_SLICE("true"));
    if (sp_config_get(config, "exact")->flag)
        sp_ask_parameter(ask, "exact", SP_SLICE("true"));
}

/* What became of links that were asked for, which a table has no room for. */
static void tell_links(const struct sp_answer *answer)
{
    const struct sp_answer *links = sp_answer_at(answer, "links");
    if (links->count == 0)
        return;
    fprintf(stderr,
            "Links of consumers: %llu, of which %llu are calls across traces; %llu in their own "
            "trace, %llu to spans that are not stored, %llu to spans that send nothing.\n",
            (unsigned long long)sp_answer_u64(links, "seen"),
            (unsigned long long)sp_answer_u64(links, "resolved"),
            (unsigned long long)sp_answer_u64(links, "sameTrace"),
            (unsigned long long)sp_answer_u64(links, "notFound"),
            (unsigned long long)sp_answer_u64(links, "otherKind"));
    if (!sp_answer_is_true(links, "complete"))
        fprintf(stderr,
                "The time was up: %llu more were not looked up, and others may not have been "
                "seen. Ask for a shorter range.\n",
                (unsigned long long)sp_answer_u64(links, "notLookedUp"));
}

static bool edges_found(const struct sp_answer *answer)
{
    return sp_answer_at(answer, "edges")->count > 0;
}

/* As callers saw it, if they were seen. */
static struct sp_slice p95_of(struct sp_table *table, const struct sp_answer *side)
{
    const struct sp_answer *client = sp_answer_at(side, "clientLatency.p95");
    const struct sp_answer *server = sp_answer_at(side, "serverLatency.p95");
    const struct sp_answer *latency = client->text.len > 0 ? client : server;
    return latency->text.len > 0 ? sp_table_duration(table, sp_answer_u64(latency, ""))
                                 : latency->text;
}

static struct sp_slice errors_of(struct sp_table *table, const struct sp_answer *side)
{
    uint64_t calls = sp_answer_u64(side, "calls"), errors = sp_answer_u64(side, "errors");
    return sp_table_percent(table, calls > 0 ? (double)errors / (double)calls : 0);
}

static bool edges_print(const struct sp_answer *answer, const struct sp_terminal *terminal,
                        struct sp_arena *arena)
{
    static const struct sp_table_column columns[] = {
        {"CALLER", false, true}, {"CALLED", false, true}, {"TYPE", false, false},
        {"CALLS", true, false},  {"ERRORS", true, false}, {"P95", true, false}};
    struct sp_table table;
    tell_links(answer);
    sp_table_init(&table, columns, SP_ARRAY_LEN(columns), arena);
    for (const struct sp_answer *row = sp_answer_at(answer, "edges")->first; row; row = row->next) {
        struct sp_slice *cells = sp_table_row(&table, NULL);
        if (!cells)
            break;
        cells[0] = sp_answer_text(row, "client");
        cells[1] = sp_answer_text(row, "server");
        cells[2] = sp_answer_text(row, "connectionType");
        cells[3] = sp_answer_text(row, "calls");
        cells[4] = errors_of(&table, row);
        cells[5] = p95_of(&table, row);
    }
    return sp_table_print(&table, terminal);
}

static bool changes_print(const struct sp_answer *answer, const struct sp_terminal *terminal,
                          struct sp_arena *arena)
{
    static const struct sp_table_column columns[] = {
        {"CHANGE", false, false}, {"CALLER", false, true}, {"CALLED", false, true},
        {"CALLS", true, false},   {"BEFORE", true, false}, {"ERRORS", true, false},
        {"BEFORE", true, false},  {"P95", true, false},    {"BEFORE", true, false}};
    struct sp_table table;
    tell_links(answer);
    sp_table_init(&table, columns, SP_ARRAY_LEN(columns), arena);
    for (const struct sp_answer *row = sp_answer_at(answer, "edges")->first; row; row = row->next) {
        const struct sp_answer *now = sp_answer_at(row, "now"),
                               *before = sp_answer_at(row, "before");
        struct sp_slice change = sp_answer_text(row, "change");
        bool is_same = sp_slice_equal_cstr(change, "same");
        struct sp_slice *cells = sp_table_row(&table, is_same ? NULL : "33");
        if (!cells)
            break;
        cells[0] = is_same ? SP_SLICE("") : change;
        cells[1] = sp_answer_text(row, "client");
        cells[2] = sp_answer_text(row, "server");
        cells[3] = sp_answer_text(now, "calls");
        cells[4] = sp_answer_text(before, "calls");
        cells[5] = errors_of(&table, now);
        cells[6] = errors_of(&table, before);
        cells[7] = p95_of(&table, now);
        cells[8] = p95_of(&table, before);
    }
    return sp_table_print(&table, terminal);
}

static bool steps_print(const struct sp_answer *answer, const struct sp_terminal *terminal,
                        struct sp_arena *arena)
{
    static const struct sp_table_column columns[] = {
        {"CALLER", false, true},        {"CALLED", false, true}, {"TYPE", false, false},
        {"CALLS", true, false},         {"ERRORS", true, false}, {"CALLS OVER TIME", false, false},
        {"P95 OVER TIME", false, false}};
    unsigned columns_each = sp_table_line_columns(terminal, 48, 2);
    struct sp_table table;
    tell_links(answer);
    sp_table_init(&table, columns, SP_ARRAY_LEN(columns), arena);
    for (const struct sp_answer *row = sp_answer_at(answer, "edges")->first; row; row = row->next) {
        const struct sp_answer *client = sp_answer_at(row, "clientLatency.p95");
        uint64_t calls = sp_answer_total(row, "calls"), errors = sp_answer_total(row, "errors");
        struct sp_slice *cells = sp_table_row(&table, NULL);
        if (!cells)
            break;
        cells[0] = sp_answer_text(row, "client");
        cells[1] = sp_answer_text(row, "server");
        cells[2] = sp_answer_text(row, "connectionType");
        cells[3] = sp_table_count(&table, calls);
        cells[4] = sp_table_percent(&table, calls > 0 ? (double)errors / (double)calls : 0);
        cells[5] = sp_table_line(&table, sp_answer_at(row, "calls"), columns_each);
        cells[6] = sp_table_line(
            &table, client->count > 0 ? client : sp_answer_at(row, "serverLatency.p95"),
            columns_each);
    }
    return sp_table_print(&table, terminal);
}

static int show_table(const struct sp_command *command, const struct sp_config *config)
{
    bool compares =
        sp_config_get(config, "compare-from")->set || sp_config_get(config, "compare-to")->set;
    const struct sp_show show = {
        .command = *command,
        .path = "/v1/graph",
        .passed = passed,
        .prepare = ask_flags,
        .found = edges_found,
        .print = compares                             ? changes_print
                 : sp_config_get(config, "step")->set ? steps_print
                                                      : edges_print,
        .as_json = sp_slice_equal_cstr(sp_config_get(config, "format")->text, "json"),
        .nothing = no_call};
    return sp_show_run(&show, config);
}

/* ---- documents ---- */

/* A document of a graph without a call is one, too: how many edges it has a header says. */
static int print_document(const struct sp_config *config, const char *format)
{
    struct sp_ask ask;
    struct sp_buf body;
    uint64_t edges;
    sp_ask_init(&ask, "graph", config, "/v1/graph");
    ask.reply_header = "spoor-graph-edges";
    sp_ask_parameter(&ask, "format", sp_slice_cstr(format));
    if (sp_config_get(config, "nodes")->flag && strcmp(format, "csv") == 0)
        sp_ask_parameter(&ask, "rows", SP_SLICE("nodes"));
    ask_flags(&ask, config);
    for (size_t i = 0; i < 4; i++) /* a document has no second range */
        sp_ask_option(&ask, passed[i][0]);
    int code = sp_ask_run(&ask, &body);
    if (code == SP_EXIT_OK) {
        code = sp_ask_print(sp_buf_slice(&body));
        sp_buf_fini(&body);
    }
    if (code == SP_EXIT_OK && sp_parse_u64(sp_slice_cstr(ask.header), &edges) && edges == 0) {
        fprintf(stderr, "%s\n", no_call);
        code = SP_EXIT_NOT_FOUND;
    }
    sp_ask_fini(&ask);
    return code;
}

/* ---- the command ---- */

/* What would otherwise be ignored. True: nothing is. */
static bool check_options(const struct sp_config *config, bool over_time)
{
    const struct sp_option_value *format = sp_config_get(config, "format");
    bool json = sp_slice_equal_cstr(format->text, "json");
    bool table = sp_slice_equal_cstr(format->text, "table");
    bool asked = strcmp(format->origin, "default") != 0;
    const char *wrong = NULL;
    if (asked && sp_config_get(config, "json")->flag && !json)
        wrong = "--json is the same as --format json";
    else if (asked && over_time && !json && !table)
        wrong = "--step and --compare-from are printed as a table or as JSON";
    else if (sp_config_get(config, "nodes")->flag && !sp_slice_equal_cstr(format->text, "csv"))
        wrong = "--nodes is for --format csv";
    if (wrong)
        fprintf(stderr, "spoor graph: %s\n", wrong);
    return wrong == NULL;
}

static int run(const struct sp_command *command, const struct sp_config *config)
{
    const struct sp_option_value *format = sp_config_get(config, "format");
    bool over_time = sp_config_get(config, "compare-from")->set ||
                     sp_config_get(config, "compare-to")->set || sp_config_get(config, "step")->set;
    if (!check_options(config, over_time))
        return SP_EXIT_USAGE;
    if (sp_slice_equal_cstr(format->text, "table") || over_time ||
        sp_slice_equal_cstr(format->text, "json") || sp_config_get(config, "json")->flag)
        return show_table(command, config);
    char name[16];
    snprintf(name, sizeof(name), "%.*s", SP_SLICE_PRINTF(format->text));
    return print_document(config, name);
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
        code = run(&command, &config);
    sp_arena_fini(&arena);
    return code;
}
