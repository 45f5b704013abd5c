/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/path_sum.h: critical paths of many traces added up: which operations and which calls the time of the slow traces,
 * and of the usual ones, goes to. Included by analysis.h. What is counted, and why: docs/decisions/0081-critical-paths-added-up.md. */
#pragma once

#include "lib/model/model.h"

struct sp_trace;
struct sp_critical_path;

/* Adding and merging give the same sums in any order and grouping. One owner at a time. */
struct sp_path_sum;

enum sp_path_grain {
    SP_PATH_BY_OPERATION, /* a node is a service and an operation */
    SP_PATH_BY_SERVICE,   /* a node is a service; what it does within itself makes no edge */
};

/* bytes_max: of its memory. NULL: no memory. */
struct sp_path_sum *sp_path_sum_new(enum sp_path_grain grain, size_t bytes_max);
void sp_path_sum_free(struct sp_path_sum *sum); /* NULL is fine */

/* Adds the path of one trace, or of one span of it: path as sp_critical_path_of gave it for the row root, not empty.
 *
 * scratch  for what is thrown away afterwards: 24 bytes a span below root.
 * SP_LIMIT, SP_NO_MEMORY  of either memory: the sum may have a part of it and must be thrown away. */
SP_MUST_USE enum sp_status sp_path_sum_add(struct sp_path_sum *sum, const struct sp_trace *trace,
                                           uint32_t root, const struct sp_critical_path *path,
                                           struct sp_arena *scratch);
/* Errors as above. Both are of one grain. */
SP_MUST_USE enum sp_status sp_path_sum_merge(struct sp_path_sum *into,
                                             const struct sp_path_sum *from);

/* The paths around a quantile of their durations: by rank, q - w to q + w of all, where w is 0.05, or what there is on the
 * shorter side; at least one. Paths whose durations share a bucket of sp_histogram stay together, so there may be some more.
 * q below 0: all paths. */
struct sp_path_band {
    double q; /* in */
    uint64_t path_count;
    uint64_t duration_min_ns, duration_max_ns;
    __uint128_t duration_sum_ns;
    uint16_t first_bucket, last_bucket; /* internal */
};
void sp_path_sum_band(const struct sp_path_sum *sum, double q, struct sp_path_band *ret);

struct sp_path_share {
    __uint128_t self_ns;  /* on the paths of the band, at work itself */
    __uint128_t total_ns; /* with what it waited for; a node or edge inside itself counts once */
    uint64_t path_count;  /* paths of the band that it is on */
    /* of these the one with the largest total, and that; the smaller id among equals */
    struct sp_trace_id exemplar;
    uint64_t exemplar_ns;
};

/* A node, or a call from one node to another. */
struct sp_path_row {
    bool is_edge;
    struct sp_slice client_service, client_operation; /* of an edge; else "" */
    struct sp_slice service, operation;               /* the called one of an edge */
    struct sp_path_share *shares;                     /* one for each band */
};

/* Nodes first, then edges, each sorted by total in the last band, largest first, then by names; only those that are in a band.
 * Rows are memory of the arena, names of the sum.      SP_LIMIT, SP_NO_MEMORY: of the arena. */
SP_MUST_USE enum sp_status sp_path_sum_rows(const struct sp_path_sum *sum,
                                            const struct sp_path_band *bands, size_t band_count,
                                            struct sp_arena *arena, struct sp_path_row **ret_rows,
                                            size_t *ret_count);
