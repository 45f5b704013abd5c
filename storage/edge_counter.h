/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/edge_counter.h: the inside of a counter of calls, for its files: edge_counter.c (blocks), edge_block.c (what calls need of
 * the rows of a block), edge_calls.c (the calls of a trace). Internal to these. */
#pragma once

#include "storage/edge_rollup.h"

struct sp_edge_template {
    uint32_t service; /* number of a text of the rollup */
    int32_t kind;
    bool error;
    uint32_t first_name,
        name_count; /* in name_columns: those whose attributes may name the other end of a call */
};

/* A span of the trace at hand. Numbers of nodes are SP_ROW_NONE where there is none. */
struct sp_edge_node {
    uint64_t id, start_unix_ns;
    uint32_t row, service;
    int32_t kind;
    uint32_t parent, other, mark;
    uint32_t outer_client; /* see lib/analysis/graph_calls.c */
    uint32_t linked;       /* a producer: the consumer last paired with it, plus 1 */
    bool is_duplicate, is_cut_off, is_error;
    bool is_matched; /* or wraps: makes no call of its own */
};

struct sp_edge_counter {
    struct sp_edge_rollup *rollup;
    enum sp_peer_names names;

    /* the last trace of the block before: it may go on */
    SP_VECTOR(struct sp_span) kept;
    struct sp_arena kept_arena;

    /* of the block at hand */
    const struct sp_block *block;
    SP_VECTOR(struct sp_edge_template) templates;
    SP_VECTOR(uint32_t) name_columns;
    SP_VECTOR(uint32_t) next_values;  /* of each column */
    SP_VECTOR(uint32_t) first_places; /* of each row: in places */
    SP_VECTOR(uint32_t) places;       /* places of values in the columns of the row's template */
    SP_VECTOR(uint32_t) first_links;  /* of each row, and one more; empty: no links */

    /* of the trace at hand */
    SP_VECTOR(struct sp_edge_node) nodes;
    SP_VECTOR(uint32_t) slots; /* hash table of span ids: node plus 1 */
    uint32_t slot_mask;
    uint64_t seed; /* of the slots, once there were many */
    const struct sp_trace_id *trace_id;
};

/* The calls of the traces [from, to) of a block without attributes beyond its columns. */
SP_MUST_USE enum sp_status sp_edge_counter_calls(struct sp_edge_counter *counter,
                                                 const struct sp_block *block, uint32_t from,
                                                 uint32_t to, struct sp_error *reterr);
/* Adds those of one trace. False: no memory. */
SP_MUST_USE bool sp_edge_counter_trace(struct sp_edge_counter *counter, uint32_t trace);
/* The edge of a call whose other end is not there. SP_INTERNER_NONE: no memory. */
uint32_t sp_edge_counter_half_edge(struct sp_edge_counter *counter, uint32_t row,
                                   bool *ret_is_client);
