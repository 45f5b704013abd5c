/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_head.c: the content of a block's head as varints and texts, and back with every number checked, so that readers
 * of the block need not. Fields of many (columns, templates) stand field by field, which compresses better.
 * Knows no compression. */
#include "storage/block_head.h"
#include "storage/pack.h"

#define KIND_COUNT (SP_VALUE_KVLIST + 1)

/* ---- what a column of a role is ---- */

static bool column_is_valid(enum sp_block_table table, enum sp_column_role role,
                            enum sp_value_kind kind)
{
    bool spans = table == SP_BLOCK_SPANS;
    switch (role) {
    case SP_ROLE_ATTRIBUTE:
        return true;
    case SP_ROLE_TRACE_STATE:
        return table != SP_BLOCK_EVENTS && kind == SP_VALUE_STRING;
    case SP_ROLE_STATUS_MESSAGE:
        return spans && kind == SP_VALUE_STRING;
    case SP_ROLE_STATUS_RESIDUE:
        return spans && kind == SP_VALUE_BYTES;
    case SP_ROLE_EVENT_COUNT:
    case SP_ROLE_LINK_COUNT:
        return spans && kind == SP_VALUE_INT;
    case SP_ROLE_RESIDUE:
    case SP_ROLE_MORE_ATTRIBUTES:
        return kind == SP_VALUE_BYTES;
    }
    return false;
}

/* ---- fields of templates ---- */

/* 32 bits each, on disk in this order. */
enum template_field {
    FIELD_RESOURCE,
    FIELD_SCOPE,
    FIELD_NAME,
    FIELD_KIND,
    FIELD_STATUS_CODE,
    FIELD_BITS,
    FIELD_FLAGS,
    FIELD_DROPPED_ATTRIBUTES,
    FIELD_DROPPED_EVENTS,
    FIELD_DROPPED_LINKS,
    FIELD_COUNT,
};

static const size_t field_offsets[FIELD_COUNT] = {
    [FIELD_RESOURCE] = offsetof(struct sp_template, resource),
    [FIELD_SCOPE] = offsetof(struct sp_template, scope),
    [FIELD_NAME] = offsetof(struct sp_template, name),
    [FIELD_KIND] = offsetof(struct sp_template, kind),
    [FIELD_STATUS_CODE] = offsetof(struct sp_template, status_code),
    [FIELD_BITS] = offsetof(struct sp_template, bits),
    [FIELD_FLAGS] = offsetof(struct sp_template, flags),
    [FIELD_DROPPED_ATTRIBUTES] = offsetof(struct sp_template, dropped_attributes),
    [FIELD_DROPPED_EVENTS] = offsetof(struct sp_template, dropped_events),
    [FIELD_DROPPED_LINKS] = offsetof(struct sp_template, dropped_links),
};

/* ---- writing ---- */

static void write_texts(const struct sp_slice *texts, uint32_t count, struct sp_buf *out)
{
    sp_pack_varint(count, out);
    for (uint32_t i = 0; i < count; i++)
        sp_pack_text(texts[i], out);
}

static void write_columns(const struct sp_block_head *head, struct sp_buf *out)
{
    const struct sp_column *columns = head->block.columns;
    uint32_t count = head->block.column_count;
    sp_pack_varint(count, out);
    for (uint32_t i = 0; i < count; i++)
        sp_buf_append_byte(out, (uint8_t)columns[i].table);
    for (uint32_t i = 0; i < count; i++)
        sp_buf_append_byte(out, (uint8_t)columns[i].role);
    for (uint32_t i = 0; i < count; i++)
        sp_buf_append_byte(out, (uint8_t)columns[i].kind);
    for (uint32_t i = 0; i < count; i++)
        sp_pack_text(columns[i].key, out);
    for (uint32_t i = 0; i < count; i++)
        sp_pack_varint(columns[i].count, out);
    for (uint32_t i = 0; i < count; i++)
        sp_pack_varint(head->columns[i].distinct, out);
    for (uint32_t i = 0; i < count; i++) {
        const struct sp_column_summary *summary = &head->columns[i];
        sp_buf_append_byte(out, summary->has_range);
        if (summary->has_range) {
            sp_pack_varint(summary->min, out);
            sp_pack_varint(summary->max - summary->min, out);
        }
    }
}

/* Lists of columns, which many templates have in common, and the number of the list of each template. */
static bool write_shapes(const struct sp_block *block, enum sp_block_table table,
                         struct sp_interner *shapes, struct sp_buf *out)
{
    uint32_t before = shapes->texts.count;
    for (uint32_t i = 0; i < block->template_counts[table]; i++) {
        const struct sp_template *template = &block->templates[table][i];
        struct sp_slice list =
            sp_slice_make(template->columns, template->column_count * sizeof(uint32_t));
        uint32_t shape = sp_interner_add(shapes, table, list);
        if (shape == SP_INTERNER_NONE)
            return false;
        sp_pack_varint(shape - before, out);
    }
    uint32_t count = shapes->texts.count - before;
    sp_pack_varint(count, out);
    for (uint32_t i = 0; i < count; i++)
        sp_pack_varint(shapes->texts.items[before + i].len / sizeof(uint32_t), out);
    for (uint32_t i = 0; i < count; i++) {
        struct sp_slice list = shapes->texts.items[before + i];
        for (size_t at = 0; at < list.len; at += sizeof(uint32_t)) {
            uint32_t column;
            memcpy(&column, list.ptr + at, sizeof(column));
            sp_pack_varint(column, out);
        }
    }
    return true;
}

static bool write_templates(const struct sp_block *block, enum sp_block_table table,
                            const struct sp_head_names *names, struct sp_interner *shapes,
                            struct sp_buf *out)
{
    sp_pack_varint(block->template_counts[table], out);
    for (int field = 0; field < FIELD_COUNT; field++) {
        for (uint32_t i = 0; i < block->template_counts[table]; i++) {
            uint32_t number;
            memcpy(&number, (const uint8_t *)&block->templates[table][i] + field_offsets[field],
                   sizeof(number));
            if (field == FIELD_NAME)
                number = table == SP_BLOCK_LINKS ? 0 : names->numbers[number];
            else if (field == FIELD_KIND || field == FIELD_STATUS_CODE)
                number = number << 1 ^ (0 - (number >> 31));
            sp_pack_varint(number, out);
        }
    }
    return write_shapes(block, table, shapes, out);
}

void sp_block_head_write(const struct sp_block_head *head, const struct sp_head_names *names,
                         struct sp_interner *shapes, struct sp_buf *out)
{
    const struct sp_block *block = &head->block;
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT; t++)
        sp_pack_varint(block->tables[t].count, out);
    sp_pack_varint(block->trace_count, out);
    sp_pack_varint(block->start_min_unix_ns, out);
    sp_pack_varint(block->start_max_unix_ns - block->start_min_unix_ns, out);
    sp_pack_varint(head->duration_min_ns, out);
    sp_pack_varint(head->duration_max_ns - head->duration_min_ns, out);
    write_texts(names->texts, names->count, out);
    write_texts(block->resource_texts, block->resource_count, out);
    write_texts(block->scope_texts, block->scope_count, out);
    write_columns(head, out);
    bool fits = true;
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT && fits; t++)
        fits = write_templates(block, t, names, shapes, out);
    if (!fits)
        out->error = SP_NO_MEMORY;
}

/* ---- reading ---- */

/* The first thing that is wrong sticks: then every number that is read is 0. */
struct reading {
    struct sp_slice rest;
    struct sp_arena *arena;
    enum sp_status status;
};

static void fail(struct reading *in, enum sp_status status)
{
    if (in->status == SP_OK)
        in->status = status;
    in->rest.len = 0;
}

static uint64_t read_number(struct reading *in)
{
    uint64_t number = 0;
    if (SP_LIKELY(in->rest.len > 0 && in->rest.ptr[0] < 0x80)) { /* nearly all are small */
        in->rest.len--;
        return *in->rest.ptr++;
    }
    if (!sp_unpack_varint(&in->rest, &number)) {
        fail(in, SP_CORRUPT);
        return 0;
    }
    return number;
}

/* At most max. */
static uint32_t read_up_to(struct reading *in, uint32_t max)
{
    uint64_t number = read_number(in);
    if (number > max) {
        fail(in, SP_CORRUPT);
        return 0;
    }
    return (uint32_t)number;
}

/* How many follow, each of which takes a byte at least. */
static uint32_t read_count(struct reading *in)
{
    return read_up_to(in, in->rest.len < UINT32_MAX ? (uint32_t)in->rest.len : UINT32_MAX);
}

static struct sp_slice read_text(struct reading *in)
{
    uint64_t len = read_number(in);
    if (len > in->rest.len) {
        fail(in, SP_CORRUPT);
        return (struct sp_slice){0};
    }
    struct sp_slice text = sp_slice_make(in->rest.ptr, len);
    in->rest = sp_slice_sub(in->rest, len, SIZE_MAX); /* which may be empty, and nowhere */
    return text;
}

/* Zeroed; at least one item, so that NULL is a full arena. */
static void *read_alloc(struct reading *in, uint32_t count, size_t size)
{
    void *items = sp_arena_calloc(in->arena, (size_t)count + 1, size);
    if (items == NULL)
        fail(in, SP_LIMIT);
    return items;
}

static const struct sp_slice *read_texts(struct reading *in, uint32_t *ret_count)
{
    uint32_t count = read_count(in);
    struct sp_slice *texts = read_alloc(in, count, sizeof(*texts));
    *ret_count = texts == NULL ? 0 : count;
    for (uint32_t i = 0; i < *ret_count; i++)
        texts[i] = read_text(in);
    return texts;
}

static void read_range(struct reading *in, uint64_t *ret_min, uint64_t *ret_max)
{
    *ret_min = read_number(in);
    *ret_max = *ret_min + read_number(in);
}

static void read_columns(struct reading *in, struct sp_block_head *head)
{
    uint32_t roles_seen[SP_BLOCK_TABLE_COUNT] = {0};
    uint32_t count = read_up_to(in, SP_BLOCK_COLUMNS_MAX);
    struct sp_column *columns = read_alloc(in, count, sizeof(*columns));
    struct sp_column_summary *summaries = read_alloc(in, count, sizeof(*summaries));
    if (in->status != SP_OK)
        return;
    for (uint32_t i = 0; i < count; i++)
        columns[i].table = (enum sp_block_table)read_up_to(in, SP_BLOCK_TABLE_COUNT - 1);
    for (uint32_t i = 0; i < count; i++)
        columns[i].role = (enum sp_column_role)read_up_to(in, SP_ROLE_COUNT - 1);
    for (uint32_t i = 0; i < count; i++)
        columns[i].kind = (enum sp_value_kind)read_up_to(in, KIND_COUNT - 1);
    for (uint32_t i = 0; i < count; i++)
        columns[i].key = read_text(in);
    for (uint32_t i = 0; i < count; i++)
        columns[i].count = read_up_to(in, SP_BLOCK_VALUES_MAX);
    for (uint32_t i = 0; i < count; i++)
        summaries[i].distinct = read_up_to(in, columns[i].count);
    for (uint32_t i = 0; i < count; i++) {
        summaries[i].has_range = read_up_to(in, 1) != 0;
        if (summaries[i].has_range)
            read_range(in, &summaries[i].min, &summaries[i].max);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t role = (uint32_t)1 << columns[i].role;
        if (!column_is_valid(columns[i].table, columns[i].role, columns[i].kind) ||
            (columns[i].role != SP_ROLE_ATTRIBUTE && roles_seen[columns[i].table] & role))
            fail(in, SP_CORRUPT);
        roles_seen[columns[i].table] |= role;
    }
    head->block.columns = columns;
    head->columns = summaries;
    head->block.column_count = count;
}

/* The roles first, ascending, then attributes. */
static bool list_is_valid(const struct sp_block *block, enum sp_block_table table,
                          const uint32_t *list, uint32_t count)
{
    int before = -1;
    bool valid = true;
    for (uint32_t i = 0; i < count && valid; i++) {
        const struct sp_column *column = &block->columns[list[i]];
        int role = column->role == SP_ROLE_ATTRIBUTE ? SP_ROLE_COUNT : (int)column->role;
        valid =
            column->table == table && (role > before || (role == before && role == SP_ROLE_COUNT));
        before = role;
    }
    return valid;
}

struct shape {
    const uint32_t *columns;
    uint32_t count;
};

static void read_shapes(struct reading *in, const struct sp_block *block, enum sp_block_table table,
                        struct sp_template *templates)
{
    uint32_t template_count = block->template_counts[table];
    uint32_t *numbers = read_alloc(in, template_count, sizeof(*numbers));
    for (uint32_t i = 0; i < template_count && in->status == SP_OK; i++)
        numbers[i] = read_up_to(in, template_count - 1);
    uint32_t shape_count = read_up_to(in, template_count);
    struct shape *shapes = read_alloc(in, shape_count, sizeof(*shapes));
    for (uint32_t i = 0; i < shape_count && in->status == SP_OK; i++)
        shapes[i].count = read_count(in);
    for (uint32_t i = 0; i < shape_count && in->status == SP_OK; i++) {
        if (shapes[i].count > in->rest.len) {
            fail(in, SP_CORRUPT);
            break;
        }
        uint32_t *list = read_alloc(in, shapes[i].count, sizeof(*list));
        for (uint32_t c = 0; c < shapes[i].count && in->status == SP_OK; c++) {
            list[c] = read_up_to(in, SP_BLOCK_COLUMNS_MAX - 1);
            if (list[c] >= block->column_count)
                fail(in, SP_CORRUPT);
        }
        if (in->status == SP_OK && !list_is_valid(block, table, list, shapes[i].count))
            fail(in, SP_CORRUPT);
        shapes[i].columns = list;
    }
    for (uint32_t i = 0; i < template_count && in->status == SP_OK; i++) {
        if (numbers[i] >= shape_count) {
            fail(in, SP_CORRUPT);
            break;
        }
        templates[i].columns = shapes[numbers[i]].columns;
        templates[i].column_count = shapes[numbers[i]].count;
    }
}

static bool template_is_valid(const struct sp_block *block, enum sp_block_table table,
                              const struct sp_template *template)
{
    if (table == SP_BLOCK_LINKS)
        return true;
    if (template->name >= block->names->count)
        return false;
    return table != SP_BLOCK_SPANS ||
           (template->resource < block->resource_count && template->scope < block->scope_count);
}

static void read_templates(struct reading *in, struct sp_block *block, enum sp_block_table table)
{
    uint32_t count = read_count(in);
    struct sp_template *templates = read_alloc(in, count, sizeof(*templates));
    if (in->status != SP_OK)
        return;
    for (int field = 0; field < FIELD_COUNT; field++) {
        for (uint32_t i = 0; i < count; i++) {
            uint32_t number = read_up_to(in, UINT32_MAX);
            if (field == FIELD_KIND || field == FIELD_STATUS_CODE)
                number = number >> 1 ^ (0 - (number & 1));
            memcpy((uint8_t *)&templates[i] + field_offsets[field], &number, sizeof(number));
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!template_is_valid(block, table, &templates[i]))
            fail(in, SP_CORRUPT);
    }
    block->templates[table] = templates;
    block->template_counts[table] = count;
    read_shapes(in, block, table, templates);
}

static void unpack_shared(struct reading *in, struct sp_block *block)
{
    struct sp_resource *resources =
        read_alloc(in, block->resource_count, sizeof(struct sp_resource));
    struct sp_scope *scopes = read_alloc(in, block->scope_count, sizeof(struct sp_scope));
    for (uint32_t i = 0; i < block->resource_count && in->status == SP_OK; i++) {
        enum sp_status status =
            sp_resource_unpack(block->resource_texts[i], in->arena, &resources[i]);
        if (status != SP_OK)
            fail(in, status);
    }
    for (uint32_t i = 0; i < block->scope_count && in->status == SP_OK; i++) {
        enum sp_status status = sp_scope_unpack(block->scope_texts[i], in->arena, &scopes[i]);
        if (status != SP_OK)
            fail(in, status);
    }
    block->resources = resources;
    block->scopes = scopes;
}

static void read_counts(struct reading *in, struct sp_block_head *head)
{
    struct sp_block *block = &head->block;
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT; t++) {
        block->tables[t].count =
            read_up_to(in, t == SP_BLOCK_SPANS ? SP_BLOCK_ROWS_MAX : SP_BLOCK_VALUES_MAX);
    }
    block->trace_count = read_up_to(in, block->tables[SP_BLOCK_SPANS].count);
    if (block->trace_count == 0 && block->tables[SP_BLOCK_SPANS].count > 0)
        fail(in, SP_CORRUPT);
    read_range(in, &block->start_min_unix_ns, &block->start_max_unix_ns);
    read_range(in, &head->duration_min_ns, &head->duration_max_ns);
}

enum sp_status sp_block_head_read_counts(struct sp_slice plain, struct sp_block_head *ret)
{
    struct reading in = {.rest = plain};
    struct sp_block_head head = {.stamp = ret->stamp};
    read_counts(&in, &head);
    if (in.status == SP_OK)
        *ret = head;
    return in.status;
}

enum sp_status sp_block_head_read(struct sp_slice plain, struct sp_arena *arena,
                                  struct sp_block_head *ret)
{
    struct reading in = {.rest = plain, .arena = arena};
    struct sp_block_head head = {.stamp = ret->stamp};
    struct sp_block *block = &head.block;
    read_counts(&in, &head);
    struct sp_dictionary *names = read_alloc(&in, 1, sizeof(*names));
    if (names != NULL)
        names->texts = read_texts(&in, &names->count);
    block->names = names;
    block->resource_texts = read_texts(&in, &block->resource_count);
    block->scope_texts = read_texts(&in, &block->scope_count);
    if (in.status == SP_OK)
        read_columns(&in, &head);
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT && in.status == SP_OK; t++)
        read_templates(&in, block, t);
    if (in.status == SP_OK && in.rest.len > 0)
        in.status = SP_CORRUPT;
    if (in.status == SP_OK)
        unpack_shared(&in, block);
    if (in.status == SP_OK)
        *ret = head;
    return in.status;
}
