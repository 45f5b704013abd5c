/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/hash.c: what hash.h needs of the system: seeds, and memory. */
#include "lib/base/hash.h"

#include <stdlib.h>
#include <sys/random.h>

uint64_t sp_hash_seed(void)
{
    uint64_t seed;
    /* Without entropy an address has to do: a predictable seed costs speed under attack, never a wrong answer. */
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
        seed = (uint64_t)(uintptr_t)&seed;
    return seed;
}

void *sp_hash_slots(size_t count, size_t size)
{
    const size_t page_bytes = 4096;
    uint8_t *slots = calloc(count, size);
    for (size_t at = 0; slots != NULL && at < count * size; at += page_bytes)
        ((volatile uint8_t *)slots)[at] = 0;
    return slots;
}
