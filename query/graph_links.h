/* SPDX-License-Identifier: Apache-2.0
 *
 * query/graph_links.h: messages whose consumer has a trace of its own and links to its producer, found at the time of a question:
 * docs/decisions/0109-links-across-traces.md says what counts. */
#pragma once

#include "query/graph.h"
#include "query/internal.h"
#include "query/search_stream.h"
#include "query/steps.h"

/* Links that are looked up at once take no more than this part of a query's memory; who linked, and the ids of traces, three times as
 * much. */
#define SP_GRAPH_LINKS_MEMORY_PART ((size_t)64)

/* Of which time, and where the calls go. */
struct sp_graph_links_question {
    struct sp_time_range range; /* of the starts of consumers */
    uint64_t deadline_ns;       /* monotonic: ends with what there is then */
    struct sp_graph *graphs;    /* of each step; without steps one */
    const struct sp_query_steps *steps;
    struct sp_search_stream *stream; /* NULL, or is told how far it is */
    /* NULL, or is shown each call, too, which is valid during that */
    void (*visit)(void *cookie, const struct sp_graph_call *call);
    void *cookie;
};

/* Adds the calls along all links of the range, and counts links. What time did not suffice for is counted and no error.
 * SP_LIMIT  a trace is larger than the query's memory, or the graph has too many names. */
SP_MUST_USE enum sp_status sp_graph_links_read(struct sp_query_call *call,
                                               const struct sp_graph_links_question *question,
                                               struct sp_graph_links *ret, struct sp_error *reterr);

/* Puts edges of links among those of the store, in their order. The histograms of both are afterwards those of *edges; on failure those of
 * the links are still the graph's. */
SP_MUST_USE enum sp_status sp_graph_links_merge(struct sp_query_call *call, struct sp_graph *links,
                                                struct sp_graph_edge **edges, size_t *edge_count,
                                                struct sp_error *reterr);
