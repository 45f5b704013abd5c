/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/critical_path.c: `spoor critical-path [QUERY]`: where the time of many traces goes, at quantiles of their durations. */
#include "cmd/show.h"

#include <stdio.h>

static const struct sp_option options[] = {
    SP_SHOW_OPTIONS,
    SP_SHOW_RANGE_OPTIONS,
    {.name = "by",
     .type = SP_OPTION_CHOICE,
     .value_name = "WHAT",
     .choices = "operation|service",
     .help = "Add up by operation (if not given), or by service."},
    {.name = "scope",
     .type = SP_OPTION_CHOICE,
     .value_name = "WHAT",
     .choices = "trace|span",
     .help = "Paths of whole traces (if not given), or of the matching spans."},
    {.name = "quantiles",
     .type = SP_OPTION_TEXT,
     .value_name = "Q,...",
     .help = "Of durations, numbers from 0 to 1; 0.5,0.99 if not given."},
    {.name = "traces",
     .type = SP_OPTION_U64,
     .value_name = "N",
     .min = 1,
     .max = 100000,
     .help = "Newest matching traces that are looked at; 1000 if not given."},
    {.name = "limit",
     .type = SP_OPTION_U64,
     .value_name = "N",
     .min = 1,
     .max = 1000,
     .help = "Operations and calls to show, each; 20 if not given."},
};
static const char *const passed[][2] = {
    {"from", "from"},           {"to", "to"},         {"by", "by"},       {"scope", "scope"},
    {"quantiles", "quantiles"}, {"traces", "traces"}, {"limit", "limit"}, {NULL, NULL}};

static bool found(const struct sp_answer *answer)
{
    return sp_answer_u64(answer, "paths") > 0;
}

/* ---- tables ---- */

#define BANDS_SHOWN (SP_TABLE_COLUMNS_MAX - 2)

static void append_node(struct sp_buf *text, const struct sp_answer *node)
{
    struct sp_slice operation = sp_answer_text(node, "operation");
    sp_buf_append_slice(text, sp_answer_text(node, "service"));
    if (operation.len == 0)
        return;
    sp_buf_append_cstr(text, ": ");
    sp_buf_append_slice(text, operation);
}

static struct sp_slice name_of(struct sp_table *table, const struct sp_answer *row)
{
    struct sp_buf text;
    struct sp_slice name = {0};
    const struct sp_answer *client = sp_answer_at(row, "client");
    sp_buf_init(&text, (size_t)1 << 20);
    if (client->count > 0) {
        append_node(&text, client);
        sp_buf_append_cstr(&text, " \xE2\x86\x92 ");
    }
    append_node(&text, sp_answer_at(row, client->count > 0 ? "server" : "node"));
    if (!sp_arena_copy(table->arena, sp_buf_slice(&text), &name))
        table->failed = true;
    sp_buf_fini(&text);
    return name;
}

/* Shares in each band; what names the rows comes last, because it takes the most room. */
static bool print_rows(const struct sp_answer *answer, const char *key, const char *what,
                       const struct sp_terminal *terminal, struct sp_arena *arena)
{
    static char heads[BANDS_SHOWN][32];
    struct sp_table_column columns[SP_TABLE_COLUMNS_MAX];
    uint32_t bands = 0;
    for (const struct sp_answer *band = sp_answer_at(answer, "bands")->first;
         band && bands < BANDS_SHOWN; band = band->next, bands++) {
        struct sp_slice quantile = sp_answer_text(band, "quantile");
        if (quantile.len == 0)
            snprintf(heads[bands], sizeof(heads[0]), "ALL");
        else
            snprintf(heads[bands], sizeof(heads[0]), "Q%.*s", SP_SLICE_PRINTF(quantile));
        columns[bands] = (struct sp_table_column){heads[bands], true, false};
    }
    columns[bands] = (struct sp_table_column){"SELF", true, false}; /* of the last band */
    columns[bands + 1] = (struct sp_table_column){what, false, true};
    struct sp_table table;
    sp_table_init(&table, columns, bands + 2, arena);
    for (const struct sp_answer *row = sp_answer_at(answer, key)->first; row; row = row->next) {
        struct sp_slice *cells = sp_table_row(&table, NULL);
        if (!cells)
            break;
        uint32_t c = 0;
        for (const struct sp_answer *share = sp_answer_at(row, "shares")->first; share && c < bands;
             share = share->next, c++) {
            cells[c] = sp_table_percent(&table, sp_answer_double(share, "share"));
            cells[bands] = sp_table_percent(&table, sp_answer_double(share, "selfShare"));
        }
        cells[bands + 1] = name_of(&table, row);
    }
    return sp_table_print(&table, terminal);
}

static bool print_bands(const struct sp_answer *answer, const struct sp_terminal *terminal,
                        struct sp_arena *arena)
{
    static const struct sp_table_column columns[] = {{"PATHS OF", false, false},
                                                     {"COUNT", true, false},
                                                     {"SHORTEST", true, false},
                                                     {"MEAN", true, false},
                                                     {"LONGEST", true, false}};
    struct sp_table table;
    sp_table_init(&table, columns, SP_ARRAY_LEN(columns), arena);
    for (const struct sp_answer *band = sp_answer_at(answer, "bands")->first; band;
         band = band->next) {
        struct sp_slice quantile = sp_answer_text(band, "quantile");
        struct sp_slice *cells = sp_table_row(&table, NULL);
        if (!cells)
            break;
        cells[0] = quantile.len == 0
                       ? SP_SLICE("all")
                       : sp_table_text(&table, "quantile %.*s", SP_SLICE_PRINTF(quantile));
        cells[1] = sp_answer_text(band, "paths");
        cells[2] = sp_table_duration(&table, sp_answer_u64(band, "durationMinNano"));
        cells[3] = sp_table_duration(&table, sp_answer_u64(band, "durationMeanNano"));
        cells[4] = sp_table_duration(&table, sp_answer_u64(band, "durationMaxNano"));
    }
    return sp_table_print(&table, terminal);
}

static bool print(const struct sp_answer *answer, const struct sp_terminal *terminal,
                  struct sp_arena *arena)
{
    bool written = print_bands(answer, terminal, arena);
    fputs("\nShares of their time, with what was waited for; SELF: own work of the last ones.\n",
          terminal->out);
    putc('\n', terminal->out);
    written =
        written && print_rows(answer, "nodes", "AT WORK, OR WAITING FOR OTHERS", terminal, arena);
    if (sp_answer_at(answer, "edges")->count > 0) {
        putc('\n', terminal->out);
        written = written && print_rows(answer, "edges", "CALL", terminal, arena);
    }
    for (const struct sp_answer *row = sp_answer_at(answer, "leftOut")->first; row; row = row->next)
        fprintf(stderr, "Left out: %llu, because %.*s.\n",
                (unsigned long long)sp_answer_u64(row, "count"),
                SP_SLICE_PRINTF(sp_answer_text(row, "reason")));
    if (!sp_answer_is_true(answer, "complete"))
        fprintf(stderr, "Only the newest %llu matching traces were looked at (%.*s).\n",
                (unsigned long long)sp_answer_u64(answer, "matchedTraces"),
                SP_SLICE_PRINTF(sp_answer_text(answer, "incompleteReason")));
    return written;
}

int sp_cmd_critical_path(int argc, char **argv)
{
    const struct sp_show show = {
        .command = {.name = "critical-path",
                    .arguments = "[QUERY]",
                    .summary = "Shows where the time of traces goes that a TraceQL query finds.",
                    .options = options,
                    .option_count = SP_ARRAY_LEN(options),
                    .arguments_max = 1},
        .path = "/v1/critical-path",
        .passed = passed,
        .prepare = sp_show_query,
        .found = found,
        .print = print,
        .nothing = "No trace that matches has a critical path.",
    };
    return sp_show_main(&show, argc, argv);
}
