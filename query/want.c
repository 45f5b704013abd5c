/* SPDX-License-Identifier: Apache-2.0
 *
 * query/want.c: see want.h. */
#include "query/want.h"

/* Does a field say more than every span that is read has? */
enum need { NEED_NOTHING, NEED_KEY, NEED_STATUS_MESSAGE, NEED_EVERYTHING };

static enum need need_of_attribute(const struct sp_traceql_field *field)
{
    switch (field->scope) {
    case SP_TRACEQL_SCOPE_ANY:
    case SP_TRACEQL_SCOPE_SPAN:
        return NEED_KEY;
    case SP_TRACEQL_SCOPE_RESOURCE:
    case SP_TRACEQL_SCOPE_INSTRUMENTATION:
        return NEED_NOTHING;
    case SP_TRACEQL_SCOPE_EVENT:
    case SP_TRACEQL_SCOPE_LINK:
        return NEED_EVERYTHING;
    }
    return NEED_EVERYTHING;
}

static enum need need_of(const struct sp_traceql_field *field)
{
    switch (field->intrinsic) {
    case SP_TRACEQL_INTRINSIC_NONE:
        return need_of_attribute(field);
    case SP_TRACEQL_STATUS_MESSAGE:
        return NEED_STATUS_MESSAGE;
    case SP_TRACEQL_EVENT_NAME:
    case SP_TRACEQL_EVENT_TIME_SINCE_START:
    case SP_TRACEQL_LINK_TRACE_ID:
    case SP_TRACEQL_LINK_SPAN_ID:
        return NEED_EVERYTHING;
    case SP_TRACEQL_SERVICE:
    case SP_TRACEQL_NAME:
    case SP_TRACEQL_STATUS:
    case SP_TRACEQL_KIND:
    case SP_TRACEQL_DURATION:
    case SP_TRACEQL_INSTRUMENTATION_NAME:
    case SP_TRACEQL_INSTRUMENTATION_VERSION:
    case SP_TRACEQL_SPAN_ID:
    case SP_TRACEQL_PARENT_ID:
    case SP_TRACEQL_TRACE_ID:
    case SP_TRACEQL_CHILD_COUNT:
    case SP_TRACEQL_TRACE_DURATION:
    case SP_TRACEQL_ROOT_NAME:
    case SP_TRACEQL_ROOT_SERVICE:
    case SP_TRACEQL_NESTED_SET_LEFT:
    case SP_TRACEQL_NESTED_SET_RIGHT:
    case SP_TRACEQL_NESTED_SET_PARENT:
    case SP_TRACEQL_PARENT_SPAN:
        return NEED_NOTHING;
    case SP_TRACEQL_INTRINSIC_COUNT:
        break;
    }
    return NEED_EVERYTHING;
}

static bool is_known(const struct sp_slice *keys, uint32_t count, struct sp_slice key)
{
    for (uint32_t i = 0; i < count; i++)
        if (sp_slice_equal(keys[i], key))
            return true;
    return false;
}

/* want->want.keys with room for so many more. */
static struct sp_slice *make_room(struct sp_arena *arena, uint32_t more, struct sp_query_want *want)
{
    uint32_t count = want->want.key_count;
    struct sp_slice *keys = sp_arena_calloc(arena, (size_t)count + more + 1, sizeof(*keys));
    if (keys && count > 0)
        memcpy(keys, want->want.keys, count * sizeof(*keys));
    want->want.keys = keys;
    return keys;
}

static void add_field(const struct sp_traceql_field *field, struct sp_slice *keys,
                      struct sp_query_want *want)
{
    enum need need = need_of(field);
    if (need == NEED_KEY && !is_known(keys, want->want.key_count, field->key))
        keys[want->want.key_count++] = field->key;
    want->want.status_message |= need == NEED_STATUS_MESSAGE;
    want->everything |= need == NEED_EVERYTHING;
}

enum sp_status sp_query_want_add(struct sp_arena *arena, const struct sp_traceql_query *query,
                                 struct sp_query_want *want)
{
    struct sp_slice *keys = make_room(arena, query->node_count, want);
    if (!keys)
        return arena->error;
    for (uint32_t i = 0; i < query->node_count; i++)
        if (query->nodes[i]->kind == SP_TRACEQL_FIELD)
            add_field(&query->nodes[i]->field, keys, want);
    return SP_OK;
}

enum sp_status sp_query_want_fields(struct sp_arena *arena,
                                    const struct sp_traceql_node *const *fields, uint32_t count,
                                    struct sp_query_want *want)
{
    struct sp_slice *keys = make_room(arena, count, want);
    if (!keys)
        return arena->error;
    for (uint32_t i = 0; i < count; i++)
        add_field(&fields[i]->field, keys, want);
    return SP_OK;
}
