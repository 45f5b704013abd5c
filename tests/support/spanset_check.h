/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/spanset_check.h: the evaluator of queries beside the oracle: one seed, one trace, one query. */
#pragma once

#include "query/spanset.h"
#include "tests/support/spanset_oracle.h"

struct spanset_run {
    struct sp_pipeline *pipeline;
    struct sp_trace_facts facts;
    struct sp_trace tree;
    struct sp_spanset_list list;
};

/* Parses, compiles and runs; everything but the batch is the arena's memory. Asserts that all of it works. */
void spanset_run(struct sp_arena *arena, const char *text, const struct sp_batch *batch,
                 struct spanset_run *run);

/* Index in the batch of a row. */
size_t spanset_index(const struct spanset_run *run, uint32_t row);

/* False: they disagree; query and trace were printed. *ret_found: the query finds something. Empties the arena. */
bool spanset_check_seed(struct sp_arena *arena, uint64_t seed, bool *ret_found);
