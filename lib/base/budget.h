/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/budget.h: a ceiling on memory shared by many owners (all request bodies in flight, say). Taking is refused,
 * never delayed: the owner answers "try again" or stops reading. Thread-safe. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_budget {
    _Atomic size_t used_bytes;
    _Atomic uint64_t refused_count; /* how often there was not enough left */
    size_t max_bytes;
};

void sp_budget_init(struct sp_budget *budget, size_t max_bytes);

/* True and counted, or false and nothing changed when max_bytes would be passed. */
bool sp_budget_take(struct sp_budget *budget, size_t bytes);

/* Gives back what was taken; more than was taken is a bug and asserts. */
void sp_budget_give(struct sp_budget *budget, size_t bytes);

size_t sp_budget_used(const struct sp_budget *budget);
uint64_t sp_budget_refused(const struct sp_budget *budget);
