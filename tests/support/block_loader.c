/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/block_loader.c: parts of a block are decoded when they are asked for. */
#include "tests/support/block_loader.h"

static struct sp_slice chunk_of(const struct sp_block_loader *loader, uint32_t number)
{
    const struct sp_test_chunk *chunk = sp_test_chunks_find(&loader->chunks, number);
    SP_ASSERT(chunk != NULL);
    return sp_slice_make(chunk->ptr, chunk->len);
}

static enum sp_status load_fixed(struct sp_block_loader *loader, enum sp_chunk which,
                                 struct sp_error *reterr)
{
    if ((loader->fixed & 1u << which) != 0)
        return SP_OK;
    loader->fixed |= 1u << which;
    return sp_block_decode_fixed(loader->decoder, &loader->head, which, chunk_of(loader, which),
                                 &loader->arena, &loader->block, reterr);
}

/* Each needs those before it. */
static enum sp_status load_up_to(struct sp_block_loader *loader, enum sp_chunk last,
                                 struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (uint32_t which = SP_CHUNK_TRACES; which <= last && status == SP_OK; which++)
        status = load_fixed(loader, (enum sp_chunk)which, reterr);
    return status;
}

static enum sp_status load_dictionary(struct sp_block_loader *loader, uint32_t column,
                                      struct sp_error *reterr)
{
    struct sp_dictionary *dictionary = sp_arena_alloc(&loader->arena, sizeof(*dictionary));
    SP_ASSERT(dictionary != NULL);
    loader->columns[column].dictionary = dictionary;
    return sp_block_decode_dictionary(loader->decoder, &loader->head, column,
                                      chunk_of(loader, SP_CHUNK_FIRST_COLUMN + column),
                                      &loader->arena, dictionary, reterr);
}

static enum sp_status load(struct sp_block_view *view, enum sp_block_part part, uint32_t number,
                           struct sp_error *reterr)
{
    static const enum sp_chunk templates[SP_BLOCK_TABLE_COUNT] = {
        [SP_BLOCK_SPANS] = SP_CHUNK_SPAN_TEMPLATES,
        [SP_BLOCK_EVENTS] = SP_CHUNK_EVENT_TEMPLATES,
        [SP_BLOCK_LINKS] = SP_CHUNK_LINK_TEMPLATES,
    };
    struct sp_block_loader *loader = view->cookie;
    enum sp_status status = SP_OK;
    loader->loads++;
    switch (part) {
    case SP_PART_TRACES:
        status = load_fixed(loader, SP_CHUNK_TRACES, reterr);
        break;
    case SP_PART_SPAN_IDS:
        status = load_fixed(loader, SP_CHUNK_SPAN_IDS, reterr);
        break;
    case SP_PART_STARTS:
        status = load_up_to(loader, SP_CHUNK_STARTS, reterr);
        break;
    case SP_PART_DURATIONS:
        if (loader->without_durations)
            status = load_up_to(loader, SP_CHUNK_ENDS, reterr);
        else
            status = sp_block_decode_durations(loader->decoder, &loader->head,
                                               chunk_of(loader, SP_CHUNK_ENDS), &loader->arena,
                                               &loader->view.durations, reterr);
        break;
    case SP_PART_ROW_TEMPLATES:
        status = load_fixed(loader, templates[number], reterr);
        break;
    case SP_PART_LINKS:
        status = load_fixed(loader, SP_CHUNK_LINK_IDS, reterr);
        break;
    case SP_PART_DICTIONARY:
        status = load_dictionary(loader, number, reterr);
        break;
    case SP_PART_VALUES:
        status = sp_block_decode_column(loader->decoder, &loader->head, number,
                                        chunk_of(loader, SP_CHUNK_FIRST_COLUMN + number),
                                        &loader->arena, &loader->columns[number], reterr);
        break;
    }
    SP_ASSERT(status == SP_OK);
    return status;
}

void sp_block_loader_reset(struct sp_block_loader *loader)
{
    size_t bytes = loader->head.block.column_count * sizeof(*loader->columns);
    sp_arena_reset(&loader->arena);
    loader->columns = sp_arena_alloc(&loader->arena, bytes);
    SP_ASSERT(loader->columns != NULL);
    if (bytes > 0)
        memcpy(loader->columns, loader->head.block.columns, bytes);
    loader->block = loader->head.block;
    loader->block.columns = loader->columns;
    loader->fixed = 0;
    loader->loads = 0;
    loader->view = (struct sp_block_view){
        .block = &loader->block, .head = &loader->head, .load = load, .cookie = loader};
}

void sp_block_loader_init(struct sp_block_loader *loader, const struct sp_block *block)
{
    struct sp_block_encoder *encoder;
    struct sp_error error;
    *loader = (struct sp_block_loader){0};
    sp_arena_init(&loader->head_arena, SIZE_MAX);
    sp_arena_init(&loader->arena, SIZE_MAX);
    struct sp_chunk_sink sink = sp_test_chunks_sink(&loader->chunks);
    SP_ASSERT(sp_block_encoder_new(&encoder, &error) == SP_OK);
    SP_ASSERT(sp_block_encode(encoder, block, &sink, &error) == SP_OK);
    sp_block_encoder_free(encoder);
    SP_ASSERT(sp_block_decoder_new(&loader->decoder, &error) == SP_OK);
    SP_ASSERT(sp_block_decode_head(loader->decoder, chunk_of(loader, SP_CHUNK_HEAD),
                                   &loader->head_arena, &loader->head, &error) == SP_OK);
    sp_block_loader_reset(loader);
}

void sp_block_loader_fini(struct sp_block_loader *loader)
{
    sp_test_chunks_fini(&loader->chunks);
    sp_block_decoder_free(loader->decoder);
    sp_arena_fini(&loader->head_arena);
    sp_arena_fini(&loader->arena);
}
