/* SPDX-License-Identifier: Apache-2.0
 *
 * query/metrics_hints.c: with (name = value, ...) behind a metric: what each hint may say, and what it changes. */
#include "query/metrics.h"

#include <math.h>
#include <stdlib.h>

/* What a hint takes; a set of bits. */
enum { TAKES_SWITCH = 1, TAKES_COUNT = 2, TAKES_SHARE = 4 };

/* Hints of Tempo that ask for less than everything are taken, and mean nothing here: every answer is of all spans. */
static const struct hint_row {
    const char *name;
    unsigned takes;
    const char *wrong;
} rows[] = {
    {"exact", TAKES_SWITCH, "expected exact = true or exact = false"},
    {"exemplars", TAKES_SWITCH | TAKES_COUNT,
     "expected exemplars = true, exemplars = false or how many of each series, as exemplars = 10"},
    {"sample", TAKES_SWITCH | TAKES_SHARE,
     "expected sample = true, sample = false or a share between 0 and 1"},
    {"span_sample", TAKES_SHARE, "expected span_sample = a share between 0 and 1"},
    {"trace_sample", TAKES_SHARE, "expected trace_sample = a share between 0 and 1"},
    {"most_recent", TAKES_SWITCH, "expected most_recent = true or most_recent = false"},
    {"extrapolate", TAKES_SWITCH, "expected extrapolate = false"},
};

static bool fits(unsigned takes, const struct sp_traceql_value *value)
{
    if (value->type == SP_TRACEQL_TYPE_BOOL)
        return (takes & TAKES_SWITCH) != 0;
    if (value->type == SP_TRACEQL_TYPE_INT && (takes & TAKES_COUNT) != 0)
        return value->integer >= 0;
    if (value->type == SP_TRACEQL_TYPE_INT)
        return (takes & TAKES_SHARE) != 0 && (value->integer == 0 || value->integer == 1);
    return value->type == SP_TRACEQL_TYPE_FLOAT && (takes & TAKES_SHARE) != 0 &&
           value->number >= 0 && value->number <= 1;
}

static const struct hint_row *find_row(struct sp_slice name)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++)
        if (sp_slice_equal_cstr(name, rows[i].name))
            return &rows[i];
    return NULL;
}

static enum sp_status check_hint(const struct sp_traceql_hint *hint, const struct hint_row *row,
                                 struct sp_error *reterr)
{
    if (!row)
        return sp_error_set_at(reterr, SP_INVALID_ARGUMENT, hint->offset,
                               "expected one of the hints exact, exemplars, sample, "
                               "span_sample, trace_sample, most_recent, extrapolate");
    if (!fits(row->takes, &hint->value))
        return sp_error_set_at(reterr, SP_INVALID_ARGUMENT, hint->offset, "%s", row->wrong);
    bool extrapolates = sp_slice_equal_cstr(hint->name, "extrapolate") && hint->value.boolean;
    if (extrapolates) /* another number than the one that is asked for would be a wrong answer */
        return sp_error_set_at(reterr, SP_INVALID_ARGUMENT, hint->offset,
                               "metrics are of the spans that are stored: there is no "
                               "extrapolation to those that were sampled away before");
    return SP_OK;
}

static void apply(const struct sp_traceql_hint *hint, struct sp_metrics_options *options)
{
    const struct sp_traceql_value *value = &hint->value;
    bool counts = value->type == SP_TRACEQL_TYPE_INT;
    if (sp_slice_equal_cstr(hint->name, "exact"))
        options->exact = value->boolean;
    if (!sp_slice_equal_cstr(hint->name, "exemplars"))
        return;
    options->exemplars = counts ? value->integer > 0 : value->boolean;
    if (counts && value->integer < (int64_t)UINT32_MAX)
        options->exemplars_max = (uint32_t)value->integer;
}

enum sp_status sp_metrics_hints(const struct sp_traceql_query *query,
                                struct sp_metrics_options *options, struct sp_error *reterr)
{
    const struct hint_row *seen[SP_ARRAY_LEN(rows)];
    for (uint32_t i = 0; i < query->hint_count; i++) {
        const struct sp_traceql_hint *hint = &query->hints[i];
        const struct hint_row *row = find_row(hint->name);
        enum sp_status status = check_hint(hint, row, reterr);
        for (uint32_t s = 0; s < i && status == SP_OK; s++)
            if (seen[s] == row)
                status =
                    sp_error_set_at(reterr, SP_INVALID_ARGUMENT, hint->offset,
                                    "expected each hint once: %s stands here already", row->name);
        if (status != SP_OK)
            return status;
        seen[i] = row; /* each once, so there is room */
        apply(hint, options);
    }
    return SP_OK;
}

/* ---- exemplars ---- */

static int compare(const void *a, const void *b)
{
    return sp_exemplar_compare(*(const struct sp_exemplar *const *)a,
                               *(const struct sp_exemplar *const *)b);
}

enum sp_status sp_metrics_last_exemplar(struct sp_arena *arena,
                                        const struct sp_result_series *series,
                                        uint32_t moment_count, uint32_t max,
                                        const struct sp_exemplar **ret, struct sp_error *reterr)
{
    uint32_t count = 0;
    *ret = NULL;
    if (!series->exemplars || moment_count <= max)
        return SP_OK;
    const struct sp_exemplar **told =
        sp_arena_calloc(arena, moment_count, sizeof(const struct sp_exemplar *));
    if (!told)
        return sp_arena_failed(arena, reterr, "the series are larger than the query's memory");
    for (uint32_t m = 0; m < moment_count; m++)
        if (sp_metrics_has_exemplar(series, m, NULL))
            told[count++] = &series->exemplars[m];
    if (count <= max)
        return SP_OK;
    qsort(told, count, sizeof(const struct sp_exemplar *), compare);
    *ret = told[max - 1];
    return SP_OK;
}

bool sp_metrics_has_exemplar(const struct sp_result_series *series, uint32_t moment,
                             const struct sp_exemplar *last)
{
    const struct sp_exemplar *exemplar = &series->exemplars[moment];
    return exemplar->set && !isnan(series->values[moment]) &&
           (!last || sp_exemplar_compare(exemplar, last) <= 0);
}
