/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/attributes.c: `spoor attributes`: which attributes there are, or which values one has; `spoor facets`: which values the spans of
 * a query have, and how a selection of them differs. */
#include "cmd/show.h"

#define QUERY_HELP "Only of the spans that this TraceQL query finds."

/* ---- attributes ---- */

static const struct sp_option attributes_options[] = {
    SP_SHOW_OPTIONS,
    SP_SHOW_RANGE_OPTIONS,
    {.name = "scope",
     .type = SP_OPTION_CHOICE,
     .value_name = "SCOPE",
     .choices = "any|span|resource|event|link|instrumentation|intrinsic",
     .help = "Where to look; everywhere if not given. intrinsic: name, kind, status ..."},
    {.name = "prefix",
     .type = SP_OPTION_TEXT,
     .value_name = "TEXT",
     .help = "Keys, or values, that begin with it."},
    {.name = "query", .type = SP_OPTION_TEXT, .value_name = "QUERY", .help = QUERY_HELP},
    {.name = "limit", .type = SP_OPTION_TEXT, .value_name = "N", .help = "Rows; 100 if not given."},
};

static bool attributes_found(const struct sp_answer *answer)
{
    return sp_answer_at(answer, "attributes")->count > 0 ||
           sp_answer_at(answer, "values")->count > 0;
}

/* What is nothing to look at is named. */
static struct sp_slice text_of_value(const struct sp_answer *row)
{
    const struct sp_answer *value = sp_answer_at(row, "value");
    return value->kind == SP_JSON_NULL ? SP_SLICE("(none)")
           : value->text.len == 0      ? SP_SLICE("\"\"")
                                       : value->text;
}

/* A count that is null is not known. */
static struct sp_slice count_of(const struct sp_answer *row, const char *name)
{
    return sp_answer_at(row, name)->kind == SP_JSON_NULL ? SP_SLICE("?")
                                                         : sp_answer_text(row, name);
}

static bool print_keys(const struct sp_answer *answer, const struct sp_terminal *terminal,
                       struct sp_arena *arena)
{
    static const struct sp_table_column columns[] = {{"SCOPE", false, false},
                                                     {"KEY", false, true},
                                                     {"TYPE", false, false},
                                                     {"SPANS", true, false}};
    struct sp_table table;
    sp_table_init(&table, columns, SP_ARRAY_LEN(columns), arena);
    for (const struct sp_answer *row = sp_answer_at(answer, "attributes")->first; row;
         row = row->next) {
        struct sp_slice *cells = sp_table_row(&table, NULL);
        if (!cells)
            break;
        cells[0] = sp_answer_text(row, "scope");
        cells[1] = sp_answer_text(row, "key");
        cells[2] = sp_answer_text(row, "type");
        cells[3] = count_of(row, "spanCount");
    }
    return sp_table_print(&table, terminal);
}

static bool print_values(const struct sp_answer *answer, const struct sp_terminal *terminal,
                         struct sp_arena *arena)
{
    static const struct sp_table_column columns[] = {
        {"VALUE", false, true}, {"TYPE", false, false}, {"SPANS", true, false}};
    struct sp_table table;
    sp_table_init(&table, columns, SP_ARRAY_LEN(columns), arena);
    for (const struct sp_answer *row = sp_answer_at(answer, "values")->first; row;
         row = row->next) {
        struct sp_slice *cells = sp_table_row(&table, NULL);
        if (!cells)
            break;
        cells[0] = text_of_value(row);
        cells[1] = sp_answer_text(row, "type");
        cells[2] = count_of(row, "count");
    }
    return sp_table_print(&table, terminal);
}

static bool attributes_print(const struct sp_answer *answer, const struct sp_terminal *terminal,
                             struct sp_arena *arena)
{
    bool keys = sp_answer_at(answer, "attributes")->count > 0;
    if (!(keys ? print_keys : print_values)(answer, terminal, arena))
        return false;
    fflush(terminal->out);
    if (!sp_answer_is_true(answer, "complete"))
        fputs("There are more, or there was no time to look at all spans: --limit, --prefix.\n",
              stderr);
    return true;
}

static void pass_key(struct sp_ask *ask, const struct sp_config *config)
{
    if (config->positional_count > 0)
        sp_ask_parameter(ask, "key", config->positional[0]);
    if (sp_config_get(config, "query")->set)
        sp_ask_query(ask, "q", sp_config_get(config, "query")->text);
}

int sp_cmd_attributes(int argc, char **argv)
{
    static const char *const passed[][2] = {{"from", "from"},   {"to", "to"},
                                            {"scope", "scope"}, {"prefix", "prefix"},
                                            {"limit", "limit"}, {NULL, NULL}};
    const struct sp_show show = {
        .command = {.name = "attributes",
                    .arguments = "[KEY]",
                    .summary = "Lists attribute keys, or the values of one, the most frequent "
                               "first, with the spans that have them.",
                    .options = attributes_options,
                    .option_count = SP_ARRAY_LEN(attributes_options),
                    .arguments_max = 1},
        .path = "/v1/attributes",
        .passed = passed,
        .prepare = pass_key,
        .found = attributes_found,
        .print = attributes_print,
        .nothing = "No such attribute is stored in this range.",
    };
    return sp_show_main(&show, argc, argv);
}

/* ---- facets ---- */

static const struct sp_option facets_options[] = {
    SP_SHOW_OPTIONS,
    SP_SHOW_RANGE_OPTIONS,
    {.name = "keys",
     .type = SP_OPTION_TEXT,
     .value_name = "FIELD,...",
     .help = "As name,span.http.route; the most telling ones if not given."},
    {.name = "limit",
     .type = SP_OPTION_TEXT,
     .value_name = "N",
     .help = "Values of each; 10 if not given."},
    {.name = "selection",
     .type = SP_OPTION_TEXT,
     .value_name = "FILTER",
     .help =
         "One filter, as { duration > 1s }: shows how the spans that it selects differ from the "
         "rest."},
    {.name = "selection-from",
     .type = SP_OPTION_TEXT,
     .value_name = "TIME",
     .help = "Selected are only spans that start then or later."},
    {.name = "selection-to",
     .type = SP_OPTION_TEXT,
     .value_name = "TIME",
     .help = "Selected are only spans that start before then."},
    SP_EXPLAIN_OPTION,
};

static bool facets_found(const struct sp_answer *answer)
{
    return sp_answer_at(answer, "facets")->count > 0 && sp_answer_u64(answer, "spans") > 0;
}

static double share_of(uint64_t part, uint64_t all)
{
    return all > 0 ? (double)part / (double)all : 0;
}

struct facet_totals {
    bool selects;
    uint64_t spans, selected;
};

/* Without a selection: the share of all spans. With one: that of the selected, and that of the rest. */
static void add_value(struct sp_table *table, const struct facet_totals *totals,
                      const struct sp_answer *facet, const struct sp_answer *value, bool is_first)
{
    uint64_t count = sp_answer_u64(value, "count"), selected = sp_answer_u64(value, "selected");
    struct sp_slice *cells = sp_table_row(table, NULL);
    if (!cells)
        return;
    cells[0] = is_first ? sp_answer_text(facet, "key") : SP_SLICE("");
    cells[1] = text_of_value(value);
    cells[2] = sp_table_count(table, count);
    if (totals->selects) {
        cells[3] = sp_table_percent(table, share_of(selected, totals->selected));
        cells[4] =
            sp_table_percent(table, share_of(count - selected, totals->spans - totals->selected));
    } else {
        cells[3] = sp_table_percent(table, share_of(count, totals->spans));
    }
}

static bool facets_print(const struct sp_answer *answer, const struct sp_terminal *terminal,
                         struct sp_arena *arena)
{
    static const struct sp_table_column plain[] = {{"FIELD", false, true},
                                                   {"VALUE", false, true},
                                                   {"SPANS", true, false},
                                                   {"SHARE", true, false}};
    static const struct sp_table_column selecting[] = {{"FIELD", false, true},
                                                       {"VALUE", false, true},
                                                       {"SPANS", true, false},
                                                       {"OF SELECTED", true, false},
                                                       {"OF THE REST", true, false}};
    const struct facet_totals totals = {
        .selects = sp_answer_text(answer, "selected").len > 0,
        .spans = sp_answer_u64(answer, "spans"),
        .selected = sp_answer_u64(answer, "selected"),
    };
    struct sp_table table;
    sp_table_init(&table, totals.selects ? selecting : plain,
                  totals.selects ? SP_ARRAY_LEN(selecting) : SP_ARRAY_LEN(plain), arena);
    for (const struct sp_answer *facet = sp_answer_at(answer, "facets")->first; facet;
         facet = facet->next) {
        const struct sp_answer *values = sp_answer_at(facet, "values");
        for (const struct sp_answer *value = values->first; value; value = value->next)
            add_value(&table, &totals, facet, value, value == values->first);
        struct sp_slice *cells =
            sp_answer_is_true(facet, "complete") ? NULL : sp_table_row(&table, NULL);
        if (cells) {
            cells[0] = sp_answer_text(facet, "key");
            cells[1] = SP_SLICE("(too many different values)");
        }
    }
    if (!sp_table_print(&table, terminal))
        return false;
    fflush(terminal->out);
    fprintf(stderr, "%llu spans", (unsigned long long)totals.spans);
    if (totals.selects)
        fprintf(stderr, ", %llu of them selected", (unsigned long long)totals.selected);
    fputs(".\n", stderr);
    return true;
}

static void pass_queries(struct sp_ask *ask, const struct sp_config *config)
{
    sp_show_query(ask, config);
    if (sp_config_get(config, "selection")->set)
        sp_ask_query(ask, "selection", sp_config_get(config, "selection")->text);
}

int sp_cmd_facets(int argc, char **argv)
{
    static const char *const passed[][2] = {{"from", "from"},
                                            {"to", "to"},
                                            {"keys", "keys"},
                                            {"limit", "limit"},
                                            {"selection-from", "selectionFrom"},
                                            {"selection-to", "selectionTo"},
                                            {NULL, NULL}};
    const struct sp_show show = {
        .command = {.name = "facets",
                    .arguments = "[QUERY]",
                    .summary = "Counts the values that the spans of a TraceQL query have, and says "
                               "how a selection of them differs from the rest.",
                    .options = facets_options,
                    .option_count = SP_ARRAY_LEN(facets_options),
                    .arguments_max = 1},
        .path = "/v1/facets",
        .passed = passed,
        .prepare = pass_queries,
        .found = facets_found,
        .print = facets_print,
        .nothing = "No span matches.",
    };
    return sp_show_main(&show, argc, argv);
}
