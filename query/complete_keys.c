/* SPDX-License-Identifier: Apache-2.0
 *
 * query/complete_keys.c: which attribute keys the spans have that a query finds. The catalogue says which there are; they are counted
 * among the spans that were looked at. */
#include <stdlib.h>

#include "query/complete.h"

struct keys {
    struct sp_completion completion;
    struct sp_key_row *rows; /* as of the store, sorted by scope, key, kind; counted anew */
    uint64_t *last;          /* by row: the last holder that was counted */
    size_t count;
    uint64_t holder; /* a span, or what many share, that is being looked at; from 1 */
};

static int compare_key(const struct sp_key_row *row, enum sp_attribute_scope scope,
                       struct sp_slice key, enum sp_value_kind kind)
{
    if (row->scope != scope)
        return row->scope < scope ? -1 : 1;
    int order = sp_slice_compare(row->key, key);
    return order != 0 ? order : (row->kind > kind) - (row->kind < kind);
}

static void add_key(struct keys *keys, enum sp_attribute_scope scope, struct sp_slice key,
                    enum sp_value_kind kind, uint64_t spans)
{
    size_t low = 0, high = keys->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_key(&keys->rows[middle], scope, key, kind) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == keys->count || compare_key(&keys->rows[low], scope, key, kind) != 0 ||
        keys->last[low] == keys->holder)
        return;
    keys->last[low] = keys->holder;
    keys->rows[low].span_count += spans;
}

static void add_attributes(struct keys *keys, enum sp_attribute_scope scope,
                           const struct sp_attributes *attributes, uint64_t spans)
{
    for (uint32_t i = 0; i < attributes->count; i++)
        add_key(keys, scope, attributes->items[i].key, attributes->items[i].value.kind, spans);
}

/* Is any key of these levels looked for? */
static bool wants(const struct keys *keys, uint32_t scopes)
{
    for (size_t i = 0; i < keys->count; i++)
        if (scopes & keys->rows[i].scope)
            return true;
    return false;
}

/* Resources and instrumentation scopes: once for all spans that share them. */
static enum sp_status count_templates(struct keys *keys, struct sp_sheet *sheet,
                                      struct sp_error *reterr)
{
    const uint32_t *templates;
    enum sp_status status = sp_sheet_templates(sheet, &templates, reterr);
    if (status != SP_OK)
        return status;
    uint64_t *spans = calloc((size_t)sheet->template_count + 1, sizeof(*spans));
    if (!spans)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to count keys");
    for (uint32_t row = 0; row < sheet->row_count; row++)
        spans[templates[row]] += sp_bits_have(sheet->rows, row);
    for (uint32_t i = 0; i < sheet->template_count; i++) {
        const struct sp_span *template = &sheet->templates[i];
        keys->holder++;
        if (spans[i] == 0)
            continue;
        add_attributes(keys, SP_SCOPE_RESOURCE, &template->resource->attributes, spans[i]);
        add_attributes(keys, SP_SCOPE_INSTRUMENTATION, &template->scope->attributes, spans[i]);
    }
    free(spans);
    return SP_OK;
}

/* One key of spans, whatever kinds of values it has: the rows [from, to). */
static enum sp_status count_column(struct keys *keys, struct sp_sheet *sheet, size_t from,
                                   size_t to, struct sp_error *reterr)
{
    struct sp_sheet_field field = {
        .field = SP_FIELD_ATTRIBUTE, .scopes = SP_SCOPE_SPAN, .key = keys->rows[from].key};
    struct sp_sheet_column column;
    uint64_t spans[SP_VALUE_KVLIST + 1] = {0};
    enum sp_status status = sp_sheet_column(sheet, &field, &column, reterr);
    for (uint32_t row = 0; row < sheet->row_count && status == SP_OK; row++)
        if (column.codes[row] != 0 && sp_bits_have(sheet->rows, row))
            spans[column.values[column.codes[row]].kind]++;
    for (size_t i = from; i < to && status == SP_OK; i++)
        keys->rows[i].span_count += spans[keys->rows[i].kind];
    return status;
}

static enum sp_status count_columns(struct keys *keys, struct sp_sheet *sheet,
                                    struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (size_t from = 0, to; from < keys->count && status == SP_OK; from = to) {
        const struct sp_key_row *row = &keys->rows[from];
        for (to = from + 1; to < keys->count && keys->rows[to].scope == row->scope &&
                            sp_slice_equal(keys->rows[to].key, row->key);)
            to++;
        if (row->scope != SP_SCOPE_SPAN)
            continue;
        status = sp_stop_ask(&keys->completion.call->stop, reterr);
        if (status == SP_OK)
            status = count_column(keys, sheet, from, to, reterr);
    }
    return status;
}

/* Events and links: of whole spans; and all attributes of spans, where these are at hand. */
static enum sp_status count_spans(struct keys *keys, struct sp_sheet *sheet, bool own_attributes,
                                  struct sp_error *reterr)
{
    const struct sp_span *spans;
    enum sp_status status = sp_sheet_spans(sheet, &spans, reterr);
    for (uint32_t row = 0; row < sheet->row_count && status == SP_OK; row++) {
        if (!sp_bits_have(sheet->rows, row))
            continue;
        keys->holder++;
        if (own_attributes)
            add_attributes(keys, SP_SCOPE_SPAN, &spans[row].attributes, 1);
        for (uint32_t i = 0; i < spans[row].event_count; i++)
            add_attributes(keys, SP_SCOPE_EVENT, &spans[row].events[i].attributes, 1);
        for (uint32_t i = 0; i < spans[row].link_count; i++)
            add_attributes(keys, SP_SCOPE_LINK, &spans[row].links[i].attributes, 1);
    }
    return status;
}

static enum sp_status count(void *cookie, struct sp_sheet *sheet,
                            const struct sp_trace_facts *facts, struct sp_error *reterr)
{
    struct keys *keys = cookie;
    bool at_hand = facts != NULL;
    enum sp_status status = SP_OK;
    if (wants(keys, SP_SCOPE_RESOURCE | SP_SCOPE_INSTRUMENTATION))
        status = count_templates(keys, sheet, reterr);
    if (status == SP_OK && (at_hand || wants(keys, SP_SCOPE_EVENT | SP_SCOPE_LINK)))
        status = count_spans(keys, sheet, at_hand, reterr);
    if (status == SP_OK && !at_hand)
        status = count_columns(keys, sheet, reterr);
    return status;
}

/* The catalogue's keys, without its counts. */
static enum sp_status find_keys(struct keys *keys, uint32_t scopes, struct sp_slice prefix,
                                bool *ret_all, struct sp_error *reterr)
{
    struct sp_query_call *call = keys->completion.call;
    const struct sp_key_row *rows;
    enum sp_status status = sp_store_attribute_keys(
        call->api->store, scopes, prefix, keys->completion.pass.range, &call->stop,
        SP_COMPLETION_KEYS_MAX, &call->arena, &rows, &keys->count, ret_all, reterr);
    if (status != SP_OK)
        return status;
    keys->rows = sp_arena_calloc(&call->arena, keys->count + 1, sizeof(*keys->rows));
    keys->last = sp_arena_calloc(&call->arena, keys->count + 1, sizeof(*keys->last));
    if (!keys->rows || !keys->last)
        return sp_arena_failed(&call->arena, reterr, "the keys do not fit into memory");
    for (size_t i = 0; i < keys->count; i++) {
        keys->rows[i] = rows[i];
        keys->rows[i].span_count = 0;
    }
    return SP_OK;
}

enum sp_status sp_complete_keys(struct sp_query_call *call, struct sp_slice query, uint32_t scopes,
                                struct sp_slice prefix, struct sp_completion_keys *ret,
                                struct sp_error *reterr)
{
    struct keys keys = {0};
    bool all = true;
    enum sp_status status = sp_completion_init(&keys.completion, call, "q", query, reterr);
    keys.completion.count = count;
    keys.completion.cookie = &keys;
    if (status == SP_OK)
        status = find_keys(&keys, scopes, prefix, &all, reterr);
    if (status == SP_OK)
        status = sp_completion_run(&keys.completion, NULL, 0, reterr);
    bool complete = keys.completion.complete && all;
    sp_completion_fini(&keys.completion);
    if (status != SP_OK)
        return status;
    size_t kept = 0;
    for (size_t i = 0; i < keys.count; i++)
        if (keys.rows[i].span_count > 0)
            keys.rows[kept++] = keys.rows[i];
    *ret = (struct sp_completion_keys){.rows = keys.rows,
                                       .count = kept,
                                       .complete = complete,
                                       .looked = true,
                                       .scanned = keys.completion.scanned};
    return SP_OK;
}
