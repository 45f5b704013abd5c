/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/block_loader.h: a block as one on disk: its chunks lie in memory, and its parts are decoded when a view asks for
 * them. Out of memory, and damage, abort. */
#pragma once

#include "storage/block_view.h"
#include "tests/support/chunks.h"

struct sp_block_loader {
    struct sp_test_chunks chunks;
    struct sp_block_decoder *decoder;
    struct sp_arena head_arena;
    struct sp_block_head head;
    struct sp_arena arena; /* of what is loaded */
    struct sp_block block;
    struct sp_column *columns;
    uint32_t fixed;         /* bits of the chunks that are loaded */
    bool without_durations; /* starts and ends are loaded in their place */
    struct sp_block_view view;
    unsigned loads; /* since the last reset */
};

void sp_block_loader_init(struct sp_block_loader *loader, const struct sp_block *block);
void sp_block_loader_fini(struct sp_block_loader *loader);
void sp_block_loader_reset(struct sp_block_loader *loader); /* nothing is loaded but the head */
