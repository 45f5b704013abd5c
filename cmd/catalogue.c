/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/catalogue.c: `spoor services` and `spoor operations`: what there is, with counts. */
#include "cmd/show.h"

#include <stdio.h>

static double error_share(uint64_t errors, uint64_t all)
{
    return all > 0 ? (double)errors / (double)all : 0;
}

/* ---- services ---- */

static const struct sp_option services_options[] = {SP_SHOW_OPTIONS, SP_SHOW_RANGE_OPTIONS};
static const char *const range_passed[][2] = {{"from", "from"}, {"to", "to"}, {NULL, NULL}};

static bool services_found(const struct sp_answer *answer)
{
    return sp_answer_at(answer, "services")->count > 0;
}

static bool services_print(const struct sp_answer *answer, const struct sp_terminal *terminal,
                           struct sp_arena *arena)
{
    static const struct sp_table_column columns[] = {{"SERVICE", false, true},
                                                     {"SPANS", true, false},
                                                     {"ERRORS", true, false},
                                                     {"", true, false}};
    struct sp_table table;
    sp_table_init(&table, columns, SP_ARRAY_LEN(columns), arena);
    for (const struct sp_answer *row = sp_answer_at(answer, "services")->first; row;
         row = row->next) {
        uint64_t spans = sp_answer_u64(row, "spanCount"), errors = sp_answer_u64(row, "errorCount");
        struct sp_slice *cells = sp_table_row(&table, NULL);
        if (!cells)
            break;
        cells[0] = sp_answer_text(row, "name");
        cells[1] = sp_table_count(&table, spans);
        cells[2] = sp_table_count(&table, errors);
        cells[3] = sp_table_percent(&table, error_share(errors, spans));
    }
    return sp_table_print(&table, terminal);
}

int sp_cmd_services(int argc, char **argv)
{
    const struct sp_show show = {
        .command = {.name = "services",
                    .arguments = "",
                    .summary = "Lists services with exact counts of spans and errors.",
                    .options = services_options,
                    .option_count = SP_ARRAY_LEN(services_options)},
        .path = "/v1/services",
        .passed = range_passed,
        .found = services_found,
        .print = services_print,
        .nothing = "No span is stored in this range.",
    };
    return sp_show_main(&show, argc, argv);
}

/* ---- operations ---- */

static bool operations_found(const struct sp_answer *answer)
{
    return sp_answer_at(answer, "operations")->count > 0;
}

static bool operations_print(const struct sp_answer *answer, const struct sp_terminal *terminal,
                             struct sp_arena *arena)
{
    static const struct sp_table_column columns[] = {
        {"SERVICE", false, true}, {"OPERATION", false, true}, {"KIND", false, false},
        {"SPANS", true, false},   {"ERRORS", true, false},    {"", true, false}};
    struct sp_table table;
    sp_table_init(&table, columns, SP_ARRAY_LEN(columns), arena);
    for (const struct sp_answer *row = sp_answer_at(answer, "operations")->first; row;
         row = row->next) {
        uint64_t spans = sp_answer_u64(row, "spanCount"), errors = sp_answer_u64(row, "errorCount");
        struct sp_slice *cells = sp_table_row(&table, NULL);
        if (!cells)
            break;
        cells[0] = sp_answer_text(row, "service");
        cells[1] = sp_answer_text(row, "name");
        cells[2] = sp_answer_text(row, "kind");
        cells[3] = sp_table_count(&table, spans);
        cells[4] = sp_table_count(&table, errors);
        cells[5] = sp_table_percent(&table, error_share(errors, spans));
    }
    return sp_table_print(&table, terminal);
}

static void pass_service(struct sp_ask *ask, const struct sp_config *config)
{
    if (config->positional_count > 0)
        sp_ask_parameter(ask, "service", config->positional[0]);
}

int sp_cmd_operations(int argc, char **argv)
{
    const struct sp_show show = {
        .command = {.name = "operations",
                    .arguments = "[SERVICE]",
                    .summary = "Lists operations of a service, or of all, with exact counts.",
                    .options = services_options,
                    .option_count = SP_ARRAY_LEN(services_options),
                    .arguments_max = 1},
        .path = "/v1/operations",
        .passed = range_passed,
        .prepare = pass_service,
        .found = operations_found,
        .print = operations_print,
        .nothing = "No such operation is stored in this range.",
    };
    return sp_show_main(&show, argc, argv);
}
