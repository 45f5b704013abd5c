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
    SP_EXPLAIN_OPTION,
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

/* What a text of labels tells of each. */
enum label_part { LABEL_KEYS = 1, LABEL_VALUES = 2 };

/* "key=value, key=value", or one of the two sides only. */
static bool read_labels(const struct sp_answer *labels, unsigned parts, struct sp_arena *arena,
                        struct sp_slice *ret)
{
    struct sp_buf text;
    sp_buf_init(&text, 1 << 20);
    for (const struct sp_answer *label = labels->first; label; label = label->next) {
        const struct sp_answer *value = sp_answer_at(label, "value");
        if (label != labels->first)
            sp_buf_append_cstr(&text, ", ");
        if (parts & LABEL_KEYS)
            sp_buf_append_slice(&text, sp_answer_text(label, "key"));
        if (parts == (LABEL_KEYS | LABEL_VALUES))
            sp_buf_append_cstr(&text, "=");
        if (parts & LABEL_VALUES)
            sp_buf_append_slice(&text,
                                value->kind == SP_JSON_STRING ? value->text : SP_SLICE("nil"));
    }
    if (text.len == 0)
        sp_buf_append_cstr(&text, "(all)");
    bool good = text.error == SP_OK && sp_arena_copy(arena, sp_buf_slice(&text), ret);
    sp_buf_fini(&text);
    return good;
}

/* Fills in everything but the labels. */
static bool read_points(const struct sp_answer *row, const struct range *range,
                        struct sp_arena *arena, struct series *ret)
{
    struct series series = {.labels = ret->labels,
                            .values = sp_arena_alloc(arena, (range->points + 1) * sizeof(double))};
    if (!series.values)
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

/* How the series are told apart. Keys that all of them have stand in the head once, so that a row has room for its values. */
struct labels {
    struct sp_slice head;
    unsigned parts, width;
};

static bool same_keys(const struct sp_answer *series)
{
    const struct sp_answer *first = sp_answer_at(series->first, "labels");
    if (first->count == 0)
        return false;
    for (const struct sp_answer *row = series->first; row; row = row->next) {
        const struct sp_answer *labels = sp_answer_at(row, "labels");
        if (labels->count != first->count)
            return false;
        const struct sp_answer *a = first->first, *b = labels->first;
        for (; a; a = a->next, b = b->next)
            if (!sp_slice_equal(sp_answer_text(a, "key"), sp_answer_text(b, "key")))
                return false;
    }
    return true;
}

/* Labels and the line share what the numbers leave. */
static unsigned room_of(const struct sp_terminal *t)
{
    unsigned numbers = 3 * (NUMBER_WIDTH + 1);
    return t->columns > numbers + 2 * LINE_MIN ? t->columns - numbers : 2 * LINE_MIN;
}

/* As wide as the longest of the labels, as long as the shortest line fits beside it. */
static bool lay_out_labels(const struct sp_answer *series, const struct sp_terminal *t,
                           struct sp_arena *arena, struct labels *ret)
{
    struct labels labels = {.head = SP_SLICE("SERIES"), .parts = LABEL_KEYS | LABEL_VALUES};
    if (series->first && same_keys(series)) {
        labels.parts = LABEL_VALUES;
        if (!read_labels(sp_answer_at(series->first, "labels"), LABEL_KEYS, arena, &labels.head))
            return false;
    }
    labels.width = sp_terminal_width(labels.head);
    for (const struct sp_answer *row = series->first; row; row = row->next) {
        struct sp_slice text;
        if (!read_labels(sp_answer_at(row, "labels"), labels.parts, arena, &text))
            return false;
        unsigned width = sp_terminal_width(text);
        labels.width = width > labels.width ? width : labels.width;
    }
    unsigned most = room_of(t) - LINE_MIN - 1;
    labels.width = labels.width < most ? labels.width : most;
    *ret = labels;
    return true;
}

static void print_head(const struct sp_terminal *t, const struct range *range,
                       const struct labels *labels)
{
    char from[40], to[40], step[32];
    size_t from_len = sp_terminal_time(range->from_unix_ns, false, from);
    size_t to_len = sp_terminal_time(range->to_unix_ns, false, to);
    size_t step_len = sp_format_duration(range->step_ns, step);
    fprintf(t->out, "%.*s to %.*s, a point each %.*s\n", (int)from_len, from, (int)to_len, to,
            (int)step_len, step);
    sp_terminal_cell(t, labels->head, labels->width, false);
    fprintf(t->out, " %10s %10s %10s\n", "LEAST", "GREATEST", "LAST");
}

static void print_series(const struct sp_terminal *t, const struct labels *labels,
                         const struct series *series, size_t points)
{
    const double numbers[] = {series->min, series->max, series->last};
    sp_terminal_cell(t, series->labels, labels->width, false);
    for (size_t i = 0; i < SP_ARRAY_LEN(numbers); i++) {
        char text[32];
        int len = snprintf(text, sizeof(text), "%.4g", numbers[i]);
        putc(' ', t->out);
        sp_terminal_cell(t, sp_slice_make(text, (size_t)len), NUMBER_WIDTH, true);
    }
    struct sp_buf line;
    sp_buf_init(&line, LINE_BYTES_MAX);
    sp_terminal_line(&line, series->values, points, series->min, series->max,
                     room_of(t) - labels->width - 1);
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
    const struct sp_answer *rows = sp_answer_at(answer, "series");
    struct range range;
    struct labels labels;
    bool good = read_range(answer, &range) && lay_out_labels(rows, terminal, arena, &labels);
    if (good)
        print_head(terminal, &range, &labels);
    for (const struct sp_answer *row = rows->first; row && good; row = row->next) {
        struct series series;
        good = read_labels(sp_answer_at(row, "labels"), labels.parts, arena, &series.labels) &&
               read_points(row, &range, arena, &series);
        if (good && series.count > 0)
            print_series(terminal, &labels, &series, range.points);
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
