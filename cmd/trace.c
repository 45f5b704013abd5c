/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/trace.c: `spoor trace ID`: draws the waterfall of one trace in the terminal.
 *
 *     *  GET /cart                    web     120ms ████████████████████
 *     *  └ call cart                  web      50ms     ████████
 *     !    └ add                      cart     30ms       █████
 *     ?  lost                         cart      5ms         ▌
 *
 * The first column says: on the critical path (*), failed (!), parent not stored (?). */
#include "cmd/answer.h"
#include "cmd/ask.h"
#include "cmd/terminal.h"
#include "cmd/trace_columns.h"

#define TRACE_ARENA_BYTES     ((size_t)4 * 1024 * 1024 * 1024)
#define TRACE_TREE_LEVELS_MAX 24 /* deeper ones are shown by their number */

static const struct sp_option options[] = {
    SP_ASK_OPTIONS,
    {.name = "json", .type = SP_OPTION_BOOL, .help = "Print the trace as OTLP JSON."},
    {.name = "skew",
     .type = SP_OPTION_CHOICE,
     .value_name = "HOW",
     .choices = "raw|adjust",
     .help =
         "Times as they were sent (if not given), or on the clock of the first span where clocks "
         "of hosts differ."},
    {.name = "ranks",
     .type = SP_OPTION_BOOL,
     .help =
         "Add how each span ranks among all of its service, operation and kind: of 100, so many "
         "took no longer."},
};

/* ---- layout ---- */

struct layout {
    unsigned name, service, duration, rank, bar; /* columns; a space between; rank 0: not shown */
};

#define MARK_COLUMNS     3
#define DURATION_COLUMNS 7
#define RANK_COLUMNS     4

static struct layout make_layout(const struct sp_terminal *t, const struct sp_columns *c,
                                 bool with_ranks)
{
    struct layout layout = {.duration = DURATION_COLUMNS, .rank = with_ranks ? RANK_COLUMNS : 0};
    unsigned rest =
        t->columns - MARK_COLUMNS - DURATION_COLUMNS - 3 - (with_ranks ? RANK_COLUMNS + 1 : 0);
    layout.service = 4;
    for (size_t i = 0; i < c->service_count; i++) {
        unsigned width = sp_terminal_width(c->services[i]);
        layout.service = width > layout.service ? width : layout.service;
    }
    if (layout.service > rest / 4)
        layout.service = rest / 4;
    rest -= layout.service;
    layout.name = rest / 2;
    layout.bar = rest - layout.name;
    return layout;
}

/* ---- tree ---- */

/* Lines in front of a name. more[d]: the row's ancestor at depth d has a later sibling. */
static void append_tree(struct sp_buf *out, const bool *more, uint64_t depth)
{
    if (depth == 0)
        return;
    uint64_t first = 1;
    if (depth > TRACE_TREE_LEVELS_MAX) {
        sp_buf_printf(out, "\xE2\x8B\xAF%llu ", (unsigned long long)depth);
        first = depth; /* the lines of so deep a place would fill the screen */
    }
    for (uint64_t level = first; level < depth; level++)
        sp_buf_append_cstr(out, more[level] ? "\xE2\x94\x82 " : "  ");
    sp_buf_append_cstr(out, more[depth] ? "\xE2\x94\x9C " : "\xE2\x94\x94 ");
}

/* Is there a later sibling: does the subtree end before that of the parent does? */
static bool has_later_sibling(const struct sp_columns *c, size_t row)
{
    uint64_t parent = c->parent[row];
    return parent > 0 && row + c->subtree_size[row] < parent - 1 + c->subtree_size[parent - 1];
}

/* ---- bars ---- */

/* From start to end in eighths of a column; at least one eighth, so that every span is seen. */
static void print_bar(const struct sp_terminal *t, const struct sp_columns *c, size_t row,
                      unsigned width)
{
    static const char *const eighths[] = {"",
                                          "\xE2\x96\x8F",
                                          "\xE2\x96\x8E",
                                          "\xE2\x96\x8D",
                                          "\xE2\x96\x8C",
                                          "\xE2\x96\x8B",
                                          "\xE2\x96\x8A",
                                          "\xE2\x96\x89"};
    double scale = c->duration_ns > 0 ? (double)width / (double)c->duration_ns : 0;
    double from = (double)c->start[row] * scale, length = (double)c->duration[row] * scale;
    unsigned column = from >= width ? width - 1 : (unsigned)from;
    unsigned parts = (unsigned)(length * 8 + 0.5), room = (width - column) * 8;
    if (c->duration_ns == 0)
        parts = room;
    parts = parts == 0 ? 1 : parts > room ? room : parts;
    for (unsigned i = 0; i < column; i++)
        putc(' ', t->out);
    for (unsigned i = 0; i < parts / 8; i++)
        fputs("\xE2\x96\x88", t->out);
    fputs(eighths[parts % 8], t->out);
}

/* ---- rows ---- */

/* "p87"; nothing where it is not known. */
static void print_rank(const struct sp_terminal *t, double share)
{
    char text[16];
    int len = share > 0 ? snprintf(text, sizeof(text), "p%.0f", 100 * share) : 0;
    sp_terminal_cell(t, sp_slice_make(text, (size_t)len), RANK_COLUMNS, true);
    putc(' ', t->out);
}

static void print_row(const struct sp_terminal *t, const struct sp_columns *c, size_t row,
                      const struct layout *layout, const bool *more, const double *ranks,
                      struct sp_buf *label)
{
    bool error = c->flags[row] & SP_COLUMNS_FLAG_ERROR;
    const char *colour = error ? "31" : c->flags[row] & SP_COLUMNS_FLAG_CRITICAL ? "33" : NULL;
    char duration[40];
    size_t len = sp_format_duration(c->duration[row], duration);
    putc(c->flags[row] & SP_COLUMNS_FLAG_CRITICAL ? '*' : ' ', t->out);
    putc(error ? '!' : c->flags[row] & SP_COLUMNS_FLAG_ORPHAN ? '?' : ' ', t->out);
    putc(' ', t->out);
    sp_buf_reset(label);
    append_tree(label, more, c->depth[row]);
    sp_buf_append_slice(label, c->operations[c->operation[row]]);
    if (error)
        sp_terminal_colour(t, colour);
    sp_terminal_cell(t, sp_buf_slice(label), layout->name, false);
    if (error)
        sp_terminal_colour(t, "0");
    putc(' ', t->out);
    sp_terminal_cell(t, c->services[c->service[row]], layout->service, false);
    putc(' ', t->out);
    sp_terminal_cell(t, sp_slice_make(duration, len), layout->duration, true);
    putc(' ', t->out);
    if (layout->rank > 0)
        print_rank(t, ranks[row]);
    if (colour)
        sp_terminal_colour(t, colour);
    print_bar(t, c, row, layout->bar);
    if (colour)
        sp_terminal_colour(t, "0");
    putc('\n', t->out);
}

static void print_head(const struct sp_terminal *t, const struct sp_columns *c, struct sp_slice id)
{
    char start[40], duration[40];
    start[sp_format_time(c->start_unix_ns, start)] = 0;
    duration[sp_format_duration(c->duration_ns, duration)] = 0;
    fputs("Trace ", t->out);
    sp_terminal_cell(t, id, sp_terminal_width(id), false);
    fprintf(t->out, "\n%s, %s, %zu %s, %zu %s, %llu %s\n", start, duration, c->row_count,
            c->row_count == 1 ? "span" : "spans", c->service_count,
            c->service_count == 1 ? "service" : "services", (unsigned long long)c->error_count,
            c->error_count == 1 ? "error" : "errors");
    if (c->orphan_count > 0)
        fprintf(t->out, "? %llu of them name a parent that is not stored\n",
                (unsigned long long)c->orphan_count);
    if (c->skewed_span_count > 0) {
        char offset[40];
        offset[sp_format_duration(c->skew_ns, offset)] = 0;
        fprintf(t->out, "Clocks differ by up to %s in %llu %s; %s\n", offset,
                (unsigned long long)c->skewed_span_count,
                c->skewed_span_count == 1 ? "span" : "spans",
                c->skew_is_adjusted ? "times are adjusted" : "--skew adjust takes it out");
    }
    if (c->path_note.len > 0) {
        sp_terminal_cell(t, c->path_note, sp_terminal_width(c->path_note), false);
        putc('\n', t->out);
    }
    putc('\n', t->out);
}

/* ranks: by row, NULL: not asked for. */
static int draw(const struct sp_columns *c, struct sp_slice id, const double *ranks,
                struct sp_arena *arena)
{
    struct sp_terminal terminal;
    struct sp_buf label;
    sp_terminal_init(&terminal, stdout);
    bool *more = sp_arena_calloc(arena, c->depth_max + 2, sizeof(*more));
    if (!more) {
        fputs("spoor trace: the trace is too large for this terminal\n", stderr);
        return SP_EXIT_FAILURE;
    }
    sp_buf_init(&label, (size_t)64 * 1024 * 1024);
    struct layout layout = make_layout(&terminal, c, ranks != NULL);
    print_head(&terminal, c, id);
    for (size_t row = 0; row < c->row_count; row++) {
        more[c->depth[row]] = has_later_sibling(c, row);
        print_row(&terminal, c, row, &layout, more, ranks, &label);
    }
    sp_buf_fini(&label);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return SP_EXIT_OK;
    perror("spoor trace: cannot write the trace");
    return SP_EXIT_FAILURE;
}

/* ---- the command ---- */

static int bad_answer(const struct sp_error *error)
{
    fprintf(stderr, "spoor trace: the answer is not what this version understands: %s\n",
            error->message);
    return SP_EXIT_FAILURE;
}

/* A second question: the shares of spans that took no longer, by row; 0 for rows that came since the first one. */
static int ask_ranks(const struct sp_config *config, size_t row_count, struct sp_arena *arena,
                     const double **ret)
{
    struct sp_ask ask;
    struct sp_buf body;
    struct sp_error error = {0};
    const struct sp_answer *answer;
    double *ranks = sp_arena_calloc(arena, row_count + 1, sizeof(*ranks));
    sp_ask_init(&ask, "trace", config, "/v1/traces/");
    sp_ask_path(&ask, config->positional[0]);
    sp_buf_append_cstr(&ask.url, "/percentiles");
    sp_ask_option(&ask, "skew");
    int code = sp_ask_run(&ask, &body);
    sp_ask_fini(&ask);
    if (code != SP_EXIT_OK)
        return code;
    enum sp_status status = sp_answer_read(sp_buf_slice(&body), arena, &answer, &error);
    if (status == SP_OK && !ranks)
        status = sp_arena_failed(arena, &error, "the trace is too large");
    if (status == SP_OK) {
        for (const struct sp_answer *row = sp_answer_at(answer, "rows")->first; row;
             row = row->next) {
            uint64_t at = sp_answer_u64(row, "row");
            if (at < row_count)
                ranks[at] = sp_answer_double(row, "notLonger");
        }
    }
    sp_buf_fini(&body);
    *ret = ranks;
    return status == SP_OK ? SP_EXIT_OK : bad_answer(&error);
}

static int show(struct sp_slice body, const struct sp_config *config)
{
    struct sp_arena arena;
    struct sp_columns columns;
    struct sp_error error;
    const double *ranks = NULL;
    sp_arena_init(&arena, TRACE_ARENA_BYTES);
    int code =
        sp_columns_read(body, &arena, &columns, &error) == SP_OK ? SP_EXIT_OK : bad_answer(&error);
    if (code == SP_EXIT_OK && sp_config_get(config, "ranks")->flag)
        code = ask_ranks(config, columns.row_count, &arena, &ranks);
    if (code == SP_EXIT_OK)
        code = draw(&columns, config->positional[0], ranks, &arena);
    sp_arena_fini(&arena);
    return code;
}

static int run(const struct sp_config *config)
{
    struct sp_ask ask;
    struct sp_buf body;
    bool json = sp_config_get(config, "json")->flag;
    if (json && sp_config_get(config, "ranks")->flag) {
        fputs("spoor trace: --ranks is drawn; --json prints the trace as it came\n", stderr);
        return SP_EXIT_USAGE;
    }
    sp_ask_init(&ask, "trace", config, "/v1/traces/");
    sp_ask_path(&ask, config->positional[0]);
    if (!json)
        sp_ask_parameter(&ask, "view", SP_SLICE("columns"));
    sp_ask_option(&ask, "skew");
    int code = sp_ask_run(&ask, &body);
    if (code == SP_EXIT_OK) {
        code = json ? sp_ask_print(sp_buf_slice(&body)) : show(sp_buf_slice(&body), config);
        sp_buf_fini(&body);
    }
    sp_ask_fini(&ask);
    return code;
}

int sp_cmd_trace(int argc, char **argv)
{
    const struct sp_command command = {
        .name = "trace",
        .arguments = "TRACE-ID",
        .summary = "Draws one trace as a waterfall.",
        .options = options,
        .option_count = SP_ARRAY_LEN(options),
        .arguments_min = 1,
        .arguments_max = 1,
    };
    return sp_cmd_run(&command, argc, argv, run);
}
