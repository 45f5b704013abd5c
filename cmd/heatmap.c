/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/heatmap.c: `spoor heatmap QUERY`: all spans of a query by time and duration, as a picture of blocks. */
#include "cmd/show.h"

#include <math.h>

static const struct sp_option options[] = {
    SP_SHOW_OPTIONS,
    SP_SHOW_RANGE_OPTIONS,
    {.name = "steps",
     .type = SP_OPTION_U64,
     .value_name = "N",
     .min = 1,
     .max = 400,
     .help = "Columns of time; as many as the terminal has room for if not given."},
    {.name = "rows",
     .type = SP_OPTION_U64,
     .value_name = "N",
     .min = 2,
     .max = 512,
     .help = "Rows of durations at most; 16 if not given."},
    {.name = "caller",
     .type = SP_OPTION_TEXT,
     .value_name = "NAME",
     .help = "With --called: the calls of an edge of the graph instead of spans."},
    {.name = "called", .type = SP_OPTION_TEXT, .value_name = "NAME", .help = "Who is called."},
    {.name = "side",
     .type = SP_OPTION_CHOICE,
     .value_name = "SIDE",
     .choices = "client|server",
     .help = "Of an edge: whose durations; those of the caller if not given."},
    SP_EXPLAIN_OPTION,
};

/* Columns on the left: the duration from which a row goes. */
#define LABEL_WIDTH 9u
#define STEPS_MAX   400u

static uint64_t room_for_steps(void)
{
    struct sp_terminal terminal;
    sp_terminal_init(&terminal, stdout);
    unsigned room = terminal.columns > LABEL_WIDTH + 20 ? terminal.columns - LABEL_WIDTH : 20;
    return room < STEPS_MAX ? room : STEPS_MAX;
}

static void pass_query(struct sp_ask *ask, const struct sp_config *config)
{
    char steps[24];
    sp_show_query(ask, config);
    if (!sp_config_get(config, "steps")->set) {
        int len = snprintf(steps, sizeof(steps), "%llu", (unsigned long long)room_for_steps());
        sp_ask_parameter(ask, "steps", sp_slice_make(steps, (size_t)len));
    }
    if (!sp_config_get(config, "rows")->set)
        sp_ask_parameter(ask, "rows", SP_SLICE("16"));
}

static bool heatmap_found(const struct sp_answer *answer)
{
    return sp_answer_at(answer, "cells")->count > 0;
}

/* What cells hold, row by row. */
struct picture {
    size_t steps, rows;
    double *spans, *errors;
    double most;
};

static bool read_cells(const struct sp_answer *answer, struct sp_arena *arena, struct picture *ret)
{
    size_t bounds = sp_answer_at(answer, "bounds")->count;
    struct picture picture = {.steps = sp_answer_at(answer, "steps")->count,
                              .rows = bounds > 0 ? bounds - 1 : 0};
    size_t count = picture.steps * picture.rows;
    picture.spans = sp_arena_calloc(arena, count + 1, sizeof(double));
    picture.errors = sp_arena_calloc(arena, count + 1, sizeof(double));
    if (!picture.spans || !picture.errors)
        return false;
    for (const struct sp_answer *cell = sp_answer_at(answer, "cells")->first; cell;
         cell = cell->next) {
        if (cell->count != 4)
            return false;
        const struct sp_answer *row = cell->first->next;
        uint64_t step = sp_answer_u64(cell->first, ""), at = sp_answer_u64(row, "");
        if (step >= picture.steps || at >= picture.rows)
            return false;
        size_t i = at * picture.steps + step;
        picture.spans[i] = sp_answer_double(row->next, "");
        picture.errors[i] = sp_answer_double(row->next->next, "");
        picture.most = fmax(picture.most, picture.spans[i]);
    }
    *ret = picture;
    return true;
}

/* Four shades, by the logarithm: one span is to be seen beside thousands. Red: half of the spans or more have failed. */
static void print_cell(const struct sp_terminal *t, const struct picture *picture, size_t i)
{
    static const char *const shades[] = {"░", "▒", "▓", "█"};
    double spans = picture->spans[i];
    if (spans == 0) {
        putc(' ', t->out);
        return;
    }
    double share = picture->most > 1 ? log(spans) / log(picture->most) : 1;
    size_t shade = (size_t)(share * 3.999);
    bool red = picture->errors[i] * 2 >= spans;
    if (red)
        sp_terminal_colour(t, "31");
    fputs(shades[shade < 4 ? shade : 3], t->out);
    if (red)
        sp_terminal_colour(t, "0");
}

static void print_duration(const struct sp_terminal *t, uint64_t duration_ns)
{
    char text[40];
    size_t len = sp_format_duration(duration_ns, text);
    sp_terminal_cell(t, sp_slice_make(text, len), LABEL_WIDTH - 1, true);
    putc(' ', t->out);
}

static void print_axis(const struct sp_terminal *t, const struct sp_answer *answer)
{
    char from[40], to[40], step[40];
    size_t from_len = sp_terminal_time(sp_answer_u64(answer, "from"), true, from);
    size_t to_len = sp_terminal_time(sp_answer_u64(answer, "to"), true, to);
    size_t step_len = sp_format_duration(sp_answer_u64(answer, "stepNano"), step);
    fprintf(t->out, "%.*s to %.*s, a column each %.*s\n", (int)from_len, from, (int)to_len, to,
            (int)step_len, step);
}

static bool heatmap_print(const struct sp_answer *answer, const struct sp_terminal *terminal,
                          struct sp_arena *arena)
{
    struct picture picture;
    uint64_t bounds[513] = {0};
    size_t count = 0;
    for (const struct sp_answer *bound = sp_answer_at(answer, "bounds")->first;
         bound && count < SP_ARRAY_LEN(bounds); bound = bound->next)
        bounds[count++] = sp_answer_u64(bound, "");
    if (!read_cells(answer, arena, &picture) || picture.rows + 1 != count) {
        fputs("spoor heatmap: the answer is not what this version understands\n", stderr);
        return false;
    }
    print_axis(terminal, answer);
    for (size_t row = picture.rows; row-- > 0;) {
        print_duration(terminal, bounds[row]);
        for (size_t step = 0; step < picture.steps; step++)
            print_cell(terminal, &picture, row * picture.steps + step);
        putc('\n', terminal->out);
    }
    double spans = 0, errors = 0;
    for (size_t i = 0; i < picture.steps * picture.rows; i++) {
        spans += picture.spans[i];
        errors += picture.errors[i];
    }
    fflush(terminal->out);
    fprintf(stderr, "%.0f spans, %.0f errors; the darkest cell has %.0f.\n", spans, errors,
            picture.most);
    return ferror(terminal->out) == 0;
}

int sp_cmd_heatmap(int argc, char **argv)
{
    static const char *const passed[][2] = {
        {"from", "from"},     {"to", "to"},         {"steps", "steps"}, {"rows", "rows"},
        {"caller", "client"}, {"called", "server"}, {"side", "side"},   {NULL, NULL}};
    const struct sp_show show = {
        .command = {.name = "heatmap",
                    .arguments = "[QUERY]",
                    .summary = "Draws all spans of a TraceQL query by time and duration.",
                    .options = options,
                    .option_count = SP_ARRAY_LEN(options),
                    .arguments_max = 1},
        .path = "/v1/heatmap",
        .passed = passed,
        .prepare = pass_query,
        .found = heatmap_found,
        .print = heatmap_print,
        .nothing = "No span matches.",
    };
    return sp_show_main(&show, argc, argv);
}
