/* SPDX-License-Identifier: Apache-2.0
 *
 * query/graph_answer.h: what the answers of /v1/graph share. */
#pragma once

#include "query/graph_links.h"
#include "query/internal.h"

struct sp_graph_question {
    struct sp_time_range range; /* whole minutes, unless it is exact */
    struct sp_slice focus;
    uint64_t hops;
    bool links; /* those across traces, too */
};

/* Edges in parts of time. */
SP_MUST_USE enum sp_status sp_graph_answer_series(struct sp_query_call *call,
                                                  const struct sp_graph_question *question,
                                                  const struct sp_query_steps *steps,
                                                  struct sp_error *reterr);

/* Edges of the range against those of another one. */
SP_MUST_USE enum sp_status sp_graph_answer_difference(struct sp_query_call *call,
                                                      const struct sp_graph_question *question,
                                                      struct sp_time_range before,
                                                      struct sp_error *reterr);

/* Edges of the calls whose time lies in a range that need not be whole minutes, with every duration; memory of the call, but for histograms
 * (sp_graph_edges_fini). SP_LIMIT: memory. Errors of the store. */
SP_MUST_USE enum sp_status sp_graph_scan(struct sp_query_call *call, struct sp_time_range range,
                                         struct sp_graph_exact *ret, struct sp_error *reterr);

/* How calls of an edge were found: a set of bits. */
enum sp_graph_way {
    SP_GRAPH_WAY_DIRECT = 1,
    SP_GRAPH_WAY_MESSAGE = 2,
    SP_GRAPH_WAY_LINK = 4,
    SP_GRAPH_WAY_TO_DATABASE = 8,
    SP_GRAPH_WAY_TO_BROKER = 16,
    SP_GRAPH_WAY_TO_OTHERS = 32,
    SP_GRAPH_WAY_FROM_BROKER = 64,
    SP_GRAPH_WAY_FROM_NOBODY = 128,
};
unsigned sp_graph_way_of(const struct sp_graph_call *call);

/* A query whose spans are the calls of the edge, one each (but those whose consumer links to its producer within the trace): of calls that were
 * found in these ways. Appends nothing if there is none: they are along links across traces, or the name stands for several destinations, or was
 * cut. */
void sp_graph_condition(struct sp_slice client, struct sp_slice server, unsigned ways,
                        struct sp_buf *out);

/* ---- in query/graph_write.c ---- */

#define SP_GRAPH_PERCENTILES 4
extern const double sp_graph_percentiles[SP_GRAPH_PERCENTILES];
extern const char *const sp_graph_percentile_names[SP_GRAPH_PERCENTILES];
/* durations: NULL, or those that the histogram has, one by one. */
void sp_graph_json_latency(struct sp_json_writer *w, const char *key,
                           const struct sp_histogram *histogram,
                           const struct sp_graph_durations *durations);
void sp_graph_json_exemplar(struct sp_json_writer *w, const struct sp_graph_edge *edge);
