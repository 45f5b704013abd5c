/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_encode.c: a block becomes chunks: columns first, then what all rows have, and the head, which sums up the
 * rest. Knows neither keys nor engines. */
#include "storage/block_codec.h"
#include "storage/block_head.h"
#include "storage/chunk.h"
#include "storage/pack.h"
#include "storage/parents.h"
#include "storage/text_list.h"

#include <endian.h>
#include <math.h>
#include <stdlib.h>

#define CHUNK_BYTES_MAX ((size_t)1 << 32)
/* Span ids are random as a rule; some older tracers count. So many show which. */
#define SPAN_ID_SAMPLE ((uint32_t)512)

/* A text's number in the list that is being made, if round is the present one. */
struct renumbering {
    uint32_t round, number;
};

struct sp_block_encoder {
    struct sp_zstd_packer *zstd;
    struct sp_numbers_writer writer;
    struct sp_buf chunk, head;
    struct sp_text_list texts;
    struct sp_parents parents;
    struct sp_interner shapes;
    SP_VECTOR(struct renumbering) renumberings; /* by a dictionary's number of a text */
    uint32_t round;
    SP_VECTOR(struct sp_slice) list; /* texts in the order of their new numbers */
    SP_VECTOR(uint32_t) codes;       /* scratch of many uses */
    SP_VECTOR(uint64_t) numbers;     /* the same */
    SP_VECTOR(struct sp_column_summary) summaries;
    /* of the block at hand */
    const struct sp_block *block;
    const struct sp_chunk_sink *sink;
    uint64_t stamp;
};

enum sp_status sp_block_encoder_new(struct sp_block_encoder **ret, struct sp_error *reterr)
{
    struct sp_block_encoder *encoder = calloc(1, sizeof(*encoder));
    struct sp_zstd_packer *zstd = sp_zstd_packer_new();
    if (encoder == NULL || zstd == NULL) {
        free(encoder);
        sp_zstd_packer_free(zstd);
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to encode blocks");
    }
    encoder->zstd = encoder->writer.zstd = zstd;
    sp_buf_init(&encoder->chunk, CHUNK_BYTES_MAX);
    sp_buf_init(&encoder->head, CHUNK_BYTES_MAX);
    sp_text_list_init(&encoder->texts);
    sp_parents_init(&encoder->parents);
    sp_interner_init(&encoder->shapes);
    *ret = encoder;
    return SP_OK;
}

void sp_block_encoder_free(struct sp_block_encoder *encoder)
{
    if (encoder == NULL)
        return;
    sp_zstd_packer_free(encoder->zstd);
    sp_numbers_writer_fini(&encoder->writer);
    sp_buf_fini(&encoder->chunk);
    sp_buf_fini(&encoder->head);
    sp_text_list_fini(&encoder->texts);
    sp_parents_fini(&encoder->parents);
    sp_interner_fini(&encoder->shapes);
    sp_vector_fini(&encoder->renumberings);
    sp_vector_fini(&encoder->list);
    sp_vector_fini(&encoder->codes);
    sp_vector_fini(&encoder->numbers);
    sp_vector_fini(&encoder->summaries);
    free(encoder);
}

/* ---- chunks ---- */

static struct sp_buf *begin(struct sp_block_encoder *encoder, uint8_t encoding)
{
    sp_buf_reset(&encoder->chunk);
    sp_chunk_begin(&encoder->chunk, encoding);
    return &encoder->chunk;
}

static enum sp_status end(struct sp_block_encoder *encoder, uint32_t chunk, uint64_t seed,
                          struct sp_error *reterr)
{
    struct sp_buf *out = &encoder->chunk;
    sp_chunk_end(out, seed);
    if (out->error != SP_OK)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to encode a block");
    return encoder->sink->take(encoder->sink->cookie, chunk, sp_buf_slice(out), reterr);
}

static enum sp_status end_fixed(struct sp_block_encoder *encoder, enum sp_chunk chunk,
                                struct sp_error *reterr)
{
    return end(encoder, chunk, sp_chunk_seed(encoder->stamp, chunk), reterr);
}

static enum sp_status no_memory(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory to encode a block");
}

/* ---- renumbering ---- */

/* An empty list of texts, out of a dictionary of so many. */
static bool list_begin(struct sp_block_encoder *encoder, uint32_t dictionary_count)
{
    encoder->list.count = 0;
    uint32_t had = encoder->renumberings.count;
    if (had < dictionary_count) {
        if (!sp_vector_reserve(&encoder->renumberings, dictionary_count - had))
            return false;
        memset(encoder->renumberings.items + had, 0,
               (dictionary_count - had) * sizeof(*encoder->renumberings.items));
        encoder->renumberings.count = dictionary_count;
    }
    if (++encoder->round == 0) {
        memset(encoder->renumberings.items, 0,
               encoder->renumberings.count * sizeof(*encoder->renumberings.items));
        encoder->round = 1;
    }
    return true;
}

/* The new number of a text. There is room in the list. */
static uint32_t list_add(struct sp_block_encoder *encoder, const struct sp_dictionary *dictionary,
                         uint32_t text)
{
    struct renumbering *renumbering = &encoder->renumberings.items[text];
    if (renumbering->round != encoder->round) {
        *renumbering = (struct renumbering){encoder->round, encoder->list.count};
        encoder->list.items[encoder->list.count++] = dictionary->texts[text];
    }
    return renumbering->number;
}

/* ---- columns ---- */

static void summarize_numbers(const struct sp_column *column, struct sp_column_summary *summary)
{
    for (uint32_t i = 0; i < column->count; i++) {
        uint64_t bits = column->numbers[i];
        if (column->kind == SP_VALUE_DOUBLE) {
            double number, min, max;
            memcpy(&number, &bits, sizeof(number));
            memcpy(&min, &summary->min, sizeof(min));
            memcpy(&max, &summary->max, sizeof(max));
            if (isnan(number))
                continue;
            if (!summary->has_range || number < min)
                summary->min = bits;
            if (!summary->has_range || number > max)
                summary->max = bits;
        } else {
            if (!summary->has_range || (int64_t)bits < (int64_t)summary->min)
                summary->min = bits;
            if (!summary->has_range || (int64_t)bits > (int64_t)summary->max)
                summary->max = bits;
        }
        summary->has_range = true;
    }
}

/* Do all texts of the dictionary occur, in its order? Those of a builder do. */
static bool is_in_order(const struct sp_column *column)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < column->count; i++) {
        if (column->codes[i] > next)
            return false;
        next += column->codes[i] == next;
    }
    return next == column->dictionary->count;
}

/* The codes of a column in the dictionary that is written, which list then has. NULL: no memory. */
static const uint32_t *renumber(struct sp_block_encoder *encoder, const struct sp_column *column,
                                struct sp_dictionary *ret_list)
{
    if (is_in_order(column)) {
        *ret_list = *column->dictionary;
        return column->codes;
    }
    encoder->codes.count = 0;
    if (!list_begin(encoder, column->dictionary->count) ||
        !sp_vector_reserve(&encoder->codes, column->count) ||
        !sp_vector_reserve(&encoder->list, column->count))
        return NULL;
    for (uint32_t i = 0; i < column->count; i++)
        encoder->codes.items[i] = list_add(encoder, column->dictionary, column->codes[i]);
    *ret_list = (struct sp_dictionary){.texts = encoder->list.items, .count = encoder->list.count};
    return encoder->codes.items;
}

static bool write_text_column(struct sp_block_encoder *encoder, uint32_t number,
                              struct sp_column_summary *summary)
{
    const struct sp_column *column = &encoder->block->columns[number];
    struct sp_dictionary list;
    const uint32_t *codes = renumber(encoder, column, &list);
    if (codes == NULL)
        return false;
    summary->distinct = list.count;
    bool repeats = list.count <= column->count / 2;
    if (encoder->sink->texts != NULL)
        encoder->sink->texts(encoder->sink->cookie, number, list.texts, list.count);
    sp_text_list_reset(&encoder->texts);
    if (repeats)
        sp_text_list_add(&encoder->texts, list.texts, list.count);
    else
        sp_text_list_add_codes(&encoder->texts, list.texts, codes, column->count);
    struct sp_buf *out = begin(encoder, repeats ? SP_COLUMN_DICTIONARY : SP_COLUMN_TEXTS);
    if (repeats)
        sp_pack_varint(list.count, out);
    sp_text_list_write(&encoder->texts, &encoder->writer, out);
    if (repeats)
        sp_numbers_write_32(&encoder->writer, codes, column->count, out);
    return true;
}

static enum sp_status write_column(struct sp_block_encoder *encoder, uint32_t number,
                                   struct sp_error *reterr)
{
    const struct sp_column *column = &encoder->block->columns[number];
    struct sp_column_summary *summary = &encoder->summaries.items[number];
    *summary = (struct sp_column_summary){0};
    if (column->count == 0 || column->kind == SP_VALUE_EMPTY)
        return SP_OK;
    if (column->numbers != NULL) {
        summarize_numbers(column, summary);
        sp_numbers_write(&encoder->writer, column->numbers, column->count,
                         column->kind == SP_VALUE_INT, begin(encoder, SP_COLUMN_NUMBERS));
    } else if (!write_text_column(encoder, number, summary)) {
        return no_memory(reterr);
    }
    uint32_t chunk = SP_CHUNK_FIRST_COLUMN + number;
    return end(encoder, chunk, sp_chunk_seed(encoder->stamp, chunk), reterr);
}

static enum sp_status write_columns(struct sp_block_encoder *encoder, struct sp_error *reterr)
{
    uint32_t count = encoder->block->column_count;
    encoder->summaries.count = 0;
    if (!sp_vector_reserve(&encoder->summaries, count))
        return no_memory(reterr);
    encoder->summaries.count = count;
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < count && status == SP_OK; i++)
        status = write_column(encoder, i, reterr);
    return status;
}

/* ---- what every row has ---- */

static uint64_t id_half(const struct sp_trace_id *id, size_t from)
{
    uint64_t half;
    memcpy(&half, id->bytes + from, sizeof(half));
    return be64toh(half);
}

/* The upper halves ascend: their differences. */
static enum sp_status write_traces(struct sp_block_encoder *encoder, struct sp_error *reterr)
{
    const struct sp_block *block = encoder->block;
    uint64_t *halves = encoder->numbers.items;
    uint32_t *rows = encoder->codes.items;
    struct sp_buf *out = begin(encoder, 0);
    uint32_t count = block->trace_count;
    uint64_t first = id_half(&block->trace_ids[0], 0);
    for (uint32_t i = 0; i < count; i++)
        rows[i] = block->trace_rows[i + 1] - block->trace_rows[i];
    sp_numbers_write_32(&encoder->writer, rows, count, out);
    sp_numbers_write(&encoder->writer, &first, 1, false, out);
    for (uint32_t i = 1; i < count; i++)
        halves[i] = id_half(&block->trace_ids[i], 0) - id_half(&block->trace_ids[i - 1], 0);
    sp_numbers_write(&encoder->writer, halves + 1, count - 1, false, out);
    for (uint32_t i = 0; i < count; i++)
        halves[i] = id_half(&block->trace_ids[i], 8);
    sp_numbers_write(&encoder->writer, halves, count, false, out);
    return end_fixed(encoder, SP_CHUNK_TRACES, reterr);
}

static enum sp_status write_span_ids(struct sp_block_encoder *encoder, struct sp_error *reterr)
{
    const struct sp_block *block = encoder->block;
    uint32_t count = block->tables[SP_BLOCK_SPANS].count;
    uint32_t sample = count < SPAN_ID_SAMPLE ? count : SPAN_ID_SAMPLE;
    uint64_t *numbers = encoder->numbers.items;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(&numbers[i], &block->span_ids[i], sizeof(*numbers));
        numbers[i] = be64toh(numbers[i]);
    }
    struct sp_buf *out = begin(encoder, 0);
    sp_numbers_write(&encoder->writer, numbers, sample, false, out);
    out = begin(encoder, out->len < (size_t)sample * 7);
    if (out->ptr[1])
        sp_numbers_write(&encoder->writer, numbers, count, false, out);
    else
        sp_buf_append(out, block->span_ids, count * sizeof(*block->span_ids));
    return end_fixed(encoder, SP_CHUNK_SPAN_IDS, reterr);
}

static enum sp_status write_parent_ids(struct sp_block_encoder *encoder, struct sp_error *reterr)
{
    struct sp_parents *parents = &encoder->parents;
    struct sp_buf *out = begin(encoder, 0);
    if (!sp_parents_find(parents, encoder->block))
        return no_memory(reterr);
    sp_numbers_write_32(&encoder->writer, parents->references.items, parents->references.count,
                        out);
    sp_buf_append(out, parents->raw.items, parents->raw.count * sizeof(*parents->raw.items));
    return end_fixed(encoder, SP_CHUNK_PARENT_IDS, reterr);
}

/* The first row of each trace by its distance from the block's first start, the others from the row before. */
static enum sp_status write_starts(struct sp_block_encoder *encoder, struct sp_error *reterr)
{
    const struct sp_block *block = encoder->block;
    uint64_t *numbers = encoder->numbers.items;
    uint32_t count = 0;
    struct sp_buf *out = begin(encoder, 0);
    for (uint32_t t = 0; t < block->trace_count; t++)
        numbers[t] = block->starts[block->trace_rows[t]] - block->start_min_unix_ns;
    sp_numbers_write(&encoder->writer, numbers, block->trace_count, false, out);
    for (uint32_t t = 0; t < block->trace_count; t++) {
        for (uint32_t i = block->trace_rows[t] + 1; i < block->trace_rows[t + 1]; i++)
            numbers[count++] = block->starts[i] - block->starts[i - 1];
    }
    sp_numbers_write(&encoder->writer, numbers, count, true, out);
    return end_fixed(encoder, SP_CHUNK_STARTS, reterr);
}

static enum sp_status write_ends(struct sp_block_encoder *encoder, struct sp_block_head *head,
                                 struct sp_error *reterr)
{
    const struct sp_block *block = encoder->block;
    uint32_t count = block->tables[SP_BLOCK_SPANS].count;
    uint64_t *numbers = encoder->numbers.items;
    head->duration_min_ns = UINT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        numbers[i] = block->ends[i] - block->starts[i];
        uint64_t duration = block->ends[i] < block->starts[i] ? 0 : numbers[i];
        if (duration < head->duration_min_ns)
            head->duration_min_ns = duration;
        if (duration > head->duration_max_ns)
            head->duration_max_ns = duration;
    }
    sp_numbers_write(&encoder->writer, numbers, count, true, begin(encoder, 0));
    return end_fixed(encoder, SP_CHUNK_ENDS, reterr);
}

static enum sp_status write_spans(struct sp_block_encoder *encoder, struct sp_block_head *head,
                                  struct sp_error *reterr)
{
    enum sp_status status = write_traces(encoder, reterr);
    if (status == SP_OK)
        status = write_span_ids(encoder, reterr);
    if (status == SP_OK)
        status = write_parent_ids(encoder, reterr);
    if (status == SP_OK)
        status = write_starts(encoder, reterr);
    if (status == SP_OK)
        status = write_ends(encoder, head, reterr);
    return status;
}

static enum sp_status write_event_times(struct sp_block_encoder *encoder, struct sp_error *reterr)
{
    const struct sp_block *block = encoder->block;
    uint32_t count = block->tables[SP_BLOCK_EVENTS].count;
    uint64_t before = block->start_min_unix_ns, *numbers = encoder->numbers.items;
    for (uint32_t i = 0; i < count; i++) {
        numbers[i] = block->event_times[i] - before;
        before = block->event_times[i];
    }
    sp_numbers_write(&encoder->writer, numbers, count, true, begin(encoder, 0));
    return end_fixed(encoder, SP_CHUNK_EVENT_TIMES, reterr);
}

static enum sp_status write_link_ids(struct sp_block_encoder *encoder, struct sp_error *reterr)
{
    const struct sp_block *block = encoder->block;
    size_t count = block->tables[SP_BLOCK_LINKS].count;
    struct sp_buf *out = begin(encoder, 0);
    sp_bytes_write(&encoder->writer,
                   sp_slice_make(block->link_trace_ids, count * SP_TRACE_ID_BYTES), out);
    sp_bytes_write(&encoder->writer, sp_slice_make(block->link_span_ids, count * SP_SPAN_ID_BYTES),
                   out);
    return end_fixed(encoder, SP_CHUNK_LINK_IDS, reterr);
}

static enum sp_status write_fixed(struct sp_block_encoder *encoder, struct sp_block_head *head,
                                  struct sp_error *reterr)
{
    const struct sp_block_rows *tables = encoder->block->tables;
    enum sp_status status = SP_OK;
    uint32_t most = 0;
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT; t++)
        most = tables[t].count > most ? tables[t].count : most;
    encoder->codes.count = encoder->numbers.count = 0;
    if (!sp_vector_reserve(&encoder->codes, most) || !sp_vector_reserve(&encoder->numbers, most))
        return no_memory(reterr);
    for (uint32_t t = 0; t < SP_BLOCK_TABLE_COUNT && status == SP_OK; t++) {
        if (tables[t].count > 0) {
            sp_numbers_write_32(&encoder->writer, tables[t].templates, tables[t].count,
                                begin(encoder, 0));
            status = end_fixed(encoder, SP_CHUNK_SPAN_TEMPLATES + t, reterr);
        }
    }
    if (status == SP_OK && tables[SP_BLOCK_SPANS].count > 0)
        status = write_spans(encoder, head, reterr);
    if (status == SP_OK && tables[SP_BLOCK_EVENTS].count > 0)
        status = write_event_times(encoder, reterr);
    if (status == SP_OK && tables[SP_BLOCK_LINKS].count > 0)
        status = write_link_ids(encoder, reterr);
    return status;
}

/* ---- the head ---- */

static enum sp_status write_head(struct sp_block_encoder *encoder, struct sp_block_head *head,
                                 struct sp_error *reterr)
{
    const struct sp_block *block = encoder->block;
    uint32_t count = block->names->count, most = 0;
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT; t++)
        most += block->template_counts[t];
    encoder->codes.count = 0;
    if (!list_begin(encoder, count) || !sp_vector_reserve(&encoder->codes, count) ||
        !sp_vector_reserve(&encoder->list, most))
        return no_memory(reterr);
    for (int t = SP_BLOCK_SPANS; t <= SP_BLOCK_EVENTS; t++) {
        for (uint32_t i = 0; i < block->template_counts[t]; i++) {
            uint32_t name = block->templates[t][i].name;
            encoder->codes.items[name] = list_add(encoder, block->names, name);
        }
    }
    const struct sp_head_names names = {.numbers = encoder->codes.items,
                                        .texts = encoder->list.items,
                                        .count = encoder->list.count};
    sp_interner_reset(&encoder->shapes);
    sp_buf_reset(&encoder->head);
    sp_block_head_write(head, &names, &encoder->shapes, &encoder->head);
    struct sp_buf *out = begin(encoder, 0);
    if (encoder->head.error != SP_OK)
        return no_memory(reterr);
    uint64_t stamp = htole64(encoder->stamp);
    sp_buf_append(out, &stamp, sizeof(stamp));
    sp_pack_varint(encoder->head.len, out);
    sp_bytes_write(&encoder->writer, sp_buf_slice(&encoder->head), out);
    return end(encoder, SP_CHUNK_HEAD, SP_CHUNK_HEAD_SEED, reterr);
}

enum sp_status sp_block_encode(struct sp_block_encoder *encoder, const struct sp_block *block,
                               const struct sp_chunk_sink *sink, struct sp_error *reterr)
{
    struct sp_block_head head = {.block = *block};
    encoder->block = block;
    encoder->sink = sink;
    encoder->stamp =
        sp_checksum(sp_slice_make(block->span_ids,
                                  block->tables[SP_BLOCK_SPANS].count * sizeof(*block->span_ids)),
                    block->tables[SP_BLOCK_SPANS].count);
    enum sp_status status = write_columns(encoder, reterr);
    head.columns = encoder->summaries.items;
    if (status == SP_OK)
        status = write_fixed(encoder, &head, reterr);
    if (status == SP_OK)
        status = write_head(encoder, &head, reterr);
    return status;
}
