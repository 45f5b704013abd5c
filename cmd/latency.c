/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/latency.c: `spoor latency`: how long operations take. */
#include "cmd/show.h"

#include <stdio.h>

static const struct sp_option options[] = {
    SP_SHOW_OPTIONS,
    SP_SHOW_RANGE_OPTIONS,
    {.name = "operation",
     .type = SP_OPTION_TEXT,
     .value_name = "NAME",
     .help = "Only this operation."},
    {.name = "kind",
     .type = SP_OPTION_CHOICE,
     .value_name = "KIND",
     .choices = "unspecified|internal|server|client|producer|consumer|any",
     .help = "Only spans of this kind."},
    {.name = "quantiles",
     .type = SP_OPTION_TEXT,
     .value_name = "Q,...",
     .help = "Numbers from 0 to 1; 0.5,0.9,0.95,0.99 if not given."},
    {.name = "by",
     .type = SP_OPTION_TEXT,
     .value_name = "FIELD,...",
     .help =
         "operation, service, or any fields, as name,span.http.route: then all spans are read."},
    {.name = "exact",
     .type = SP_OPTION_BOOL,
     .help = "Exact quantiles, from all spans, instead of within 1.1 %."},
    {.name = "order",
     .type = SP_OPTION_TEXT,
     .value_name = "ORDER",
     .help = "name, calls, errors, errorShare, duration, or a quantile; -calls: the most first."},
    {.name = "step",
     .type = SP_OPTION_TEXT,
     .value_name = "DURATION",
     .help = "Whole minutes, as 5m: a line over time in place of each quantile; needs --from."},
    {.name = "limit", .type = SP_OPTION_TEXT, .value_name = "N", .help = "At most so many rows."},
    {.name = "offset",
     .type = SP_OPTION_TEXT,
     .value_name = "N",
     .help = "Leaves out so many rows in front: what the pages before have shown."},
    {.name = "contains",
     .type = SP_OPTION_TEXT,
     .value_name = "TEXT",
     .help = "Only rows with it in the operation's name (with --by, in one of the values)."},
};
static const char *const passed[][2] = {
    {"from", "from"},   {"to", "to"},         {"operation", "operation"}, {"kind", "kind"},
    {"quantiles", "q"}, {"by", "by"},         {"order", "order"},         {"limit", "limit"},
    {"step", "step"},   {"offset", "offset"}, {"contains", "contains"},   {NULL, NULL}};

static bool series_found(const struct sp_answer *answer)
{
    return sp_answer_at(answer, "series")->count > 0;
}

/* Heads of columns, which an answer names. */
struct heads {
    struct sp_table_column columns[SP_TABLE_COLUMNS_MAX];
    char texts[SP_TABLE_COLUMNS_MAX][64];
    uint32_t labels, count; /* columns that say whose numbers these are; all */
    uint32_t lines;         /* columns that are lines over time */
};

static void add_head(struct heads *heads, const char *before, struct sp_slice text, bool is_number)
{
    if (heads->count == SP_TABLE_COLUMNS_MAX)
        return;
    char *head = heads->texts[heads->count];
    snprintf(head, sizeof(heads->texts[0]), "%s%.*s", before, SP_SLICE_PRINTF(text));
    heads->columns[heads->count++] = (struct sp_table_column){head, is_number, !is_number};
}

/* A line over time is cut by nobody: the newest stands at its end. */
static void add_line_head(struct heads *heads, struct sp_slice text)
{
    add_head(heads, "Q", text, false);
    heads->columns[heads->count - 1].shrinks = false;
    heads->lines++;
}

/* Service, operation and kind, or the fields of --by; calls, errors, quantiles. */
static void read_heads(const struct sp_answer *row, struct heads *heads)
{
    const struct sp_answer *labels = sp_answer_at(row, "labels");
    if (labels->count == 0) {
        add_head(heads, "SERVICE", SP_SLICE(""), false);
        add_head(heads, "OPERATION", SP_SLICE(""), false);
        add_head(heads, "KIND", SP_SLICE(""), false);
    }
    for (const struct sp_answer *label = labels->first; label; label = label->next)
        add_head(heads, "", sp_answer_text(label, "key"), false);
    heads->labels = heads->count;
    add_head(heads, "CALLS", SP_SLICE(""), true);
    add_head(heads, "ERRORS", SP_SLICE(""), true);
    for (const struct sp_answer *q = sp_answer_at(row, "quantiles")->first; q; q = q->next)
        if (q->kind == SP_JSON_ARRAY_BEGIN && heads->count < SP_TABLE_COLUMNS_MAX)
            add_line_head(heads, q->key);
        else
            add_head(heads, "Q", q->key, true);
}

static void fill_row(struct sp_table *table, const struct sp_answer *row, const struct heads *heads,
                     unsigned line_columns, struct sp_slice *cells)
{
    static const char *const rollups[] = {"service", "operation", "kind"};
    const struct sp_answer *label = sp_answer_at(row, "labels")->first;
    uint32_t c = 0;
    for (; c < heads->labels; c++, label = label ? label->next : NULL) {
        bool has_text = label && sp_answer_at(label, "value")->kind == SP_JSON_STRING;
        cells[c] = has_text ? sp_answer_text(label, "value")
                   : label  ? SP_SLICE("nil")
                            : sp_answer_text(row, rollups[c]);
    }
    cells[c++] = sp_table_count(table, sp_answer_total(row, "calls"));
    cells[c++] = sp_table_count(table, sp_answer_total(row, "errors"));
    for (const struct sp_answer *q = sp_answer_at(row, "quantiles")->first; q && c < heads->count;
         q = q->next)
        cells[c++] = q->kind == SP_JSON_ARRAY_BEGIN
                         ? sp_table_line(table, q, line_columns)
                         : sp_table_duration(table, sp_answer_u64(q, ""));
}

static bool latency_print(const struct sp_answer *answer, const struct sp_terminal *terminal,
                          struct sp_arena *arena)
{
    struct heads heads = {0};
    const struct sp_answer *series = sp_answer_at(answer, "series");
    struct sp_table table;
    read_heads(series->first, &heads);
    unsigned line_columns = sp_table_line_columns(terminal, 9 * heads.labels + 14, heads.lines);
    sp_table_init(&table, heads.columns, heads.count, arena);
    for (const struct sp_answer *row = series->first; row; row = row->next) {
        struct sp_slice *cells = sp_table_row(&table, NULL);
        if (!cells)
            break;
        fill_row(&table, row, &heads, line_columns, cells);
    }
    if (!sp_table_print(&table, terminal))
        return false;
    uint64_t all = sp_answer_u64(answer, "rowCount");
    if (all > series->count)
        fprintf(stderr, "%u of %llu rows: --limit, --offset.\n", series->count,
                (unsigned long long)all);
    double error = sp_answer_double(answer, "relativeError");
    if (error > 0)
        fprintf(stderr, "Quantiles are within %.3g %% of the exact ones.\n", 100 * error);
    return true;
}

static void pass_latency(struct sp_ask *ask, const struct sp_config *config)
{
    if (config->positional_count > 0)
        sp_ask_parameter(ask, "service", config->positional[0]);
    if (sp_config_get(config, "exact")->flag)
        sp_ask_parameter(ask, "exact", SP_SLICE("true"));
}

int sp_cmd_latency(int argc, char **argv)
{
    const struct sp_show show = {
        .command = {.name = "latency",
                    .arguments = "[SERVICE]",
                    .summary =
                        "Shows latency quantiles by service, operation and kind, or by any fields.",
                    .options = options,
                    .option_count = SP_ARRAY_LEN(options),
                    .arguments_max = 1},
        .path = "/v1/latency",
        .passed = passed,
        .prepare = pass_latency,
        .found = series_found,
        .print = latency_print,
        .nothing = "No such span is stored in this range.",
    };
    return sp_show_main(&show, argc, argv);
}
