/* SPDX-License-Identifier: Apache-2.0
 *
 * query/latency.h: what the two ways to an answer of /v1/latency share: rollups of the store (latency.c), and a pass over all spans
 * (latency_scan.c), which any field can be asked of, and exact quantiles. */
#pragma once

#include "query/quantiles.h"
#include "query/steps.h"

/* Rows of the table in query/routes.c, behind from and to. */
enum sp_latency_parameter {
    SP_LATENCY_SERVICE = 2,
    SP_LATENCY_OPERATION,
    SP_LATENCY_KIND,
    SP_LATENCY_QUANTILES,
    SP_LATENCY_STEP,
    SP_LATENCY_BY,
    SP_LATENCY_EXACT
};

#define SP_LATENCY_KIND_ANY 6 /* behind OTLP's numbers */

/* Reasons and tests: docs/limits.md. */
#define SP_LATENCY_KEYS_MAX   8u
#define SP_LATENCY_SERIES_MAX 10000u

struct sp_latency_question {
    struct sp_query_quantile quantiles[SP_QUERY_QUANTILES_MAX];
    size_t quantile_count;
    struct sp_time_range range;
    bool is_series;
    struct sp_query_steps steps; /* of a series */
    bool by_service;             /* all operations of a service and kind are one */
    bool exact;
    struct sp_slice by; /* fields; "" for those that the rollups have */
};

/* Answers by a pass over all spans. SP_INVALID_ARGUMENT: by.   SP_LIMIT: too many rows, or memory. Errors of the store. */
SP_MUST_USE enum sp_status sp_latency_scan(struct sp_query_call *call,
                                           const struct sp_latency_question *question,
                                           struct sp_error *reterr);
