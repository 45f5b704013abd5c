/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_decode_column.c: the values of one column, its texts alone, and whole blocks. Knows neither keys nor engines. */
#include "storage/block_decoder.h"
#include "storage/chunk.h"
#include "storage/pack.h"
#include "storage/text_list.h"

/* ---- columns ---- */

static bool is_of_numbers(const struct sp_column *column)
{
    switch (column->kind) {
    case SP_VALUE_INT:
    case SP_VALUE_BOOL:
    case SP_VALUE_DOUBLE:
        return true;
    case SP_VALUE_EMPTY:
    case SP_VALUE_STRING:
    case SP_VALUE_BYTES:
    case SP_VALUE_ARRAY:
    case SP_VALUE_KVLIST:
        break;
    }
    return false;
}

static enum sp_status open_column(struct sp_block_decoder *decoder,
                                  const struct sp_block_head *head, uint32_t number,
                                  struct sp_slice chunk, struct sp_arena *arena,
                                  struct sp_opened_chunk *ret, struct sp_error *reterr)
{
    SP_ASSERT(sp_block_has_chunk(head, SP_CHUNK_FIRST_COLUMN + number));
    enum sp_status status =
        sp_opened_init(decoder, head, SP_CHUNK_FIRST_COLUMN + number, chunk, arena, ret, reterr);
    if (status == SP_OK &&
        (ret->encoding > SP_COLUMN_TEXTS ||
         is_of_numbers(&head->block.columns[number]) != (ret->encoding == SP_COLUMN_NUMBERS)))
        status = sp_opened_failed(ret, SP_CORRUPT, reterr);
    return status;
}

/* The list of texts that both encodings of texts begin with. */
static enum sp_status read_dictionary(struct sp_opened_chunk *in, const struct sp_column *column,
                                      struct sp_dictionary *ret)
{
    uint64_t count = column->count;
    if (in->encoding == SP_COLUMN_DICTIONARY &&
        (!sp_unpack_varint(&in->rest, &count) || count == 0 || count > column->count))
        return SP_CORRUPT;
    ret->count = (uint32_t)count;
    return sp_text_list_read(&in->decoder->reader, &in->rest, ret->count, in->arena, &ret->texts);
}

static enum sp_status read_codes(struct sp_opened_chunk *in, struct sp_column *column)
{
    uint32_t *codes;
    if (in->encoding == SP_COLUMN_TEXTS) {
        codes = sp_arena_alloc(in->arena, column->count * sizeof(*codes));
        for (uint32_t i = 0; i < column->count && codes != NULL; i++)
            codes[i] = i;
        column->codes = codes;
        return codes == NULL ? SP_LIMIT : SP_OK;
    }
    enum sp_status status = sp_opened_numbers_32(in, column->count, &codes);
    uint32_t largest = 0;
    for (uint32_t i = 0; i < column->count && status == SP_OK; i++)
        largest = codes[i] > largest ? codes[i] : largest;
    column->codes = codes;
    return status == SP_OK && largest >= column->dictionary->count ? SP_CORRUPT : status;
}

/* As many events, or links, as the block has. */
static bool children_add_up(const struct sp_column *column, uint32_t children)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < column->count && sum <= children; i++)
        sum = column->numbers[i] <= children ? sum + column->numbers[i] : UINT64_MAX;
    return sum == children;
}

static enum sp_status read_numbers(struct sp_opened_chunk *in, const struct sp_block *block,
                                   struct sp_column *column)
{
    uint64_t *numbers;
    enum sp_status status = sp_opened_numbers(in, column->count, &numbers);
    column->numbers = numbers;
    if (status != SP_OK)
        return status;
    if ((column->role == SP_ROLE_EVENT_COUNT &&
         !children_add_up(column, block->tables[SP_BLOCK_EVENTS].count)) ||
        (column->role == SP_ROLE_LINK_COUNT &&
         !children_add_up(column, block->tables[SP_BLOCK_LINKS].count)))
        return SP_CORRUPT;
    return SP_OK;
}

enum sp_status sp_block_decode_column(struct sp_block_decoder *decoder,
                                      const struct sp_block_head *head, uint32_t number,
                                      struct sp_slice chunk, struct sp_arena *arena,
                                      struct sp_column *ret, struct sp_error *reterr)
{
    struct sp_opened_chunk in;
    struct sp_column column = head->block.columns[number];
    enum sp_status status = open_column(decoder, head, number, chunk, arena, &in, reterr);
    if (status != SP_OK)
        return status;
    if (in.encoding == SP_COLUMN_NUMBERS) {
        status = read_numbers(&in, &head->block, &column);
    } else {
        struct sp_dictionary *dictionary = sp_arena_alloc(arena, sizeof(*dictionary));
        column.dictionary = dictionary;
        status = dictionary == NULL ? SP_LIMIT : read_dictionary(&in, &column, dictionary);
        if (status == SP_OK)
            status = read_codes(&in, &column);
    }
    status = sp_opened_end(&in, status, reterr);
    if (status == SP_OK)
        *ret = column;
    return status;
}

enum sp_status sp_block_decode_dictionary(struct sp_block_decoder *decoder,
                                          const struct sp_block_head *head, uint32_t number,
                                          struct sp_slice chunk, struct sp_arena *arena,
                                          struct sp_dictionary *ret, struct sp_error *reterr)
{
    struct sp_opened_chunk in;
    struct sp_dictionary dictionary = {0};
    enum sp_status status = open_column(decoder, head, number, chunk, arena, &in, reterr);
    if (status != SP_OK)
        return status;
    SP_ASSERT(!is_of_numbers(&head->block.columns[number]));
    status = read_dictionary(&in, &head->block.columns[number], &dictionary);
    if (status != SP_OK)
        return sp_opened_failed(&in, status, reterr);
    *ret = dictionary;
    return SP_OK;
}

/* ---- whole blocks ---- */

static enum sp_status fetch(const struct sp_chunk_source *source, uint32_t chunk,
                            struct sp_slice *ret, struct sp_error *reterr)
{
    enum sp_status status = source->fetch(source->cookie, chunk, ret, reterr);
    return status == SP_NOT_FOUND ? sp_chunk_corrupt(chunk, "it is not there", reterr) : status;
}

static enum sp_status decode_columns(struct sp_block_decoder *decoder,
                                     const struct sp_block_head *head,
                                     const struct sp_chunk_source *source, struct sp_arena *arena,
                                     struct sp_block *block, struct sp_error *reterr)
{
    struct sp_column *columns = sp_arena_alloc(arena, block->column_count * sizeof(*columns));
    if (columns == NULL)
        return sp_error_set(reterr, SP_LIMIT, "a stored block does not fit into the memory given");
    for (uint32_t i = 0; i < block->column_count; i++) {
        uint32_t number = SP_CHUNK_FIRST_COLUMN + i;
        struct sp_slice chunk;
        columns[i] = block->columns[i];
        if (!sp_block_has_chunk(head, number))
            continue;
        enum sp_status status = fetch(source, number, &chunk, reterr);
        if (status == SP_OK)
            status = sp_block_decode_column(decoder, head, i, chunk, arena, &columns[i], reterr);
        if (status != SP_OK)
            return status;
    }
    block->columns = columns;
    return SP_OK;
}

enum sp_status sp_block_decode(struct sp_block_decoder *decoder,
                               const struct sp_chunk_source *source, struct sp_arena *arena,
                               struct sp_block *ret, struct sp_block_head *ret_head,
                               struct sp_error *reterr)
{
    struct sp_block_head head;
    struct sp_slice chunk;
    enum sp_status status = fetch(source, SP_CHUNK_HEAD, &chunk, reterr);
    if (status == SP_OK)
        status = sp_block_decode_head(decoder, chunk, arena, &head, reterr);
    if (status != SP_OK)
        return status;
    struct sp_block block = head.block;
    for (uint32_t i = SP_CHUNK_TRACES; i < SP_CHUNK_FIXED_COUNT && status == SP_OK; i++) {
        if (!sp_block_has_chunk(&head, i))
            continue;
        status = fetch(source, i, &chunk, reterr);
        if (status == SP_OK)
            status = sp_block_decode_fixed(decoder, &head, i, chunk, arena, &block, reterr);
    }
    if (status == SP_OK)
        status = decode_columns(decoder, &head, source, arena, &block, reterr);
    if (status != SP_OK)
        return status;
    *ret = block;
    if (ret_head != NULL)
        *ret_head = head;
    return SP_OK;
}
