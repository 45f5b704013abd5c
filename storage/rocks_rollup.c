/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_rollup.c: what is known of a segment by minute: counted while its blocks are written, stored in the same batch,
 * added up when segments are merged, and read instead of the blocks. They stand beside the chunks and go away with them,
 * because who still reads a segment that was merged needs both. Knows the database through kv.h only. */
#include "storage/rocks_rollup.h"

/* ---- writing ---- */

enum sp_status sp_rocks_rollups_init(struct sp_rocks_rollups *rollups, struct sp_error *reterr)
{
    sp_rollup_init(&rollups->counts);
    sp_edge_rollup_init(&rollups->edges);
    rollups->counter = NULL;
    enum sp_status status = sp_edge_counter_new(&rollups->edges, SP_PEER_NAMES_BY_DESTINATION,
                                                &rollups->counter, reterr);
    if (status != SP_OK)
        sp_rocks_rollups_fini(rollups);
    return status;
}

void sp_rocks_rollups_fini(struct sp_rocks_rollups *rollups)
{
    sp_edge_counter_free(rollups->counter);
    sp_edge_rollup_fini(&rollups->edges);
    sp_rollup_fini(&rollups->counts);
    rollups->counter = NULL;
}

enum sp_status sp_rocks_rollups_add_block(struct sp_rocks_rollups *rollups,
                                          const struct sp_block *block, struct sp_error *reterr)
{
    enum sp_status status = sp_rollup_add_block(&rollups->counts, block, reterr);
    return status == SP_OK ? sp_edge_counter_add(rollups->counter, block, reterr) : status;
}

static enum sp_status read_rollup(struct sp_kv *kv, const struct sp_segment *segment,
                                  enum sp_segment_rollup which, uint32_t version,
                                  struct sp_buf *ret, struct sp_error *reterr)
{
    uint8_t key[SP_ROLLUP_VERSIONED_KEY_BYTES];
    size_t len = sp_segment_rollup_key(segment->id, which, version, key);
    enum sp_status status = sp_kv_get(kv, SP_KV_CHUNKS, sp_slice_make(key, len), ret, reterr);
    if (status == SP_NOT_FOUND)
        status = sp_error_set(reterr, SP_CORRUPT, "its counts are missing");
    return status;
}

/* Says where. */
static enum sp_status of_segment(const struct sp_segment *segment, enum sp_status status,
                                 struct sp_error *reterr)
{
    if (status == SP_CORRUPT) {
        struct sp_error error = *reterr;
        sp_error_set(reterr, status, "segment %llu: %s", (unsigned long long)segment->id,
                     error.message);
    }
    return status;
}

enum sp_status sp_rocks_rollups_add_segment(struct sp_rocks_rollups *rollups, struct sp_kv *kv,
                                            const struct sp_segment *segment,
                                            struct sp_error *reterr)
{
    struct sp_buf bytes;
    sp_buf_init(&bytes, SIZE_MAX / 2);
    enum sp_status status = read_rollup(kv, segment, SP_SEGMENT_COUNTS, 0, &bytes, reterr);
    if (status == SP_OK)
        status = sp_rollup_decode(sp_buf_slice(&bytes), &rollups->counts, reterr);
    sp_buf_fini(&bytes);
    if (status != SP_OK)
        return of_segment(segment, status, reterr);
    return sp_rocks_edges_read(kv, segment, segment->links.edges_version, SP_TIME_RANGE_ALL,
                               &rollups->edges, reterr);
}

static void put(struct sp_kv *kv, struct sp_kv_batch *batch, uint64_t segment_id,
                enum sp_segment_rollup which, uint32_t version, const struct sp_buf *bytes)
{
    uint8_t key[SP_ROLLUP_VERSIONED_KEY_BYTES];
    size_t len = sp_segment_rollup_key(segment_id, which, version, key);
    sp_kv_batch_put(batch, kv, SP_KV_CHUNKS, sp_slice_make(key, len), sp_buf_slice(bytes));
}

enum sp_status sp_rocks_rollups_put_counts(const struct sp_rocks_rollups *rollups, struct sp_kv *kv,
                                           struct sp_kv_batch *batch, uint64_t segment_id,
                                           struct sp_error *reterr)
{
    struct sp_buf bytes;
    sp_buf_init(&bytes, SIZE_MAX / 2);
    enum sp_status status = sp_rollup_encode(&rollups->counts, &bytes, reterr);
    if (status == SP_OK)
        put(kv, batch, segment_id, SP_SEGMENT_COUNTS, 0, &bytes);
    sp_buf_fini(&bytes);
    return status;
}

enum sp_status sp_rocks_rollups_put_edges(struct sp_rocks_rollups *rollups, struct sp_kv *kv,
                                          struct sp_kv_batch *batch, uint64_t segment_id,
                                          struct sp_error *reterr)
{
    enum sp_status status = sp_edge_counter_finish(rollups->counter, reterr);
    return status == SP_OK ? sp_rocks_edges_put(kv, batch, segment_id, 0, &rollups->edges, reterr)
                           : status;
}

enum sp_status sp_rocks_edges_put(struct sp_kv *kv, struct sp_kv_batch *batch, uint64_t segment_id,
                                  uint32_t version, const struct sp_edge_rollup *edges,
                                  struct sp_error *reterr)
{
    struct sp_buf bytes;
    sp_buf_init(&bytes, SIZE_MAX / 2);
    enum sp_status status = sp_edge_rollup_encode(edges, &bytes, reterr);
    if (status == SP_OK)
        put(kv, batch, segment_id, SP_SEGMENT_EDGES, version, &bytes);
    sp_buf_fini(&bytes);
    return status;
}

/* ---- reading ---- */

enum sp_status sp_rocks_counts_open(struct sp_rocks_counts *counts, struct sp_kv *kv,
                                    const struct sp_segment *segment, struct sp_error *reterr)
{
    sp_buf_init(&counts->bytes, SIZE_MAX / 2);
    sp_arena_init(&counts->arena, SIZE_MAX);
    enum sp_status status = read_rollup(kv, segment, SP_SEGMENT_COUNTS, 0, &counts->bytes, reterr);
    if (status == SP_OK)
        status =
            sp_rollup_open(sp_buf_slice(&counts->bytes), &counts->arena, &counts->reader, reterr);
    return of_segment(segment, status, reterr);
}

void sp_rocks_counts_fini(struct sp_rocks_counts *counts)
{
    sp_buf_fini(&counts->bytes);
    sp_arena_fini(&counts->arena);
}

enum sp_status sp_rocks_edges_read(struct sp_kv *kv, const struct sp_segment *segment,
                                   uint32_t version, struct sp_time_range range,
                                   struct sp_edge_rollup *into, struct sp_error *reterr)
{
    struct sp_buf bytes;
    sp_buf_init(&bytes, SIZE_MAX / 2);
    enum sp_status status = read_rollup(kv, segment, SP_SEGMENT_EDGES, version, &bytes, reterr);
    if (status == SP_OK)
        status = sp_edge_rollup_read(sp_buf_slice(&bytes), range, into, reterr);
    sp_buf_fini(&bytes);
    return of_segment(segment, status, reterr);
}
