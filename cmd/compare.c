/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/compare.c: `spoor compare A B`: two traces by id, or two samples of traces by query. */
#include "cmd/show.h"

#include <stdio.h>

#include "lib/model/model.h"

static const struct sp_option options[] = {
    SP_SHOW_OPTIONS,
    SP_SHOW_RANGE_OPTIONS,
    {.name = "a-from",
     .type = SP_OPTION_TEXT,
     .value_name = "TIME",
     .help = "Begin of the first sample, if it has its own."},
    {.name = "a-to", .type = SP_OPTION_TEXT, .value_name = "TIME", .help = "Its end."},
    {.name = "b-from",
     .type = SP_OPTION_TEXT,
     .value_name = "TIME",
     .help = "Begin of the second sample."},
    {.name = "b-to", .type = SP_OPTION_TEXT, .value_name = "TIME", .help = "Its end."},
    {.name = "traces",
     .type = SP_OPTION_U64,
     .value_name = "N",
     .min = 1,
     .max = 100000,
     .help = "Newest matching traces of each sample that are looked at; 1000 if not given."},
    {.name = "limit",
     .type = SP_OPTION_U64,
     .value_name = "N",
     .min = 1,
     .max = 1000,
     .help = "Rows of each list; 20 if not given."},
};

#define PATH_BYTES_MAX ((size_t)4096) /* longer ones are cut in the terminal anyway */

static void prepare(struct sp_ask *ask, const struct sp_config *config)
{
    sp_ask_query(ask, "a", config->positional[0]);
    sp_ask_query(ask, "b", config->positional[1]);
}

static struct sp_slice signed_duration(struct sp_table *table, struct sp_slice text)
{
    int64_t ns;
    char duration[40];
    if (!sp_parse_i64(text, &ns) || ns == 0)
        return (struct sp_slice){0};
    duration[sp_format_duration(ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns, duration)] = 0;
    return sp_table_text(table, "%c%s", ns < 0 ? '-' : '+', duration);
}

static struct sp_slice difference_of_means(struct sp_table *table, double ns)
{
    char text[40];
    snprintf(text, sizeof(text), "%.0f", ns);
    return signed_duration(table, sp_slice_cstr(text));
}

/* ---- two traces ---- */

static bool trees_found(const struct sp_answer *answer)
{
    return sp_answer_at(answer, "nodes")->count > 0;
}

static void print_trace(const struct sp_answer *answer, const char *side,
                        const struct sp_terminal *terminal)
{
    const struct sp_answer *trace = sp_answer_at(answer, side);
    char duration[40];
    duration[sp_format_duration(sp_answer_u64(trace, "durationNano"), duration)] = 0;
    fprintf(terminal->out, "%s ", side);
    sp_terminal_cell(terminal, sp_answer_text(trace, "traceId"), 32, false);
    fprintf(terminal->out, "  %s, %llu spans, %llu errors\n", duration,
            (unsigned long long)sp_answer_u64(trace, "spanCount"),
            (unsigned long long)sp_answer_u64(trace, "errorCount"));
}

static struct sp_slice tree_name(struct sp_table *table, const struct sp_answer *row)
{
    int depth = (int)sp_answer_u64(row, "depth");
    int indent = depth < 20 ? depth : 20;
    return sp_table_text(table, "%*s%s%.*s: %.*s", 2 * indent, "",
                         depth > indent ? "\xE2\x8B\xAF " : "",
                         SP_SLICE_PRINTF(sp_answer_text(row, "service")),
                         SP_SLICE_PRINTF(sp_answer_text(row, "operation")));
}

static bool trees_print(const struct sp_answer *answer, const struct sp_terminal *terminal,
                        struct sp_arena *arena)
{
    static const struct sp_table_column columns[] = {
        {"", false, false},     {"CALL", false, true},       {"A", true, false},
        {"B", true, false},     {"DURATION A", true, false}, {"B", true, false},
        {"B - A", true, false}, {"SELF B - A", true, false}};
    struct sp_table table;
    sp_table_init(&table, columns, SP_ARRAY_LEN(columns), arena);
    print_trace(answer, "a", terminal);
    print_trace(answer, "b", terminal);
    if (!sp_answer_is_true(answer, "sameRoot"))
        fputs("The two begin with different operations.\n", terminal->out);
    putc('\n', terminal->out);
    for (const struct sp_answer *row = sp_answer_at(answer, "nodes")->first; row; row = row->next) {
        struct sp_slice change = sp_answer_text(row, "change");
        bool is_new = sp_slice_equal_cstr(change, "new"),
             is_gone = sp_slice_equal_cstr(change, "gone");
        struct sp_slice *cells = sp_table_row(&table, is_new ? "33" : is_gone ? "34" : NULL);
        if (!cells)
            break;
        cells[0] = is_new ? SP_SLICE("+") : is_gone ? SP_SLICE("-") : SP_SLICE("");
        cells[1] = tree_name(&table, row);
        cells[2] = sp_answer_text(row, "a.calls");
        cells[3] = sp_answer_text(row, "b.calls");
        if (!is_new)
            cells[4] = sp_table_duration(&table, sp_answer_u64(row, "a.durationNano"));
        if (!is_gone)
            cells[5] = sp_table_duration(&table, sp_answer_u64(row, "b.durationNano"));
        cells[6] = signed_duration(&table, sp_answer_text(row, "durationDifferenceNano"));
        cells[7] = signed_duration(&table, sp_answer_text(row, "selfDifferenceNano"));
    }
    return sp_table_print(&table, terminal);
}

/* ---- two samples ---- */

static const char *const passed[][2] = {
    {"from", "from"},     {"to", "to"},        {"a-from", "aFrom"},
    {"a-to", "aTo"},      {"b-from", "bFrom"}, {"b-to", "bTo"},
    {"traces", "traces"}, {"limit", "limit"},  {NULL, NULL}};

static bool samples_found(const struct sp_answer *answer)
{
    return sp_answer_u64(answer, "a.matchedTraces") > 0 &&
           sp_answer_u64(answer, "b.matchedTraces") > 0;
}

static void print_sample(const struct sp_answer *answer, const char *side,
                         const struct sp_terminal *terminal)
{
    const struct sp_answer *sample = sp_answer_at(answer, side);
    char p50[40], p99[40];
    p50[sp_format_duration(sp_answer_u64(sample, "traceDuration.p50"), p50)] = 0;
    p99[sp_format_duration(sp_answer_u64(sample, "traceDuration.p99"), p99)] = 0;
    fprintf(terminal->out, "%s: %llu traces%s, p50 %s, p99 %s\n", side,
            (unsigned long long)sp_answer_u64(sample, "matchedTraces"),
            sp_answer_is_true(sample, "complete") ? "" : " (the newest)", p50, p99);
}

static const char *mark(const struct sp_answer *row)
{
    return sp_answer_is_true(row, "found") ? "*" : "";
}

static struct sp_slice rate(struct sp_table *table, const struct sp_answer *row)
{
    return sp_table_text(table, "%.2g", sp_answer_double(row, "qValue"));
}

static bool print_values(const struct sp_answer *answer, const struct sp_terminal *terminal,
                         struct sp_arena *arena)
{
    static const struct sp_table_column columns[] = {
        {"", false, false},     {"A", true, false},      {"B", true, false},
        {"B - A", true, false}, {"CHANCE", true, false}, {"ATTRIBUTE", false, true}};
    struct sp_table table;
    sp_table_init(&table, columns, SP_ARRAY_LEN(columns), arena);
    for (const struct sp_answer *row = sp_answer_at(answer, "attributes.rows")->first; row;
         row = row->next) {
        struct sp_slice *cells = sp_table_row(&table, NULL);
        if (!cells)
            break;
        cells[0] = sp_slice_cstr(mark(row));
        cells[1] = sp_table_percent(&table, sp_answer_double(row, "aShare"));
        cells[2] = sp_table_percent(&table, sp_answer_double(row, "bShare"));
        cells[3] = sp_table_text(&table, "%+.3g", 100 * sp_answer_double(row, "difference"));
        cells[4] = rate(&table, row);
        cells[5] =
            sp_table_text(&table, "%.*s.%.*s = %.*s", SP_SLICE_PRINTF(sp_answer_text(row, "scope")),
                          SP_SLICE_PRINTF(sp_answer_text(row, "key")),
                          SP_SLICE_PRINTF(sp_answer_text(row, "value")));
    }
    return sp_table_print(&table, terminal);
}

/* The last step of a path says most: it comes first, then what called it. */
static struct sp_slice path_name(struct sp_table *table, const struct sp_answer *path)
{
    struct sp_slice name = {0};
    for (const struct sp_answer *step = path->first; step; step = step->next)
        name = sp_table_text(
            table, "%.*s: %.*s%s%.*s", SP_SLICE_PRINTF(sp_answer_text(step, "service")),
            SP_SLICE_PRINTF(sp_answer_text(step, "operation")),
            name.len > 0 ? " \xE2\x86\x90 " : "", (int)(name.len < PATH_BYTES_MAX ? name.len : 0),
            (const char *)name.ptr);
    return name;
}

enum unit { SHARES, DURATIONS, NUMBERS };

static struct sp_slice in_unit(struct sp_table *table, enum unit unit, double value)
{
    switch (unit) {
    case SHARES:
        return sp_table_percent(table, value);
    case DURATIONS:
        return sp_table_duration(table, (uint64_t)value);
    case NUMBERS:
        return sp_table_text(table, "%.3g", value);
    }
    return (struct sp_slice){0};
}

static bool print_calls(const struct sp_answer *answer, const char *list, const char *what,
                        enum unit unit, const struct sp_terminal *terminal, struct sp_arena *arena)
{
    const struct sp_table_column columns[] = {{"", false, false},      {"A", true, false},
                                              {"B", true, false},      {"B - A", true, false},
                                              {"CHANCE", true, false}, {what, false, true}};
    struct sp_table table;
    sp_table_init(&table, columns, SP_ARRAY_LEN(columns), arena);
    for (const struct sp_answer *row = sp_answer_at(answer, list)->first; row; row = row->next) {
        double difference = sp_answer_double(row, "difference");
        struct sp_slice *cells = sp_table_row(&table, NULL);
        if (!cells)
            break;
        cells[0] = sp_slice_cstr(mark(row));
        cells[1] = in_unit(&table, unit, sp_answer_double(row, "a"));
        cells[2] = in_unit(&table, unit, sp_answer_double(row, "b"));
        cells[3] =
            unit == DURATIONS
                ? difference_of_means(&table, difference)
                : sp_table_text(&table, "%+.3g", unit == SHARES ? 100 * difference : difference);
        cells[4] = rate(&table, row);
        cells[5] = path_name(&table, sp_answer_at(row, "path"));
    }
    if (table.row_count == 0 && !table.failed)
        return true;
    putc('\n', terminal->out);
    return sp_table_print(&table, terminal);
}

static bool samples_print(const struct sp_answer *answer, const struct sp_terminal *terminal,
                          struct sp_arena *arena)
{
    print_sample(answer, "a", terminal);
    print_sample(answer, "b", terminal);
    putc('\n', terminal->out);
    bool written = print_values(answer, terminal, arena) &&
                   print_calls(answer, "calls.presence.rows", "TRACES WITH THE CALL", SHARES,
                               terminal, arena) &&
                   print_calls(answer, "calls.selfTime.rows", "SELF TIME IN A TRACE", DURATIONS,
                               terminal, arena) &&
                   print_calls(answer, "calls.repetition.rows", "CALLS UNDER ONE PARENT", NUMBERS,
                               terminal, arena);
    fprintf(stderr, "* found: of all found ones at most %.3g %% are chance.\n",
            100 * sp_answer_double(answer, "falseDiscoveryRate"));
    uint64_t shared = sp_answer_u64(answer, "sharedTraces");
    if (shared > 0)
        fprintf(stderr, "%llu traces are in both samples.\n", (unsigned long long)shared);
    return written;
}

/* ---- the command ---- */

int sp_cmd_compare(int argc, char **argv)
{
    struct sp_show show = {
        .command =
            {.name = "compare",
             .arguments = "A B",
             .summary =
                 "Compares two traces by their ids, or two samples of traces by TraceQL queries.",
             .options = options,
             .option_count = SP_ARRAY_LEN(options),
             .arguments_min = 2,
             .arguments_max = 2},
        .path = "/v1/compare",
        .passed = passed,
        .prepare = prepare,
        .found = samples_found,
        .print = samples_print,
        .nothing = "One of the samples has no trace.",
    };
    struct sp_arena arena;
    struct sp_config config;
    struct sp_trace_id id;
    sp_arena_init(&arena, (size_t)1024 * 1024);
    int code = sp_cmd_options(&arena, &show.command, argc, argv, &config);
    if (code < 0 && sp_trace_id_parse(config.positional[0], &id) &&
        sp_trace_id_parse(config.positional[1], &id)) {
        show.path = "/v1/compare/traces";
        show.found = trees_found;
        show.print = trees_print;
    }
    if (code < 0)
        code = sp_show_run(&show, &config);
    sp_arena_fini(&arena);
    return code;
}
