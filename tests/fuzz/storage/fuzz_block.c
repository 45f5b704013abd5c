/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/fuzz/storage/fuzz_block.c: chunks of a block that no encoder made, behind checksums that are right. They are refused,
 * or they are a block: then all its spans can be read, and encoding it again gives the same spans.
 *
 * The input is a list of chunks: number (2 bytes, little endian), length (3 bytes), the chunk without its checksum. */
#include <stdlib.h>

#include "storage/chunk.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/chunks.h"

#define ARENA_BYTES  ((size_t)32 * 1024 * 1024)
#define HEADER_BYTES 5
#define STAMP_AT     2

static void add_chunk(struct sp_test_chunks *chunks, uint32_t number, struct sp_slice bytes,
                      uint64_t *stamp)
{
    struct sp_buf out;
    if (sp_test_chunks_find(chunks, number) != NULL)
        return;
    if (number == SP_CHUNK_HEAD && bytes.len >= STAMP_AT + sizeof(*stamp))
        memcpy(stamp, bytes.ptr + STAMP_AT, sizeof(*stamp)); /* little endian machines only */
    sp_buf_init(&out, SIZE_MAX);
    sp_buf_append_slice(&out, bytes);
    sp_chunk_end(&out,
                 number == SP_CHUNK_HEAD ? SP_CHUNK_HEAD_SEED : sp_chunk_seed(*stamp, number));
    sp_test_chunks_add(chunks, number, sp_buf_slice(&out));
    sp_buf_fini(&out);
}

/* The head is the first chunk, so its stamp is known to the others. */
static void add_chunks(struct sp_test_chunks *chunks, const uint8_t *data, size_t size)
{
    uint64_t stamp = 0;
    while (size >= HEADER_BYTES) {
        uint32_t number = data[0] | (uint32_t)data[1] << 8;
        size_t len = data[2] | (size_t)data[3] << 8 | (size_t)data[4] << 16;
        data += HEADER_BYTES;
        size -= HEADER_BYTES;
        if (len > size)
            len = size;
        add_chunk(chunks, number, sp_slice_make(data, len), &stamp);
        data += len;
        size -= len;
    }
}

/* NULL: a packed value of them is damaged, or they do not fit. */
static struct sp_span *read_spans(const struct sp_block *block, struct sp_arena *arena)
{
    struct sp_error error;
    uint32_t count = block->tables[SP_BLOCK_SPANS].count;
    struct sp_span *spans = sp_arena_calloc(arena, (size_t)count + 1, sizeof(*spans));
    if (spans == NULL)
        return NULL;
    enum sp_status status = sp_block_spans(block, 0, count, false, arena, spans, &error);
    SP_ASSERT(status == SP_OK || status == SP_CORRUPT || status == SP_LIMIT);
    return status == SP_OK ? spans : NULL;
}

static void encode_again(const struct sp_block *block, const struct sp_span *spans,
                         struct sp_block_decoder *decoder)
{
    struct sp_block_encoder *encoder;
    struct sp_test_chunks chunks = {0};
    struct sp_arena arena;
    struct sp_block again;
    struct sp_error error;
    const struct sp_chunk_sink sink = sp_test_chunks_sink(&chunks);
    const struct sp_chunk_source source = sp_test_chunks_source(&chunks);
    sp_arena_init(&arena, SIZE_MAX);
    SP_ASSERT(sp_block_encoder_new(&encoder, &error) == SP_OK);
    SP_ASSERT(sp_block_encode(encoder, block, &sink, &error) == SP_OK);
    SP_ASSERT(sp_block_decode(decoder, &source, &arena, &again, NULL, &error) == SP_OK);
    const struct sp_span *back = read_spans(&again, &arena);
    SP_ASSERT(back != NULL &&
              again.tables[SP_BLOCK_SPANS].count == block->tables[SP_BLOCK_SPANS].count);
    for (uint32_t i = 0; i < block->tables[SP_BLOCK_SPANS].count; i++)
        SP_ASSERT(sp_span_equal(&spans[i], &back[i]));
    sp_block_encoder_free(encoder);
    sp_test_chunks_fini(&chunks);
    sp_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_test_chunks chunks = {0};
    struct sp_block_decoder *decoder;
    struct sp_arena arena;
    struct sp_block block;
    struct sp_error error;
    const struct sp_chunk_source source = sp_test_chunks_source(&chunks);
    add_chunks(&chunks, data, size);
    sp_arena_init(&arena, ARENA_BYTES);
    SP_ASSERT(sp_block_decoder_new(&decoder, &error) == SP_OK);
    enum sp_status status = sp_block_decode(decoder, &source, &arena, &block, NULL, &error);
    SP_ASSERT(status == SP_OK || status == SP_CORRUPT || status == SP_LIMIT ||
              status == SP_VERSION);
    const struct sp_span *spans = status == SP_OK ? read_spans(&block, &arena) : NULL;
    if (spans != NULL)
        encode_again(&block, spans, decoder);
    sp_block_decoder_free(decoder);
    sp_test_chunks_fini(&chunks);
    sp_arena_fini(&arena);
    return 0;
}
