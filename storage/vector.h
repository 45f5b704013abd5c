/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/vector.h: arrays on the heap that grow. Zero-initialised is empty. Internal to storage/. Knows nothing. */
#pragma once

#include "lib/base/base.h"

#include <stdlib.h>

#define SP_VECTOR(type)                                                                            \
    struct {                                                                                       \
        type *items;                                                                               \
        uint32_t count, cap;                                                                       \
    }

/* Room for more items of size bytes behind count; false: no memory (or more than UINT32_MAX items). */
SP_MUST_USE static inline bool sp_vector_grow(void **items, uint32_t count, uint32_t *cap,
                                              size_t more, size_t size)
{
    size_t want = (size_t)count + more;
    size_t grown = (size_t)*cap * 2 > want ? (size_t)*cap * 2 : want;
    if (grown < 16)
        grown = 16;
    if (grown > UINT32_MAX)
        return false;
    void *moved = realloc(*items, grown * size);
    if (moved == NULL)
        return false;
    *items = moved;
    *cap = (uint32_t)grown;
    return true;
}

#define sp_vector_reserve(vector, more)                                                            \
    ((size_t)(vector)->cap - (vector)->count >= (size_t)(more) ||                                  \
     sp_vector_grow((void **)&(vector)->items, (vector)->count, &(vector)->cap, more,              \
                    sizeof(__typeof__(*(vector)->items))))

/* False: no memory. */
#define sp_vector_push(vector, value)                                                              \
    (sp_vector_reserve(vector, 1) && ((vector)->items[(vector)->count++] = (value), true))

#define sp_vector_fini(vector) (free((vector)->items), (vector)->items = NULL)
