/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/status.c: `spoor status`: what a server keeps, what waits, and which questions it is busy with; how good its data is; ends a question. */
#include "cmd/show.h"

static const struct sp_option options[] = {
    SP_SHOW_OPTIONS,
    SP_SHOW_RANGE_OPTIONS,
    {.name = "quality",
     .type = SP_OPTION_BOOL,
     .help = "How good the data of the newest traces is instead; --from and --to are for this."},
    {.name = "traces",
     .type = SP_OPTION_U64,
     .value_name = "NUMBER",
     .min = 1,
     .max = 100000,
     .help = "With --quality: so many traces; 1000 if not given."},
    {.name = "cancel",
     .type = SP_OPTION_TEXT,
     .value_name = "ID",
     .help = "Ends a query that runs or waits instead; the server needs --allow-cancel."},
};

/* "15.6 MB"; powers of ten, as disks are sold. */
static void format_bytes(uint64_t bytes, char text[32])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 999.5 && unit + 1 < SP_ARRAY_LEN(units); unit++)
        value /= 1000;
    snprintf(text, 32, unit == 0 ? "%.0f %s" : "%.3g %s", value, units[unit]);
}

static void print_store(const struct sp_answer *store, FILE *out)
{
    char stored[32], room[32], all[32], waiting[32], oldest[40], newest[40];
    uint64_t spans = sp_answer_u64(store, "spanCount");
    format_bytes(sp_answer_u64(store, "storedBytes"), stored);
    format_bytes(sp_answer_u64(store, "disk.freeBytes"), room);
    format_bytes(sp_answer_u64(store, "disk.allBytes"), all);
    format_bytes(sp_answer_u64(store, "backlogBytes"), waiting);
    oldest[sp_format_time(sp_answer_u64(store, "oldestUnixNano"), oldest)] = 0;
    newest[sp_format_time(sp_answer_u64(store, "newestUnixNano"), newest)] = 0;
    fprintf(out, "Stored   %llu spans of %llu traces in %s, %llu segments\n",
            (unsigned long long)spans, (unsigned long long)sp_answer_u64(store, "traceCount"),
            stored, (unsigned long long)sp_answer_u64(store, "segmentCount"));
    if (spans > 0)
        fprintf(out, "From     %s to %s\n", oldest, newest);
    fprintf(out, "Disk     %s of %s are free\n", room, all);
    fprintf(out, "Waiting  %llu requests to be sealed, %s\n",
            (unsigned long long)sp_answer_u64(store, "backlogRequests"), waiting);
    if (sp_answer_is_true(store, "applyFails"))
        fputs("Failing  requests cannot be stored; the server's log says why\n", out);
}

/* Sum over all labels. */
static uint64_t counted(const struct sp_answer *counters, const char *name)
{
    uint64_t sum = 0;
    for (const struct sp_answer *row = counters->first; row; row = row->next)
        if (sp_slice_equal_cstr(sp_answer_text(row, "name"), name))
            sum += sp_answer_u64(row, "value");
    return sum;
}

/* Nothing, if nothing was. */
static void print_refused(const struct sp_answer *counters, FILE *out)
{
    uint64_t requests = counted(counters, "spoor_refused_requests"),
             spans = counted(counters, "spoor_rejected_spans"),
             connections = counted(counters, "spoor_refused_connections");
    if (connections > 0)
        fprintf(out, "Refused  %llu connections: too many were open\n",
                (unsigned long long)connections);
    if (requests + spans == 0)
        return;
    fprintf(out, "Refused  %llu requests, and %llu spans of others\n", (unsigned long long)requests,
            (unsigned long long)spans);
    for (const struct sp_answer *row = counters->first; row; row = row->next) {
        if (sp_slice_equal_cstr(sp_answer_text(row, "name"), "spoor_rejected_spans_by_reason") &&
            sp_answer_u64(row, "value") > 0)
            fprintf(out, "         %llu: %.*s\n", (unsigned long long)sp_answer_u64(row, "value"),
                    SP_SLICE_PRINTF(sp_answer_text(row, "advice")));
    }
}

/* Addresses come from whoever asks: the terminal gets them as cells. */
static bool print_queries(const struct sp_answer *queries, const char *which,
                          const struct sp_terminal *terminal, struct sp_arena *arena)
{
    const struct sp_table_column columns[] = {{which, true, false},
                                              {"RAN", true, false},
                                              {"WAITED", true, false},
                                              {"READ", true, false},
                                              {"ASKED", false, true}};
    struct sp_table table;
    sp_table_init(&table, columns, SP_ARRAY_LEN(columns), arena);
    for (const struct sp_answer *row = queries->first; row; row = row->next) {
        char bytes[32];
        struct sp_slice *cells = sp_table_row(&table, NULL);
        if (!cells)
            break;
        uint64_t took = sp_answer_u64(row, "tookNano"), waited = sp_answer_u64(row, "waitedNano");
        format_bytes(sp_answer_u64(row, "bytesScanned"), bytes);
        cells[0] = sp_answer_text(row, "id");
        cells[1] = sp_slice_equal_cstr(sp_answer_text(row, "state"), "waiting")
                       ? SP_SLICE("waits")
                       : sp_table_duration(&table, took > waited ? took - waited : 0);
        cells[2] = sp_table_duration(&table, waited);
        cells[3] = sp_table_text(&table, "%s", bytes);
        cells[4] = sp_answer_text(row, "url");
    }
    putc('\n', terminal->out);
    return sp_table_print(&table, terminal);
}

static bool status_found(const struct sp_answer *answer)
{
    return sp_answer_text(answer, "version").len > 0;
}

static bool status_print(const struct sp_answer *answer, const struct sp_terminal *terminal,
                         struct sp_arena *arena)
{
    const struct sp_answer *queries = sp_answer_at(answer, "queries"),
                           *running = sp_answer_at(queries, "running"),
                           *slowest = sp_answer_at(queries, "slowest");
    char up[40];
    uint64_t now = sp_answer_u64(answer, "nowUnixNano"),
             started = sp_answer_u64(answer, "startedAtUnixNano");
    up[sp_format_duration(now > started ? now - started : 0, up)] = 0;
    fprintf(terminal->out, "Spoor %.*s, up for %s\n",
            SP_SLICE_PRINTF(sp_answer_text(answer, "version")), up);
    print_store(sp_answer_at(answer, "store"), terminal->out);
    print_refused(sp_answer_at(answer, "counters"), terminal->out);
    fprintf(terminal->out, "Queries  %llu running, %llu waiting\n",
            (unsigned long long)sp_answer_u64(queries, "runningCount"),
            (unsigned long long)sp_answer_u64(queries, "waitingCount"));
    bool good = true;
    if (running->count > 0)
        good = print_queries(running, "RUNNING", terminal, arena);
    if (good && slowest->count > 0)
        good = print_queries(slowest, "SLOWEST", terminal, arena);
    return good && fflush(terminal->out) == 0;
}

/* ---- --quality ---- */

static bool quality_found(const struct sp_answer *answer)
{
    return sp_answer_u64(answer, "matchedTraces") > 0;
}

static void print_looked_at(const struct sp_answer *answer, FILE *out)
{
    char oldest[40], newest[40];
    oldest[sp_terminal_time(sp_answer_u64(answer, "oldestStartUnixNano"), true, oldest)] = 0;
    newest[sp_terminal_time(sp_answer_u64(answer, "newestStartUnixNano"), true, newest)] = 0;
    fprintf(out, "Looked at %llu spans of %s%llu traces,\n%s to %s\n\n",
            (unsigned long long)sp_answer_u64(answer, "spans"),
            sp_answer_is_true(answer, "complete") ? "all " : "the newest ",
            (unsigned long long)sp_answer_u64(answer, "matchedTraces"), oldest, newest);
}

static bool print_findings(const struct sp_answer *answer, const struct sp_terminal *terminal,
                           struct sp_arena *arena)
{
    static const struct {
        const char *text, *spans, *traces;
    } findings[] = {
        {"parent is not stored", "missingParents", "tracesMissingParents"},
        {"no root", NULL, "tracesWithoutRoot"},
        {"parents in a circle", "cycles", NULL},
        {"sent twice", "duplicates", NULL},
        {"no service name", "withoutService", NULL},
        {"ends before it starts", "endBeforeStart", NULL},
        {"clock differs from its parent's", "skewed", "tracesSkewed"},
        {"an attribute is oversized", "spansWithOversized", NULL},
    };
    const struct sp_table_column columns[] = {
        {"SPANS", true, false}, {"TRACES", true, false}, {"FINDING", false, true}};
    struct sp_table table;
    sp_table_init(&table, columns, SP_ARRAY_LEN(columns), arena);
    for (size_t i = 0; i < SP_ARRAY_LEN(findings); i++) {
        struct sp_slice *cells = sp_table_row(&table, NULL);
        if (!cells)
            break;
        if (findings[i].spans)
            cells[0] = sp_table_count(&table, sp_answer_u64(answer, findings[i].spans));
        if (findings[i].traces)
            cells[1] = sp_table_count(&table, sp_answer_u64(answer, findings[i].traces));
        cells[2] = sp_slice_cstr(findings[i].text);
    }
    return sp_table_print(&table, terminal);
}

static bool print_clocks(const struct sp_answer *clocks, const struct sp_terminal *terminal,
                         struct sp_arena *arena)
{
    const struct sp_table_column columns[] = {
        {"CLOCK OFF BY", true, false}, {"TRACES", true, false}, {"WHERE", false, true}};
    struct sp_table table;
    sp_table_init(&table, columns, SP_ARRAY_LEN(columns), arena);
    for (const struct sp_answer *row = clocks->first; row; row = row->next) {
        struct sp_slice *cells = sp_table_row(&table, NULL);
        if (!cells)
            break;
        struct sp_slice offset = sp_answer_text(row, "offsetNano");
        bool is_slow = offset.len > 0 && offset.ptr[0] == '-';
        uint64_t off_by_ns = 0;
        char text[40];
        (void)sp_parse_u64(sp_slice_sub(offset, is_slow, SIZE_MAX), &off_by_ns);
        text[sp_format_duration(off_by_ns, text)] = 0;
        cells[0] = sp_table_text(&table, "%s%s", is_slow ? "-" : "+", text);
        cells[1] = sp_table_count(&table, sp_answer_u64(row, "traces"));
        cells[2] = sp_answer_text(row, "name");
    }
    putc('\n', terminal->out);
    return sp_table_print(&table, terminal);
}

static bool quality_print(const struct sp_answer *answer, const struct sp_terminal *terminal,
                          struct sp_arena *arena)
{
    const struct sp_answer *clocks = sp_answer_at(answer, "clocks");
    print_looked_at(answer, terminal->out);
    bool good = print_findings(answer, terminal, arena);
    if (good && clocks->count > 0)
        good = print_clocks(clocks, terminal, arena);
    return good && fflush(terminal->out) == 0;
}

/* ---- --cancel ---- */

static void prepare_cancel(struct sp_ask *ask, const struct sp_config *config)
{
    ask->method = "DELETE";
    sp_ask_path(ask, sp_config_get(config, "cancel")->text);
}

static bool cancel_found(const struct sp_answer *answer)
{
    return sp_answer_text(answer, "cancelled").len > 0;
}

static bool cancel_print(const struct sp_answer *answer, const struct sp_terminal *terminal,
                         struct sp_arena *arena)
{
    (void)arena;
    fprintf(terminal->out, "Query %.*s was asked to end\n",
            SP_SLICE_PRINTF(sp_answer_text(answer, "cancelled")));
    return fflush(terminal->out) == 0;
}

/* ---- which of them ---- */

static int refuse_combination(const char *what)
{
    fprintf(stderr, "spoor status: %s\n", what);
    return SP_EXIT_USAGE;
}

static int choose(struct sp_show *show, const struct sp_config *config)
{
    static const char *const of_quality[][2] = {
        {"from", "from"}, {"to", "to"}, {"traces", "traces"}, {NULL, NULL}};
    bool cancels = sp_config_get(config, "cancel")->set;
    bool quality = sp_config_get(config, "quality")->flag;
    if (cancels && quality)
        return refuse_combination("--cancel and --quality are different questions");
    for (size_t i = 0; of_quality[i][0] && !quality; i++)
        if (sp_config_get(config, of_quality[i][0])->set)
            return refuse_combination("--from, --to and --traces need --quality");
    if (quality) {
        show->path = "/v1/quality";
        show->passed = of_quality;
        show->found = quality_found;
        show->print = quality_print;
        show->nothing = "There are no traces in this range.";
    } else if (cancels) {
        show->path = "/v1/queries/";
        show->prepare = prepare_cancel;
        show->found = cancel_found;
        show->print = cancel_print;
    }
    return sp_show_run(show, config);
}

int sp_cmd_status(int argc, char **argv)
{
    static const char *const passed[][2] = {{NULL, NULL}};
    struct sp_show show = {
        .command = {.name = "status",
                    .arguments = "",
                    .summary = "Shows what a server keeps, and which queries run and were slow.",
                    .options = options,
                    .option_count = SP_ARRAY_LEN(options)},
        .path = "/v1/system",
        .passed = passed,
        .found = status_found,
        .print = status_print,
        .nothing = "The server says nothing of itself.",
    };
    struct sp_arena arena;
    struct sp_config config;
    sp_arena_init(&arena, (size_t)1024 * 1024);
    int code = sp_cmd_options(&arena, &show.command, argc, argv, &config);
    if (code < 0)
        code = choose(&show, &config);
    sp_arena_fini(&arena);
    return code;
}
