/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/arena.c: the capped arena. Blocks hang in a list, the newest first; each holds its bytes behind its header:
 *
 *   arena -> [header | used ... next | free ... end] -> [header | used ...] -> NULL
 *
 * Blocks double from BLOCK_MIN to BLOCK_MAX bytes, so that a small request costs one malloc and a large one few. Under
 * AddressSanitizer the free part is poisoned: reading past an allocation is reported although malloc knows nothing of it. */
#include "lib/base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif
#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
#define POISON(ptr, len)   __asan_poison_memory_region((ptr), (len))
#define UNPOISON(ptr, len) __asan_unpoison_memory_region((ptr), (len))
#else
#define POISON(ptr, len)   ((void)(ptr), (void)(len))
#define UNPOISON(ptr, len) ((void)(ptr), (void)(len))
#endif

#define BLOCK_MIN ((size_t)4096)
#define BLOCK_MAX ((size_t)1024 * 1024)
#define ALIGNMENT alignof(max_align_t)

struct sp_arena_block {
    struct sp_arena_block *older;
    uint8_t *next, *end; /* [next, end) is free */
    size_t bytes;        /* of the whole block, this header included */
};

struct sp_arena_deferred {
    struct sp_arena_deferred *older;
    void (*fini)(void *cookie);
    void *cookie;
};

#define HEADER_BYTES ((sizeof(struct sp_arena_block) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)

static uint8_t *block_begin(struct sp_arena_block *block)
{
    return (uint8_t *)block + HEADER_BYTES;
}

static void block_free(struct sp_arena *arena, struct sp_arena_block *block)
{
    size_t bytes = block->bytes;
    UNPOISON(block_begin(block), bytes - HEADER_BYTES);
    free(block);
    if (arena->account)
        sp_account_give(arena->account, bytes);
}

/* Bytes an allocation takes: never zero, so that every allocation has an address of its own. 0: too large to round. */
static size_t rounded(size_t bytes)
{
    if (bytes > SIZE_MAX - ALIGNMENT)
        return 0;
    return bytes ? (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : ALIGNMENT;
}

void sp_arena_init(struct sp_arena *arena, size_t cap_bytes)
{
    *arena = (struct sp_arena){.cap_bytes = cap_bytes};
}

bool sp_arena_defer(struct sp_arena *arena, void (*fini)(void *cookie), void *cookie)
{
    struct sp_arena_deferred *deferred = sp_arena_alloc(arena, sizeof(*deferred));
    if (!deferred)
        return false;
    *deferred =
        (struct sp_arena_deferred){.older = arena->deferred, .fini = fini, .cookie = cookie};
    arena->deferred = deferred;
    return true;
}

static void run_deferred(struct sp_arena *arena)
{
    while (arena->deferred) {
        struct sp_arena_deferred *deferred = arena->deferred;
        arena->deferred = deferred->older;
        deferred->fini(deferred->cookie);
    }
}

static void free_blocks(struct sp_arena *arena, struct sp_arena_block *block)
{
    while (block) {
        struct sp_arena_block *older = block->older;
        block_free(arena, block);
        block = older;
    }
}

void sp_arena_fini(struct sp_arena *arena)
{
    if (!arena)
        return;
    run_deferred(arena);
    free_blocks(arena, arena->block);
    arena->block = NULL;
    arena->used_bytes = 0;
}

size_t sp_arena_filled_bytes(const struct sp_arena *arena)
{
    size_t bytes = 0;
    for (const struct sp_arena_block *block = arena->block; block; block = block->older)
        bytes += (size_t)(block->next - (const uint8_t *)block);
    return bytes;
}

void sp_arena_reset(struct sp_arena *arena)
{
    struct sp_arena_block *block = arena->block;
    if (!block)
        return;
    if (block->bytes > BLOCK_MAX) {
        /* One unusually large request must not hold its memory for the rest of a connection's life. */
        sp_arena_fini(arena);
        return;
    }
    run_deferred(arena);
    free_blocks(arena, block->older);
    block->older = NULL;
    block->next = block_begin(block);
    POISON(block->next, (size_t)(block->end - block->next));
    arena->used_bytes = block->bytes;
}

/* malloc, charged before it is called. */
static struct sp_arena_block *block_take(struct sp_arena *arena, size_t bytes)
{
    if (arena->account) {
        arena->error = sp_account_take(arena->account, bytes);
        if (arena->error != SP_OK)
            return NULL;
    }
    struct sp_arena_block *block = malloc(bytes);
    if (!block) {
        arena->error = SP_NO_MEMORY;
        if (arena->account)
            sp_account_give(arena->account, bytes);
    }
    return block;
}

/* A new block with room for at least need bytes, or false. Near the cap it takes less than it would like to. */
static bool block_add(struct sp_arena *arena, size_t need)
{
    size_t left = arena->cap_bytes > arena->used_bytes ? arena->cap_bytes - arena->used_bytes : 0;
    if (left < HEADER_BYTES || need > left - HEADER_BYTES) {
        arena->error = SP_LIMIT;
        return false;
    }
    size_t bytes = arena->block ? arena->block->bytes * 2 : BLOCK_MIN;
    if (bytes > BLOCK_MAX)
        bytes = BLOCK_MAX;
    if (bytes < HEADER_BYTES + need)
        bytes = HEADER_BYTES + need;
    if (bytes > left)
        bytes = left;
    struct sp_arena_block *block = block_take(arena, bytes);
    if (!block && arena->error != SP_NO_MEMORY && bytes > HEADER_BYTES + need) {
        bytes = HEADER_BYTES + need; /* the account has no room for a generous one */
        block = block_take(arena, bytes);
    }
    if (!block)
        return false;
    *block = (struct sp_arena_block){.older = arena->block, .bytes = bytes};
    block->next = block_begin(block);
    block->end = (uint8_t *)block + bytes;
    POISON(block->next, (size_t)(block->end - block->next));
    arena->block = block;
    arena->used_bytes += bytes;
    return true;
}

void *sp_arena_alloc(struct sp_arena *arena, size_t bytes)
{
    size_t need = rounded(bytes);
    if (SP_UNLIKELY(need == 0)) {
        arena->error = SP_LIMIT;
        return NULL;
    }
    if (!arena->block || need > (size_t)(arena->block->end - arena->block->next)) {
        if (!block_add(arena, need))
            return NULL;
    }
    uint8_t *ptr = arena->block->next;
    arena->block->next += need;
    UNPOISON(ptr, bytes);
    return ptr;
}

void *sp_arena_calloc(struct sp_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        arena->error = SP_LIMIT;
        return NULL;
    }
    void *ptr = sp_arena_alloc(arena, bytes);
    if (ptr)
        memset(ptr, 0, bytes);
    return ptr;
}

void *sp_arena_grow(struct sp_arena *arena, void *ptr, size_t old_bytes, size_t new_bytes)
{
    if (!ptr)
        return sp_arena_alloc(arena, new_bytes);
    size_t old_taken = rounded(old_bytes), need = rounded(new_bytes);
    if (need == 0) {
        arena->error = SP_LIMIT;
        return NULL;
    }
    struct sp_arena_block *block = arena->block;
    uint8_t *begin = ptr;
    if (block && begin + old_taken == block->next && need <= (size_t)(block->end - begin)) {
        block->next = begin + need;
        POISON(begin, (size_t)(block->end - begin));
        UNPOISON(begin, new_bytes);
        return ptr;
    }
    if (new_bytes <= old_bytes)
        return ptr;
    void *grown = sp_arena_alloc(arena, new_bytes);
    if (grown)
        memcpy(grown, ptr, old_bytes);
    return grown;
}

enum sp_status sp_arena_failed(const struct sp_arena *arena, struct sp_error *reterr,
                               const char *limit_format, ...)
{
    if (arena->error == SP_NO_MEMORY || arena->error == SP_OVERLOADED) {
        return sp_error_set(reterr, arena->error, "%s",
                            arena->error == SP_OVERLOADED ? "the memory is in use, try again"
                                                          : "out of memory, try again");
    }
    char text[SP_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, limit_format);
    vsnprintf(text, sizeof(text), limit_format, args);
    va_end(args);
    return sp_error_set(reterr, SP_LIMIT, "%s", text);
}

bool sp_arena_copy(struct sp_arena *arena, struct sp_slice s, struct sp_slice *ret)
{
    uint8_t *copy = sp_arena_alloc(arena, s.len);
    if (!copy)
        return false;
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    *ret = sp_slice_make(copy, s.len);
    return true;
}
