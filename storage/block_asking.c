/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_asking.c: what is decided of a condition without looking at rows: from resources, scopes, what columns
 * there are and what is known of their values, from texts, from templates. Knows neither disks nor engines. */
#include "storage/block_asking.h"
#include "storage/block_codec.h"
#include "storage/pack.h"

void *sp_asking_alloc(struct sp_asking *asking, size_t count, size_t size)
{
    return sp_arena_calloc(&asking->match->arena, count + 1, size);
}

enum sp_status sp_asking_no_memory(struct sp_asking *asking)
{
    return sp_error_set(asking->reterr, SP_NO_MEMORY, "no memory to look into a block");
}

/* ---- what a condition looks into ---- */

static bool list_holds(const struct sp_condition *condition, const struct sp_attribute *items,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (sp_slice_equal(items[i].key, condition->key) &&
            sp_condition_holds_value(condition, &items[i].value))
            return true;
    }
    return false;
}

static bool text_holds(const struct sp_condition *condition, struct sp_slice text)
{
    return sp_condition_holds_value(condition,
                                    &(struct sp_value){.kind = SP_VALUE_STRING, .string = text});
}

static bool integer_holds(const struct sp_condition *condition, int64_t integer)
{
    return sp_condition_holds_value(condition,
                                    &(struct sp_value){.kind = SP_VALUE_INT, .integer = integer});
}

static bool resource_holds(const struct sp_condition *condition, const struct sp_resource *resource)
{
    if (condition->field == SP_FIELD_SERVICE)
        return text_holds(condition, sp_span_service(&(struct sp_span){.resource = resource}));
    return list_holds(condition, resource->attributes.items, resource->attributes.count);
}

static bool looks_into_table(const struct sp_condition *condition, enum sp_block_table table)
{
    static const enum sp_attribute_scope scopes[SP_BLOCK_TABLE_COUNT] = {
        [SP_BLOCK_SPANS] = SP_SCOPE_SPAN,
        [SP_BLOCK_EVENTS] = SP_SCOPE_EVENT,
        [SP_BLOCK_LINKS] = SP_SCOPE_LINK,
    };
    return (condition->scopes & scopes[table]) != 0;
}

static bool looks_into(const struct sp_condition *condition, const struct sp_column *column)
{
    if (condition->field == SP_FIELD_STATUS_MESSAGE)
        return column->role == SP_ROLE_STATUS_MESSAGE;
    if (condition->field != SP_FIELD_ATTRIBUTE || !looks_into_table(condition, column->table))
        return false;
    return column->role == SP_ROLE_MORE_ATTRIBUTES ||
           (column->role == SP_ROLE_ATTRIBUTE && sp_slice_equal(column->key, condition->key));
}

static enum sp_share column_share(const struct sp_asking *asking, const struct sp_asked *asked,
                                  uint32_t number)
{
    const struct sp_column *column = &asking->block->columns[number];
    const struct sp_block_head *head = asking->view->head;
    if (column->role == SP_ROLE_MORE_ATTRIBUTES)
        return SP_SHARE_SOME; /* the key may be among them */
    enum sp_share share = sp_value_set_kind(asked->set, column->kind);
    if (share == SP_SHARE_SOME && head != NULL && head->columns[number].has_range)
        share = sp_value_set_range(asked->set, column->kind, head->columns[number].min,
                                   head->columns[number].max);
    return share;
}

static enum sp_status begin_columns(struct sp_asking *asking, struct sp_asked *asked)
{
    const struct sp_block *block = asking->block;
    uint32_t count = 0;
    for (uint32_t c = 0; c < block->column_count; c++)
        count += looks_into(asked->condition, &block->columns[c]);
    asked->columns = sp_asking_alloc(asking, count, sizeof(*asked->columns));
    if (asked->columns == NULL)
        return sp_asking_no_memory(asking);
    for (uint32_t c = 0; c < block->column_count && asked->column_count < count; c++) {
        if (looks_into(asked->condition, &block->columns[c]))
            asked->columns[asked->column_count++] =
                (struct sp_asked_column){.column = c, .share = column_share(asking, asked, c)};
    }
    return SP_OK;
}

static bool asks_resources(const struct sp_condition *condition)
{
    return condition->field == SP_FIELD_SERVICE ||
           (condition->field == SP_FIELD_ATTRIBUTE && (condition->scopes & SP_SCOPE_RESOURCE));
}

static bool asks_scopes(const struct sp_condition *condition)
{
    return condition->field == SP_FIELD_SCOPE_NAME ||
           (condition->field == SP_FIELD_ATTRIBUTE &&
            (condition->scopes & SP_SCOPE_INSTRUMENTATION) != 0);
}

static bool scope_holds(const struct sp_condition *condition, const struct sp_scope *scope)
{
    if (condition->field == SP_FIELD_SCOPE_NAME)
        return text_holds(condition, scope->name);
    return list_holds(condition, scope->attributes.items, scope->attributes.count);
}

enum sp_status sp_asking_begin(struct sp_asking *asking, struct sp_asked *asked)
{
    const struct sp_block *block = asking->block;
    const struct sp_condition *condition = asked->condition;
    if (asks_resources(condition)) {
        asked->resources = sp_asking_alloc(asking, block->resource_count, sizeof(bool));
        if (asked->resources == NULL)
            return sp_asking_no_memory(asking);
        for (uint32_t r = 0; r < block->resource_count; r++)
            asked->resources[r] = resource_holds(condition, &block->resources[r]);
    }
    if (asks_scopes(condition)) {
        asked->scopes = sp_asking_alloc(asking, block->scope_count, sizeof(bool));
        if (asked->scopes == NULL)
            return sp_asking_no_memory(asking);
        for (uint32_t s = 0; s < block->scope_count; s++)
            asked->scopes[s] = scope_holds(condition, &block->scopes[s]);
    }
    return begin_columns(asking, asked);
}

bool sp_asked_is_possible(const struct sp_asking *asking, const struct sp_asked *asked)
{
    if (asked->condition->field != SP_FIELD_SERVICE &&
        asked->condition->field != SP_FIELD_SCOPE_NAME &&
        asked->condition->field != SP_FIELD_ATTRIBUTE)
        return true; /* the templates know */
    bool possible = false;
    for (uint32_t i = 0; i < asked->column_count; i++)
        possible |= asked->columns[i].share != SP_SHARE_NONE;
    for (uint32_t r = 0; asked->resources != NULL && r < asking->block->resource_count; r++)
        possible |= asked->resources[r];
    for (uint32_t s = 0; asked->scopes != NULL && s < asking->block->scope_count; s++)
        possible |= asked->scopes[s];
    return possible;
}

/* ---- texts ---- */

enum sp_status sp_asking_text(struct sp_asking *asking, const struct sp_asked *asked,
                              const struct sp_column *column, struct sp_slice text, uint8_t *ret)
{
    struct sp_value value = {.kind = column->kind, .string = text};
    const struct sp_attribute *items;
    uint32_t count;
    if (column->role != SP_ROLE_MORE_ATTRIBUTES) {
        *ret = sp_condition_holds_value(asked->condition, &value);
        return SP_OK;
    }
    struct sp_arena *unpacked = &asking->match->unpacked;
    sp_arena_reset(unpacked);
    enum sp_status status = sp_attributes_unpack(text, unpacked, &items, &count);
    if (status == SP_CORRUPT)
        return sp_error_set(asking->reterr, SP_CORRUPT,
                            "a packed value in a stored block is damaged");
    if (status != SP_OK)
        return sp_asking_no_memory(asking);
    *ret = list_holds(asked->condition, items, count);
    return SP_OK;
}

/* A dictionary with more texts than the column has values is not looked at as a whole: only those that occur, with the rows. */
static enum sp_status look_at_texts(struct sp_asking *asking, const struct sp_asked *asked,
                                    struct sp_asked_column *asked_column)
{
    const struct sp_column *column = &asking->block->columns[asked_column->column];
    const struct sp_dictionary *dictionary = column->dictionary;
    if (dictionary == NULL || dictionary->count > column->count)
        return SP_OK;
    uint32_t found = 0;
    uint8_t *texts = sp_asking_alloc(asking, dictionary->count, 1);
    if (texts == NULL)
        return sp_asking_no_memory(asking);
    for (uint32_t i = 0; i < dictionary->count; i++) {
        enum sp_status status =
            sp_asking_text(asking, asked, column, dictionary->texts[i], &texts[i]);
        if (status != SP_OK)
            return status;
        found += texts[i];
    }
    asked_column->texts = texts;
    asked_column->share = found == 0                   ? SP_SHARE_NONE
                          : found == dictionary->count ? SP_SHARE_ALL
                                                       : SP_SHARE_SOME;
    return SP_OK;
}

/* Of a test beside other conditions. Each text costs as much as comparing a hundred. */
#define TESTED_TEXTS_MAX ((uint32_t)256)

/* Texts that mostly differ from each other are as many as the values: not worth a look of their own. */
static bool has_few_texts(const struct sp_asking *asking, const struct sp_asked *asked,
                          uint32_t number)
{
    const struct sp_block_head *head = asking->view->head;
    const struct sp_column *column = &asking->block->columns[number];
    const struct sp_scan *scan = asking->match->scan;
    if (sp_asked_is_test(asked) && scan->condition_count > 1 && !scan->match_any)
        return column->dictionary != NULL ? column->dictionary->count <= TESTED_TEXTS_MAX
                                          : head != NULL && head->columns[number].distinct > 0 &&
                                                head->columns[number].distinct <= TESTED_TEXTS_MAX;
    return column->dictionary != NULL || head == NULL || head->columns[number].distinct > 0;
}

enum sp_status sp_asking_texts(struct sp_asking *asking, struct sp_asked *asked)
{
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < asked->column_count && status == SP_OK; i++) {
        struct sp_asked_column *column = &asked->columns[i];
        enum sp_value_kind kind = asking->block->columns[column->column].kind;
        if (column->share != SP_SHARE_SOME || column->texts != NULL ||
            (kind != SP_VALUE_STRING && kind != SP_VALUE_BYTES) ||
            !has_few_texts(asking, asked, column->column))
            continue;
        status = sp_block_view_dictionary(asking->view, column->column, asking->reterr);
        if (status == SP_OK)
            status = look_at_texts(asking, asked, column);
    }
    return status;
}

/* ---- templates ---- */

static enum sp_share all_or_none(bool all)
{
    return all ? SP_SHARE_ALL : SP_SHARE_NONE;
}

static bool has_role(const struct sp_block *block, const struct sp_template *template,
                     enum sp_column_role wanted)
{
    for (uint32_t i = 0; i < template->column_count; i++) {
        enum sp_column_role role = block->columns[template->columns[i]].role;
        if (role == wanted)
            return true;
        if (role == SP_ROLE_ATTRIBUTE)
            break; /* roles stand in front */
    }
    return false;
}

static enum sp_share duration_share(const struct sp_asking *asking, const struct sp_asked *asked)
{
    const struct sp_block_head *head = asking->view->head;
    if (head == NULL)
        return sp_value_set_durations(asked->set, 0, UINT64_MAX);
    return sp_value_set_durations(asked->set, head->duration_min_ns, head->duration_max_ns);
}

/* What the template says itself. */
static enum sp_share own_share(const struct sp_asking *asking, const struct sp_asked *asked,
                               const struct sp_template *template)
{
    const struct sp_block *block = asking->block;
    const struct sp_condition *condition = asked->condition;
    switch (condition->field) {
    case SP_FIELD_SERVICE:
        return all_or_none(asked->resources[template->resource]);
    case SP_FIELD_NAME:
        return all_or_none(text_holds(condition, block->names->texts[template->name]));
    case SP_FIELD_KIND:
        return all_or_none(integer_holds(condition, template->kind));
    case SP_FIELD_STATUS:
        return all_or_none(integer_holds(condition, template->status_code));
    case SP_FIELD_STATUS_MESSAGE:
        return has_role(block, template, SP_ROLE_STATUS_MESSAGE)
                   ? SP_SHARE_NONE
                   : all_or_none(text_holds(condition, SP_SLICE("")));
    case SP_FIELD_DURATION:
        return duration_share(asking, asked);
    case SP_FIELD_ATTRIBUTE:
        return all_or_none((asked->resources != NULL && asked->resources[template->resource]) ||
                           (asked->scopes != NULL && asked->scopes[template->scope]));
    case SP_FIELD_LINKS:
        if (!has_role(block, template, SP_ROLE_LINK_COUNT))
            return SP_SHARE_NONE;
        return sp_condition_names_trace(condition) ? SP_SHARE_SOME : SP_SHARE_ALL;
    case SP_FIELD_EVENT_NAME:
        return SP_SHARE_NONE; /* by its events, if it has some */
    case SP_FIELD_SCOPE_NAME:
        return all_or_none(asked->scopes[template->scope]);
    }
    return SP_SHARE_SOME;
}

/* What the template of an event or a link says itself. */
static enum sp_share own_child_share(const struct sp_asking *asking, const struct sp_asked *asked,
                                     enum sp_block_table table, const struct sp_template *template)
{
    return all_or_none(table == SP_BLOCK_EVENTS && asked->condition->field == SP_FIELD_EVENT_NAME &&
                       text_holds(asked->condition, asking->block->names->texts[template->name]));
}

static bool looks_into_children(const struct sp_asking *asking, const struct sp_asked *asked)
{
    bool children = asked->condition->field == SP_FIELD_EVENT_NAME;
    for (uint32_t i = 0; i < asked->column_count; i++)
        children |= asking->block->columns[asked->columns[i].column].table != SP_BLOCK_SPANS;
    return children;
}

/* What a value in this column says. */
static enum sp_share value_share(const struct sp_asking *asking, const struct sp_asked *asked,
                                 uint32_t column)
{
    enum sp_column_role role = asking->block->columns[column].role;
    if (role == SP_ROLE_EVENT_COUNT) /* there is one at least */
        return asked->tables[SP_BLOCK_EVENTS].share;
    if (role == SP_ROLE_LINK_COUNT)
        return asked->tables[SP_BLOCK_LINKS].share;
    uint32_t number = asking->asked_of_column[column];
    return number > 0 ? asked->columns[number - 1].share : SP_SHARE_NONE;
}

static enum sp_status decide_table(struct sp_asking *asking, struct sp_asked *asked,
                                   enum sp_block_table table)
{
    const struct sp_block *block = asking->block;
    uint32_t count = block->template_counts[table];
    bool looks_into_columns = asked->column_count > 0 || looks_into_children(asking, asked);
    uint8_t *shares = sp_asking_alloc(asking, count, 1);
    if (shares == NULL)
        return sp_asking_no_memory(asking);
    bool all = count > 0;
    bool none = true;
    for (uint32_t t = 0; t < count; t++) {
        const struct sp_template *template = &block->templates[table][t];
        enum sp_share share = table == SP_BLOCK_SPANS
                                  ? own_share(asking, asked, template)
                                  : own_child_share(asking, asked, table, template);
        uint32_t values = looks_into_columns ? template->column_count : 0;
        for (uint32_t i = 0; i < values && share != SP_SHARE_ALL; i++) {
            enum sp_share other = value_share(asking, asked, template->columns[i]);
            share = other > share ? other : share;
        }
        all &= share == SP_SHARE_ALL;
        none &= share == SP_SHARE_NONE;
        shares[t] = (uint8_t)share;
    }
    asked->tables[table] = (struct sp_asked_table){.templates = shares,
                                                   .share = all    ? SP_SHARE_ALL
                                                            : none ? SP_SHARE_NONE
                                                                   : SP_SHARE_SOME};
    return SP_OK;
}

enum sp_status sp_asking_templates(struct sp_asking *asking, struct sp_asked *asked)
{
    enum sp_status status = SP_OK;
    bool children = looks_into_children(asking, asked);
    for (uint32_t i = 0; i < asked->column_count; i++)
        asking->asked_of_column[asked->columns[i].column] = i + 1;
    if (children)
        status = decide_table(asking, asked, SP_BLOCK_EVENTS);
    if (children && status == SP_OK)
        status = decide_table(asking, asked, SP_BLOCK_LINKS);
    if (status == SP_OK)
        status = decide_table(asking, asked, SP_BLOCK_SPANS);
    for (uint32_t i = 0; i < asked->column_count; i++)
        asking->asked_of_column[asked->columns[i].column] = 0;
    return status;
}
