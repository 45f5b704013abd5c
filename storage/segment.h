/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/segment.h: a segment: the spans of a range of journal sequences, as blocks that together are sorted by trace. Written in
 * one batch, and not changed then, but for what it knows of older ones (struct sp_segment_links). What stands here is in memory for as long as the segment is stored: where its blocks are and which
 * traces they may hold. Internal to storage/. Knows the database through kv.h only.
 *
 *   family     key                                              value
 *   segments   segment id                                       header: counts, ranges, the first and last trace of each
 *                                                               block, the trace filter
 *   chunks     segment id, first trace id, block, chunk number  storage/block_codec.h
 *              segment id, 2 (1 byte), group, page              storage/value_filter.h
 *              segment id, enum sp_segment_rollup (1 byte)      storage/rollup.h, storage/edge_rollup.h
 *              the same, version (4 bytes; above 0)             the edges since older segments went (storage/rocks_retain.c)
 *
 * Rollups stand in the family of the chunks because they go away with them: who reads a segment that was merged meanwhile needs
 * both still. */
#pragma once

#include "storage/block_codec.h"
#include "storage/block_view.h"
#include "storage/filter.h"
#include "storage/kv.h"
#include "storage/value_filter.h"

struct sp_segment_block {
    struct sp_trace_id first, last; /* a trace with very many spans goes on in the next block */
    uint32_t rows;
    uint64_t start_min_unix_ns, start_max_unix_ns;
};

/* What depends on older segments, and changes when one of them is removed. */
struct sp_segment_links {
    uint64_t new_trace_count; /* traces that no older segment holds */
    uint32_t edges_version;   /* of its edges; 0: they are as they were when it was written */
};

/* Rollups that are kept by hour. */
enum { SP_SEGMENT_HOURS_COUNTS, SP_SEGMENT_HOURS_EDGES, SP_SEGMENT_HOURS_COUNT };

struct sp_segment {
    uint64_t id;
    uint64_t first_sequence, last_sequence; /* of the journal records it was made from */
    uint64_t span_count, trace_count;
    uint64_t received_max_unix_ns; /* the newest receipt of them; UINT64_MAX: not known */
    uint64_t bytes;                /* of its chunks, and of its values' pages */
    uint64_t start_min_unix_ns, start_max_unix_ns;
    enum sp_peer_names names; /* of brokers, in its calls */
    const struct sp_segment_block *blocks;
    uint32_t block_count;
    struct sp_filter filter;
    /* of blocks, from the first to the last; none: nothing is known of its values */
    const struct sp_value_group *groups;
    uint32_t group_count;
    struct sp_arena arena;         /* of all above */
    uint64_t header_checksum;      /* of the header that it was read from; 0: it was made here */
    struct sp_segment_links links; /* under the lock of the store, once it is in its list */
    struct sp_kept
        hours[SP_SEGMENT_HOURS_COUNT]; /* its rollups by hour; under the store's kept_lock */
    _Atomic uint32_t references;
};

struct sp_segment *sp_segment_ref(struct sp_segment *segment);
void sp_segment_unref(struct sp_segment *segment); /* NULL is fine */

/* ---- keys ---- */

#define SP_SEGMENT_KEY_BYTES          8
#define SP_CHUNK_KEY_BYTES            (8 + 16 + 4 + 2)
#define SP_ROLLUP_KEY_BYTES           (8 + 1)
#define SP_ROLLUP_VERSIONED_KEY_BYTES (SP_ROLLUP_KEY_BYTES + 4) /* with a version */

/* What is known of a segment by minute. Numbers are on disk. */
enum sp_segment_rollup {
    SP_SEGMENT_COUNTS = 0, /* operations, attribute keys */
    /* calls within the segment, and what its spans change in the traces of older ones: docs/decisions/0043-exact-graph.md */
    SP_SEGMENT_EDGES = 1,
};

void sp_segment_key(uint64_t id, uint8_t out[SP_SEGMENT_KEY_BYTES]);
SP_MUST_USE bool sp_segment_key_parse(struct sp_slice key, uint64_t *ret_id);
/* Returns the length of the key: that of version 0 has no number. */
size_t sp_segment_rollup_key(uint64_t id, enum sp_segment_rollup which, uint32_t version,
                             uint8_t out[SP_ROLLUP_VERSIONED_KEY_BYTES]);

/* Is this the key of edges of the segment that others have taken the place of? They go with the segment. */
bool sp_segment_edges_are_old(const struct sp_segment *segment, struct sp_slice key);

/* ---- writing ---- */

/* Collects the blocks of one segment into a batch. One owner. */
struct sp_segment_writer {
    struct sp_kv *kv;
    struct sp_kv_batch *batch; /* borrowed */
    struct sp_block_encoder *encoder;
    struct sp_segment *segment;      /* as far as it is known */
    struct sp_segment_block *blocks; /* heap */
    uint64_t *hashes;                /* heap; of the traces */
    uint32_t block_cap, hash_count, hash_cap;
    struct sp_trace_id last_trace;
    struct sp_value_items *values; /* heap; of the present group */
    const struct sp_block *block;  /* that is being added */
    struct sp_numbers_writer numbers;
    struct sp_zstd_packer *zstd; /* of numbers */
    SP_VECTOR(struct sp_value_group) groups;
};

SP_MUST_USE enum sp_status sp_segment_writer_init(struct sp_segment_writer *writer,
                                                  struct sp_kv *kv, struct sp_kv_batch *batch,
                                                  uint64_t id, struct sp_error *reterr);
void sp_segment_writer_fini(struct sp_segment_writer *writer);

/* Blocks come sorted by trace; none is empty. */
SP_MUST_USE enum sp_status sp_segment_writer_add(struct sp_segment_writer *writer,
                                                 const struct sp_block *block,
                                                 struct sp_error *reterr);

/* What a segment was made from. */
struct sp_segment_origin {
    uint64_t first_sequence, last_sequence, received_max_unix_ns, new_trace_count;
    enum sp_peer_names names;
};

/* Puts the header; the caller writes the batch. The segment has one reference. */
SP_MUST_USE enum sp_status sp_segment_writer_finish(struct sp_segment_writer *writer,
                                                    const struct sp_segment_origin *origin,
                                                    struct sp_segment **ret,
                                                    struct sp_error *reterr);

/* Puts the header of a stored segment again, with other links. */
SP_MUST_USE enum sp_status sp_segment_put_header(const struct sp_segment *segment,
                                                 const struct sp_segment_links *links,
                                                 struct sp_kv *kv, struct sp_kv_batch *batch,
                                                 struct sp_error *reterr);

/* ---- reading ---- */

/* A segment from its header. SP_CORRUPT; SP_VERSION; SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_segment_read_header(uint64_t id, struct sp_slice value,
                                                  struct sp_segment **ret, struct sp_error *reterr);

/* Is a header as it was written, by its checksum? */
bool sp_segment_header_is_whole(uint64_t id, struct sp_slice value);

/* Was a segment read from this very header? Looks at its last bytes only. */
bool sp_segment_is_of_header(const struct sp_segment *segment, uint64_t id, struct sp_slice value);

/* The blocks [*ret_first, *ret_end) that may hold a trace; none when the filter says no. */
void sp_segment_find(const struct sp_segment *segment, const struct sp_trace_id *id, uint64_t hash,
                     uint32_t *ret_first, uint32_t *ret_end);

/* Reads blocks of segments, chunk by chunk. One thread at a time; one block at a time. */
struct sp_block_reader {
    struct sp_kv *kv;
    struct sp_block_decoder *decoder;
    struct sp_buf chunk;
    struct sp_kv_iterator *chunks; /* NULL: each chunk is looked up by its key */
    const struct sp_segment *segment;
    uint32_t block_number;
    struct sp_arena arena; /* of the present block */
    struct sp_block_head head;
    struct sp_block block;     /* what is loaded of it */
    struct sp_column *columns; /* block.columns */
    uint64_t bytes;            /* read since init */
    uint32_t loaded;           /* bits of the fixed chunks */
};

SP_MUST_USE enum sp_status sp_block_reader_init(struct sp_block_reader *reader, struct sp_kv *kv,
                                                struct sp_error *reterr);
void sp_block_reader_fini(struct sp_block_reader *reader);
/* From now on chunks are read one behind the other, where they are asked for in the order of their numbers: who wants many of a block
 * looks for the first only. Where there is no iterator to do it with nothing changes. */
void sp_block_reader_stream(struct sp_block_reader *reader);

/* Loads the head of a block; what was loaded of the one before is gone. Errors name the segment and the block. */
SP_MUST_USE enum sp_status sp_block_reader_open(struct sp_block_reader *reader,
                                                const struct sp_segment *segment,
                                                uint32_t block_number, struct sp_error *reterr);

/* Loads the traces of a block and nothing else, for half of the work of an open or less; until the next open nothing more of the block can
 * be asked for. */
SP_MUST_USE enum sp_status sp_block_reader_traces(struct sp_block_reader *reader,
                                                  const struct sp_segment *segment,
                                                  uint32_t block_number, struct sp_error *reterr);

/* Loads a fixed chunk, and those it needs, unless it is there. */
SP_MUST_USE enum sp_status sp_block_reader_fixed(struct sp_block_reader *reader,
                                                 enum sp_chunk which, struct sp_error *reterr);
/* Loads the values of a column unless they are there. */
SP_MUST_USE enum sp_status sp_block_reader_column(struct sp_block_reader *reader, uint32_t column,
                                                  struct sp_error *reterr);
/* The block as a view that loads what is asked for; valid until the next open. */
void sp_block_reader_view(struct sp_block_reader *reader, struct sp_block_view *ret);
/* Loads everything. */
SP_MUST_USE enum sp_status sp_block_reader_all(struct sp_block_reader *reader,
                                               struct sp_error *reterr);

/* Loads what sp_block_spans of these rows needs. TRACES was loaded. */
SP_MUST_USE enum sp_status sp_block_reader_rows(struct sp_block_reader *reader, uint32_t first,
                                                uint32_t count, struct sp_error *reterr);

/* Loads everything and hands it over, with one reference; then nothing is open any more. */
SP_MUST_USE enum sp_status sp_block_reader_take(struct sp_block_reader *reader,
                                                struct sp_block_shared **ret,
                                                struct sp_error *reterr);
