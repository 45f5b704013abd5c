/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/condition_gen.h: random conditions of scans, of which some hold for some of given spans. */
#pragma once

#include "storage/storage.h"
#include "tests/support/span_gen.h"

/* A key that occurs, as a rule, with its value; false: the span drawn has none. */
bool sp_gen_attribute_of(struct sp_gen *gen, const struct sp_span *const *spans, uint32_t count,
                         struct sp_attribute *ret);
/* On any field, about a value of one of the spans, or one beside it. */
struct sp_condition sp_gen_condition(struct sp_gen *gen, const struct sp_span *const *spans,
                                     uint32_t count);
