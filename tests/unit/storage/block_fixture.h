/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/storage/block_fixture.h: a block of random spans beside the spans, and the same block as one that lies on disk. */
#pragma once

#include "tests/support/block_loader.h"
#include "tests/support/span_gen.h"

struct block_fixture {
    struct sp_arena arena;
    const struct sp_span **spans; /* of the rows */
    uint32_t count;
    struct sp_block_builder *builder;
    struct sp_block whole;

    struct sp_block_loader disk;
};

/* odd_percent as the generator's; long_lists: some spans have more attributes than a block gives columns to. */
void block_fixture_init(struct block_fixture *f, uint64_t seed, size_t span_count,
                        unsigned odd_percent, bool long_lists);
void block_fixture_fini(struct block_fixture *f);

/* A view of the block in memory. */
struct sp_block_view block_fixture_memory(const struct block_fixture *f);

/* A range whose ends lie at, or beside, starts of spans; or everything. */
struct sp_time_range block_fixture_range(const struct block_fixture *f, struct sp_gen *gen);
