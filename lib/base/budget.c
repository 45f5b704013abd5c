/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/budget.c: the shared ceiling on memory. Atomic counters; relaxed order is enough, because the numbers
 * guard no other memory. */
#include "lib/base/budget.h"

#include "lib/base/compiler.h"

void sp_budget_init(struct sp_budget *budget, size_t max_bytes)
{
    atomic_init(&budget->used_bytes, 0);
    atomic_init(&budget->refused_count, 0);
    budget->max_bytes = max_bytes;
}

bool sp_budget_take(struct sp_budget *budget, size_t bytes)
{
    size_t used = atomic_load_explicit(&budget->used_bytes, memory_order_relaxed);
    do {
        if (bytes > budget->max_bytes - used) {
            atomic_fetch_add_explicit(&budget->refused_count, 1, memory_order_relaxed);
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&budget->used_bytes, &used, used + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

void sp_budget_give(struct sp_budget *budget, size_t bytes)
{
    size_t before = atomic_fetch_sub_explicit(&budget->used_bytes, bytes, memory_order_relaxed);
    SP_ASSERT(before >= bytes);
}

enum sp_status sp_account_take(struct sp_account *account, size_t bytes)
{
    if (!account->budget)
        return SP_OK;
    size_t max_bytes = account->budget->max_bytes;
    if (account->bytes > max_bytes || bytes > max_bytes - account->bytes) {
        account->error = SP_LIMIT;
        return SP_LIMIT;
    }
    if (!sp_budget_take(account->budget, bytes)) {
        account->error = SP_OVERLOADED;
        return SP_OVERLOADED;
    }
    account->bytes += bytes;
    account->error = SP_OK;
    return SP_OK;
}

void sp_account_give(struct sp_account *account, size_t bytes)
{
    if (account->budget) {
        SP_ASSERT(bytes <= account->bytes);
        account->bytes -= bytes;
        sp_budget_give(account->budget, bytes);
    }
}

void sp_account_fini(struct sp_account *account)
{
    sp_account_give(account, account->bytes);
}

size_t sp_budget_used(const struct sp_budget *budget)
{
    return atomic_load_explicit(&budget->used_bytes, memory_order_relaxed);
}

uint64_t sp_budget_refused(const struct sp_budget *budget)
{
    return atomic_load_explicit(&budget->refused_count, memory_order_relaxed);
}
