/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/budget.h: a ceiling on memory shared by many owners (all request bodies in flight, say). Taking is refused,
 * never delayed: the owner answers "try again" or stops reading. Thread-safe. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/status.h"

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

/* What one owner (a request, say) has taken from a budget for several arenas and buffers, which charge it before they take
 * memory. Not thread-safe: one owner at a time. All zero: charges nobody. */
struct sp_account {
    struct sp_budget *budget; /* NULL: everything is granted, nothing is counted */
    size_t bytes;             /* taken */
    enum sp_status error;     /* what the last sp_account_take returned */
};

/* SP_OVERLOADED  others hold what this one asks for: try again.
 * SP_LIMIT       this owner alone would pass the budget's ceiling. */
SP_MUST_USE enum sp_status sp_account_take(struct sp_account *account, size_t bytes);
void sp_account_give(struct sp_account *account, size_t bytes);
void sp_account_fini(struct sp_account *account); /* gives back whatever is still taken */
