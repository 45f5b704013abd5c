/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_view.c: one state of the store to read from, and one trace out of it. Knows the database through kv.h only. */
#include "storage/rocks_view.h"

/* ---- views ---- */

static void unref_part(struct sp_rocks_part *part)
{
    sp_segment_unref(part->segment);
    sp_block_unref(part->memory);
}

/* Under the lock. */
static bool take_references(struct sp_rocks *rocks, struct sp_rocks_view *view)
{
    size_t part_count = (size_t)rocks->segments.count + rocks->head.count;
    view->parts = calloc(part_count + 1, sizeof(*view->parts));
    view->fresh = calloc(rocks->fresh.count + 1, sizeof(struct sp_rocks_entry *));
    if (view->parts == NULL || view->fresh == NULL)
        return false;
    for (uint32_t i = 0; i < rocks->segments.count; i++)
        view->parts[view->part_count++] =
            (struct sp_rocks_part){.segment = sp_segment_ref(rocks->segments.items[i]),
                                   .links = rocks->segments.items[i]->links};
    for (uint32_t i = 0; i < rocks->head.count; i++)
        view->parts[view->part_count++].memory = sp_block_ref(rocks->head.items[i].shared);
    view->kv = rocks->follower != NULL ? sp_kv_pin_ref(rocks->pin) : rocks->kv;
    for (struct sp_rocks_entry *entry = rocks->fresh.first; entry != NULL; entry = entry->next) {
        atomic_fetch_add(&entry->references, 1);
        view->fresh[view->fresh_count++] = entry;
    }
    return true;
}

/* Within the gate. */
static enum sp_status fill(struct sp_rocks_view *view, struct sp_error *reterr)
{
    struct sp_rocks *rocks = view->rocks;
    enum sp_status status = SP_OK;
    pthread_mutex_lock(&rocks->lock);
    bool fits = take_references(rocks, view);
    pthread_mutex_unlock(&rocks->lock);
    if (!fits)
        status = sp_error_set(reterr, SP_NO_MEMORY, "no memory to read the store");
    else if (view->kv == NULL)
        status = sp_error_set(reterr, SP_UNAVAILABLE, "the database is being opened again");
    if (status != SP_OK)
        sp_rocks_view_close(view);
    return status;
}

enum sp_status sp_rocks_enter(struct sp_rocks *rocks, struct sp_gate_pass *pass,
                              struct sp_error *reterr)
{
    return sp_gate_enter(&rocks->gate, pass, rocks->sizes.read_wait_ns)
               ? SP_OK
               : sp_error_set(reterr, SP_UNAVAILABLE,
                              "a write to the disk has failed, and the database is opened again as "
                              "soon as the queries that use it have ended; try again");
}

enum sp_status sp_rocks_view_open(struct sp_rocks *rocks, struct sp_rocks_view *ret,
                                  struct sp_error *reterr)
{
    *ret = (struct sp_rocks_view){.rocks = NULL};
    enum sp_status status = sp_rocks_check_open(rocks, reterr);
    if (status == SP_OK)
        status = sp_rocks_enter(rocks, &ret->pass, reterr);
    if (status != SP_OK)
        return status;
    ret->rocks = rocks;
    return fill(ret, reterr);
}

enum sp_status sp_rocks_view_open_at_once(struct sp_rocks *rocks, struct sp_rocks_view *ret,
                                          struct sp_error *reterr)
{
    *ret = (struct sp_rocks_view){.rocks = rocks};
    sp_gate_enter_always(&rocks->gate, &ret->pass);
    return fill(ret, reterr);
}

static void drop_fresh(struct sp_rocks_view *view)
{
    for (size_t i = 0; i < view->fresh_count; i++)
        sp_rocks_entry_unref(view->fresh[i]);
    view->fresh_count = 0;
}

void sp_rocks_view_close(struct sp_rocks_view *view)
{
    for (uint32_t i = 0; i < view->part_count; i++)
        unref_part(&view->parts[i]);
    drop_fresh(view);
    free(view->parts);
    free(view->fresh);
    if (view->rocks->follower != NULL && view->kv != NULL)
        sp_kv_unpin(view->kv);
    sp_gate_leave(&view->rocks->gate, &view->pass);
    *view = (struct sp_rocks_view){0};
}

void sp_rocks_view_keep(struct sp_rocks_view *view, uint32_t block_count)
{
    uint32_t kept = 0;
    while (kept < view->part_count && view->parts[kept].segment != NULL)
        kept++;
    SP_ASSERT(view->part_count - kept >= block_count);
    while (view->part_count > kept + block_count)
        unref_part(&view->parts[--view->part_count]);
    drop_fresh(view);
}

enum sp_status sp_rocks_view_flatten(struct sp_rocks_view *view, struct sp_error *reterr)
{
    struct sp_block_builder *builder;
    struct sp_block_shared **blocks;
    uint32_t count;
    if (view->fresh_count == 0)
        return SP_OK;
    enum sp_status status = sp_block_builder_new(&builder, reterr);
    if (status != SP_OK)
        return status;
    status = sp_rocks_entries_to_blocks(builder, view->fresh, view->fresh_count, &blocks, &count,
                                        reterr);
    sp_block_builder_free(builder);
    if (status != SP_OK)
        return status;
    struct sp_rocks_part *parts =
        realloc(view->parts, ((size_t)view->part_count + count + 1) * sizeof(*parts));
    if (parts != NULL)
        view->parts = parts;
    for (uint32_t i = 0; i < count; i++) {
        if (parts != NULL)
            parts[view->part_count++] = (struct sp_rocks_part){.memory = blocks[i]};
        else
            sp_block_unref(blocks[i]);
    }
    free(blocks);
    drop_fresh(view);
    return parts != NULL ? SP_OK
                         : sp_error_set(reterr, SP_NO_MEMORY, "no memory to read the store");
}

/* ---- one trace ---- */

static enum sp_status read_parts(const struct sp_rocks_view *view, const struct sp_trace_id *id,
                                 struct sp_rocks_spans *collected, struct sp_error *reterr)
{
    uint64_t hash = sp_filter_hash(id);
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < view->part_count && status == SP_OK; i++) {
        const struct sp_rocks_part *part = &view->parts[i];
        if (part->segment != NULL && !sp_filter_has(&part->segment->filter, hash))
            continue;
        struct sp_part_cursor cursor;
        status = sp_part_cursor_init(&cursor, part, view, reterr);
        if (status == SP_OK)
            status = sp_part_cursor_collect_one(&cursor, id, hash, collected, reterr);
        sp_part_cursor_fini(&cursor);
    }
    return status;
}

/* Spans of entries that are rows still. Copied, because the requests go away. */
static enum sp_status read_fresh(const struct sp_rocks_view *view, const struct sp_trace_id *id,
                                 struct sp_rocks_spans *collected, struct sp_error *reterr)
{
    SP_VECTOR(const struct sp_span *) found = {0};
    enum sp_status status = SP_OK;
    for (size_t e = 0; e < view->fresh_count && status == SP_OK; e++) {
        const struct sp_batch *batch = view->fresh[e]->append->batch;
        for (size_t i = 0; i < batch->span_count && status == SP_OK; i++) {
            if (sp_trace_id_compare(&batch->spans[i].trace_id, id) == 0 &&
                !sp_vector_push(&found, &batch->spans[i]))
                status = sp_error_set(reterr, SP_NO_MEMORY, "no memory to read a trace");
        }
    }
    const struct sp_batch *copy = NULL;
    if (status == SP_OK && found.count > 0) {
        status = sp_batch_copy(collected->arena, found.items, found.count, &copy);
        if (status != SP_OK)
            sp_error_set(reterr, status, "the trace does not fit into this query's memory");
    }
    if (status == SP_OK && copy != NULL)
        status = sp_rocks_spans_add(collected, copy->spans, copy->span_count, reterr);
    sp_vector_fini(&found);
    return status;
}

enum sp_status sp_rocks_trace_read(struct sp_store *store, const struct sp_trace_id *id,
                                   struct sp_arena *arena, const struct sp_batch **ret_batch,
                                   struct sp_error *reterr)
{
    struct sp_rocks_view view;
    enum sp_status status = sp_rocks_view_open(sp_rocks_of(store), &view, reterr);
    if (status != SP_OK)
        return status;
    struct sp_rocks_spans collected = {.arena = arena};
    status = read_parts(&view, id, &collected, reterr);
    if (status == SP_OK)
        status = read_fresh(&view, id, &collected, reterr);
    if (status == SP_OK && collected.count == 0)
        status = sp_error_set(reterr, SP_NOT_FOUND, "no span of this trace is stored");
    if (status == SP_OK) {
        struct sp_batch *batch = sp_arena_calloc(arena, 1, sizeof(*batch));
        if (batch == NULL) {
            status =
                sp_arena_failed(arena, reterr, "the trace does not fit into this query's memory");
        } else {
            *batch = (struct sp_batch){.spans = collected.spans, .span_count = collected.count};
            *ret_batch = batch;
        }
    }
    sp_rocks_view_close(&view);
    return status;
}
