/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/arena.h: memory by lifetime. Everything of one request, batch or query is allocated from one arena and freed
 * at once; the cap bounds what any input can make us allocate. An arena that is full is a tested error. */
#pragma once

#include "lib/base/compiler.h"
#include "lib/base/slice.h"

struct sp_arena_block;

struct sp_arena {
    struct sp_arena_block *block; /* the newest, allocated from; earlier ones hang behind it */
    size_t used_bytes;            /* taken from the system, block headers included */
    size_t cap_bytes;             /* ceiling of used_bytes */
};

void sp_arena_init(struct sp_arena *arena, size_t cap_bytes);

/* Frees all blocks. NULL and a finished arena are fine. */
void sp_arena_fini(struct sp_arena *arena);

/* Forgets all content; keeps one block for reuse if that is at most 1 MiB. */
void sp_arena_reset(struct sp_arena *arena);

/* bytes of memory aligned for any type, not zeroed. NULL: the cap would be passed or the system has no memory.
 * bytes == 0 gives a valid pointer of its own. Not thread-safe: one owner at a time. */
SP_MUST_USE void *sp_arena_alloc(struct sp_arena *arena, size_t bytes);

/* count * size bytes, zeroed; overflow of the product gives NULL. */
SP_MUST_USE void *sp_arena_calloc(struct sp_arena *arena, size_t count, size_t size);

/* Grows (or shrinks) an array: if ptr is the newest allocation it grows in place, otherwise its content is copied. old_bytes is the
 * present size; ptr may be NULL when it is 0. NULL on failure; the old memory stays valid. */
SP_MUST_USE void *sp_arena_grow(struct sp_arena *arena, void *ptr, size_t old_bytes,
                                size_t new_bytes);

/* A copy of s in the arena; *ret is written on success only. */
SP_MUST_USE bool sp_arena_copy(struct sp_arena *arena, struct sp_slice s, struct sp_slice *ret);
