/* SPDX-License-Identifier: Apache-2.0
 *
 * query/trace_attributes.c: /v1/traces/{id}/attributes: which attribute keys the spans of one trace have; with a key, its value
 * for each row of the columns view. A page groups spans by any attribute without asking for the spans themselves. */
#include <stdlib.h>

#include "query/dictionary.h"
#include "query/trace.h"

enum scope { SPAN, RESOURCE, INSTRUMENTATION };
static const char *const scopes[] = {"span", "resource", "instrumentation"};

static const struct sp_attributes *attributes_of(const struct sp_span *span, enum scope scope)
{
    switch (scope) {
    case SPAN:
        return &span->attributes;
    case RESOURCE:
        return &span->resource->attributes;
    case INSTRUMENTATION:
        return &span->scope->attributes;
    }
    SP_ASSERT(false);
    return NULL;
}

/* ---- keys ---- */

struct seen_key {
    struct sp_slice key;
    enum scope scope;
    uint32_t span_count,
        last_row; /* row + 1 of the span that was counted last: a key may stand twice */
};

/* Open addressing, twice as many slots as keys. */
#define SLOTS (2 * SP_TRACE_KEYS_MAX)

struct key_table {
    struct seen_key *keys;
    uint32_t count, *slots; /* key + 1 */
    bool overflows;
};

static void count_key(struct key_table *table, struct sp_slice key, enum scope scope, uint32_t row,
                      uint64_t seed)
{
    uint32_t at = (uint32_t)((sp_checksum(key, seed) + scope) % SLOTS);
    for (; table->slots[at] != 0; at = (at + 1) % SLOTS) {
        struct seen_key *seen = &table->keys[table->slots[at] - 1];
        if (seen->scope == scope && sp_slice_equal(seen->key, key)) {
            seen->span_count += seen->last_row != row + 1;
            seen->last_row = row + 1;
            return;
        }
    }
    if (table->count == SP_TRACE_KEYS_MAX) {
        table->overflows = true;
        return;
    }
    table->keys[table->count] = (struct seen_key){key, scope, 1, row + 1};
    table->slots[at] = ++table->count;
}

static int compare_keys(const void *a, const void *b)
{
    const struct seen_key *left = a, *right = b;
    int order = (left->scope > right->scope) - (left->scope < right->scope);
    return order != 0 ? order : sp_slice_compare(left->key, right->key);
}

static enum sp_status answer_keys(struct sp_query_call *call, const struct sp_trace *trace,
                                  struct sp_error *reterr)
{
    struct key_table table = {0};
    uint64_t seed = call->begin_ns ^ call->id;
    table.keys = sp_arena_calloc(&call->arena, SP_TRACE_KEYS_MAX, sizeof(*table.keys));
    table.slots = sp_arena_calloc(&call->arena, SLOTS, sizeof(*table.slots));
    if (!table.keys || !table.slots)
        return sp_query_trace_too_large(call, reterr);
    for (uint32_t row = 0; row < trace->row_count; row++)
        for (int scope = SPAN; scope <= INSTRUMENTATION; scope++) {
            const struct sp_attributes *list =
                attributes_of(trace->rows[row].span, (enum scope)scope);
            for (uint32_t i = 0; i < list->count; i++)
                count_key(&table, list->items[i].key, (enum scope)scope, row, seed);
        }
    qsort(table.keys, table.count, sizeof(*table.keys), compare_keys);
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "attributes");
    sp_json_array_begin(&w);
    for (uint32_t i = 0; i < table.count; i++) {
        sp_json_object_begin(&w);
        sp_json_key(&w, "scope");
        sp_json_cstr(&w, scopes[table.keys[i].scope]);
        sp_json_key(&w, "key");
        sp_json_string(&w, table.keys[i].key);
        sp_json_key(&w, "spanCount");
        sp_json_u64(&w, table.keys[i].span_count);
        sp_json_object_end(&w);
    }
    sp_json_array_end(&w);
    sp_json_key(&w, "complete");
    sp_json_bool(&w, !table.overflows);
    sp_json_object_end(&w);
    return SP_OK;
}

/* ---- values ---- */

/* The value as text: a string's own bytes, anything else made in the arena. */
static enum sp_status value_text(struct sp_query_call *call, const struct sp_value *value,
                                 struct sp_slice *ret, struct sp_error *reterr)
{
    if (value->kind == SP_VALUE_STRING) {
        *ret = value->string;
        return SP_OK;
    }
    struct sp_buf buf;
    sp_buf_init(&buf, call->api->limits.memory_bytes_max);
    sp_value_text(value, &buf);
    enum sp_status status = buf.error;
    struct sp_slice made = sp_buf_slice(&buf);
    uint8_t *copy = status == SP_OK ? sp_arena_alloc(&call->arena, made.len) : NULL;
    if (copy && made.len > 0)
        memcpy(copy, made.ptr, made.len);
    sp_buf_fini(&buf);
    if (status != SP_OK)
        return sp_error_set(reterr, status, "no memory for a value of the trace");
    if (!copy)
        return sp_query_trace_too_large(call, reterr);
    *ret = sp_slice_make(copy, made.len);
    return SP_OK;
}

static enum sp_status answer_values(struct sp_query_call *call, const struct sp_trace *trace,
                                    struct sp_slice key, enum scope scope, struct sp_error *reterr)
{
    struct sp_slice *texts = sp_arena_calloc(&call->arena, trace->row_count, sizeof(*texts));
    uint32_t *rows = sp_arena_calloc(&call->arena, trace->row_count, sizeof(*rows)), count = 0;
    struct sp_dictionary values;
    if (!texts || !rows)
        return sp_query_trace_too_large(call, reterr);
    for (uint32_t row = 0; row < trace->row_count; row++) {
        const struct sp_value *value =
            sp_attributes_find(attributes_of(trace->rows[row].span, scope), key);
        if (!value)
            continue;
        enum sp_status status = value_text(call, value, &texts[count], reterr);
        if (status != SP_OK)
            return status;
        rows[count++] = row;
    }
    if (!sp_dictionary_make(&call->arena, texts, count, &values))
        return sp_query_trace_too_large(call, reterr);
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "spanCount");
    sp_json_u64(&w, trace->row_count);
    sp_dictionary_write(&w, "values", &values);
    sp_json_key(&w, "column");
    sp_json_array_begin(&w);
    for (uint32_t row = 0, n = 0; row < trace->row_count; row++)
        if (n < count && rows[n] == row)
            sp_json_i64(&w, values.codes[n++]);
        else
            sp_json_i64(&w, -1);
    sp_json_array_end(&w);
    sp_json_object_end(&w);
    return SP_OK;
}

enum sp_status sp_query_answer_trace_attributes(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_trace_id id;
    const struct sp_batch *batch;
    struct sp_trace trace;
    struct sp_trace_clocks clocks;
    enum sp_status status = sp_query_trace_read(call, &id, &batch, reterr);
    if (status == SP_OK)
        status = sp_query_trace_assemble(call, batch, call->values[4].number == 1, &trace, &clocks,
                                         reterr);
    if (status != SP_OK)
        return status;
    if (!call->values[2].set)
        return answer_keys(call, &trace, reterr);
    return answer_values(call, &trace, call->values[2].text, (enum scope)call->values[3].number,
                         reterr);
}
