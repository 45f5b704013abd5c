/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/alloc_fail.h: a system that runs out of memory when a test says so. The linker gives malloc, calloc and
 * realloc of our own code to alloc_fail.c (sp_alloc_fail_dep); libraries keep theirs. Counts for the calling thread only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* From now on count allocations succeed and all later ones fail, until alloc_fail_stop. */
void alloc_fail_after(size_t count);

/* All succeed again. True if one failed meanwhile. */
bool alloc_fail_stop(void);

/* From now on every allocation of every other thread fails, or none any more. */
void alloc_fail_others(bool fail);

/* Bytes asked for since alloc_fail_after, what realloc keeps included; what was freed is not taken off. */
size_t alloc_fail_bytes(void);
