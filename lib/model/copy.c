/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/model/copy.c: deep copies into an arena, so that spans outlive the bytes they were decoded from. A copy is first
 * made shallow (memcpy of the array), then each pointer in it is replaced; nested values wait on a stack. */
#include "lib/model/model.h"

static bool copy_slice(struct sp_arena *arena, struct sp_slice *s)
{
    if (s->len == 0) {
        *s = (struct sp_slice){NULL, 0};
        return true;
    }
    return sp_arena_copy(arena, *s, s);
}

static void *copy_array(struct sp_arena *arena, const void *from, size_t count, size_t size)
{
    void *to = sp_arena_calloc(arena, count, size);
    if (to && count > 0) {
        memcpy(to, from, count * size);
    }
    return to;
}

/* A container whose children are copied shallowly and fixed one after the other. */
struct copy_frame {
    struct sp_value *items;       /* of an array, or */
    struct sp_attribute *entries; /* of a kvlist */
    uint32_t count, next;
};

/* Replaces the pointers of one value; *ret_frame gets its children if it is a container that has some. */
static bool copy_one(struct sp_arena *arena, struct sp_value *value, struct copy_frame *ret_frame)
{
    *ret_frame = (struct copy_frame){0};
    switch (value->kind) {
    case SP_VALUE_STRING:
    case SP_VALUE_BYTES:
        return copy_slice(arena, &value->string);
    case SP_VALUE_ARRAY:
        ret_frame->items = copy_array(arena, value->items, value->count, sizeof(*value->items));
        value->items = ret_frame->items;
        ret_frame->count = value->count;
        return ret_frame->items != NULL;
    case SP_VALUE_KVLIST:
        ret_frame->entries =
            copy_array(arena, value->entries, value->count, sizeof(*value->entries));
        value->entries = ret_frame->entries;
        ret_frame->count = value->count;
        return ret_frame->entries != NULL;
    case SP_VALUE_EMPTY:
    case SP_VALUE_BOOL:
    case SP_VALUE_INT:
    case SP_VALUE_DOUBLE:
        break;
    }
    return true;
}

static bool copy_value(struct sp_arena *arena, struct sp_value *value)
{
    struct copy_frame stack[SP_NESTING_MAX + 1];
    uint32_t depth = 0;
    if (!copy_one(arena, value, &stack[0])) {
        return false;
    }
    for (;;) {
        struct copy_frame *top = &stack[depth];
        if (top->next == top->count) {
            if (depth == 0) {
                return true;
            }
            depth--;
            continue;
        }
        uint32_t i = top->next++;
        if (top->entries && !copy_slice(arena, &top->entries[i].key)) {
            return false;
        }
        struct sp_value *child = top->entries ? &top->entries[i].value : &top->items[i];
        SP_ASSERT(depth < SP_NESTING_MAX);
        if (!copy_one(arena, child, &stack[depth + 1])) {
            return false;
        }
        if (stack[depth + 1].count > 0) {
            depth++;
        }
    }
}

static bool copy_attributes(struct sp_arena *arena, struct sp_attributes *attributes)
{
    struct sp_attribute *items =
        copy_array(arena, attributes->items, attributes->count, sizeof(*attributes->items));
    if (!items) {
        return false;
    }
    attributes->items = items;
    for (uint32_t i = 0; i < attributes->count; i++) {
        if (!copy_slice(arena, &items[i].key) || !copy_value(arena, &items[i].value)) {
            return false;
        }
    }
    return true;
}

static const struct sp_resource *copy_resource(struct sp_arena *arena,
                                               const struct sp_resource *from)
{
    struct sp_resource *to = copy_array(arena, from, 1, sizeof(*from));
    bool ok = to && copy_attributes(arena, &to->attributes) && copy_slice(arena, &to->schema_url) &&
              copy_slice(arena, &to->residue) && copy_slice(arena, &to->group_residue);
    return ok ? to : NULL;
}

static const struct sp_scope *copy_scope(struct sp_arena *arena, const struct sp_scope *from)
{
    struct sp_scope *to = copy_array(arena, from, 1, sizeof(*from));
    bool ok = to && copy_slice(arena, &to->name) && copy_slice(arena, &to->version) &&
              copy_attributes(arena, &to->attributes) && copy_slice(arena, &to->schema_url) &&
              copy_slice(arena, &to->residue) && copy_slice(arena, &to->group_residue);
    return ok ? to : NULL;
}

static bool copy_events(struct sp_arena *arena, struct sp_span *span)
{
    struct sp_event *events =
        copy_array(arena, span->events, span->event_count, sizeof(*span->events));
    if (!events) {
        return false;
    }
    span->events = events;
    for (uint32_t i = 0; i < span->event_count; i++) {
        if (!copy_slice(arena, &events[i].name) || !copy_slice(arena, &events[i].residue) ||
            !copy_attributes(arena, &events[i].attributes)) {
            return false;
        }
    }
    return true;
}

static bool copy_links(struct sp_arena *arena, struct sp_span *span)
{
    struct sp_link *links = copy_array(arena, span->links, span->link_count, sizeof(*span->links));
    if (!links) {
        return false;
    }
    span->links = links;
    for (uint32_t i = 0; i < span->link_count; i++) {
        if (!copy_slice(arena, &links[i].trace_state) || !copy_slice(arena, &links[i].residue) ||
            !copy_attributes(arena, &links[i].attributes)) {
            return false;
        }
    }
    return true;
}

static bool copy_span(struct sp_arena *arena, struct sp_span *span)
{
    return copy_slice(arena, &span->name) && copy_slice(arena, &span->trace_state) &&
           copy_slice(arena, &span->status_message) && copy_slice(arena, &span->status_residue) &&
           copy_slice(arena, &span->residue) && copy_attributes(arena, &span->attributes) &&
           copy_events(arena, span) && copy_links(arena, span);
}

enum sp_status sp_batch_copy(struct sp_arena *arena, const struct sp_span *const *spans,
                             size_t count, const struct sp_batch **ret_batch)
{
    struct sp_batch *batch = sp_arena_calloc(arena, 1, sizeof(*batch));
    struct sp_span *copies = sp_arena_calloc(arena, count, sizeof(*copies));
    if (!batch || !copies) {
        return arena->error;
    }
    for (size_t i = 0; i < count; i++) {
        struct sp_span *copy = &copies[i];
        *copy = *spans[i];
        if (!copy_span(arena, copy)) {
            return arena->error;
        }
        copy->resource = i > 0 && sp_resource_equal(spans[i]->resource, spans[i - 1]->resource)
                             ? copies[i - 1].resource
                             : copy_resource(arena, spans[i]->resource);
        copy->scope = i > 0 && sp_scope_equal(spans[i]->scope, spans[i - 1]->scope)
                          ? copies[i - 1].scope
                          : copy_scope(arena, spans[i]->scope);
        if (!copy->resource || !copy->scope) {
            return arena->error;
        }
    }
    batch->spans = copies;
    batch->span_count = count;
    *ret_batch = batch;
    return SP_OK;
}
