/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_view.h: reading from one state of the store: a view, its parts, their blocks, and the questions that are answered so.
 * Internal to storage/rocks_*.c.
 *
 *   view --> parts (segments, head blocks) --> cursor: a part block by block --> walk: the same for traces that ascend
 *        --> fresh entries, or made parts, too (flatten) */
#pragma once

#include "storage/rocks.h"

/* ---- rocks_view.c ---- */

/* A segment, or a block in memory. */
struct sp_rocks_part {
    struct sp_segment *segment;
    struct sp_segment_links links; /* of the segment, then */
    struct sp_block_shared *memory;
};

struct sp_rocks_view { /* stays where it is, and one thread's */
    struct sp_rocks *rocks;
    struct sp_gate_pass pass;
    struct sp_kv *kv; /* where segments are read; a follower's is pinned, with a reference */
    struct sp_rocks_part *parts; /* heap; in order; each with a reference */
    uint32_t part_count;
    struct sp_rocks_entry **fresh; /* heap; behind the parts; each with a reference */
    size_t fresh_count;
};

SP_MUST_USE enum sp_status sp_rocks_view_open(struct sp_rocks *rocks, struct sp_rocks_view *ret,
                                              struct sp_error *reterr);
/* The same for the store's own threads and its state, which wait for no repair: also while the store is still being opened, of what is
 * there so far. */
SP_MUST_USE enum sp_status sp_rocks_view_open_at_once(struct sp_rocks *rocks,
                                                      struct sp_rocks_view *ret,
                                                      struct sp_error *reterr);
void sp_rocks_view_close(struct sp_rocks_view *view);
/* Leaves the segments and the first blocks of the head. */
void sp_rocks_view_keep(struct sp_rocks_view *view, uint32_t block_count);
/* Makes parts of the fresh entries: then the parts are all there is. */
SP_MUST_USE enum sp_status sp_rocks_view_flatten(struct sp_rocks_view *view,
                                                 struct sp_error *reterr);

SP_MUST_USE enum sp_status sp_rocks_traces_read(struct sp_store *store,
                                                const struct sp_trace_id *ids, size_t count,
                                                const struct sp_traces_reader *reader,
                                                struct sp_error *reterr);
enum sp_status sp_rocks_trace_read(struct sp_store *store, const struct sp_trace_id *id,
                                   struct sp_arena *arena, const struct sp_batch **ret_batch,
                                   struct sp_error *reterr);

/* ---- rocks_cursor.c: the blocks of a part ---- */

/* Reads a part block by block. */
struct sp_part_cursor {
    const struct sp_rocks_part *part;
    struct sp_block_reader reader; /* of a segment */
    struct sp_block_cache *cache;  /* the store's */
    const struct sp_block *block;  /* the present one; NULL: none */
    uint32_t block_number, block_count;
};

SP_MUST_USE enum sp_status sp_part_cursor_init(struct sp_part_cursor *cursor,
                                               const struct sp_rocks_part *part,
                                               const struct sp_rocks_view *view,
                                               struct sp_error *reterr);
void sp_part_cursor_fini(struct sp_part_cursor *cursor);

/* Ranges of starts and rows of a block, known without reading it. */
struct sp_segment_block sp_part_cursor_info(const struct sp_part_cursor *cursor,
                                            uint32_t block_number);
/* Opens a block: of a segment its head is loaded. */
SP_MUST_USE enum sp_status sp_part_cursor_open(struct sp_part_cursor *cursor, uint32_t block_number,
                                               struct sp_error *reterr);
/* Loads more of the present block: the chunk, a column, everything. Nothing to do in memory. */
SP_MUST_USE enum sp_status sp_part_cursor_fixed(struct sp_part_cursor *cursor, enum sp_chunk which,
                                                struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_part_cursor_column(struct sp_part_cursor *cursor, uint32_t column,
                                                 struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_part_cursor_all(struct sp_part_cursor *cursor,
                                              struct sp_error *reterr);

/* Opens a block and looks for a trace: its rows are [*ret_first, *ret_first + *ret_count). */
SP_MUST_USE enum sp_status sp_part_cursor_find(struct sp_part_cursor *cursor, uint32_t block_number,
                                               const struct sp_trace_id *id, uint32_t *ret_first,
                                               uint32_t *ret_count, struct sp_error *reterr);

/* The present block as a view; valid until the next open. */
void sp_part_cursor_view(struct sp_part_cursor *cursor, struct sp_block_view *ret);

/* Spans of one trace, collected part by part; the arena's memory. */
struct sp_rocks_spans {
    struct sp_arena *arena;
    struct sp_span *spans;
    size_t count, cap;
};

/* Room for so many more behind the last. */
SP_MUST_USE enum sp_status sp_rocks_spans_reserve(struct sp_rocks_spans *collected, size_t count,
                                                  struct sp_error *reterr);
/* Adds spans as they are: what they point at is not copied. */
SP_MUST_USE enum sp_status sp_rocks_spans_add(struct sp_rocks_spans *collected,
                                              const struct sp_span *spans, size_t count,
                                              struct sp_error *reterr);

/* Adds the spans of a trace in this part, if there are any. Ids may come in any order; ascending ones read each block once. */
SP_MUST_USE enum sp_status sp_part_cursor_collect(struct sp_part_cursor *cursor,
                                                  const struct sp_trace_id *id, uint64_t hash,
                                                  struct sp_rocks_spans *collected,
                                                  struct sp_error *reterr);
/* The same for who wants one trace only: of its blocks no more is read than its rows need. */
SP_MUST_USE enum sp_status sp_part_cursor_collect_one(struct sp_part_cursor *cursor,
                                                      const struct sp_trace_id *id, uint64_t hash,
                                                      struct sp_rocks_spans *collected,
                                                      struct sp_error *reterr);

/* ---- rocks_walk.c: one part on the way from its first block to its last, for ids that ascend ---- */

struct sp_part_walk {
    struct sp_part_cursor cursor;
    bool dense;       /* many of its traces are asked for: its filter would tell little */
    uint32_t block;   /* dense: none before it holds a trace that is still to come */
    uint32_t trace;   /* of the cursor's block: so many are behind us */
    uint32_t entered; /* blocks, so far */
};

/* id_count: how many are going to be asked for. */
SP_MUST_USE enum sp_status sp_part_walk_init(struct sp_part_walk *walk,
                                             const struct sp_rocks_part *part,
                                             const struct sp_rocks_view *view, size_t id_count,
                                             struct sp_error *reterr);
void sp_part_walk_fini(struct sp_part_walk *walk);

/* The blocks [*ret_first, *ret_end) of the part that may hold a trace behind those before. */
void sp_part_walk_find(struct sp_part_walk *walk, const struct sp_trace_id *id, uint64_t hash,
                       uint32_t *ret_first, uint32_t *ret_end);
/* The rows of a trace in one of them, behind those of the traces before; the cursor is at the block then. */
SP_MUST_USE enum sp_status sp_part_walk_rows(struct sp_part_walk *walk, uint32_t block_number,
                                             const struct sp_trace_id *id, uint32_t *ret_first,
                                             uint32_t *ret_count, struct sp_error *reterr);

SP_MUST_USE enum sp_status sp_rocks_traces_measure(struct sp_store *store,
                                                   const struct sp_trace_id *ids, size_t count,
                                                   const struct sp_stop *stop,
                                                   struct sp_trace_measure *ret,
                                                   struct sp_error *reterr);

/* ---- rocks_traces.c ---- */

/* Does a range hold a time between these two? */
bool sp_rocks_overlaps(struct sp_time_range range, uint64_t min_unix_ns, uint64_t max_unix_ns);

/* struct sp_trace_source.each; cookie is a flat view. */
enum sp_status sp_rocks_each_trace(
    void *cookie, struct sp_time_range range, const struct sp_stop *stop,
    enum sp_status (*visit)(void *visitor, const struct sp_batch *trace, struct sp_error *reterr),
    void *visitor, struct sp_error *reterr);

/* ---- rocks_scan.c ---- */

enum sp_status
sp_rocks_scan(struct sp_store *store, const struct sp_scan *scan, const struct sp_stop *stop,
              enum sp_visit (*visit)(void *cookie, const struct sp_candidate *candidate),
              void *cookie, struct sp_scanned *ret_scanned, struct sp_error *reterr);

/* ---- rocks_survey.c ---- */

enum sp_status sp_rocks_survey(struct sp_store *store, const struct sp_scan *scan,
                               const struct sp_surveyor *surveyors, uint32_t surveyor_count,
                               const struct sp_stop *stop, struct sp_scanned *ret_scanned,
                               struct sp_error *reterr);

/* ---- rocks_graph.c: calls of traces that lie in several parts ---- */

/* What a new segment changes in traces that older ones hold, too: ids, ascending; of the view's parts the first are the older segments, the others the blocks that it is
 * made of. A trace that is too large, or whose older spans are damaged, is left out and counted in *ret_left_out: its parts then count each for itself. */
SP_MUST_USE enum sp_status sp_rocks_correct(const struct sp_rocks_view *view, uint32_t older_count,
                                            const struct sp_trace_id *ids, size_t id_count,
                                            struct sp_edge_rollup *edges, size_t *ret_left_out,
                                            struct sp_error *reterr);

/* What changes in the edges of a later segment when another one is removed. Numbers of parts, which are segments up to the later
 * one; ids: traces that both hold. left_out as above. */
SP_MUST_USE enum sp_status sp_rocks_uncount(const struct sp_rocks_view *view, uint32_t removed,
                                            uint32_t later, const struct sp_trace_id *ids,
                                            size_t id_count, struct sp_edge_rollup *edges,
                                            size_t *ret_left_out, struct sp_error *reterr);

/* The edges of the later segment from all its traces, as if the removed one had never been, and how many of them no older one holds: when it is not known which
 * of them the removed one had. SP_CORRUPT, SP_LIMIT: of one trace it cannot be said; edges are to be thrown away. */
SP_MUST_USE enum sp_status sp_rocks_recount(const struct sp_rocks_view *view, uint32_t removed,
                                            uint32_t later, const struct sp_trace_id *ids,
                                            size_t id_count, struct sp_edge_rollup *edges,
                                            uint64_t *ret_new_count, struct sp_error *reterr);

enum sp_status sp_rocks_graph(struct sp_store *store, struct sp_time_range range,
                              const struct sp_stop *stop, struct sp_arena *arena,
                              struct sp_graph_edge **ret_edges, size_t *ret_count,
                              struct sp_error *reterr);
