/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/edge_rollup.h: calls between services by minute, as sums that parts can be taken out of again, so that traces which lie
 * in several segments are counted exactly (docs/decisions/0043-exact-graph.md):
 *
 *   R(S) of a segment:      sp_edge_counter_add for all its blocks in order, then sp_edge_counter_finish
 *   D(S) of a segment:      sp_edge_rollup_correct with each trace that older segments hold, too: (spans there, spans here)
 *   of the head:            sp_edge_rollup_extend with each trace: (spans in segments, spans in the head)
 *   a graph:                sp_edge_rollup_read of every R and D, the head's, then sp_edge_rollup_graph
 *
 * Internal to storage/. Knows neither engines nor disks. One owner at a time. */
#pragma once

#include "storage/rollup.h"

/* An edge as rollups tell edges apart: by the types of its nodes, too. The bytes of one are its key: no padding. */
struct sp_edge_key {
    uint32_t client, server; /* numbers of texts */
    uint32_t client_type, server_type, type;
};

/* Calls of one duration in one trace. */
struct sp_edge_candidate {
    uint64_t duration_ns;
    struct sp_trace_id trace_id;
    uint32_t times;
};

/* The slowest, slowest first; of equally slow ones the smaller trace id. */
struct sp_edge_candidates {
    struct sp_edge_candidate *items; /* heap */
    uint32_t count, cap;
};

struct sp_edge_row {
    uint32_t minute, edge;
    uint64_t calls, errors; /* modulo 2^64, as everything that can be taken out */
    uint64_t client_sum_ns, server_sum_ns;
    struct sp_edge_candidates added, taken; /* nothing stands in both */
    /* the slowest that was forgotten from taken; nothing that is not slower can be trusted. times 0: none was */
    struct sp_edge_candidate forgotten;
};

/* What is kept for each row: in segments, and while an answer is summed up. */
#define SP_EDGE_ADDED_MAX  ((uint32_t)4)
#define SP_EDGE_TAKEN_MAX  ((uint32_t)8)
#define SP_EDGE_ANSWER_MAX ((uint32_t)64)

struct sp_edge_rollup {
    uint32_t added_max, taken_max;
    bool one_minute;        /* an answer: rows of all minutes are one */
    uint32_t minutes_a_row; /* as in struct sp_rollup; not with one_minute */
    struct sp_interner texts, edges;
    SP_VECTOR(struct sp_edge_row) rows;
    struct sp_counts row_numbers; /* minute << 32 | edge: number of the row, plus 1 */
    struct sp_counts
        cells; /* (row * 2 + (0: client, 1: server)) * SP_ROLLUP_CELLS + cell, as in struct sp_rollup */
};

/* For a segment or for corrections; and for an answer. */
void sp_edge_rollup_init(struct sp_edge_rollup *rollup);
void sp_edge_rollup_init_answer(struct sp_edge_rollup *rollup);
void sp_edge_rollup_fini(struct sp_edge_rollup *rollup); /* NULL and a finished one are fine */

/* Adding. SP_NO_MEMORY, SP_LIMIT, SP_CORRUPT (of a block or of bytes): the rollup may have a part of it and must be thrown away. */

enum sp_edge_sign { SP_EDGE_ADD, SP_EDGE_TAKE };

/* The calls of one trace, as sp_graph_calls finds them in these spans. */
SP_MUST_USE enum sp_status sp_edge_rollup_add_trace(struct sp_edge_rollup *rollup,
                                                    const struct sp_batch *trace,
                                                    enum sp_edge_sign sign,
                                                    struct sp_error *reterr);
/* What a trace that lies in several parts lacks: the calls of all its spans together, less those of each part. The parts, and
 * the spans in them, in the order in which they were acked. TAKE: takes such a correction back. */
SP_MUST_USE enum sp_status sp_edge_rollup_correct(struct sp_edge_rollup *rollup,
                                                  const struct sp_batch *parts, size_t part_count,
                                                  enum sp_edge_sign sign, struct sp_error *reterr);

/* What a trace gains by more spans, which were acked later: its calls with them, less those without. */
SP_MUST_USE enum sp_status sp_edge_rollup_extend(struct sp_edge_rollup *rollup,
                                                 const struct sp_batch *before,
                                                 const struct sp_batch *more,
                                                 struct sp_error *reterr);

/* What the last more_count spans of a trace add to its calls, when other spans of it are gone: what they add now (without), less
 * what they added before (with). Both end with these spans. */
SP_MUST_USE enum sp_status sp_edge_rollup_rebase(struct sp_edge_rollup *rollup,
                                                 const struct sp_batch *with,
                                                 const struct sp_batch *without, size_t more_count,
                                                 struct sp_error *reterr);

/* ---- counting a segment ---- */

/* Finds the calls of the blocks of one segment without making spans of them, but for traces that go on in the next block. */
struct sp_edge_counter;

/* names: of brokers, in this segment. */
SP_MUST_USE enum sp_status sp_edge_counter_new(struct sp_edge_rollup *rollup,
                                               enum sp_peer_names names,
                                               struct sp_edge_counter **ret,
                                               struct sp_error *reterr);
void sp_edge_counter_free(struct sp_edge_counter *counter); /* NULL is fine */
/* The next block, in order. It need not outlive the call. */
SP_MUST_USE enum sp_status sp_edge_counter_add(struct sp_edge_counter *counter,
                                               const struct sp_block *block,
                                               struct sp_error *reterr);
/* The last trace. */
SP_MUST_USE enum sp_status sp_edge_counter_finish(struct sp_edge_counter *counter,
                                                  struct sp_error *reterr);

/* ---- bytes ---- */

/* Appends to out; rows whose sums are all zero are left out. */
SP_MUST_USE enum sp_status sp_edge_rollup_encode(const struct sp_edge_rollup *rollup,
                                                 struct sp_buf *out, struct sp_error *reterr);
/* Adds the minutes that lie in range, widened to whole ones (sp_time_range_minutes), of what an encode made. Reads only these. */
SP_MUST_USE enum sp_status sp_edge_rollup_read(struct sp_slice bytes, struct sp_time_range range,
                                               struct sp_edge_rollup *into,
                                               struct sp_error *reterr);
/* The same of a rollup in memory. */
SP_MUST_USE enum sp_status sp_edge_rollup_merge(struct sp_edge_rollup *into,
                                                const struct sp_edge_rollup *from,
                                                struct sp_time_range range,
                                                struct sp_error *reterr);

/* Adds what is left to a graph: edges with calls. SP_CORRUPT: there are less than none of something, which only damage, or a sum that
 * lacks a part, can be. */
SP_MUST_USE enum sp_status sp_edge_rollup_graph(const struct sp_edge_rollup *rollup,
                                                struct sp_graph *graph, struct sp_error *reterr);

/* ---- for the files of the rollup ---- */

struct sp_edge_call {
    uint32_t edge, minute;
    bool error, has_client, has_server;
    uint64_t client_ns, server_ns;
};

/* The number of an edge, made when it is new. SP_INTERNER_NONE: no memory. */
uint32_t sp_edge_rollup_edge(struct sp_edge_rollup *rollup, struct sp_slice client,
                             enum sp_node_type client_type, struct sp_slice server,
                             enum sp_node_type server_type, enum sp_connection_type type);
/* UINT32_MAX: no memory, or too many. */
uint32_t sp_edge_rollup_row(struct sp_edge_rollup *rollup, uint32_t minute, uint32_t edge);
/* False: no memory. */
SP_MUST_USE bool sp_edge_rollup_call(struct sp_edge_rollup *rollup, const struct sp_edge_call *call,
                                     const struct sp_trace_id *trace_id, enum sp_edge_sign sign);
SP_MUST_USE bool sp_edge_row_candidate(const struct sp_edge_rollup *rollup, struct sp_edge_row *row,
                                       struct sp_edge_candidate candidate, enum sp_edge_sign sign);
/* Something at least as fast as this was taken and is not known any more. times 0: nothing was. */
void sp_edge_row_forget(struct sp_edge_row *row, const struct sp_edge_candidate *candidate);
#define SP_EDGE_CELLS (2 * (uint64_t)SP_ROLLUP_CELLS)          /* of a row */
enum sp_status sp_edge_rollup_failed(struct sp_error *reterr); /* SP_NO_MEMORY */

static inline const struct sp_edge_key *sp_edge_key_at(const struct sp_edge_rollup *rollup,
                                                       uint32_t number)
{
    return (const struct sp_edge_key *)(const void *)rollup->edges.texts.items[number].ptr;
}
