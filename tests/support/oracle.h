/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/oracle.h: what an OTLP request means, by protobuf-c instead of our scanner. Slow, for small inputs. */
#pragma once

#include "lib/model/model.h"

struct sp_oracle {
    /* protobuf-c refuses a message of it, or a field number is outside 1 to 2^29-1 */
    bool malformed;
    bool deep;                    /* a value is nested deeper than nesting_max */
    const struct sp_batch *batch; /* NULL if one of the above; rejected_reason is not filled */
};

/* All memory is the arena's. */
struct sp_oracle sp_oracle_decode(struct sp_arena *arena, struct sp_slice in, uint32_t nesting_max);

/* The batch with its residues as the oracle writes them: keys as short as possible, all else byte for byte. */
const struct sp_batch *sp_oracle_normalise(struct sp_arena *arena, const struct sp_batch *batch);

/* Decodes in with both and asserts that they agree: both refuse it, or both give the same spans. */
void sp_oracle_check(struct sp_slice in);
