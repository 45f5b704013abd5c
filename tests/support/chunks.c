/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/chunks.c: the chunks of one block in memory. */
#include "tests/support/chunks.h"

#include <stdlib.h>

void sp_test_chunks_reset(struct sp_test_chunks *chunks)
{
    for (size_t i = 0; i < chunks->count; i++)
        free(chunks->items[i].ptr);
    chunks->count = 0;
}

void sp_test_chunks_fini(struct sp_test_chunks *chunks)
{
    sp_test_chunks_reset(chunks);
    free(chunks->items);
    *chunks = (struct sp_test_chunks){0};
}

void sp_test_chunks_add(struct sp_test_chunks *chunks, uint32_t number, struct sp_slice bytes)
{
    if (chunks->count == chunks->cap) {
        chunks->cap = chunks->cap * 2 + 64;
        chunks->items = realloc(chunks->items, chunks->cap * sizeof(*chunks->items));
        SP_ASSERT(chunks->items != NULL);
    }
    uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1);
    SP_ASSERT(copy != NULL);
    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    chunks->items[chunks->count++] = (struct sp_test_chunk){number, copy, bytes.len};
}

const struct sp_test_chunk *sp_test_chunks_find(const struct sp_test_chunks *chunks,
                                                uint32_t number)
{
    for (size_t i = 0; i < chunks->count; i++) {
        if (chunks->items[i].number == number)
            return &chunks->items[i];
    }
    return NULL;
}

static enum sp_status take(void *cookie, uint32_t number, struct sp_slice bytes,
                           struct sp_error *reterr)
{
    (void)reterr;
    SP_ASSERT(sp_test_chunks_find(cookie, number) == NULL);
    sp_test_chunks_add(cookie, number, bytes);
    return SP_OK;
}

static enum sp_status fetch(void *cookie, uint32_t number, struct sp_slice *ret,
                            struct sp_error *reterr)
{
    const struct sp_test_chunk *chunk = sp_test_chunks_find(cookie, number);
    if (chunk == NULL)
        return sp_error_set(reterr, SP_NOT_FOUND, "no chunk %u", number);
    *ret = sp_slice_make(chunk->ptr, chunk->len);
    return SP_OK;
}

struct sp_chunk_sink sp_test_chunks_sink(struct sp_test_chunks *chunks)
{
    return (struct sp_chunk_sink){.take = take, .cookie = chunks};
}

struct sp_chunk_source sp_test_chunks_source(struct sp_test_chunks *chunks)
{
    return (struct sp_chunk_source){fetch, chunks};
}
