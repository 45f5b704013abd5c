/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_share.c: a compact copy of a block that several readers hold. Knows neither disks nor engines. */
#include "storage/block.h"
#include "storage/pack.h"

#include <stdlib.h>

/* False is sticky in fits: callers copy everything and look once. */
struct copying {
    struct sp_arena *arena;
    bool fits;
};

static void *copy_items(struct copying *copying, const void *items, size_t count, size_t size)
{
    if (count == 0 || items == NULL || !copying->fits)
        return NULL;
    void *copy = sp_arena_alloc(copying->arena, count * size);
    if (copy == NULL)
        copying->fits = false;
    else
        memcpy(copy, items, count * size);
    return copy;
}

#define COPY(copying, items, count) copy_items(copying, items, count, sizeof(*(items)))

/* The texts stand in one piece behind one another. */
static struct sp_slice *copy_texts(struct copying *copying, const struct sp_slice *texts,
                                   uint32_t count)
{
    struct sp_slice *copies = COPY(copying, texts, count);
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += texts[i].len;
    uint8_t *at = copying->fits ? sp_arena_alloc(copying->arena, bytes) : NULL;
    if (at == NULL) {
        copying->fits = false;
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (texts[i].len > 0)
            memcpy(at, texts[i].ptr, texts[i].len);
        copies[i] = sp_slice_make(at, texts[i].len);
        at += texts[i].len;
    }
    return copies;
}

static const struct sp_dictionary *copy_dictionary(struct copying *copying,
                                                   const struct sp_dictionary *from)
{
    struct sp_dictionary *copy = COPY(copying, from, 1);
    if (copy != NULL)
        copy->texts = copy_texts(copying, from->texts, from->count);
    return copy;
}

static void copy_templates(struct copying *copying, struct sp_block *block, int table)
{
    struct sp_template *templates =
        COPY(copying, block->templates[table], block->template_counts[table]);
    for (uint32_t i = 0; i < block->template_counts[table] && copying->fits; i++)
        templates[i].columns = COPY(copying, templates[i].columns, templates[i].column_count);
    block->templates[table] = templates;
    block->tables[table].templates =
        COPY(copying, block->tables[table].templates, block->tables[table].count);
}

static void copy_columns(struct copying *copying, const struct sp_block *from,
                         struct sp_block *block)
{
    struct sp_column *columns = COPY(copying, from->columns, from->column_count);
    for (uint32_t i = 0; i < from->column_count && copying->fits; i++) {
        struct sp_column *column = &columns[i];
        if (column->key.len > 0 && !sp_arena_copy(copying->arena, column->key, &column->key))
            copying->fits = false;
        column->codes = COPY(copying, column->codes, column->count);
        column->numbers = COPY(copying, column->numbers, column->count);
        if (column->dictionary == from->names)
            column->dictionary = block->names;
        else if (column->dictionary != NULL)
            column->dictionary = copy_dictionary(copying, column->dictionary);
    }
    block->columns = columns;
}

static void copy_shared(struct copying *copying, struct sp_block *block)
{
    block->resource_texts = copy_texts(copying, block->resource_texts, block->resource_count);
    block->scope_texts = copy_texts(copying, block->scope_texts, block->scope_count);
    struct sp_resource *resources =
        sp_arena_calloc(copying->arena, block->resource_count, sizeof(*resources));
    struct sp_scope *scopes = sp_arena_calloc(copying->arena, block->scope_count, sizeof(*scopes));
    if (resources == NULL || scopes == NULL)
        copying->fits = false;
    for (uint32_t i = 0; i < block->resource_count && copying->fits; i++) {
        copying->fits =
            sp_resource_unpack(block->resource_texts[i], copying->arena, &resources[i]) == SP_OK;
    }
    for (uint32_t i = 0; i < block->scope_count && copying->fits; i++) {
        copying->fits = sp_scope_unpack(block->scope_texts[i], copying->arena, &scopes[i]) == SP_OK;
    }
    block->resources = resources;
    block->scopes = scopes;
}

enum sp_status sp_block_share(const struct sp_block *from, struct sp_block_shared **ret,
                              struct sp_error *reterr)
{
    struct sp_block_shared *shared = calloc(1, sizeof(*shared));
    if (shared == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to keep a block");
    sp_arena_init(&shared->arena, SIZE_MAX);
    struct copying copying = {.arena = &shared->arena, .fits = true};
    struct sp_block *block = &shared->block;
    uint32_t rows = from->tables[SP_BLOCK_SPANS].count;
    *block = *from;
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT; t++)
        copy_templates(&copying, block, t);
    block->trace_ids = COPY(&copying, from->trace_ids, from->trace_count);
    block->trace_rows = COPY(&copying, from->trace_rows, (size_t)from->trace_count + 1);
    block->span_ids = COPY(&copying, from->span_ids, rows);
    block->parent_ids = COPY(&copying, from->parent_ids, rows);
    block->starts = COPY(&copying, from->starts, rows);
    block->ends = COPY(&copying, from->ends, rows);
    block->event_times = COPY(&copying, from->event_times, from->tables[SP_BLOCK_EVENTS].count);
    block->link_trace_ids =
        COPY(&copying, from->link_trace_ids, from->tables[SP_BLOCK_LINKS].count);
    block->link_span_ids = COPY(&copying, from->link_span_ids, from->tables[SP_BLOCK_LINKS].count);
    block->names = copy_dictionary(&copying, from->names);
    copy_columns(&copying, from, block);
    copy_shared(&copying, block);
    atomic_init(&shared->references, 1);
    if (!copying.fits) {
        sp_block_unref(shared);
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to keep a block");
    }
    *ret = shared;
    return SP_OK;
}

struct sp_block_shared *sp_block_ref(struct sp_block_shared *shared)
{
    atomic_fetch_add(&shared->references, 1);
    return shared;
}

void sp_block_unref(struct sp_block_shared *shared)
{
    if (shared == NULL || atomic_fetch_sub(&shared->references, 1) != 1)
        return;
    sp_kept_fini(&shared->calls);
    sp_arena_fini(&shared->arena);
    free(shared);
}
