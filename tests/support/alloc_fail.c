/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/alloc_fail.c: malloc and its sisters behind -Wl,--wrap. */
#include "tests/support/alloc_fail.h"

#include <stdlib.h>

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t bytes);

/* Of the thread that asked for it: servers and stores of a test have others, which go on. */
static _Thread_local struct {
    bool on, failed, spared;
    size_t left, bytes;
} state;

static _Atomic bool others_fail;

static bool fails(size_t bytes)
{
    if (others_fail && !state.spared)
        return true;
    if (!state.on)
        return false;
    if (state.left == 0) {
        state.failed = true;
        return true;
    }
    state.left--;
    state.bytes += bytes;
    return false;
}

void alloc_fail_after(size_t count)
{
    state.on = true;
    state.failed = false;
    state.left = count;
    state.bytes = 0;
}

bool alloc_fail_stop(void)
{
    state.on = false;
    return state.failed;
}

size_t alloc_fail_bytes(void)
{
    return state.bytes;
}

void alloc_fail_others(bool fail)
{
    state.spared = true;
    others_fail = fail;
}

void *__wrap_malloc(size_t bytes)
{
    return fails(bytes) ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails(count * size) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *ptr, size_t bytes)
{
    return fails(bytes) ? NULL : __real_realloc(ptr, bytes);
}
