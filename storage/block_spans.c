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

/* The words of one row's template while they are collected: it is large, so only what is used is written. */
struct row {
    struct sp_block_builder *builder;
    enum sp_block_table table;
    uint32_t word_count;
    uint32_t words[WORDS_MAX];
};

static void row_init(struct row *row, struct sp_block_builder *builder, enum sp_block_table table)
{
    row->builder = builder;
    row->table = table;
    row->word_count = WORD_COUNT;
    memset(row->words, 0, WORD_COUNT * sizeof(*row->words));
}

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
    if (build->codes.count == 0 || !sp_hash_equal(build->texts.texts.items[code], text))
        code = sp_block_builder_value(builder, build, text);
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
           build->column.kind == item->value.kind && sp_hash_equal(build->column.key, item->key);
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
    struct sp_block_builder *builder = row->builder;
    uint32_t *guess = &builder->role_columns[row->table][role];
    uint32_t column = *guess;
    if (column >= builder->columns.count || builder->columns.items[column].column.role != role ||
        builder->columns.items[column].column.table != row->table)
        column = *guess = sp_block_builder_column(builder, row->table, role, kind, SP_SLICE(""));
    if (column != SP_INTERNER_NONE) {
        row->words[row->word_count++] = column;
        builder->columns.items[column].column.count++;
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

/* Attributes that have no place in columns. Their column is a role, which stands in front of the attributes. */
static bool add_more_attributes(struct row *row, const struct sp_attributes *list, uint32_t first,
                                uint32_t first_word)
{
    struct sp_block_builder *builder = row->builder;
    uint32_t column = role_column(row, SP_ROLE_MORE_ATTRIBUTES, SP_VALUE_BYTES);
    if (column == SP_INTERNER_NONE)
        return false;
    memmove(row->words + first_word + 1, row->words + first_word,
            (row->word_count - 1 - first_word) * sizeof(*row->words));
    row->words[first_word] = column;
    sp_buf_reset(&builder->scratch);
    sp_attributes_pack(list, first, &builder->scratch);
    return builder->scratch.error == SP_OK &&
           push_text(builder, column, sp_buf_slice(&builder->scratch));
}

/* Behind the other roles. */
static bool add_attributes(struct row *row, const struct sp_attributes *list)
{
    struct sp_block_builder *builder = row->builder;
    uint32_t first_word = row->word_count;
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
        row->words[row->word_count++] = column;
    }
    return i == list->count || add_more_attributes(row, list, i, first_word);
}

static bool finish_row(struct row *row)
{
    uint32_t number;
    return sp_block_builder_template(row->builder, row->table, row->words, row->word_count,
                                     &number) &&
           sp_vector_push(&row->builder->tables[row->table].rows, number);
}

/* ---- rows ---- */

static bool add_event(struct sp_block_builder *builder, const struct sp_event *event)
{
    struct row row;
    row_init(&row, builder, SP_BLOCK_EVENTS);
    row.words[WORD_NAME] = sp_block_builder_name(builder, event->name);
    row.words[WORD_DROPPED_ATTRIBUTES] = event->attributes.dropped;
    return row.words[WORD_NAME] != SP_INTERNER_NONE &&
           add_role_text(&row, SP_ROLE_RESIDUE, SP_VALUE_BYTES, event->residue) &&
           add_attributes(&row, &event->attributes) &&
           sp_vector_push(&builder->event_times, event->time_unix_ns) && finish_row(&row);
}

static bool add_link(struct sp_block_builder *builder, const struct sp_link *link)
{
    struct row row;
    row_init(&row, builder, SP_BLOCK_LINKS);
    row.words[WORD_FLAGS] = link->flags;
    row.words[WORD_DROPPED_ATTRIBUTES] = link->attributes.dropped;
    return add_role_text(&row, SP_ROLE_TRACE_STATE, SP_VALUE_STRING, link->trace_state) &&
           add_role_text(&row, SP_ROLE_RESIDUE, SP_VALUE_BYTES, link->residue) &&
           add_attributes(&row, &link->attributes) &&
           sp_vector_push(&builder->link_trace_ids, link->trace_id) &&
           sp_vector_push(&builder->link_span_ids, link->span_id) && finish_row(&row);
}

/* What the template of a span says besides its columns. */
static bool add_header(struct row *row, struct memo *memo, const struct sp_span *span)
{
    uint32_t *words = row->words;
    words[WORD_RESOURCE] = resource_number(row->builder, memo, span->resource);
    words[WORD_SCOPE] = scope_number(row->builder, memo, span->scope);
    words[WORD_NAME] = sp_block_builder_name(row->builder, span->name);
    words[WORD_KIND] = (uint32_t)span->kind;
    words[WORD_STATUS] = (uint32_t)span->status_code;
    words[WORD_BITS] = span->status_present ? SP_TEMPLATE_STATUS_PRESENT : 0;
    words[WORD_FLAGS] = span->flags;
    words[WORD_DROPPED_ATTRIBUTES] = span->attributes.dropped;
    words[WORD_DROPPED_EVENTS] = span->dropped_events;
    words[WORD_DROPPED_LINKS] = span->dropped_links;
    return words[WORD_RESOURCE] != SP_INTERNER_NONE && words[WORD_SCOPE] != SP_INTERNER_NONE &&
           words[WORD_NAME] != SP_INTERNER_NONE;
}

static bool add_span(struct sp_block_builder *builder, struct memo *memo,
                     const struct sp_span *span)
{
    struct row row;
    row_init(&row, builder, SP_BLOCK_SPANS);
    bool fits =
        add_header(&row, memo, span) && sp_block_builder_trace(builder, &span->trace_id) &&
        add_role_text(&row, SP_ROLE_TRACE_STATE, SP_VALUE_STRING, span->trace_state) &&
        add_role_text(&row, SP_ROLE_STATUS_MESSAGE, SP_VALUE_STRING, span->status_message) &&
        add_role_text(&row, SP_ROLE_STATUS_RESIDUE, SP_VALUE_BYTES, span->status_residue) &&
        add_role_text(&row, SP_ROLE_RESIDUE, SP_VALUE_BYTES, span->residue) &&
        add_role_count(&row, SP_ROLE_EVENT_COUNT, span->event_count) &&
        add_role_count(&row, SP_ROLE_LINK_COUNT, span->link_count) &&
        add_attributes(&row, &span->attributes) && finish_row(&row);
    for (uint32_t i = 0; i < span->event_count && fits; i++)
        fits = add_event(builder, &span->events[i]);
    for (uint32_t i = 0; i < span->link_count && fits; i++)
        fits = add_link(builder, &span->links[i]);
    return fits && sp_vector_push(&builder->span_ids, span->span_id) &&
           sp_vector_push(&builder->parent_ids, span->parent_span_id) &&
           sp_vector_push(&builder->starts, span->start_unix_ns) &&
           sp_vector_push(&builder->ends, span->end_unix_ns);
}

/* ---- memory that is needed soon ----
 * Spans sorted by trace lie all over the requests they came in: without this most of the time goes into waiting for memory. */

#define CACHE_LINE ((size_t)64)
/* How many spans ahead each is asked for: a span, then the list it points to, then the texts that the list points to. */
#define SPANS_AHEAD      8
#define ATTRIBUTES_AHEAD 4
#define TEXTS_AHEAD      2
/* Of a list. */
#define PREFETCHED_MAX ((uint32_t)12)

SP_PREFETCHING void prefetch(const void *memory, size_t len)
{
    for (size_t at = 0; at < len; at += CACHE_LINE)
        __builtin_prefetch((const char *)memory + at);
}

SP_PREFETCHING void prefetch_ahead(const struct sp_span *const *spans, size_t count)
{
    if (count > SPANS_AHEAD)
        prefetch(spans[SPANS_AHEAD], sizeof(struct sp_span));
    if (count > ATTRIBUTES_AHEAD) {
        const struct sp_attributes *list = &spans[ATTRIBUTES_AHEAD]->attributes;
        uint32_t items = list->count < PREFETCHED_MAX ? list->count : PREFETCHED_MAX;
        prefetch(list->items, items * sizeof(*list->items));
    }
    if (count > TEXTS_AHEAD) {
        const struct sp_attributes *list = &spans[TEXTS_AHEAD]->attributes;
        __builtin_prefetch(spans[TEXTS_AHEAD]->name.ptr);
        for (uint32_t i = 0; i < list->count && i < PREFETCHED_MAX; i++) {
            __builtin_prefetch(list->items[i].key.ptr);
            if (list->items[i].value.kind == SP_VALUE_STRING)
                __builtin_prefetch(list->items[i].value.string.ptr);
        }
    }
}

enum sp_status sp_block_builder_add_spans(struct sp_block_builder *builder,
                                          const struct sp_span *const *spans, size_t count,
                                          size_t *ret_taken, struct sp_error *reterr)
{
    struct memo memo = {0}; /* of this call only: another batch may lie at the same address */
    size_t taken = 0;
    for (; taken < count && !sp_block_builder_is_full(builder); taken++) {
        prefetch_ahead(spans + taken, count - taken);
        if (!add_span(builder, &memo, spans[taken]))
            return sp_error_set(reterr, SP_NO_MEMORY, "no memory to build a block");
    }
    *ret_taken = taken;
    return SP_OK;
}
