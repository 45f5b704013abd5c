/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/status.c: `spoor status`: what a server keeps, what waits, and which questions it is busy with. */
#include "cmd/show.h"

static const struct sp_option options[] = {SP_SHOW_OPTIONS};

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

/* Addresses come from whoever asks: the terminal gets them as cells. */
static bool print_queries(const struct sp_answer *queries, const char *which,
                          const struct sp_terminal *terminal, struct sp_arena *arena)
{
    const struct sp_table_column columns[] = {
        {which, true, false}, {"TOOK", true, false}, {"READ", true, false}, {"ASKED", false, true}};
    struct sp_table table;
    sp_table_init(&table, columns, SP_ARRAY_LEN(columns), arena);
    for (const struct sp_answer *row = queries->first; row; row = row->next) {
        char bytes[32];
        struct sp_slice *cells = sp_table_row(&table, NULL);
        if (!cells)
            break;
        format_bytes(sp_answer_u64(row, "bytesScanned"), bytes);
        cells[0] = sp_answer_text(row, "id");
        cells[1] = sp_table_duration(&table, sp_answer_u64(row, "tookNano"));
        cells[2] = sp_table_text(&table, "%s", bytes);
        cells[3] = sp_answer_text(row, "url");
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

int sp_cmd_status(int argc, char **argv)
{
    static const char *const passed[][2] = {{NULL, NULL}};
    const struct sp_show show = {
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
    return sp_show_main(&show, argc, argv);
}
