/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_spans.c: spans become rows of a block. Knows neither disks nor engines. */
#include "storage/block_builder.h"

/* Resources and scopes are shared by pointer in a batch: a pointer that was seen in this call needs no packing. */
#define MEMO_BITS 12

struct memo {
    struct memo_slot {
        const void *pointer;
        uint32_t number;
    } slots[1 << MEMO_BITS];
};

/* The words of one row's template while they are collected. */
struct row {
    struct sp_block_builder *builder;
    enum sp_block_table table;
    uint32_t roles[SP_ROLE_COUNT];
    uint32_t role_count;
    uint32_t attributes[SP_BLOCK_LIST_MAX];
    uint32_t attribute_count;
};

static struct memo_slot *memo_slot(struct memo *memo, const void *pointer)
{
    return &memo->slots[((uintptr_t)pointer >> 4) * 0x9e3779b97f4a7c15ULL >> (64 - MEMO_BITS)];
}

static uint32_t resource_number(struct sp_block_builder *builder, struct memo *memo,
                                const struct sp_resource *resource)
{
    struct memo_slot *slot = memo_slot(memo, resource);
    if (slot->pointer != resource) {
        sp_buf_reset(&builder->scratch);
        sp_resource_pack(resource, &builder->scratch);
        if (builder->scratch.error != SP_OK)
            return SP_INTERNER_NONE;
        slot->number = sp_block_builder_resource(builder, sp_buf_slice(&builder->scratch));
        slot->pointer = slot->number != SP_INTERNER_NONE ? resource : NULL;
    }
    return slot->number;
}

static uint32_t scope_number(struct sp_block_builder *builder, struct memo *memo,
                             const struct sp_scope *scope)
{
    struct memo_slot *slot = memo_slot(memo, scope);
    if (slot->pointer != scope) {
        sp_buf_reset(&builder->scratch);
        sp_scope_pack(scope, &builder->scratch);
        if (builder->scratch.error != SP_OK)
            return SP_INTERNER_NONE;
        slot->number = sp_block_builder_scope(builder, sp_buf_slice(&builder->scratch));
        slot->pointer = slot->number != SP_INTERNER_NONE ? scope : NULL;
    }
    return slot->number;
}

/* ---- values ---- */

/* Many columns hold the same few texts: the last one is tried before it is looked up. */
static bool push_text(struct sp_block_builder *builder, uint32_t column, struct sp_slice text)
{
    struct column_build *build = &builder->columns.items[column];
    uint32_t code = build->codes.count > 0 ? build->codes.items[build->codes.count - 1] : 0;
    if (build->codes.count == 0 || !sp_slice_equal(builder->pool.texts.items[code], text))
        code = sp_block_builder_text(builder, text);
    return code != SP_INTERNER_NONE && sp_vector_push(&build->codes, code);
}

static bool push_number(struct sp_block_builder *builder, uint32_t column, uint64_t number)
{
    return sp_vector_push(&builder->columns.items[column].numbers, number);
}

static bool push_value(struct sp_block_builder *builder, uint32_t column,
                       const struct sp_value *value)
{
    builder->columns.items[column].column.count++;
    switch (value->kind) {
    case SP_VALUE_EMPTY:
        return true;
    case SP_VALUE_STRING:
    case SP_VALUE_BYTES:
        return push_text(builder, column, value->string);
    case SP_VALUE_BOOL:
        return push_number(builder, column, value->boolean);
    case SP_VALUE_INT:
    case SP_VALUE_DOUBLE: {
        uint64_t bits;
        memcpy(&bits, &value->integer, sizeof(bits));
        return push_number(builder, column, bits);
    }
    case SP_VALUE_ARRAY:
    case SP_VALUE_KVLIST:
        sp_buf_reset(&builder->scratch);
        sp_value_pack(value, &builder->scratch);
        return builder->scratch.error == SP_OK &&
               push_text(builder, column, sp_buf_slice(&builder->scratch));
    }
    return false;
}

/* ---- columns of a row ---- */

static bool is_column_of(const struct column_build *build, enum sp_block_table table,
                         const struct sp_attribute *item)
{
    return build->column.table == table && build->column.role == SP_ROLE_ATTRIBUTE &&
           build->column.kind == item->value.kind && sp_slice_equal(build->column.key, item->key);
}

/* The column of an attribute. Lists look alike: what followed the column before the last time is tried first. */
static uint32_t attribute_column(struct sp_block_builder *builder, enum sp_block_table table,
                                 uint32_t before, const struct sp_attribute *item)
{
    uint32_t *guess = before != SP_INTERNER_NONE ? &builder->columns.items[before].follower
                                                 : &builder->first_columns[table];
    if (*guess < builder->columns.count &&
        is_column_of(&builder->columns.items[*guess], table, item))
        return *guess;
    uint32_t column =
        sp_block_builder_column(builder, table, SP_ROLE_ATTRIBUTE, item->value.kind, item->key);
    if (column != SP_INTERNER_NONE && before != SP_INTERNER_NONE)
        builder->columns.items[before].follower = column; /* the columns may have moved */
    else if (column != SP_INTERNER_NONE)
        builder->first_columns[table] = column;
    return column;
}

static uint32_t role_column(struct row *row, enum sp_column_role role, enum sp_value_kind kind)
{
    uint32_t column = sp_block_builder_column(row->builder, row->table, role, kind, SP_SLICE(""));
    if (column != SP_INTERNER_NONE) {
        row->roles[row->role_count++] = column;
        row->builder->columns.items[column].column.count++;
    }
    return column;
}

/* Rows without the text have no value. */
static bool add_role_text(struct row *row, enum sp_column_role role, enum sp_value_kind kind,
                          struct sp_slice text)
{
    if (text.len == 0)
        return true;
    uint32_t column = role_column(row, role, kind);
    return column != SP_INTERNER_NONE && push_text(row->builder, column, text);
}

static bool add_role_count(struct row *row, enum sp_column_role role, uint32_t count)
{
    if (count == 0)
        return true;
    uint32_t column = role_column(row, role, SP_VALUE_INT);
    return column != SP_INTERNER_NONE && push_number(row->builder, column, count);
}

/* Last of the roles, because it takes what has no place in columns. */
static bool add_attributes(struct row *row, const struct sp_attributes *list)
{
    struct sp_block_builder *builder = row->builder;
    uint32_t before = SP_INTERNER_NONE;
    uint32_t i = 0;
    for (; i < list->count && i < SP_BLOCK_LIST_MAX; i++) {
        const struct sp_attribute *item = &list->items[i];
        uint32_t column = attribute_column(builder, row->table, before, item);
        if (column == SP_INTERNER_NONE)
            break;
        before = column;
        if (!push_value(builder, column, &item->value))
            return false;
        row->attributes[row->attribute_count++] = column;
    }
    if (i == list->count)
        return true;
    uint32_t column = role_column(row, SP_ROLE_MORE_ATTRIBUTES, SP_VALUE_BYTES);
    sp_buf_reset(&builder->scratch);
    sp_attributes_pack(list, i, &builder->scratch);
    return column != SP_INTERNER_NONE && builder->scratch.error == SP_OK &&
           push_text(builder, column, sp_buf_slice(&builder->scratch));
}

static bool finish_row(struct row *row, uint32_t *words)
{
    memcpy(words + WORD_COUNT, row->roles, row->role_count * sizeof(*words));
    memcpy(words + WORD_COUNT + row->role_count, row->attributes,
           row->attribute_count * sizeof(*words));
    uint32_t number;
    return sp_block_builder_template(row->builder, row->table, words,
                                     WORD_COUNT + row->role_count + row->attribute_count,
                                     &number) &&
           sp_vector_push(&row->builder->tables[row->table].rows, number);
}

/* ---- rows ---- */

static bool add_event(struct sp_block_builder *builder, const struct sp_event *event)
{
    struct row row = {.builder = builder, .table = SP_BLOCK_EVENTS};
    uint32_t words[WORDS_MAX] = {[WORD_DROPPED_ATTRIBUTES] = event->attributes.dropped};
    words[WORD_NAME] = sp_block_builder_text(builder, event->name);
    return words[WORD_NAME] != SP_INTERNER_NONE &&
           add_role_text(&row, SP_ROLE_RESIDUE, SP_VALUE_BYTES, event->residue) &&
           add_attributes(&row, &event->attributes) &&
           sp_vector_push(&builder->event_times, event->time_unix_ns) && finish_row(&row, words);
}

static bool add_link(struct sp_block_builder *builder, const struct sp_link *link)
{
    struct row row = {.builder = builder, .table = SP_BLOCK_LINKS};
    uint32_t words[WORDS_MAX] = {
        [WORD_FLAGS] = link->flags, [WORD_DROPPED_ATTRIBUTES] = link->attributes.dropped};
    return add_role_text(&row, SP_ROLE_TRACE_STATE, SP_VALUE_STRING, link->trace_state) &&
           add_role_text(&row, SP_ROLE_RESIDUE, SP_VALUE_BYTES, link->residue) &&
           add_attributes(&row, &link->attributes) &&
           sp_vector_push(&builder->link_trace_ids, link->trace_id) &&
           sp_vector_push(&builder->link_span_ids, link->span_id) && finish_row(&row, words);
}

static bool add_span(struct sp_block_builder *builder, struct memo *memo,
                     const struct sp_span *span)
{
    struct row row = {.builder = builder, .table = SP_BLOCK_SPANS};
    uint32_t words[WORDS_MAX];
    words[WORD_RESOURCE] = resource_number(builder, memo, span->resource);
    words[WORD_SCOPE] = scope_number(builder, memo, span->scope);
    words[WORD_NAME] = sp_block_builder_text(builder, span->name);
    words[WORD_KIND] = (uint32_t)span->kind;
    words[WORD_STATUS] = (uint32_t)span->status_code;
    words[WORD_BITS] = span->status_present ? SP_TEMPLATE_STATUS_PRESENT : 0;
    words[WORD_FLAGS] = span->flags;
    words[WORD_DROPPED_ATTRIBUTES] = span->attributes.dropped;
    words[WORD_DROPPED_EVENTS] = span->dropped_events;
    words[WORD_DROPPED_LINKS] = span->dropped_links;
    bool fits =
        words[WORD_RESOURCE] != SP_INTERNER_NONE && words[WORD_SCOPE] != SP_INTERNER_NONE &&
        words[WORD_NAME] != SP_INTERNER_NONE && sp_block_builder_trace(builder, &span->trace_id) &&
        add_role_text(&row, SP_ROLE_TRACE_STATE, SP_VALUE_STRING, span->trace_state) &&
        add_role_text(&row, SP_ROLE_STATUS_MESSAGE, SP_VALUE_STRING, span->status_message) &&
        add_role_text(&row, SP_ROLE_STATUS_RESIDUE, SP_VALUE_BYTES, span->status_residue) &&
        add_role_text(&row, SP_ROLE_RESIDUE, SP_VALUE_BYTES, span->residue) &&
        add_role_count(&row, SP_ROLE_EVENT_COUNT, span->event_count) &&
        add_role_count(&row, SP_ROLE_LINK_COUNT, span->link_count) &&
        add_attributes(&row, &span->attributes) && finish_row(&row, words);
    for (uint32_t i = 0; i < span->event_count && fits; i++)
        fits = add_event(builder, &span->events[i]);
    for (uint32_t i = 0; i < span->link_count && fits; i++)
        fits = add_link(builder, &span->links[i]);
    return fits && sp_vector_push(&builder->span_ids, span->span_id) &&
           sp_vector_push(&builder->parent_ids, span->parent_span_id) &&
           sp_vector_push(&builder->starts, span->start_unix_ns) &&
           sp_vector_push(&builder->ends, span->end_unix_ns);
}

enum sp_status sp_block_builder_add_spans(struct sp_block_builder *builder,
                                          const struct sp_span *const *spans, size_t count,
                                          size_t *ret_taken, struct sp_error *reterr)
{
    struct memo memo = {0}; /* of this call only: another batch may lie at the same address */
    size_t taken = 0;
    for (; taken < count && !sp_block_builder_is_full(builder); taken++) {
        if (!add_span(builder, &memo, spans[taken]))
            return sp_error_set(reterr, SP_NO_MEMORY, "no memory to build a block");
    }
    *ret_taken = taken;
    return SP_OK;
}
