/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/check_block.c: one block, chunk by chunk: is each there, is it what was written, can it be decoded; and when all can, is
 * what the head and the segment's header say of the block true. Knows the database through kv.h only. */
#include "storage/check.h"
#include "storage/chunk.h"
#include "storage/segment_layout.h"

#include <math.h>
#include <stdio.h>

/* Rows that are turned into spans at once, to see that packed values are some. */
#define SPANS_AT_ONCE 256

struct checking {
    struct sp_check *check;
    struct sp_check_segment *of;
    struct sp_check_place place;
    struct sp_block_head head;
    struct sp_block block;
    struct sp_column *columns;
    uint32_t decoded; /* bits of the fixed chunks */
    bool is_damaged;
};

/* ---- chunks ---- */

static const char *const table_names[SP_BLOCK_TABLE_COUNT] = {"spans", "events", "links"};

static const char *const role_names[SP_ROLE_COUNT] = {
    [SP_ROLE_TRACE_STATE] = "trace state",
    [SP_ROLE_STATUS_MESSAGE] = "status message",
    [SP_ROLE_STATUS_RESIDUE] = "unknown fields of the status",
    [SP_ROLE_RESIDUE] = "unknown fields",
    [SP_ROLE_EVENT_COUNT] = "number of events",
    [SP_ROLE_LINK_COUNT] = "number of links",
    [SP_ROLE_MORE_ATTRIBUTES] = "further attributes",
};

/* "column 7 (attribute "http.route" of spans, string)", or the name of a fixed chunk. */
static void name_chunk(const struct checking *checking, uint32_t chunk, char *name, size_t size)
{
    char plain[SP_CHUNK_NAME_BYTES];
    sp_chunk_name(chunk, plain);
    if (chunk < SP_CHUNK_FIRST_COLUMN) {
        snprintf(name, size, "%s", plain);
        return;
    }
    const struct sp_column *column = &checking->head.block.columns[chunk - SP_CHUNK_FIRST_COLUMN];
    if (column->role == SP_ROLE_ATTRIBUTE)
        snprintf(name, size, "%s (attribute \"%.*s\" of %s, %s)", plain,
                 column->key.len < 128 ? (int)column->key.len : 128, (const char *)column->key.ptr,
                 table_names[column->table], sp_value_kind_name(column->kind));
    else
        snprintf(name, size, "%s (%s of %s)", plain, role_names[column->role],
                 table_names[column->table]);
}

/* A value that some spans have concerns these; their events and links are not told apart. */
static uint64_t spans_of_chunk(const struct checking *checking, uint32_t chunk)
{
    if (chunk < SP_CHUNK_FIRST_COLUMN)
        return SP_CHECK_ALL;
    const struct sp_column *column = &checking->head.block.columns[chunk - SP_CHUNK_FIRST_COLUMN];
    uint32_t rows = checking->head.block.tables[SP_BLOCK_SPANS].count;
    return column->table == SP_BLOCK_SPANS && column->count < rows ? column->count : SP_CHECK_ALL;
}

/* *ret is empty when it cannot be read. Whatever else it is, its checksum is right then. */
static enum sp_status fetch(struct checking *checking, uint32_t chunk, uint64_t seed,
                            struct sp_slice *ret, struct sp_error *reterr)
{
    struct sp_check *check = checking->check;
    const struct sp_segment *segment = checking->place.segment;
    uint8_t key[SP_CHUNK_KEY_BYTES];
    uint8_t encoding;
    struct sp_slice content;
    struct sp_error error = {0};
    *ret = (struct sp_slice){0};
    sp_chunk_key(segment->id, &segment->blocks[checking->place.block].first, checking->place.block,
                 chunk, key);
    sp_buf_reset(&check->chunk);
    enum sp_status status =
        sp_kv_get(check->kv, SP_KV_CHUNKS, sp_slice_make(key, sizeof(key)), &check->chunk, &error);
    if (status != SP_OK && !sp_check_is_damage(status)) {
        if (reterr != NULL)
            *reterr = error;
        return status;
    }
    if (status == SP_NOT_FOUND) {
        sp_check_found(check, SP_FINDING_MISSING, &checking->place, "it is not there");
    } else if (status != SP_OK) {
        sp_check_found(check, sp_check_kind_of(&error), &checking->place, "%s", error.message);
    } else {
        check->summary->chunk_count++;
        check->summary->bytes += check->chunk.len;
        checking->of->value_count++;
        status =
            sp_chunk_open(sp_buf_slice(&check->chunk), chunk, seed, &encoding, &content, &error);
        if (status != SP_OK)
            sp_check_found(check,
                           status == SP_VERSION ? SP_FINDING_UNREADABLE : SP_FINDING_CHECKSUM,
                           &checking->place, "%s", error.message);
    }
    if (status == SP_OK)
        *ret = sp_buf_slice(&check->chunk);
    else
        checking->is_damaged = true;
    return SP_OK;
}

/* Decoding failed: damage was found, or there is no memory for it. */
static enum sp_status decoding_failed(struct checking *checking, const struct sp_error *error,
                                      struct sp_error *reterr)
{
    if (!sp_check_is_damage(error->status)) {
        if (reterr != NULL)
            *reterr = *error;
        return error->status;
    }
    sp_check_found(checking->check, SP_FINDING_UNREADABLE, &checking->place, "%s", error->message);
    checking->is_damaged = true;
    return SP_OK;
}

static enum sp_status check_head(struct checking *checking, struct sp_error *reterr)
{
    struct sp_check *check = checking->check;
    struct sp_slice bytes;
    struct sp_error error = {0};
    checking->place.part = "head";
    enum sp_status status = fetch(checking, SP_CHUNK_HEAD, SP_CHUNK_HEAD_SEED, &bytes, reterr);
    if (status != SP_OK || bytes.len == 0)
        return status;
    if (sp_block_decode_head(check->decoder, bytes, &check->arena, &checking->head, &error) !=
        SP_OK)
        return decoding_failed(checking, &error, reterr);
    uint32_t count = checking->head.block.column_count;
    checking->block = checking->head.block;
    checking->columns = sp_arena_calloc(&check->arena, count + 1, sizeof(*checking->columns));
    if (checking->columns == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to check a block");
    if (count > 0)
        memcpy(checking->columns, checking->block.columns, count * sizeof(*checking->columns));
    checking->block.columns = checking->columns;
    return SP_OK;
}

/* What has to be decoded before. */
static const uint32_t needs[SP_CHUNK_FIXED_COUNT] = {
    [SP_CHUNK_PARENT_IDS] = 1u << SP_CHUNK_TRACES | 1u << SP_CHUNK_SPAN_IDS,
    [SP_CHUNK_STARTS] = 1u << SP_CHUNK_TRACES,
    [SP_CHUNK_ENDS] = 1u << SP_CHUNK_STARTS,
};

/* What cannot be decoded without a chunk that is damaged is not: its checksum is right, which has to do. */
static enum sp_status decode(struct checking *checking, uint32_t chunk, struct sp_slice bytes,
                             struct sp_error *reterr)
{
    struct sp_check *check = checking->check;
    if (chunk >= SP_CHUNK_FIRST_COLUMN) {
        uint32_t column = chunk - SP_CHUNK_FIRST_COLUMN;
        return sp_block_decode_column(check->decoder, &checking->head, column, bytes, &check->arena,
                                      &checking->columns[column], reterr);
    }
    if (chunk >= SP_CHUNK_FIXED_COUNT || (needs[chunk] & ~checking->decoded) != 0)
        return SP_OK;
    enum sp_status status =
        sp_block_decode_fixed(check->decoder, &checking->head, (enum sp_chunk)chunk, bytes,
                              &check->arena, &checking->block, reterr);
    if (status == SP_OK)
        checking->decoded |= 1u << chunk;
    return status;
}

static enum sp_status check_chunk(struct checking *checking, uint32_t chunk,
                                  struct sp_error *reterr)
{
    struct sp_slice bytes;
    struct sp_error error = {0};
    char name[256];
    if (!sp_block_has_chunk(&checking->head, chunk))
        return SP_OK;
    name_chunk(checking, chunk, name, sizeof(name));
    checking->place.part = name;
    checking->place.span_count = spans_of_chunk(checking, chunk);
    enum sp_status status =
        fetch(checking, chunk, sp_chunk_seed(checking->head.stamp, chunk), &bytes, reterr);
    if (status == SP_OK && bytes.len > 0 && decode(checking, chunk, bytes, &error) != SP_OK)
        status = decoding_failed(checking, &error, reterr);
    checking->place.span_count = SP_CHECK_ALL;
    checking->place.part = "";
    return status;
}

static enum sp_status check_chunks(struct checking *checking, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (uint32_t i = SP_CHUNK_TRACES; i < SP_CHUNK_FIXED_COUNT && status == SP_OK; i++)
        status = check_chunk(checking, i, reterr);
    for (uint32_t i = 0; i < checking->block.column_count && status == SP_OK; i++)
        status = check_chunk(checking, SP_CHUNK_FIRST_COLUMN + i, reterr);
    return status;
}

/* ---- what is said of the block ---- */

static void disagree(struct checking *checking, const char *what, uint64_t said, uint64_t found)
{
    sp_check_found(checking->check, SP_FINDING_DISAGREEMENT, &checking->place,
                   "%s: %llu is stored, and %llu was found", what, (unsigned long long)said,
                   (unsigned long long)found);
}

static void compare(struct checking *checking, const char *what, uint64_t said, uint64_t found)
{
    if (said != found)
        disagree(checking, what, said, found);
}

static void compare_ids(struct checking *checking, const char *what, const struct sp_trace_id *said,
                        const struct sp_trace_id *found)
{
    char said_text[SP_TRACE_ID_TEXT];
    char found_text[SP_TRACE_ID_TEXT];
    if (sp_trace_id_compare(said, found) == 0)
        return;
    sp_trace_id_format(said, said_text);
    sp_trace_id_format(found, found_text);
    sp_check_found(checking->check, SP_FINDING_DISAGREEMENT, &checking->place,
                   "%s: %s is stored, and %s was found", what, said_text, found_text);
}

/* Afterwards the block says what was found. */
static void check_times(struct checking *checking, const struct sp_segment_block *said)
{
    struct sp_block *block = &checking->block;
    const struct sp_block_head *head = &checking->head;
    uint64_t start_min = UINT64_MAX, start_max = 0, duration_min = UINT64_MAX, duration_max = 0;
    for (uint32_t i = 0; i < block->tables[SP_BLOCK_SPANS].count; i++) {
        uint64_t start = block->starts[i];
        uint64_t duration = block->ends[i] > start ? block->ends[i] - start : 0;
        start_min = start < start_min ? start : start_min;
        start_max = start > start_max ? start : start_max;
        duration_min = duration < duration_min ? duration : duration_min;
        duration_max = duration > duration_max ? duration : duration_max;
    }
    compare(checking, "first start, in the head", head->block.start_min_unix_ns, start_min);
    compare(checking, "last start, in the head", head->block.start_max_unix_ns, start_max);
    compare(checking, "shortest duration, in the head", head->duration_min_ns, duration_min);
    compare(checking, "longest duration, in the head", head->duration_max_ns, duration_max);
    compare(checking, "first start, in the header", said->start_min_unix_ns, start_min);
    compare(checking, "last start, in the header", said->start_max_unix_ns, start_max);
    block->start_min_unix_ns = start_min;
    block->start_max_unix_ns = start_max;
}

static bool less(enum sp_value_kind kind, uint64_t a, uint64_t b)
{
    double x;
    double y;
    if (kind != SP_VALUE_DOUBLE)
        return (int64_t)a < (int64_t)b;
    memcpy(&x, &a, sizeof(x));
    memcpy(&y, &b, sizeof(y));
    return x < y;
}

static bool is_nan(enum sp_value_kind kind, uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof(number));
    return kind == SP_VALUE_DOUBLE && isnan(number);
}

/* Equal as numbers: 0.0 and -0.0 are the same limit. */
static void check_range(struct checking *checking, const struct sp_column *column,
                        const struct sp_column_summary *summary)
{
    bool has_range = false;
    uint64_t min = 0, max = 0;
    for (uint32_t i = 0; i < column->count; i++) {
        uint64_t bits = column->numbers[i];
        if (is_nan(column->kind, bits))
            continue;
        if (!has_range || less(column->kind, bits, min))
            min = bits;
        if (!has_range || less(column->kind, max, bits))
            max = bits;
        has_range = true;
    }
    if (has_range != summary->has_range ||
        (has_range &&
         (less(column->kind, min, summary->min) || less(column->kind, summary->min, min) ||
          less(column->kind, max, summary->max) || less(column->kind, summary->max, max))))
        sp_check_found(checking->check, SP_FINDING_DISAGREEMENT, &checking->place,
                       "the range of its values in the head is not theirs");
}

/* At most as many texts differ as the head says: one may stand in a dictionary twice. All texts of one occur. */
static enum sp_status check_distinct(struct checking *checking, const struct sp_column *column,
                                     const struct sp_column_summary *summary,
                                     struct sp_error *reterr)
{
    struct sp_interner *texts = &checking->check->texts;
    const struct sp_dictionary *dictionary = column->dictionary;
    sp_arena_reset(&checking->check->values_arena);
    bool *occurs =
        sp_arena_calloc(&checking->check->values_arena, dictionary->count, sizeof(*occurs));
    uint32_t used = 0;
    if (occurs == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to check a column");
    sp_interner_reset(texts);
    for (uint32_t i = 0; i < column->count; i++) {
        uint32_t code = column->codes[i];
        if (sp_interner_add(texts, 0, dictionary->texts[code]) == SP_INTERNER_NONE)
            return sp_error_set(reterr, SP_NO_MEMORY, "no memory to check a column");
        used += !occurs[code];
        occurs[code] = true;
    }
    compare(checking, "texts of the dictionary that occur", dictionary->count, used);
    if (texts->texts.count > summary->distinct)
        disagree(checking, "different texts, at most", summary->distinct, texts->texts.count);
    return SP_OK;
}

static enum sp_status check_columns(struct checking *checking, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < checking->block.column_count && status == SP_OK; i++) {
        const struct sp_column *column = &checking->columns[i];
        char name[256];
        name_chunk(checking, SP_CHUNK_FIRST_COLUMN + i, name, sizeof(name));
        checking->place.part = name;
        if (column->numbers != NULL)
            check_range(checking, column, &checking->head.columns[i]);
        else if (column->codes != NULL)
            status = check_distinct(checking, column, &checking->head.columns[i], reterr);
        checking->place.part = "";
    }
    return status;
}

/* Values that stand packed in columns are unpacked here, and nowhere before. */
static enum sp_status check_spans(struct checking *checking, struct sp_error *reterr)
{
    struct sp_check *check = checking->check;
    struct sp_span spans[SPANS_AT_ONCE];
    struct sp_error error = {0};
    uint32_t count = checking->block.tables[SP_BLOCK_SPANS].count;
    for (uint32_t row = 0; row < count; row += SPANS_AT_ONCE) {
        uint32_t here = count - row < SPANS_AT_ONCE ? count - row : SPANS_AT_ONCE;
        sp_arena_reset(&check->values_arena);
        if (sp_block_spans(&checking->block, row, here, false, &check->values_arena, spans,
                           &error) != SP_OK)
            return decoding_failed(checking, &error, reterr);
    }
    return SP_OK;
}

static enum sp_status check_content(struct checking *checking, struct sp_error *reterr)
{
    const struct sp_block *block = &checking->block;
    const struct sp_segment_block *said = &checking->place.segment->blocks[checking->place.block];
    uint32_t rows = block->tables[SP_BLOCK_SPANS].count;
    compare(checking, "spans, in the header", said->rows, rows);
    compare_ids(checking, "first trace, in the header", &said->first, &block->trace_ids[0]);
    compare_ids(checking, "last trace, in the header", &said->last,
                &block->trace_ids[block->trace_count - 1]);
    if (checking->head.stamp !=
        sp_checksum(sp_slice_make(block->span_ids, rows * sizeof(*block->span_ids)), rows))
        sp_check_found(checking->check, SP_FINDING_DISAGREEMENT, &checking->place,
                       "the stamp in the head is not that of the span ids");
    check_times(checking, said);
    enum sp_status status = check_columns(checking, reterr);
    return status == SP_OK ? check_spans(checking, reterr) : status;
}

enum sp_status sp_check_block(struct sp_check *check, struct sp_check_segment *segment,
                              uint32_t number, const struct sp_block **ret, struct sp_error *reterr)
{
    struct checking checking = {
        .check = check,
        .of = segment,
        .place = {
            .segment = segment->segment, .block = number, .part = "", .span_count = SP_CHECK_ALL}};
    *ret = NULL;
    sp_arena_reset(&check->arena);
    enum sp_status status = check_head(&checking, reterr);
    if (status == SP_OK && !checking.is_damaged)
        status = check_chunks(&checking, reterr);
    checking.place.part = "";
    if (status == SP_OK && !checking.is_damaged && checking.block.trace_count == 0) {
        sp_check_found(check, SP_FINDING_DISAGREEMENT, &checking.place, "it has no spans");
        checking.is_damaged = true;
    }
    if (status == SP_OK && !checking.is_damaged)
        status = check_content(&checking, reterr);
    segment->is_damaged |= checking.is_damaged;
    if (status == SP_OK && !checking.is_damaged) {
        check->block = checking.block;
        *ret = &check->block;
        check->summary->block_count++;
    }
    return status;
}
