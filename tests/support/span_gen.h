/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/span_gen.h: random batches that use every field the model has. The same seed and options give the same
 * batch on every machine. Shared by the suites of wire, storage and query. */
#pragma once

#include "lib/model/model.h"

/* A small generator (splitmix64) for whatever else a test wants to vary. */
struct sp_gen {
    uint64_t state;
};
uint64_t sp_gen_u64(struct sp_gen *gen);
uint64_t sp_gen_below(struct sp_gen *gen, uint64_t bound); /* 0 <= x < bound; 0 for bound 0 */
bool sp_gen_chance(struct sp_gen *gen, unsigned percent);

struct sp_gen_options {
    size_t span_count;
    size_t trace_count;     /* spans are spread over that many trace ids; 0: span_count / 8 + 1 */
    uint64_t trace_seed;    /* batches with the same trace_seed share their trace ids */
    uint64_t start_unix_ns; /* earliest start; 0: 2026-01-01T00:00:00Z */
    uint64_t window_ns;     /* starts lie within; 0: one hour */
    size_t service_count;   /* service-0 ... ; 0: 5 */
    unsigned group_spans;   /* spans of one resource and scope in a row, on average; 0: 4 */
    unsigned
        odd_percent; /* how many fields get unusual content (residues, unknown numbers, end before start, empty
                                names, NaN, nested values, duplicate keys, times at the edge of 64 bits); 0: plain spans */
    uint32_t nesting; /* deepest nested value; 0: 3 */
    bool no_residue;  /* leave the residues empty: for formats that cannot carry them */
};

/* Options for spans with everything in them: odd_percent 20. */
struct sp_gen_options sp_gen_options_everything(size_t span_count);

/* The batch is the arena's memory. NULL when the arena is full. Spans are valid as a decoder would let them in: ids not
 * zero, strings UTF-8, parents earlier spans of the same trace, or missing, or none. */
const struct sp_batch *sp_gen_batch(struct sp_arena *arena, uint64_t seed,
                                    const struct sp_gen_options *options);

/* Pointers to the spans of a batch, as encoders take them; the arena's memory. */
const struct sp_span *const *sp_batch_pointers(struct sp_arena *arena,
                                               const struct sp_batch *batch);
