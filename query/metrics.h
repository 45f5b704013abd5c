/* SPDX-License-Identifier: Apache-2.0
 *
 * query/metrics.h: a query that ends in rate(), quantile_over_time(), ... becomes series of numbers. What the functions mean:
 * docs/traceql.md.
 *
 *   text -> plan (metrics_plan.c) -> for each metric of it spans counted into a set (metrics_count.c) -> results, combined by what
 *   stands behind (metrics_result.c) -> JSON (metrics.c) */
#pragma once

#include "query/internal.h"
#include "query/rows.h"

/* Reasons and tests: docs/limits.md. */
#define SP_METRICS_POINTS_MAX ((uint64_t)11000) /* of a series */
#define SP_METRICS_SERIES_MAX ((uint32_t)1000)  /* of an answer */
#define SP_METRICS_PARTS_MAX  ((uint32_t)16)    /* metrics with arithmetic between them */

/* Of compare(): values of each key, keys that are looked at, series of an answer. */
#define SP_METRICS_COMPARE_TOP_MAX    ((uint32_t)1000)
#define SP_METRICS_COMPARE_KEYS_MAX   ((uint32_t)1000)
#define SP_METRICS_COMPARE_SERIES_MAX ((uint32_t)20000)
/* What stands in a series for the values of a key that are not shown. */
#define SP_METRICS_TOO_MANY_VALUES "__too_many_values__"

/* Of a heatmap. */
#define SP_HEATMAP_STEPS_MAX 400
#define SP_HEATMAP_ROWS_MAX  512

/* Moment i is [from + i * step, from + (i + 1) * step), the last one cut at to. */
struct sp_moments {
    uint64_t from_unix_ns, to_unix_ns, step_ns;
    double per_ns; /* 1 / step_ns */
    uint32_t count;
};

/* The moment of a start in the range. */
uint32_t sp_moment_of(const struct sp_moments *moments, uint64_t start_unix_ns);

struct sp_metrics_options {
    struct sp_moments moments;
    bool exact;             /* quantiles from all numbers */
    bool exemplars;         /* the slowest span of each moment */
    uint32_t exemplars_max; /* of each series */
};

/* What the hints of the query change of the options. SP_INVALID_ARGUMENT  one is not known, says what it cannot, or stands twice. */
SP_MUST_USE enum sp_status sp_metrics_hints(const struct sp_traceql_query *query,
                                            struct sp_metrics_options *options,
                                            struct sp_error *reterr);

/* One metric of a query: { ... } | rate() by (...). */
struct sp_metrics_part {
    const struct sp_traceql_node *pipeline, *metric;
    uint32_t metric_stage; /* its place in the pipeline */
    struct sp_rows_question
        question; /* condition: of the one filter in front of it, if that is all there is */
};

struct sp_metrics_plan {
    const struct sp_traceql_query *query;
    struct sp_metrics_part parts[SP_METRICS_PARTS_MAX];
    uint32_t part_count;
};

/* SP_INVALID_ARGUMENT  the query does not end in a metric.   SP_UNIMPLEMENTED.   SP_LIMIT  too many parts. */
SP_MUST_USE enum sp_status sp_metrics_plan(const struct sp_traceql_query *query,
                                           struct sp_metrics_plan *ret, struct sp_error *reterr);

/* Fills a set with what the spans of a part are: counts, sums or sketches of its number. set is initialised here, its memory is the arena's;
 * what counting needs besides is half of the query's memory. Errors of the store; SP_LIMIT; what call->stop says. *scanned is added to. */
SP_MUST_USE enum sp_status sp_metrics_count(struct sp_query_call *call,
                                            const struct sp_metrics_plan *plan,
                                            const struct sp_metrics_part *part,
                                            const struct sp_metrics_options *options,
                                            struct sp_series_set *set, struct sp_arena *arena,
                                            struct sp_scanned *scanned, struct sp_error *reterr);

/* ---- results ---- */

struct sp_result_series {
    const struct sp_label *labels;
    uint32_t label_count;
    double *values;                      /* one for each moment; NaN: none */
    const struct sp_exemplar *exemplars; /* the same; NULL: none */
};

struct sp_result {
    const struct sp_slice *keys; /* names of the labels */
    uint32_t key_count;
    struct sp_result_series *series; /* sorted by labels */
    uint32_t count, moment_count;
    bool is_sketch;     /* has quantiles with an error */
    bool is_comparison; /* the labels are what a series is, a key, and its value */
};

/* The series of a part, made of its set: one for each quantile or bucket. Memory of arena. SP_LIMIT, SP_NO_MEMORY */
SP_MUST_USE enum sp_status sp_result_make(struct sp_arena *arena,
                                          const struct sp_metrics_part *part,
                                          const struct sp_metrics_options *options,
                                          struct sp_series_set *set, struct sp_result *ret,
                                          struct sp_error *reterr);

/* compare(): counts, and makes the series. The same errors, and those of sp_metrics_count. */
SP_MUST_USE enum sp_status sp_metrics_compare(struct sp_query_call *call,
                                              const struct sp_metrics_plan *plan,
                                              const struct sp_metrics_part *part,
                                              const struct sp_metrics_options *options,
                                              struct sp_arena *arena, struct sp_result *ret,
                                              struct sp_scanned *scanned, struct sp_error *reterr);
/* Are its numbers in order? SP_INVALID_ARGUMENT */
SP_MUST_USE enum sp_status sp_metrics_check_compare(const struct sp_traceql_node *metric,
                                                    struct sp_error *reterr);

/* All parts of the plan, with arithmetic and what stands behind. results: of its parts, changed on the way. */
SP_MUST_USE enum sp_status sp_result_combine(struct sp_arena *arena,
                                             const struct sp_metrics_plan *plan,
                                             struct sp_result *results, struct sp_result *ret,
                                             struct sp_error *reterr);

/* Of the exemplars that a series tells, the last of the max slowest; NULL: all are. */
SP_MUST_USE enum sp_status sp_metrics_last_exemplar(struct sp_arena *arena,
                                                    const struct sp_result_series *series,
                                                    uint32_t moment_count, uint32_t max,
                                                    const struct sp_exemplar **ret,
                                                    struct sp_error *reterr);
/* Does a series tell an exemplar there? It has exemplars. last: as above. */
bool sp_metrics_has_exemplar(const struct sp_result_series *series, uint32_t moment,
                             const struct sp_exemplar *last);

/* What a number of a field is shown in: durations in seconds. */
double sp_metrics_scale(const struct sp_traceql_node *field);
