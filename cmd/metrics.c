/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/metrics.c: `spoor metrics QUERY`: series of numbers over time, each with a line drawn of it. */
#include "cmd/show.h"

#include <math.h>

static const struct sp_option options[] = {
    SP_SHOW_OPTIONS,
    SP_SHOW_RANGE_OPTIONS,
    {.name = "step",
     .type = SP_OPTION_TEXT,
     .value_name = "DURATION",
     .help = "From one point to the next; chosen to fit the range if not given."},
    {.name = "exact",
     .type = SP_OPTION_BOOL,
     .help = "Quantiles from all numbers instead of within 1.1 %."},
};

/* ---- the answer ---- */

struct range {
    uint64_t from_unix_ns, to_unix_ns, step_ns;
    size_t points;
};

static bool read_range(const struct sp_answer *answer, struct range *ret)
{
    struct range range = {.from_unix_ns = sp_answer_u64(answer, "from"),
                          .to_unix_ns = sp_answer_u64(answer, "to"),
                          .step_ns = sp_answer_u64(answer, "stepNano")};
    if (range.step_ns == 0 || range.to_unix_ns < range.from_unix_ns)
        return false;
    range.points = (range.to_unix_ns - range.from_unix_ns + range.step_ns - 1) / range.step_ns;
    *ret = range;
    return true;
}

/* What is shown of a series. */
struct series {
    struct sp_slice labels;
    double *values; /* the arena's; NaN: none */
    double min, max, last;
    size_t count;
};

/* Infinities are texts, because JSON has none. */
static double number_of(const struct sp_answer *value)
{
    if (value->kind == SP_JSON_NUMBER)
        return sp_answer_double(value, "");
    return value->text.len > 0 && value->text.ptr[0] == '-' ? -INFINITY : INFINITY;
}

/* "key=value, key=value" */
static bool read_labels(const struct sp_answer *labels, struct sp_arena *arena,
                        struct sp_slice *ret)
{
    struct sp_buf text;
    sp_buf_init(&text, 1 << 20);
    for (const struct sp_answer *label = labels->first; label; label = label->next) {
        const struct sp_answer *value = sp_answer_at(label, "value");
        sp_buf_printf(&text, "%s%.*s=", label == labels->first ? "" : ", ",
                      SP_SLICE_PRINTF(sp_answer_text(label, "key")));
        sp_buf_append_slice(&text, value->kind == SP_JSON_STRING ? value->text : SP_SLICE("nil"));
    }
    if (text.len == 0)
        sp_buf_append_cstr(&text, "(all)");
    bool good = text.error == SP_OK && sp_arena_copy(arena, sp_buf_slice(&text), ret);
    sp_buf_fini(&text);
    return good;
}

static bool read_series(const struct sp_answer *row, const struct range *range,
                        struct sp_arena *arena, struct series *ret)
{
    struct series series = {.values = sp_arena_alloc(arena, (range->points + 1) * sizeof(double))};
    if (!series.values || !read_labels(sp_answer_at(row, "labels"), arena, &series.labels))
        return false;
    for (size_t i = 0; i < range->points; i++)
        series.values[i] = NAN;
    const struct sp_answer *point = sp_answer_at(row, "points")->first;
    for (; point; point = point->next) {
        const struct sp_answer *time = point->first;
        if (!time || !time->next)
            return false;
        uint64_t unix_ns = sp_answer_u64(time, "");
        uint64_t at = unix_ns >= range->from_unix_ns
                          ? (unix_ns - range->from_unix_ns) / range->step_ns
                          : range->points;
        if (at >= range->points)
            return false;
        double value = number_of(time->next);
        series.min = series.count == 0 ? value : fmin(series.min, value);
        series.max = series.count == 0 ? value : fmax(series.max, value);
        series.last = series.values[at] = value;
        series.count++;
    }
    *ret = series;
    return true;
}

/* ---- the table ---- */

#define LINE_MIN       10u
#define LINE_BYTES_MAX ((size_t)64 * 1024)
#define NUMBER_WIDTH   10u

/* Labels and the line share what the numbers leave. */
static unsigned room_of(const struct sp_terminal *t)
{
    unsigned numbers = 3 * (NUMBER_WIDTH + 1);
    return t->columns > numbers + 2 * LINE_MIN ? t->columns - numbers : 2 * LINE_MIN;
}

static unsigned label_width(const struct sp_terminal *t)
{
    return room_of(t) / 2;
}

static void print_head(const struct sp_terminal *t, const struct range *range)
{
    char from[40], to[40], step[32];
    size_t from_len = sp_format_time(range->from_unix_ns, from);
    size_t to_len = sp_format_time(range->to_unix_ns, to);
    size_t step_len = sp_format_duration(range->step_ns, step);
    fprintf(t->out, "%.*s to %.*s, a point each %.*s\n", (int)from_len, from, (int)to_len, to,
            (int)step_len, step);
    sp_terminal_cell(t, SP_SLICE("SERIES"), label_width(t), false);
    fprintf(t->out, " %10s %10s %10s\n", "LEAST", "GREATEST", "LAST");
}

static void print_series(const struct sp_terminal *t, const struct series *series, size_t points)
{
    const double numbers[] = {series->min, series->max, series->last};
    sp_terminal_cell(t, series->labels, label_width(t), false);
    for (size_t i = 0; i < SP_ARRAY_LEN(numbers); i++) {
        char text[32];
        int len = snprintf(text, sizeof(text), "%.4g", numbers[i]);
        putc(' ', t->out);
        sp_terminal_cell(t, sp_slice_make(text, (size_t)len), NUMBER_WIDTH, true);
    }
    struct sp_buf line;
    sp_buf_init(&line, LINE_BYTES_MAX);
    sp_terminal_line(&line, series->values, points, series->min, series->max,
                     room_of(t) - label_width(t) - 1);
    fprintf(t->out, " %.*s\n", (int)line.len, (const char *)line.ptr);
    sp_buf_fini(&line);
}

static bool metrics_found(const struct sp_answer *answer)
{
    return sp_answer_at(answer, "series")->count > 0;
}

static bool metrics_print(const struct sp_answer *answer, const struct sp_terminal *terminal,
                          struct sp_arena *arena)
{
    struct range range;
    bool good = read_range(answer, &range);
    if (good)
        print_head(terminal, &range);
    const struct sp_answer *row = sp_answer_at(answer, "series")->first;
    for (; row && good; row = row->next) {
        struct series series;
        good = read_series(row, &range, arena, &series);
        if (good && series.count > 0)
            print_series(terminal, &series, range.points);
    }
    if (!good)
        fputs("spoor metrics: the answer is not what this version understands\n", stderr);
    return good && fflush(terminal->out) == 0;
}

/* ---- the command ---- */

static void pass_query(struct sp_ask *ask, const struct sp_config *config)
{
    sp_show_query(ask, config);
    if (sp_config_get(config, "exact")->flag)
        sp_ask_parameter(ask, "exact", SP_SLICE("true"));
}

int sp_cmd_metrics(int argc, char **argv)
{
    static const char *const passed[][2] = {
        {"from", "from"}, {"to", "to"}, {"step", "step"}, {NULL, NULL}};
    const struct sp_show show = {
        .command = {.name = "metrics",
                    .arguments = "QUERY",
                    .summary =
                        "Shows what a TraceQL metric is over time: { } | rate() by (service).",
                    .options = options,
                    .option_count = SP_ARRAY_LEN(options),
                    .arguments_min = 1,
                    .arguments_max = 1},
        .path = "/v1/metrics/query_range",
        .passed = passed,
        .prepare = pass_query,
        .found = metrics_found,
        .print = metrics_print,
        .nothing = "No span matches.",
    };
    return sp_show_main(&show, argc, argv);
}
