/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/metrics.c: `spoor metrics QUERY`: series of numbers over time, each with a line drawn of it. */
#include <math.h>

#include "cmd/ask.h"
#include "cmd/terminal.h"

#define METRICS_ARENA_BYTES ((size_t)512 * 1024 * 1024)
#define METRICS_DEPTH_MAX   16

static const struct sp_option options[] = {
    SP_ASK_OPTIONS,
    {.name = "from",
     .type = SP_OPTION_TEXT,
     .value_name = "TIME",
     .help = "Spans that start then or later: RFC 3339, Unix time, or now-15m."},
    {.name = "to",
     .type = SP_OPTION_TEXT,
     .value_name = "TIME",
     .help = "Spans that start before then."},
    {.name = "step",
     .type = SP_OPTION_TEXT,
     .value_name = "DURATION",
     .help = "From one point to the next; chosen to fit the range if not given."},
    {.name = "exact",
     .type = SP_OPTION_BOOL,
     .help = "Quantiles from all numbers instead of within 1.1 %."},
    {.name = "json", .type = SP_OPTION_BOOL, .help = "Print the server's answer as it is."},
};

/* ---- reading the answer ---- */

/* What is shown of a series. The line has as many columns as the terminal leaves; a column shows the greatest of its points. */
struct series {
    struct sp_buf labels;
    double *values; /* the arena's; NaN: none */
    double min, max, last;
    size_t count;
};

struct answer {
    struct sp_arena *arena;
    uint64_t from_unix_ns, step_ns, to_unix_ns;
    size_t points, series_count;
};

static bool read_number(struct sp_json_reader *r, double *ret)
{
    enum sp_json_event event = sp_json_next(r);
    if (event == SP_JSON_NUMBER)
        return sp_parse_double(r->text, ret);
    *ret =
        event == SP_JSON_STRING && r->text.len > 0 && r->text.ptr[0] == '-' ? -INFINITY : INFINITY;
    return event == SP_JSON_STRING;
}

static bool read_points(struct sp_json_reader *r, const struct answer *answer,
                        struct series *series)
{
    if (sp_json_next(r) != SP_JSON_ARRAY_BEGIN)
        return false;
    for (;;) {
        uint64_t time;
        double value;
        enum sp_json_event event = sp_json_next(r);
        if (event == SP_JSON_ARRAY_END)
            return true;
        if (event != SP_JSON_ARRAY_BEGIN || sp_json_next(r) != SP_JSON_STRING ||
            !sp_parse_u64(r->text, &time) || !read_number(r, &value) ||
            sp_json_next(r) != SP_JSON_ARRAY_END)
            return false;
        uint64_t point =
            time >= answer->from_unix_ns ? (time - answer->from_unix_ns) / answer->step_ns : 0;
        if (point >= answer->points)
            return false;
        series->min = series->count == 0 || value < series->min ? value : series->min;
        series->max = series->count == 0 || value > series->max ? value : series->max;
        series->last = value;
        series->values[point] = value;
        series->count++;
    }
}

/* "key=value, key=value" */
static bool read_labels(struct sp_json_reader *r, struct sp_buf *out)
{
    if (sp_json_next(r) != SP_JSON_ARRAY_BEGIN)
        return false;
    for (bool first = true;; first = false) {
        struct sp_slice key = {0}, value = {0};
        bool has_value = false;
        enum sp_json_event event = sp_json_next(r);
        if (event == SP_JSON_ARRAY_END)
            return true;
        if (event != SP_JSON_OBJECT_BEGIN)
            return false;
        while (sp_json_next(r) == SP_JSON_KEY) {
            struct sp_slice member = r->text;
            event = sp_json_next(r);
            if (sp_slice_equal_cstr(member, "key"))
                key = r->text;
            if (sp_slice_equal_cstr(member, "value") && event == SP_JSON_STRING) {
                value = r->text;
                has_value = true;
            }
        }
        sp_buf_printf(out, "%s%.*s=", first ? "" : ", ", SP_SLICE_PRINTF(key));
        sp_buf_append_slice(out, has_value ? value : SP_SLICE("nil"));
    }
}

static bool read_series(struct sp_json_reader *r, const struct answer *answer,
                        struct series *series)
{
    for (;;) {
        enum sp_json_event event = sp_json_next(r);
        if (event == SP_JSON_OBJECT_END)
            return true;
        if (event != SP_JSON_KEY)
            return false;
        bool good = sp_slice_equal_cstr(r->text, "labels")   ? read_labels(r, &series->labels)
                    : sp_slice_equal_cstr(r->text, "points") ? read_points(r, answer, series)
                                                             : sp_json_skip(r) == SP_OK;
        if (!good)
            return false;
    }
}

/* ---- the table ---- */

static void print_number(const struct sp_terminal *t, double value, unsigned width)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%.4g", value);
    sp_terminal_cell(t, sp_slice_make(text, (size_t)len), width, true);
}

#define LINE_MIN     10u
#define NUMBER_WIDTH 10u

/* Eight heights from the least to the greatest value; a space where there is none. */
static void print_line(const struct sp_terminal *t, const struct series *series, size_t points,
                       unsigned width)
{
    static const char *const heights[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double span = series->max - series->min;
    size_t columns = points < width ? points : width;
    for (size_t column = 0; column < columns; column++) {
        double value = NAN;
        for (size_t p = column * points / columns; p < (column + 1) * points / columns; p++)
            value = fmax(value, series->values[p]); /* what is not NaN */
        double share = span > 0 && isfinite(span) ? (value - series->min) / span : 0.5;
        unsigned height = share >= 0 && share <= 1 ? (unsigned)(share * 7 + 0.5) : 0;
        fputs(isnan(value) ? " " : heights[height], t->out);
    }
    putc('\n', t->out);
}

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

static void print_series(const struct sp_terminal *t, const struct series *series, size_t points)
{
    struct sp_slice labels = sp_buf_slice(&series->labels);
    if (labels.len == 0)
        labels = SP_SLICE("(all)");
    sp_terminal_cell(t, labels, label_width(t), false);
    putc(' ', t->out);
    print_number(t, series->min, NUMBER_WIDTH);
    putc(' ', t->out);
    print_number(t, series->max, NUMBER_WIDTH);
    putc(' ', t->out);
    print_number(t, series->last, NUMBER_WIDTH);
    putc(' ', t->out);
    print_line(t, series, points, room_of(t) - label_width(t) - 1);
}

static int bad_answer(void)
{
    fputs("spoor metrics: the answer is not what this version understands\n", stderr);
    return SP_EXIT_FAILURE;
}

/* from, to and stepNano stand behind the series in the answer: they are read first. */
static bool read_range(struct sp_slice body, struct answer *answer)
{
    struct sp_json_reader r;
    sp_json_reader_init(&r, body, answer->arena, METRICS_DEPTH_MAX);
    if (sp_json_next(&r) != SP_JSON_OBJECT_BEGIN)
        return false;
    while (sp_json_next(&r) == SP_JSON_KEY) {
        uint64_t *number = sp_slice_equal_cstr(r.text, "from")       ? &answer->from_unix_ns
                           : sp_slice_equal_cstr(r.text, "to")       ? &answer->to_unix_ns
                           : sp_slice_equal_cstr(r.text, "stepNano") ? &answer->step_ns
                                                                     : NULL;
        if (number ? sp_json_next(&r) != SP_JSON_STRING || !sp_parse_u64(r.text, number)
                   : sp_json_skip(&r) != SP_OK)
            return false;
    }
    if (answer->step_ns == 0 || answer->to_unix_ns < answer->from_unix_ns)
        return false;
    answer->points =
        (answer->to_unix_ns - answer->from_unix_ns + answer->step_ns - 1) / answer->step_ns;
    return true;
}

static void print_head(const struct sp_terminal *t, const struct answer *answer)
{
    char from[40], to[40], step[32];
    size_t from_len = sp_format_time(answer->from_unix_ns, from);
    size_t to_len = sp_format_time(answer->to_unix_ns, to);
    size_t step_len = sp_format_duration(answer->step_ns, step);
    fprintf(t->out, "%.*s to %.*s, a point each %.*s\n", (int)from_len, from, (int)to_len, to,
            (int)step_len, step);
    sp_terminal_cell(t, SP_SLICE("SERIES"), label_width(t), false);
    fprintf(t->out, " %10s %10s %10s\n", "LEAST", "GREATEST", "LAST");
}

static int print_table(struct sp_slice body, struct sp_arena *arena)
{
    struct sp_terminal terminal;
    struct sp_json_reader r;
    struct answer answer = {.arena = arena};
    sp_terminal_init(&terminal, stdout);
    if (!read_range(body, &answer))
        return bad_answer();
    sp_json_reader_init(&r, body, arena, METRICS_DEPTH_MAX);
    /* The series come first in the answer. */
    static const enum sp_json_event begin[] = {SP_JSON_OBJECT_BEGIN, SP_JSON_KEY,
                                               SP_JSON_ARRAY_BEGIN};
    bool good = true;
    for (size_t i = 0; i < SP_ARRAY_LEN(begin) && good; i++)
        good = sp_json_next(&r) == begin[i];
    while (good && sp_json_next(&r) == SP_JSON_OBJECT_BEGIN) {
        struct series series = {.values =
                                    sp_arena_alloc(arena, (answer.points + 1) * sizeof(double))};
        if (!series.values)
            return bad_answer();
        for (size_t p = 0; p < answer.points; p++)
            series.values[p] = NAN;
        sp_buf_init(&series.labels, 1 << 20);
        good = read_series(&r, &answer, &series);
        if (good && answer.series_count++ == 0)
            print_head(&terminal, &answer);
        if (good && series.count > 0)
            print_series(&terminal, &series, answer.points);
        sp_buf_fini(&series.labels);
    }
    if (!good)
        return bad_answer();
    fflush(stdout);
    if (answer.series_count == 0)
        fputs("No span matches.\n", stderr);
    return answer.series_count == 0 ? SP_EXIT_NOT_FOUND : SP_EXIT_OK;
}

static int print_json(struct sp_slice body)
{
    int code = sp_ask_print(body);
    bool empty = sp_slice_starts_with(body, SP_SLICE("{\"series\":[]"));
    return code == SP_EXIT_OK && empty ? SP_EXIT_NOT_FOUND : code;
}

/* ---- the command ---- */

static int run(const struct sp_config *config)
{
    static const char *const passed[] = {"from", "to", "step"};
    struct sp_ask ask;
    struct sp_buf body;
    struct sp_arena arena;
    sp_ask_init(&ask, "metrics", config, "/v1/metrics/query_range");
    ask.query = config->positional[0];
    sp_ask_parameter(&ask, "q", ask.query);
    for (size_t i = 0; i < SP_ARRAY_LEN(passed); i++)
        sp_ask_option(&ask, passed[i]);
    if (sp_config_get(config, "exact")->flag)
        sp_ask_parameter(&ask, "exact", SP_SLICE("true"));
    int code = sp_ask_run(&ask, &body);
    if (code == SP_EXIT_OK) {
        sp_arena_init(&arena, METRICS_ARENA_BYTES);
        code = sp_config_get(config, "json")->flag ? print_json(sp_buf_slice(&body))
                                                   : print_table(sp_buf_slice(&body), &arena);
        sp_arena_fini(&arena);
        sp_buf_fini(&body);
    }
    sp_ask_fini(&ask);
    return code;
}

int sp_cmd_metrics(int argc, char **argv)
{
    const struct sp_command command = {
        .name = "metrics",
        .arguments = "QUERY",
        .summary = "Shows what a TraceQL metric is over time: { } | rate() by (service).",
        .options = options,
        .option_count = SP_ARRAY_LEN(options),
        .arguments_min = 1,
        .arguments_max = 1,
    };
    return sp_cmd_run(&command, argc, argv, run);
}
