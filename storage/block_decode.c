/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_decode.c: chunks become a block again. Whatever a checksum lets through is checked again, so that readers of
 * the block may trust every number in it. Knows neither keys nor engines. */
#include "storage/block_decoder.h"
#include "storage/block_head.h"
#include "storage/chunk.h"
#include "storage/pack.h"
#include "storage/parents.h"

#include <endian.h>
#include <stdlib.h>

enum sp_status sp_block_decoder_new(struct sp_block_decoder **ret, struct sp_error *reterr)
{
    struct sp_block_decoder *decoder = calloc(1, sizeof(*decoder));
    struct sp_zstd_unpacker *zstd = sp_zstd_unpacker_new();
    if (decoder == NULL || zstd == NULL) {
        free(decoder);
        sp_zstd_unpacker_free(zstd);
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to decode blocks");
    }
    decoder->zstd = decoder->reader.zstd = zstd;
    *ret = decoder;
    return SP_OK;
}

void sp_block_decoder_free(struct sp_block_decoder *decoder)
{
    if (decoder == NULL)
        return;
    sp_zstd_unpacker_free(decoder->zstd);
    sp_numbers_reader_fini(&decoder->reader);
    free(decoder);
}

/* ---- a chunk at hand ---- */

enum sp_status sp_opened_init(struct sp_block_decoder *decoder, const struct sp_block_head *head,
                              uint32_t number, struct sp_slice chunk, struct sp_arena *arena,
                              struct sp_opened_chunk *ret, struct sp_error *reterr)
{
    *ret = (struct sp_opened_chunk){.decoder = decoder, .number = number, .arena = arena};
    return sp_chunk_open(chunk, number, sp_chunk_seed(head->stamp, number), &ret->encoding,
                         &ret->rest, reterr);
}

enum sp_status sp_opened_failed(const struct sp_opened_chunk *in, enum sp_status status,
                                struct sp_error *reterr)
{
    if (status == SP_LIMIT)
        return sp_error_set(reterr, SP_LIMIT, "a stored block does not fit into the memory given");
    if (status == SP_NO_MEMORY)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to decode a stored block");
    return sp_chunk_corrupt(in->number, "its content is not what was written", reterr);
}

enum sp_status sp_opened_end(const struct sp_opened_chunk *in, enum sp_status status,
                             struct sp_error *reterr)
{
    if (status == SP_OK && in->rest.len > 0)
        return sp_chunk_corrupt(in->number, "there are bytes behind its end", reterr);
    return status == SP_OK ? SP_OK : sp_opened_failed(in, status, reterr);
}

enum sp_status sp_opened_numbers(struct sp_opened_chunk *in, uint32_t count, uint64_t **ret)
{
    *ret = sp_arena_alloc(in->arena, count * sizeof(**ret));
    return *ret == NULL ? SP_LIMIT : sp_numbers_read(&in->decoder->reader, &in->rest, *ret, count);
}

enum sp_status sp_opened_numbers_32(struct sp_opened_chunk *in, uint32_t count, uint32_t **ret)
{
    *ret = sp_arena_alloc(in->arena, count * sizeof(**ret));
    return *ret == NULL ? SP_LIMIT
                        : sp_numbers_read_32(&in->decoder->reader, &in->rest, *ret, count);
}

/* ---- the head ---- */

static enum sp_status decode_head(struct sp_block_decoder *decoder, struct sp_slice chunk,
                                  bool counts_only, struct sp_arena *arena,
                                  struct sp_block_head *ret, struct sp_error *reterr)
{
    struct sp_opened_chunk in = {.decoder = decoder, .number = SP_CHUNK_HEAD, .arena = arena};
    struct sp_block_head head = {0};
    uint64_t stamp, len;
    enum sp_status status =
        sp_chunk_open(chunk, SP_CHUNK_HEAD, SP_CHUNK_HEAD_SEED, &in.encoding, &in.rest, reterr);
    if (status != SP_OK)
        return status;
    if (in.encoding != 0 || in.rest.len < sizeof(stamp))
        return sp_opened_failed(&in, SP_CORRUPT, reterr);
    memcpy(&stamp, in.rest.ptr, sizeof(stamp));
    head.stamp = le64toh(stamp);
    in.rest = sp_slice_sub(in.rest, sizeof(stamp), SIZE_MAX);
    if (!sp_unpack_varint(&in.rest, &len) || len > SP_BLOCK_TEXTS_BYTES_MAX ||
        !sp_bytes_plausible(in.rest, len))
        return sp_opened_failed(&in, SP_CORRUPT, reterr);
    uint8_t *plain = sp_arena_alloc(arena, len);
    if (plain == NULL)
        return sp_opened_failed(&in, SP_LIMIT, reterr);
    status = sp_bytes_read(&decoder->reader, &in.rest, plain, len);
    if (status == SP_OK)
        status = counts_only ? sp_block_head_read_counts(sp_slice_make(plain, len), &head)
                             : sp_block_head_read(sp_slice_make(plain, len), arena, &head);
    status = sp_opened_end(&in, status, reterr);
    if (status == SP_OK)
        *ret = head;
    return status;
}

enum sp_status sp_block_decode_head(struct sp_block_decoder *decoder, struct sp_slice chunk,
                                    struct sp_arena *arena, struct sp_block_head *ret,
                                    struct sp_error *reterr)
{
    return decode_head(decoder, chunk, false, arena, ret, reterr);
}

enum sp_status sp_block_decode_counts(struct sp_block_decoder *decoder, struct sp_slice chunk,
                                      struct sp_arena *arena, struct sp_block_head *ret,
                                      struct sp_error *reterr)
{
    return decode_head(decoder, chunk, true, arena, ret, reterr);
}

bool sp_block_has_chunk(const struct sp_block_head *head, uint32_t chunk)
{
    const struct sp_block *block = &head->block;
    if (chunk == SP_CHUNK_HEAD)
        return true;
    if (chunk <= SP_CHUNK_SPAN_TEMPLATES)
        return block->tables[SP_BLOCK_SPANS].count > 0;
    if (chunk == SP_CHUNK_EVENT_TEMPLATES || chunk == SP_CHUNK_EVENT_TIMES)
        return block->tables[SP_BLOCK_EVENTS].count > 0;
    if (chunk == SP_CHUNK_LINK_TEMPLATES || chunk == SP_CHUNK_LINK_IDS)
        return block->tables[SP_BLOCK_LINKS].count > 0;
    if (chunk < SP_CHUNK_FIRST_COLUMN || chunk - SP_CHUNK_FIRST_COLUMN >= block->column_count)
        return false;
    const struct sp_column *column = &block->columns[chunk - SP_CHUNK_FIRST_COLUMN];
    return column->count > 0 && column->kind != SP_VALUE_EMPTY;
}

/* ---- what every row has ---- */

static void put_half(struct sp_trace_id *id, size_t at, uint64_t half)
{
    half = htobe64(half);
    memcpy(id->bytes + at, &half, sizeof(half));
}

static enum sp_status read_traces(struct sp_opened_chunk *in, struct sp_block *block)
{
    uint32_t count = block->trace_count;
    uint32_t *rows = sp_arena_alloc(in->arena, ((size_t)count + 1) * sizeof(*rows));
    uint64_t *halves = sp_arena_alloc(in->arena, count * sizeof(*halves));
    struct sp_trace_id *ids = sp_arena_alloc(in->arena, count * sizeof(*ids));
    if (rows == NULL || halves == NULL || ids == NULL)
        return SP_LIMIT;
    struct sp_numbers_reader *reader = &in->decoder->reader;
    enum sp_status status = sp_numbers_read_32(reader, &in->rest, rows + 1, count);
    if (status == SP_OK)
        status = sp_numbers_read(reader, &in->rest, halves, 1);
    if (status == SP_OK)
        status = sp_numbers_read(reader, &in->rest, halves + 1, count - 1);
    if (status != SP_OK)
        return status;
    put_half(&ids[0], 0, halves[0]);
    for (uint32_t i = 1; i < count; i++) {
        halves[i] += halves[i - 1];
        put_half(&ids[i], 0, halves[i]);
    }
    status = sp_numbers_read(reader, &in->rest, halves, count);
    if (status != SP_OK)
        return status;
    uint64_t sum = rows[0] = 0;
    bool valid = true;
    for (uint32_t i = 0; i < count; i++) {
        put_half(&ids[i], 8, halves[i]);
        valid =
            valid && rows[i + 1] > 0 && (i == 0 || sp_trace_id_compare(&ids[i - 1], &ids[i]) < 0);
        sum += rows[i + 1];
        rows[i + 1] = (uint32_t)sum;
    }
    if (!valid || sum != block->tables[SP_BLOCK_SPANS].count)
        return SP_CORRUPT;
    block->trace_ids = ids;
    block->trace_rows = rows;
    return SP_OK;
}

static enum sp_status read_span_ids(struct sp_opened_chunk *in, struct sp_block *block)
{
    uint32_t count = block->tables[SP_BLOCK_SPANS].count;
    struct sp_span_id *ids = sp_arena_alloc(in->arena, count * sizeof(*ids));
    if (ids == NULL)
        return SP_LIMIT;
    if (in->encoding == 0) {
        if (in->rest.len < count * sizeof(*ids))
            return SP_CORRUPT;
        memcpy(ids, in->rest.ptr, count * sizeof(*ids));
        in->rest = sp_slice_sub(in->rest, count * sizeof(*ids), SIZE_MAX);
    } else {
        uint64_t *numbers;
        enum sp_status status = sp_opened_numbers(in, count, &numbers);
        if (status != SP_OK)
            return status;
        for (uint32_t i = 0; i < count; i++) {
            numbers[i] = htobe64(numbers[i]);
            memcpy(&ids[i], &numbers[i], sizeof(*ids));
        }
    }
    block->span_ids = ids;
    return SP_OK;
}

static enum sp_status read_parent_ids(struct sp_opened_chunk *in, struct sp_block *block)
{
    SP_ASSERT(block->trace_rows != NULL && block->span_ids != NULL);
    uint32_t count = block->tables[SP_BLOCK_SPANS].count;
    uint32_t *references;
    struct sp_span_id *ids = sp_arena_alloc(in->arena, count * sizeof(*ids));
    if (ids == NULL)
        return SP_LIMIT;
    enum sp_status status = sp_opened_numbers_32(in, count, &references);
    if (status != SP_OK)
        return status;
    size_t raw_count = sp_parents_count_raw(references, count);
    struct sp_span_id *raw = sp_arena_alloc(in->arena, raw_count * sizeof(*raw));
    if (raw == NULL)
        return SP_LIMIT;
    if (in->rest.len < raw_count * sizeof(*raw))
        return SP_CORRUPT;
    if (raw_count > 0)
        memcpy(raw, in->rest.ptr, raw_count * sizeof(*raw));
    in->rest = sp_slice_sub(in->rest, raw_count * sizeof(*raw), SIZE_MAX);
    if (!sp_parents_restore(block, references, raw, ids))
        return SP_CORRUPT;
    block->parent_ids = ids;
    return SP_OK;
}

static enum sp_status read_starts(struct sp_opened_chunk *in, struct sp_block *block)
{
    SP_ASSERT(block->trace_rows != NULL);
    uint32_t count = block->tables[SP_BLOCK_SPANS].count;
    uint64_t *firsts, *starts;
    enum sp_status status = sp_opened_numbers(in, block->trace_count, &firsts);
    if (status != SP_OK)
        return status;
    starts = sp_arena_alloc(in->arena, count * sizeof(*starts));
    if (starts == NULL)
        return SP_LIMIT;
    /* The differences stand behind the place of the first rows; each is read before it is overwritten. */
    uint64_t *differences = starts + block->trace_count;
    status =
        sp_numbers_read(&in->decoder->reader, &in->rest, differences, count - block->trace_count);
    for (uint32_t t = 0; t < block->trace_count && status == SP_OK; t++) {
        uint64_t start = firsts[t] + block->start_min_unix_ns;
        starts[block->trace_rows[t]] = start;
        for (uint32_t i = block->trace_rows[t] + 1; i < block->trace_rows[t + 1]; i++) {
            start += *differences++;
            starts[i] = start;
        }
    }
    block->starts = starts;
    return status;
}

static enum sp_status read_ends(struct sp_opened_chunk *in, struct sp_block *block)
{
    SP_ASSERT(block->starts != NULL);
    uint32_t count = block->tables[SP_BLOCK_SPANS].count;
    uint64_t *ends;
    enum sp_status status = sp_opened_numbers(in, count, &ends);
    for (uint32_t i = 0; i < count && status == SP_OK; i++)
        ends[i] += block->starts[i];
    block->ends = ends;
    return status;
}

/* Do the rows of a table ask for as many values of each column as it has? */
static bool values_add_up(const struct sp_block *block, enum sp_block_table table,
                          const uint32_t *rows_of, uint64_t *values)
{
    for (uint32_t i = 0; i < block->template_counts[table]; i++) {
        const struct sp_template *template = &block->templates[table][i];
        for (uint32_t c = 0; c < template->column_count && rows_of[i] > 0; c++)
            values[template->columns[c]] += rows_of[i];
    }
    for (uint32_t c = 0; c < block->column_count; c++) {
        if (block->columns[c].table == table && block->columns[c].count != values[c])
            return false;
    }
    return true;
}

static enum sp_status read_templates(struct sp_opened_chunk *in, enum sp_block_table table,
                                     struct sp_block *block)
{
    uint32_t count = block->tables[table].count, template_count = block->template_counts[table];
    uint32_t *templates;
    enum sp_status status = sp_opened_numbers_32(in, count, &templates);
    if (status != SP_OK)
        return status;
    uint32_t *rows_of = calloc((size_t)template_count + 1, sizeof(*rows_of));
    uint64_t *values = calloc((size_t)block->column_count + 1, sizeof(*values));
    bool valid = rows_of != NULL && values != NULL;
    status = valid ? SP_OK : SP_NO_MEMORY;
    for (uint32_t i = 0; i < count && valid; i++) {
        valid = templates[i] < template_count;
        if (valid)
            rows_of[templates[i]]++;
    }
    if (status == SP_OK && !(valid && values_add_up(block, table, rows_of, values)))
        status = SP_CORRUPT;
    free(rows_of);
    free(values);
    if (status == SP_OK)
        block->tables[table].templates = templates;
    return status;
}

/* One running sum from the block's first start on. */
static enum sp_status read_event_times(struct sp_opened_chunk *in, struct sp_block *block)
{
    uint32_t count = block->tables[SP_BLOCK_EVENTS].count;
    uint64_t *times, before = block->start_min_unix_ns;
    enum sp_status status = sp_opened_numbers(in, count, &times);
    for (uint32_t i = 0; i < count && status == SP_OK; i++)
        before = times[i] += before;
    block->event_times = times;
    return status;
}

static enum sp_status read_link_ids(struct sp_opened_chunk *in, struct sp_block *block)
{
    size_t count = block->tables[SP_BLOCK_LINKS].count;
    struct sp_numbers_reader *reader = &in->decoder->reader;
    if (!sp_bytes_plausible(in->rest, count * SP_TRACE_ID_BYTES))
        return SP_CORRUPT;
    uint8_t *traces = sp_arena_alloc(in->arena, count * SP_TRACE_ID_BYTES);
    uint8_t *spans = sp_arena_alloc(in->arena, count * SP_SPAN_ID_BYTES);
    if (traces == NULL || spans == NULL)
        return SP_LIMIT;
    enum sp_status status = sp_bytes_read(reader, &in->rest, traces, count * SP_TRACE_ID_BYTES);
    if (status == SP_OK)
        status = sp_bytes_read(reader, &in->rest, spans, count * SP_SPAN_ID_BYTES);
    block->link_trace_ids = (const struct sp_trace_id *)traces;
    block->link_span_ids = (const struct sp_span_id *)spans;
    return status;
}

enum sp_status sp_block_decode_fixed(struct sp_block_decoder *decoder,
                                     const struct sp_block_head *head, enum sp_chunk which,
                                     struct sp_slice chunk, struct sp_arena *arena,
                                     struct sp_block *block, struct sp_error *reterr)
{
    struct sp_opened_chunk in;
    SP_ASSERT(which != SP_CHUNK_HEAD && sp_block_has_chunk(head, which));
    enum sp_status status = sp_opened_init(decoder, head, which, chunk, arena, &in, reterr);
    if (status != SP_OK)
        return status;
    if (in.encoding > (which == SP_CHUNK_SPAN_IDS))
        return sp_opened_failed(&in, SP_CORRUPT, reterr);
    struct sp_block result = *block;
    switch (which) {
    case SP_CHUNK_HEAD:
        break;
    case SP_CHUNK_TRACES:
        status = read_traces(&in, &result);
        break;
    case SP_CHUNK_SPAN_IDS:
        status = read_span_ids(&in, &result);
        break;
    case SP_CHUNK_PARENT_IDS:
        status = read_parent_ids(&in, &result);
        break;
    case SP_CHUNK_STARTS:
        status = read_starts(&in, &result);
        break;
    case SP_CHUNK_ENDS:
        status = read_ends(&in, &result);
        break;
    case SP_CHUNK_SPAN_TEMPLATES:
        status = read_templates(&in, SP_BLOCK_SPANS, &result);
        break;
    case SP_CHUNK_EVENT_TEMPLATES:
        status = read_templates(&in, SP_BLOCK_EVENTS, &result);
        break;
    case SP_CHUNK_LINK_TEMPLATES:
        status = read_templates(&in, SP_BLOCK_LINKS, &result);
        break;
    case SP_CHUNK_EVENT_TIMES:
        status = read_event_times(&in, &result);
        break;
    case SP_CHUNK_LINK_IDS:
        status = read_link_ids(&in, &result);
        break;
    }
    status = sp_opened_end(&in, status, reterr);
    if (status == SP_OK)
        *block = result;
    return status;
}

enum sp_status sp_block_decode_durations(struct sp_block_decoder *decoder,
                                         const struct sp_block_head *head, struct sp_slice chunk,
                                         struct sp_arena *arena, const uint64_t **ret,
                                         struct sp_error *reterr)
{
    struct sp_opened_chunk in;
    uint64_t *durations = NULL;
    enum sp_status status = sp_opened_init(decoder, head, SP_CHUNK_ENDS, chunk, arena, &in, reterr);
    if (status != SP_OK)
        return status;
    status = in.encoding == 0
                 ? sp_opened_numbers(&in, head->block.tables[SP_BLOCK_SPANS].count, &durations)
                 : SP_CORRUPT;
    status = sp_opened_end(&in, status, reterr);
    if (status == SP_OK)
        *ret = durations;
    return status;
}
