/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/segment_read.c: segments from their headers, blocks from their chunks. Knows the database through kv.h only. */
#include "storage/pack.h"
#include "storage/segment.h"
#include "storage/segment_layout.h"

#include <endian.h>
#include <stdlib.h>

/* ---- life ---- */

struct sp_segment *sp_segment_ref(struct sp_segment *segment)
{
    atomic_fetch_add(&segment->references, 1);
    return segment;
}

void sp_segment_unref(struct sp_segment *segment)
{
    if (segment == NULL || atomic_fetch_sub(&segment->references, 1) != 1)
        return;
    for (int i = 0; i < SP_SEGMENT_HOURS_COUNT; i++)
        sp_kept_fini(&segment->hours[i]);
    sp_arena_fini(&segment->arena);
    free(segment);
}

/* ---- keys ---- */

static void put_big_endian(uint64_t number, size_t len, uint8_t *out)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(number >> (8 * (len - 1 - i)));
}

void sp_segment_key(uint64_t id, uint8_t out[SP_SEGMENT_KEY_BYTES])
{
    put_big_endian(id, SP_SEGMENT_KEY_BYTES, out);
}

bool sp_segment_key_parse(struct sp_slice key, uint64_t *ret_id)
{
    if (key.len != SP_SEGMENT_KEY_BYTES)
        return false;
    *ret_id = 0;
    for (size_t i = 0; i < key.len; i++)
        *ret_id = *ret_id << 8 | key.ptr[i];
    return true;
}

size_t sp_segment_rollup_key(uint64_t id, enum sp_segment_rollup which, uint32_t version,
                             uint8_t out[SP_ROLLUP_VERSIONED_KEY_BYTES])
{
    put_big_endian(id, SP_SEGMENT_KEY_BYTES, out);
    out[SP_SEGMENT_KEY_BYTES] = (uint8_t)which;
    if (version == 0)
        return SP_ROLLUP_KEY_BYTES;
    put_big_endian(version, 4, out + SP_ROLLUP_KEY_BYTES);
    return SP_ROLLUP_VERSIONED_KEY_BYTES;
}

bool sp_segment_edges_are_old(const struct sp_segment *segment, struct sp_slice key)
{
    uint8_t valid[SP_ROLLUP_VERSIONED_KEY_BYTES];
    size_t len =
        sp_segment_rollup_key(segment->id, SP_SEGMENT_EDGES, segment->links.edges_version, valid);
    return (key.len == SP_ROLLUP_KEY_BYTES || key.len == SP_ROLLUP_VERSIONED_KEY_BYTES) &&
           memcmp(key.ptr, valid, SP_ROLLUP_KEY_BYTES) == 0 &&
           sp_slice_compare(key, sp_slice_make(valid, len)) < 0;
}

void sp_chunk_key(uint64_t segment_id, const struct sp_trace_id *first, uint32_t block_number,
                  uint32_t chunk, uint8_t out[SP_CHUNK_KEY_BYTES])
{
    put_big_endian(segment_id, 8, out);
    memcpy(out + 8, first->bytes, sizeof(first->bytes));
    put_big_endian(block_number, 4, out + 24);
    put_big_endian(chunk, 2, out + 28);
}

/* ---- header ---- */

static bool read_u32(struct sp_slice *in, uint32_t *ret)
{
    uint64_t number;
    if (!sp_unpack_varint(in, &number) || number > UINT32_MAX)
        return false;
    *ret = (uint32_t)number;
    return true;
}

static bool read_bytes(struct sp_slice *in, void *out, size_t len)
{
    if (in->len < len)
        return false;
    memcpy(out, in->ptr, len);
    *in = sp_slice_sub(*in, len, SIZE_MAX);
    return true;
}

/* Each takes bytes of the header, so damaged counts cannot ask for much. */
static bool read_blocks(struct sp_slice *in, struct sp_segment *segment)
{
    if (!read_u32(in, &segment->block_count) || segment->block_count > in->len)
        return false;
    struct sp_segment_block *blocks =
        sp_arena_calloc(&segment->arena, (size_t)segment->block_count + 1, sizeof(*blocks));
    for (uint32_t i = 0; i < segment->block_count && blocks != NULL; i++) {
        if (!read_bytes(in, blocks[i].first.bytes, sizeof(blocks[i].first.bytes)) ||
            !read_bytes(in, blocks[i].last.bytes, sizeof(blocks[i].last.bytes)) ||
            !read_u32(in, &blocks[i].rows) || !sp_unpack_varint(in, &blocks[i].start_min_unix_ns) ||
            !sp_unpack_varint(in, &blocks[i].start_max_unix_ns))
            return false;
    }
    segment->blocks = blocks;
    return blocks != NULL;
}

static bool read_filter(struct sp_slice *in, struct sp_segment *segment)
{
    struct sp_filter *filter = &segment->filter;
    if (!read_u32(in, &filter->block_count) || filter->block_count == 0 ||
        in->len / SP_FILTER_BYTES_PER_BLOCK < filter->block_count)
        return false;
    size_t bytes = filter->block_count * SP_FILTER_BYTES_PER_BLOCK;
    uint32_t *words = sp_arena_alloc(&segment->arena, bytes);
    if (words == NULL)
        return false;
    filter->words = words;
    return read_bytes(in, words, bytes);
}

/* Groups follow each other, and are all blocks together; or there are none. */
static bool read_groups(struct sp_slice *in, struct sp_segment *segment)
{
    uint32_t first = 0;
    if (!read_u32(in, &segment->group_count) || segment->group_count > in->len)
        return false;
    struct sp_value_group *groups =
        sp_arena_calloc(&segment->arena, (size_t)segment->group_count + 1, sizeof(*groups));
    for (uint32_t i = 0; i < segment->group_count && groups != NULL; i++) {
        groups[i].first_block = first;
        if (!read_u32(in, &groups[i].block_count) || !read_u32(in, &groups[i].page_bits) ||
            !sp_unpack_varint(in, &groups[i].open) || groups[i].block_count == 0 ||
            groups[i].block_count > SP_VALUE_GROUP_BLOCKS ||
            groups[i].block_count > segment->block_count - first ||
            groups[i].page_bits > SP_VALUE_PAGE_BITS_MAX)
            return false;
        first += groups[i].block_count;
    }
    segment->groups = groups;
    return groups != NULL && (segment->group_count == 0 || first == segment->block_count);
}

static bool read_names(struct sp_slice *in, uint8_t version, enum sp_peer_names *ret)
{
    uint32_t names = SP_PEER_NAMES_BY_SYSTEM;
    if (version > SP_SEGMENT_VERSION_NO_NAMES && !read_u32(in, &names))
        return false;
    *ret = (enum sp_peer_names)names;
    return names == SP_PEER_NAMES_BY_SYSTEM || names == SP_PEER_NAMES_BY_DESTINATION;
}

static bool read_fields(struct sp_slice in, uint8_t version, struct sp_segment *segment)
{
    segment->received_max_unix_ns = UINT64_MAX;
    return sp_unpack_varint(&in, &segment->first_sequence) &&
           sp_unpack_varint(&in, &segment->last_sequence) &&
           sp_unpack_varint(&in, &segment->span_count) &&
           sp_unpack_varint(&in, &segment->trace_count) &&
           sp_unpack_varint(&in, &segment->links.new_trace_count) &&
           sp_unpack_varint(&in, &segment->bytes) &&
           sp_unpack_varint(&in, &segment->start_min_unix_ns) &&
           sp_unpack_varint(&in, &segment->start_max_unix_ns) &&
           (version == SP_SEGMENT_VERSION_OLD ||
            (sp_unpack_varint(&in, &segment->received_max_unix_ns) &&
             read_u32(&in, &segment->links.edges_version))) &&
           read_names(&in, version, &segment->names) && read_blocks(&in, segment) &&
           read_filter(&in, segment) &&
           (version <= SP_SEGMENT_VERSION_NO_VALUES || read_groups(&in, segment)) && in.len == 0;
}

/* A header ends with it. */
#define CHECKSUM_BYTES sizeof(uint64_t)

static uint64_t checksum_of(struct sp_slice header)
{
    uint64_t checksum;
    memcpy(&checksum, header.ptr + header.len - CHECKSUM_BYTES, CHECKSUM_BYTES);
    return le64toh(checksum);
}

bool sp_segment_header_is_whole(uint64_t id, struct sp_slice value)
{
    return value.len > CHECKSUM_BYTES &&
           sp_checksum(sp_slice_sub(value, 0, value.len - CHECKSUM_BYTES), id) ==
               checksum_of(value);
}

enum sp_status sp_segment_read_header(uint64_t id, struct sp_slice value, struct sp_segment **ret,
                                      struct sp_error *reterr)
{
    unsigned long long name = id;
    if (value.len > 0 &&
        (value.ptr[0] > SP_SEGMENT_VERSION || value.ptr[0] < SP_SEGMENT_VERSION_OLD))
        return sp_error_set(reterr, SP_VERSION, "segment %llu is of version %u, which is not known",
                            name, value.ptr[0]);
    if (value.len < 1 + CHECKSUM_BYTES)
        return sp_error_set(reterr, SP_CORRUPT, "the header of segment %llu is cut short", name);
    if (!sp_segment_header_is_whole(id, value))
        return sp_error_set(reterr, SP_CORRUPT, "the header of segment %llu is damaged", name);
    struct sp_segment *segment = calloc(1, sizeof(*segment));
    if (segment == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for segment %llu", name);
    sp_arena_init(&segment->arena, SIZE_MAX);
    atomic_init(&segment->references, 1);
    segment->id = id;
    segment->header_checksum = checksum_of(value);
    struct sp_slice fields = sp_slice_sub(value, 1, value.len - 1 - CHECKSUM_BYTES);
    if (!read_fields(fields, value.ptr[0], segment)) {
        sp_segment_unref(segment);
        return sp_error_set(reterr, SP_CORRUPT, "the header of segment %llu is not one", name);
    }
    *ret = segment;
    return SP_OK;
}

bool sp_segment_is_of_header(const struct sp_segment *segment, uint64_t id, struct sp_slice value)
{
    return segment->id == id && value.len >= CHECKSUM_BYTES &&
           checksum_of(value) == segment->header_checksum;
}

void sp_segment_find(const struct sp_segment *segment, const struct sp_trace_id *id, uint64_t hash,
                     uint32_t *ret_first, uint32_t *ret_end)
{
    *ret_first = *ret_end = 0;
    if (!sp_filter_has(&segment->filter, hash))
        return;
    uint32_t from = 0;
    uint32_t to = segment->block_count;
    while (from < to) { /* the first block whose last trace is not before id */
        uint32_t middle = from + (to - from) / 2;
        if (sp_trace_id_compare(&segment->blocks[middle].last, id) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    *ret_first = from;
    while (to < segment->block_count && sp_trace_id_compare(&segment->blocks[to].first, id) <= 0)
        to++;
    *ret_end = to;
}

/* ---- blocks ---- */

enum sp_status sp_block_reader_init(struct sp_block_reader *reader, struct sp_kv *kv,
                                    struct sp_error *reterr)
{
    *reader = (struct sp_block_reader){.kv = kv};
    sp_buf_init(&reader->chunk, SIZE_MAX / 2);
    sp_arena_init(&reader->arena, SIZE_MAX);
    return sp_block_decoder_new(&reader->decoder, reterr);
}

void sp_block_reader_stream(struct sp_block_reader *reader)
{
    if (reader->chunks == NULL)
        reader->chunks = sp_kv_iterator_new(reader->kv, SP_KV_CHUNKS);
}

void sp_block_reader_fini(struct sp_block_reader *reader)
{
    sp_kv_iterator_free(reader->chunks);
    sp_block_decoder_free(reader->decoder);
    sp_buf_fini(&reader->chunk);
    sp_arena_fini(&reader->arena);
    *reader = (struct sp_block_reader){0};
}

/* Says where: the decoder knows the chunk only. */
static enum sp_status in_block(const struct sp_block_reader *reader, enum sp_status status,
                               struct sp_error *reterr)
{
    if (reterr != NULL && (status == SP_CORRUPT || status == SP_VERSION)) {
        struct sp_error error = *reterr;
        sp_error_set(reterr, status, "segment %llu, block %u: %s",
                     (unsigned long long)reader->segment->id, reader->block_number, error.message);
    }
    return status;
}

/* Chunks that are passed over before it is cheaper to look for the one that is wanted. */
#define CHUNKS_PASSED_MAX 12

/* The next row whose key is not below this one; the iterator's memory. */
static enum sp_status go_on_to(struct sp_kv_iterator *chunks, struct sp_slice key,
                               struct sp_slice *ret, struct sp_error *reterr)
{
    int order = -1;
    for (int i = 0; i <= CHUNKS_PASSED_MAX && order < 0 && sp_kv_iterator_valid(chunks); i++) {
        order = sp_slice_compare(sp_kv_iterator_key(chunks), key);
        if (order < 0)
            sp_kv_iterator_next(chunks);
    }
    if (order != 0)
        sp_kv_iterator_seek(chunks, key);
    if (!sp_kv_iterator_valid(chunks)) {
        enum sp_status status = sp_kv_iterator_status(chunks, reterr);
        return status == SP_OK ? SP_NOT_FOUND : status;
    }
    if (!sp_slice_equal(sp_kv_iterator_key(chunks), key))
        return SP_NOT_FOUND;
    *ret = sp_kv_iterator_value(chunks);
    return SP_OK;
}

static enum sp_status get(struct sp_block_reader *reader, struct sp_slice key, struct sp_slice *ret,
                          struct sp_error *reterr)
{
    if (reader->chunks != NULL)
        return go_on_to(reader->chunks, key, ret, reterr);
    sp_buf_reset(&reader->chunk);
    enum sp_status status = sp_kv_get(reader->kv, SP_KV_CHUNKS, key, &reader->chunk, reterr);
    *ret = sp_buf_slice(&reader->chunk);
    return status;
}

/* *ret is valid until the next one. */
static enum sp_status fetch(struct sp_block_reader *reader, uint32_t chunk, struct sp_slice *ret,
                            struct sp_error *reterr)
{
    uint8_t key[SP_CHUNK_KEY_BYTES];
    sp_chunk_key(reader->segment->id, &reader->segment->blocks[reader->block_number].first,
                 reader->block_number, chunk, key);
    *ret = (struct sp_slice){0};
    enum sp_status status = get(reader, sp_slice_make(key, sizeof(key)), ret, reterr);
    if (status == SP_NOT_FOUND)
        status = sp_error_set(reterr, SP_CORRUPT, "chunk %u is missing", chunk);
    reader->bytes += ret->len;
    return status;
}

/* Of its head no more than decode reads: sp_block_decode_head or sp_block_decode_counts. */
static enum sp_status
begin_block(struct sp_block_reader *reader, const struct sp_segment *segment, uint32_t block_number,
            enum sp_status (*decode)(struct sp_block_decoder *decoder, struct sp_slice chunk,
                                     struct sp_arena *arena, struct sp_block_head *ret,
                                     struct sp_error *reterr),
            struct sp_error *reterr)
{
    struct sp_slice chunk;
    reader->segment = segment;
    reader->block_number = block_number;
    reader->loaded = 0;
    sp_arena_reset(&reader->arena);
    enum sp_status status = fetch(reader, SP_CHUNK_HEAD, &chunk, reterr);
    if (status == SP_OK)
        status = decode(reader->decoder, chunk, &reader->arena, &reader->head, reterr);
    if (status != SP_OK)
        return in_block(reader, status, reterr);
    reader->block = reader->head.block;
    reader->columns = NULL;
    return SP_OK;
}

enum sp_status sp_block_reader_open(struct sp_block_reader *reader,
                                    const struct sp_segment *segment, uint32_t block_number,
                                    struct sp_error *reterr)
{
    enum sp_status status =
        begin_block(reader, segment, block_number, sp_block_decode_head, reterr);
    if (status == SP_OK) {
        size_t count = reader->block.column_count;
        reader->columns = sp_arena_calloc(&reader->arena, count + 1, sizeof(*reader->columns));
        if (reader->columns == NULL)
            return sp_error_set(reterr, SP_NO_MEMORY, "no memory to read a block");
        if (count > 0)
            memcpy(reader->columns, reader->block.columns, count * sizeof(*reader->columns));
        reader->block.columns = reader->columns;
    }
    return status;
}

/* Chunks that must be there before another, by number. */
static const uint32_t needed_before[SP_CHUNK_FIXED_COUNT] = {
    [SP_CHUNK_PARENT_IDS] = 1u << SP_CHUNK_TRACES | 1u << SP_CHUNK_SPAN_IDS,
    [SP_CHUNK_STARTS] = 1u << SP_CHUNK_TRACES,
    [SP_CHUNK_ENDS] = 1u << SP_CHUNK_TRACES | 1u << SP_CHUNK_STARTS,
};

static enum sp_status load_fixed(struct sp_block_reader *reader, enum sp_chunk which,
                                 struct sp_error *reterr)
{
    struct sp_slice bytes;
    if (reader->loaded & 1u << which || !sp_block_has_chunk(&reader->head, which))
        return SP_OK;
    enum sp_status status = fetch(reader, which, &bytes, reterr);
    if (status == SP_OK)
        status = sp_block_decode_fixed(reader->decoder, &reader->head, which, bytes, &reader->arena,
                                       &reader->block, reterr);
    if (status == SP_OK)
        reader->loaded |= 1u << which;
    return in_block(reader, status, reterr);
}

enum sp_status sp_block_reader_traces(struct sp_block_reader *reader,
                                      const struct sp_segment *segment, uint32_t block_number,
                                      struct sp_error *reterr)
{
    enum sp_status status =
        begin_block(reader, segment, block_number, sp_block_decode_counts, reterr);
    return status == SP_OK ? load_fixed(reader, SP_CHUNK_TRACES, reterr) : status;
}

enum sp_status sp_block_reader_fixed(struct sp_block_reader *reader, enum sp_chunk which,
                                     struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (uint32_t c = SP_CHUNK_TRACES; c < SP_CHUNK_FIXED_COUNT && status == SP_OK; c++) {
        if (c == which || needed_before[which] & 1u << c)
            status = load_fixed(reader, (enum sp_chunk)c, reterr);
    }
    return status;
}

enum sp_status sp_block_reader_column(struct sp_block_reader *reader, uint32_t column,
                                      struct sp_error *reterr)
{
    struct sp_slice bytes;
    struct sp_column *loaded = &reader->columns[column];
    uint32_t chunk = SP_CHUNK_FIRST_COLUMN + column;
    if (loaded->codes != NULL || loaded->numbers != NULL ||
        !sp_block_has_chunk(&reader->head, chunk))
        return SP_OK;
    enum sp_status status = fetch(reader, chunk, &bytes, reterr);
    if (status == SP_OK)
        status = sp_block_decode_column(reader->decoder, &reader->head, column, bytes,
                                        &reader->arena, loaded, reterr);
    return in_block(reader, status, reterr);
}

/* ---- views ---- */

static enum sp_status load_durations(struct sp_block_reader *reader, struct sp_block_view *view,
                                     struct sp_error *reterr)
{
    struct sp_slice bytes;
    if (view->durations != NULL || (reader->loaded & 1u << SP_CHUNK_ENDS) != 0)
        return SP_OK;
    enum sp_status status = fetch(reader, SP_CHUNK_ENDS, &bytes, reterr);
    if (status == SP_OK)
        status = sp_block_decode_durations(reader->decoder, &reader->head, bytes, &reader->arena,
                                           &view->durations, reterr);
    return in_block(reader, status, reterr);
}

static enum sp_status load_dictionary(struct sp_block_reader *reader, uint32_t column,
                                      struct sp_error *reterr)
{
    struct sp_slice bytes;
    struct sp_dictionary *dictionary;
    if (reader->columns[column].dictionary != NULL ||
        !sp_block_has_chunk(&reader->head, SP_CHUNK_FIRST_COLUMN + column))
        return SP_OK;
    enum sp_status status = fetch(reader, SP_CHUNK_FIRST_COLUMN + column, &bytes, reterr);
    dictionary = sp_arena_calloc(&reader->arena, 1, sizeof(*dictionary));
    if (status == SP_OK && dictionary == NULL)
        status = sp_error_set(reterr, SP_NO_MEMORY, "no memory to read a block");
    if (status == SP_OK)
        status = sp_block_decode_dictionary(reader->decoder, &reader->head, column, bytes,
                                            &reader->arena, dictionary, reterr);
    if (status == SP_OK)
        reader->columns[column].dictionary = dictionary;
    return in_block(reader, status, reterr);
}

static enum sp_status load_part(struct sp_block_view *view, enum sp_block_part part,
                                uint32_t number, struct sp_error *reterr)
{
    static const enum sp_chunk row_templates[SP_BLOCK_TABLE_COUNT] = {
        [SP_BLOCK_SPANS] = SP_CHUNK_SPAN_TEMPLATES,
        [SP_BLOCK_EVENTS] = SP_CHUNK_EVENT_TEMPLATES,
        [SP_BLOCK_LINKS] = SP_CHUNK_LINK_TEMPLATES};
    struct sp_block_reader *reader = view->cookie;
    switch (part) {
    case SP_PART_TRACES:
        return sp_block_reader_fixed(reader, SP_CHUNK_TRACES, reterr);
    case SP_PART_SPAN_IDS:
        return sp_block_reader_fixed(reader, SP_CHUNK_SPAN_IDS, reterr);
    case SP_PART_STARTS:
        return sp_block_reader_fixed(reader, SP_CHUNK_STARTS, reterr);
    case SP_PART_DURATIONS:
        return load_durations(reader, view, reterr);
    case SP_PART_ROW_TEMPLATES:
        return sp_block_reader_fixed(reader, row_templates[number], reterr);
    case SP_PART_LINKS:
        return sp_block_reader_fixed(reader, SP_CHUNK_LINK_IDS, reterr);
    case SP_PART_DICTIONARY:
        return load_dictionary(reader, number, reterr);
    case SP_PART_VALUES:
        return sp_block_reader_column(reader, number, reterr);
    }
    return sp_error_set(reterr, SP_INTERNAL, "a part of a block that is not known");
}

void sp_block_reader_view(struct sp_block_reader *reader, struct sp_block_view *ret)
{
    *ret = (struct sp_block_view){
        .block = &reader->block, .head = &reader->head, .load = load_part, .cookie = reader};
}

enum sp_status sp_block_reader_all(struct sp_block_reader *reader, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (uint32_t c = SP_CHUNK_TRACES; c < SP_CHUNK_FIXED_COUNT && status == SP_OK; c++)
        status = load_fixed(reader, (enum sp_chunk)c, reterr);
    for (uint32_t c = 0; c < reader->block.column_count && status == SP_OK; c++)
        status = sp_block_reader_column(reader, c, reterr);
    return status;
}

enum sp_status sp_block_reader_take(struct sp_block_reader *reader, struct sp_block_shared **ret,
                                    struct sp_error *reterr)
{
    enum sp_status status = sp_block_reader_all(reader, reterr);
    if (status != SP_OK)
        return status;
    struct sp_block_shared *shared = calloc(1, sizeof(*shared));
    if (shared == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to keep a block");
    atomic_init(&shared->references, 1);
    shared->block = reader->block;
    shared->arena = reader->arena;
    sp_arena_init(&reader->arena, SIZE_MAX);
    reader->segment = NULL;
    *ret = shared;
    return SP_OK;
}
