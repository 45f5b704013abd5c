/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/arena.h: memory by lifetime. Everything of one request, batch or query is allocated from one arena and freed
 * at once; the cap bounds what any input can make us allocate. An arena that is full is a tested error. */
#pragma once

#include "lib/base/budget.h"
#include "lib/base/compiler.h"
#include "lib/base/slice.h"

struct sp_arena_block;
struct sp_arena_deferred;

struct sp_arena {
    struct sp_arena_block *block; /* the newest, allocated from; earlier ones hang behind it */
    size_t used_bytes;            /* taken from the system, block headers included */
    size_t cap_bytes;             /* ceiling of used_bytes */
    /* NULL, or charged for each block before it is taken; set it behind sp_arena_init. It outlives the arena. */
    struct sp_account *account;
    enum sp_status error;               /* of the last allocation that failed; SP_OK: none */
    struct sp_arena_deferred *deferred; /* what is to be called before the memory goes */
};

void sp_arena_init(struct sp_arena *arena, size_t cap_bytes);

/* Frees all blocks. NULL and a finished arena are fine. */
void sp_arena_fini(struct sp_arena *arena);

/* What of used_bytes holds something, headers included: blocks are taken in steps, and what is left of a step is counted in used_bytes,
 * but not touched. A walk over the blocks. */
size_t sp_arena_filled_bytes(const struct sp_arena *arena);

/* Forgets all content; keeps one block for reuse if that is at most 1 MiB. */
void sp_arena_reset(struct sp_arena *arena);

/* Has fini(cookie) called once, before the content goes: for what something in the arena holds besides memory of it. The last is called
 * first. False: as an allocation that failed. */
SP_MUST_USE bool sp_arena_defer(struct sp_arena *arena, void (*fini)(void *cookie), void *cookie);

/* bytes of memory aligned for any type, not zeroed. NULL: arena->error says why: SP_LIMIT (the cap, or more than the whole
 * budget of its account), SP_NO_MEMORY (the system has none: try again) or SP_OVERLOADED (the budget is in use: try again).
 * bytes == 0 gives a valid pointer of its own. Not thread-safe: one owner at a time. */
SP_MUST_USE void *sp_arena_alloc(struct sp_arena *arena, size_t bytes);

/* count * size bytes, zeroed; overflow of the product gives NULL. */
SP_MUST_USE void *sp_arena_calloc(struct sp_arena *arena, size_t count, size_t size);

/* Grows (or shrinks) an array: if ptr is the newest allocation it grows in place, otherwise its content is copied. old_bytes is the
 * present size; ptr may be NULL when it is 0. NULL on failure; the old memory stays valid. */
SP_MUST_USE void *sp_arena_grow(struct sp_arena *arena, void *ptr, size_t old_bytes,
                                size_t new_bytes);

/* For `return` behind an allocation that failed: SP_LIMIT with the caller's sentence in *reterr; or, if the same may succeed
 * later, SP_NO_MEMORY or SP_OVERLOADED with one of our own. */
SP_PRINTF(3, 4)
enum sp_status sp_arena_failed(const struct sp_arena *arena, struct sp_error *reterr,
                               const char *limit_format, ...);

/* A copy of s in the arena; *ret is written on success only. */
SP_MUST_USE bool sp_arena_copy(struct sp_arena *arena, struct sp_slice s, struct sp_slice *ret);
