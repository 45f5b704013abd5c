/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/segment_write.c: blocks become a segment: chunks and a header in a batch. Knows the database through kv.h only. */
#include "storage/pack.h"
#include "storage/segment.h"
#include "storage/segment_layout.h"

#include <endian.h>
#include <stdlib.h>

static enum sp_status no_memory(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory to write a segment");
}

enum sp_status sp_segment_writer_init(struct sp_segment_writer *writer, struct sp_kv *kv,
                                      struct sp_kv_batch *batch, uint64_t id,
                                      struct sp_error *reterr)
{
    *writer = (struct sp_segment_writer){.kv = kv, .batch = batch};
    writer->segment = calloc(1, sizeof(*writer->segment));
    if (writer->segment == NULL)
        return no_memory(reterr);
    sp_arena_init(&writer->segment->arena, SIZE_MAX);
    atomic_init(&writer->segment->references, 1);
    writer->segment->id = id;
    writer->segment->start_min_unix_ns = UINT64_MAX;
    writer->zstd = writer->numbers.zstd = sp_zstd_packer_new();
    writer->values = malloc(sizeof(*writer->values));
    if (writer->values != NULL)
        sp_value_items_init(writer->values);
    enum sp_status status = writer->zstd != NULL && writer->values != NULL
                                ? sp_block_encoder_new(&writer->encoder, reterr)
                                : no_memory(reterr);
    if (status != SP_OK)
        sp_segment_writer_fini(writer);
    return status;
}

void sp_segment_writer_fini(struct sp_segment_writer *writer)
{
    sp_segment_unref(writer->segment);
    sp_block_encoder_free(writer->encoder);
    free(writer->blocks);
    free(writer->hashes);
    if (writer->values != NULL)
        sp_value_items_fini(writer->values);
    free(writer->values);
    sp_numbers_writer_fini(&writer->numbers);
    sp_zstd_packer_free(writer->zstd);
    sp_vector_fini(&writer->groups);
    *writer = (struct sp_segment_writer){0};
}

/* ---- blocks ---- */

/* Twice as much room, when there is none. */
static bool reserve(void **items, uint32_t count, uint32_t *cap, uint32_t more, size_t size)
{
    if (*cap - count >= more)
        return true;
    size_t wanted =
        (size_t)*cap * 2 > (size_t)count + more ? (size_t)*cap * 2 : (size_t)count + more;
    void *grown = wanted <= UINT32_MAX ? realloc(*items, wanted * size) : NULL;
    if (grown == NULL)
        return false;
    *items = grown;
    *cap = (uint32_t)wanted;
    return true;
}

static enum sp_status put_chunk(void *cookie, uint32_t chunk, struct sp_slice bytes,
                                struct sp_error *reterr)
{
    struct sp_segment_writer *writer = cookie;
    const struct sp_segment *segment = writer->segment;
    uint8_t key[SP_CHUNK_KEY_BYTES];
    (void)reterr;
    sp_chunk_key(segment->id, &writer->blocks[segment->block_count].first, segment->block_count,
                 chunk, key);
    sp_kv_batch_put(writer->batch, writer->kv, SP_KV_CHUNKS, sp_slice_make(key, sizeof(key)),
                    bytes);
    writer->segment->bytes += bytes.len;
    return SP_OK;
}

/* A trace that goes on from the block before is not counted again. */
static void add_traces(struct sp_segment_writer *writer, const struct sp_block *block)
{
    struct sp_segment *segment = writer->segment;
    for (uint32_t i = 0; i < block->trace_count; i++) {
        if (i == 0 && segment->trace_count > 0 &&
            sp_trace_id_compare(&block->trace_ids[0], &writer->last_trace) == 0)
            continue;
        writer->hashes[writer->hash_count++] = sp_filter_hash(&block->trace_ids[i]);
        segment->trace_count++;
    }
    writer->last_trace = block->trace_ids[block->trace_count - 1];
}

/* ---- values ---- */

static void add_texts(void *cookie, uint32_t column, const struct sp_slice *texts, uint32_t count)
{
    struct sp_segment_writer *writer = cookie;
    sp_value_items_column(writer->values, &writer->block->columns[column], texts, count);
}

static void add_numbers(struct sp_segment_writer *writer)
{
    for (uint32_t c = 0; c < writer->block->column_count; c++) {
        if (writer->block->columns[c].numbers != NULL)
            sp_value_items_column(writer->values, &writer->block->columns[c], NULL, 0);
    }
}

static enum sp_status put_page(void *cookie, const struct sp_value_place *place,
                               struct sp_slice bytes, struct sp_error *reterr)
{
    struct sp_segment_writer *writer = cookie;
    uint8_t key[SP_VALUE_KEY_BYTES];
    (void)reterr;
    sp_value_key(place, key);
    sp_kv_batch_put(writer->batch, writer->kv, SP_KV_CHUNKS, sp_slice_make(key, sizeof(key)),
                    bytes);
    writer->segment->bytes += bytes.len;
    return SP_OK;
}

/* Writes the pages of the present group, and begins the next. */
static enum sp_status end_group(struct sp_segment_writer *writer, struct sp_error *reterr)
{
    const struct sp_value_sink sink = {.take = put_page, .cookie = writer};
    struct sp_value_group group;
    uint32_t number = writer->groups.count;
    if (writer->values->block == 0)
        return SP_OK;
    if (!sp_vector_reserve(&writer->groups, 1))
        return no_memory(reterr);
    enum sp_status status = sp_value_pages_write(writer->values, writer->segment->id, number,
                                                 &writer->numbers, &sink, &group, reterr);
    sp_value_items_reset(writer->values);
    if (status != SP_OK)
        return status;
    if (number > 0) {
        const struct sp_value_group *before = &writer->groups.items[number - 1];
        group.first_block = before->first_block + before->block_count;
    }
    writer->groups.items[writer->groups.count++] = group;
    return SP_OK;
}

enum sp_status sp_segment_writer_add(struct sp_segment_writer *writer, const struct sp_block *block,
                                     struct sp_error *reterr)
{
    struct sp_segment *segment = writer->segment;
    if (!reserve((void **)&writer->blocks, segment->block_count, &writer->block_cap, 1,
                 sizeof(*writer->blocks)) ||
        !reserve((void **)&writer->hashes, writer->hash_count, &writer->hash_cap,
                 block->trace_count, sizeof(*writer->hashes)))
        return no_memory(reterr);
    writer->blocks[segment->block_count] =
        (struct sp_segment_block){.first = block->trace_ids[0],
                                  .last = block->trace_ids[block->trace_count - 1],
                                  .rows = block->tables[SP_BLOCK_SPANS].count,
                                  .start_min_unix_ns = block->start_min_unix_ns,
                                  .start_max_unix_ns = block->start_max_unix_ns};
    const struct sp_chunk_sink sink = {.take = put_chunk, .texts = add_texts, .cookie = writer};
    writer->block = block;
    sp_value_items_begin(writer->values, block);
    add_numbers(writer);
    enum sp_status status = sp_block_encode(writer->encoder, block, &sink, reterr);
    if (!sp_value_items_end(writer->values) && status == SP_OK)
        status = no_memory(reterr);
    if (status == SP_OK && sp_value_items_are_full(writer->values))
        status = end_group(writer, reterr);
    if (status != SP_OK)
        return status;
    add_traces(writer, block);
    segment->span_count += block->tables[SP_BLOCK_SPANS].count;
    if (block->start_min_unix_ns < segment->start_min_unix_ns)
        segment->start_min_unix_ns = block->start_min_unix_ns;
    if (block->start_max_unix_ns > segment->start_max_unix_ns)
        segment->start_max_unix_ns = block->start_max_unix_ns;
    segment->block_count++;
    return SP_OK;
}

/* ---- header ---- */

static void write_header(const struct sp_segment *segment, const struct sp_segment_links *links,
                         struct sp_buf *out)
{
    sp_buf_append_byte(out, SP_SEGMENT_VERSION);
    sp_pack_varint(segment->first_sequence, out);
    sp_pack_varint(segment->last_sequence, out);
    sp_pack_varint(segment->span_count, out);
    sp_pack_varint(segment->trace_count, out);
    sp_pack_varint(links->new_trace_count, out);
    sp_pack_varint(segment->bytes, out);
    sp_pack_varint(segment->start_min_unix_ns, out);
    sp_pack_varint(segment->start_max_unix_ns, out);
    sp_pack_varint(segment->received_max_unix_ns, out);
    sp_pack_varint(links->edges_version, out);
    sp_pack_varint(segment->names, out);
    sp_pack_varint(segment->block_count, out);
    for (uint32_t i = 0; i < segment->block_count; i++) {
        const struct sp_segment_block *block = &segment->blocks[i];
        sp_buf_append(out, block->first.bytes, sizeof(block->first.bytes));
        sp_buf_append(out, block->last.bytes, sizeof(block->last.bytes));
        sp_pack_varint(block->rows, out);
        sp_pack_varint(block->start_min_unix_ns, out);
        sp_pack_varint(block->start_max_unix_ns, out);
    }
    sp_pack_varint(segment->filter.block_count, out);
    sp_buf_append(out, segment->filter.words,
                  segment->filter.block_count * SP_FILTER_BYTES_PER_BLOCK);
    sp_pack_varint(segment->group_count, out);
    for (uint32_t i = 0; i < segment->group_count; i++) {
        sp_pack_varint(segment->groups[i].block_count, out);
        sp_pack_varint(segment->groups[i].page_bits, out);
        sp_pack_varint(segment->groups[i].open, out);
    }
    uint64_t checksum = htole64(sp_checksum(sp_buf_slice(out), segment->id));
    sp_buf_append(out, &checksum, sizeof(checksum));
}

enum sp_status sp_segment_put_header(const struct sp_segment *segment,
                                     const struct sp_segment_links *links, struct sp_kv *kv,
                                     struct sp_kv_batch *batch, struct sp_error *reterr)
{
    struct sp_buf header;
    uint8_t key[SP_SEGMENT_KEY_BYTES];
    sp_buf_init(&header, SP_SEGMENT_HEADER_BYTES_MAX);
    write_header(segment, links, &header);
    enum sp_status status = header.error == SP_OK ? SP_OK : no_memory(reterr);
    if (status == SP_OK) {
        sp_segment_key(segment->id, key);
        sp_kv_batch_put(batch, kv, SP_KV_SEGMENTS, sp_slice_make(key, sizeof(key)),
                        sp_buf_slice(&header));
    }
    sp_buf_fini(&header);
    return status;
}

enum sp_status sp_segment_writer_finish(struct sp_segment_writer *writer,
                                        const struct sp_segment_origin *origin,
                                        struct sp_segment **ret, struct sp_error *reterr)
{
    struct sp_segment *segment = writer->segment;
    enum sp_status status = end_group(writer, reterr);
    if (status != SP_OK)
        return status;
    struct sp_segment_block *blocks =
        sp_arena_calloc(&segment->arena, segment->block_count, sizeof(*blocks));
    struct sp_value_group *groups =
        sp_arena_calloc(&segment->arena, writer->groups.count, sizeof(*groups));
    if (blocks == NULL || groups == NULL ||
        !sp_filter_make(writer->hashes, writer->hash_count, &segment->arena, &segment->filter))
        return no_memory(reterr);
    memcpy(blocks, writer->blocks, segment->block_count * sizeof(*blocks));
    segment->blocks = blocks;
    memcpy(groups, writer->groups.items, writer->groups.count * sizeof(*groups));
    segment->groups = groups;
    segment->group_count = writer->groups.count;
    segment->first_sequence = origin->first_sequence;
    segment->last_sequence = origin->last_sequence;
    segment->received_max_unix_ns = origin->received_max_unix_ns;
    segment->links.new_trace_count = origin->new_trace_count;
    segment->names = origin->names;
    status = sp_segment_put_header(segment, &segment->links, writer->kv, writer->batch, reterr);
    if (status == SP_OK) {
        *ret = segment;
        writer->segment = NULL;
    }
    return status;
}
