/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/chunks.h: the chunks of one block in memory, as an encoder gives them and a decoder wants them. Each has memory
 * of its own, so that sanitizers see a read past its end. Out of memory aborts. */
#pragma once

#include "storage/block_codec.h"

struct sp_test_chunk {
    uint32_t number;
    uint8_t *ptr;
    size_t len;
};

struct sp_test_chunks { /* zero-initialised is empty */
    struct sp_test_chunk *items;
    size_t count, cap;
};

void sp_test_chunks_reset(struct sp_test_chunks *chunks);
void sp_test_chunks_fini(struct sp_test_chunks *chunks);
void sp_test_chunks_add(struct sp_test_chunks *chunks, uint32_t number, struct sp_slice bytes);
const struct sp_test_chunk *sp_test_chunks_find(const struct sp_test_chunks *chunks,
                                                uint32_t number); /* NULL: none */

struct sp_chunk_sink sp_test_chunks_sink(struct sp_test_chunks *chunks);
struct sp_chunk_source sp_test_chunks_source(struct sp_test_chunks *chunks);
