/* SPDX-License-Identifier: Apache-2.0
 *
 * query/spanset_value.c: what is worked out of the spans of a set: groups, and count() avg() min() max() sum(). */
#include <math.h>
#include <stdlib.h>

#include "query/spanset_program.h"

enum sp_status sp_spanset_push(struct sp_spanset_run *run, struct sp_spanset_vector *vector,
                               const struct sp_spanset *set)
{
    if (vector->count == vector->capacity) {
        uint32_t capacity = vector->capacity ? 2 * vector->capacity : 2;
        struct sp_spanset *grown = sp_arena_grow(
            run->arena, vector->sets, vector->capacity * sizeof(*grown), capacity * sizeof(*grown));
        if (!grown)
            return sp_spanset_no_memory(run);
        vector->sets = grown;
        vector->capacity = capacity;
    }
    vector->sets[vector->count++] = *set;
    return SP_OK;
}

/* ---- operands as values that outlive their span ---- */

static bool copy_text(struct sp_spanset_run *run, const struct sp_value *value,
                      struct sp_value *ret)
{
    struct sp_buf text;
    struct sp_slice copy;
    sp_buf_init(&text, SIZE_MAX);
    sp_value_text(value, &text);
    bool good = text.error == SP_OK && sp_arena_copy(run->arena, sp_buf_slice(&text), &copy);
    if (good)
        *ret = (struct sp_value){.kind = SP_VALUE_STRING, .string = copy};
    sp_buf_fini(&text);
    return good;
}

/* Ids are text inside the operand; everything else is the trace's memory. */
static bool copy_string(struct sp_spanset_run *run, const struct sp_operand *operand,
                        struct sp_value *ret)
{
    ret->kind = SP_VALUE_STRING;
    ret->string = operand->scalar.string;
    bool inside = operand->scalar.string.ptr == (const uint8_t *)operand->text;
    return !inside || sp_arena_copy(run->arena, operand->scalar.string, &ret->string);
}

static bool scalar_value(struct sp_spanset_run *run, const struct sp_operand *operand,
                         struct sp_value *ret)
{
    switch (operand->scalar.type) {
    case SP_TRACEQL_TYPE_STRING:
        return copy_string(run, operand, ret);
    case SP_TRACEQL_TYPE_BOOL:
        *ret = (struct sp_value){.kind = SP_VALUE_BOOL, .boolean = operand->scalar.boolean};
        return true;
    case SP_TRACEQL_TYPE_FLOAT:
        *ret = (struct sp_value){.kind = SP_VALUE_DOUBLE, .number = operand->scalar.number};
        return true;
    case SP_TRACEQL_TYPE_INT:
    case SP_TRACEQL_TYPE_DURATION:
    case SP_TRACEQL_TYPE_STATUS:
    case SP_TRACEQL_TYPE_KIND:
        *ret = (struct sp_value){.kind = SP_VALUE_INT, .integer = operand->scalar.integer};
        return true;
    case SP_TRACEQL_TYPE_ANY:
    case SP_TRACEQL_TYPE_SPAN:
    case SP_TRACEQL_TYPE_SPANSET:
    case SP_TRACEQL_TYPE_SERIES:
        break;
    }
    return true;
}

/* EMPTY stands for nil; of events and links the first that has a value counts. */
static bool operand_value(struct sp_spanset_run *run, const struct sp_span_place *place,
                          const struct sp_operand *operand, enum sp_traceql_type *ret_type,
                          struct sp_value *ret)
{
    struct sp_operand one;
    *ret = (struct sp_value){.kind = SP_VALUE_EMPTY};
    *ret_type = SP_TRACEQL_TYPE_ANY;
    if (operand->kind == SP_OPERAND_EACH) {
        const struct sp_traceql_field *field = operand->each;
        uint32_t count = sp_operand_each_count(place, field);
        one.kind = SP_OPERAND_NIL;
        for (uint32_t i = 0; i < count && one.kind == SP_OPERAND_NIL; i++)
            sp_operand_each(place, field, i, &one);
        operand = &one;
    }
    switch (operand->kind) {
    case SP_OPERAND_SCALAR:
        *ret_type = operand->scalar.type;
        return scalar_value(run, operand, ret);
    case SP_OPERAND_ARRAY:
    case SP_OPERAND_OPAQUE:
        return operand->array == NULL || copy_text(run, operand->array, ret);
    case SP_OPERAND_NIL:
    case SP_OPERAND_EACH:
        return true;
    }
    return true;
}

static enum sp_status note(struct sp_spanset_run *run, struct sp_spanset_value value,
                           const struct sp_spanset_value **values)
{
    struct sp_spanset_value *noted = sp_arena_alloc(run->arena, sizeof(*noted));
    if (!noted)
        return sp_spanset_no_memory(run);
    *noted = value;
    noted->earlier = *values;
    *values = noted;
    return SP_OK;
}

enum sp_status sp_spanset_note(struct sp_spanset_run *run, const struct sp_traceql_node *node,
                               const struct sp_operand *operand,
                               const struct sp_spanset_value **values)
{
    struct sp_span_place place = {run->facts, 0}; /* a scalar, of no span */
    struct sp_spanset_value value = {.node = node};
    if (!operand_value(run, &place, operand, &value.type, &value.value))
        return sp_spanset_no_memory(run);
    /* An average of durations is a number, but shown as what it is. */
    if (node->type == SP_TRACEQL_TYPE_DURATION && value.type == SP_TRACEQL_TYPE_FLOAT)
        value.type = SP_TRACEQL_TYPE_DURATION;
    return note(run, value, values);
}

/* ---- by() ---- */

struct member {
    enum sp_traceql_type type;
    struct sp_value value;
    uint32_t row;
};

/* A total order of keys: nil first, then by type; NaN behind all numbers. Integers and doubles are different keys. */
static int compare_keys(const struct member *a, const struct member *b)
{
    if (a->value.kind != b->value.kind)
        return a->value.kind < b->value.kind ? -1 : 1;
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    switch (a->value.kind) {
    case SP_VALUE_STRING:
        return sp_slice_compare(a->value.string, b->value.string);
    case SP_VALUE_BOOL:
        return (int)a->value.boolean - (int)b->value.boolean;
    case SP_VALUE_INT:
        return (a->value.integer > b->value.integer) - (a->value.integer < b->value.integer);
    case SP_VALUE_DOUBLE:
        if (isnan(a->value.number) || isnan(b->value.number))
            return (int)isnan(a->value.number) - (int)isnan(b->value.number);
        return (a->value.number > b->value.number) - (a->value.number < b->value.number);
    case SP_VALUE_EMPTY:
    case SP_VALUE_BYTES:
    case SP_VALUE_ARRAY:
    case SP_VALUE_KVLIST:
        return 0;
    }
    return 0;
}

static int compare_members(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int order = compare_keys(x, y);
    return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

static enum sp_status read_members(struct sp_spanset_run *run, const struct sp_step *step,
                                   const struct sp_spanset *set, struct member *members)
{
    for (uint32_t i = 0; i < set->count; i++) {
        struct sp_operand operand;
        struct sp_span_place place = {run->facts, set->rows[i]};
        members[i].row = set->rows[i];
        enum sp_status status =
            sp_match_value(step->match, run->facts, set->rows[i], &operand, run->reterr);
        if (status == SP_OK &&
            !operand_value(run, &place, &operand, &members[i].type, &members[i].value))
            status = sp_spanset_no_memory(run);
        if (status == SP_OK)
            status = sp_spanset_look(run);
        if (status != SP_OK)
            return status;
    }
    return SP_OK;
}

enum sp_status sp_spanset_group(struct sp_spanset_run *run, const struct sp_step *step,
                                const struct sp_spanset *set, struct sp_spanset_vector *out)
{
    struct member *members = sp_arena_alloc(run->arena, set->count * sizeof(*members));
    uint32_t *rows = sp_arena_alloc(run->arena, set->count * sizeof(*rows));
    if (!members || !rows)
        return sp_spanset_no_memory(run);
    enum sp_status status = read_members(run, step, set, members);
    if (status == SP_OK)
        qsort(members, set->count, sizeof(*members), compare_members);
    for (uint32_t i = 0, end; i < set->count && status == SP_OK; i = end) {
        for (end = i; end < set->count && compare_keys(&members[i], &members[end]) == 0; end++)
            rows[end] = members[end].row;
        struct sp_spanset group = {rows + i, end - i, set->values};
        struct sp_spanset_value value = {
            .node = step->node, .type = members[i].type, .value = members[i].value};
        status = note(run, value, &group.values);
        if (status == SP_OK)
            status = sp_spanset_push(run, out, &group);
    }
    return status;
}

/* ---- aggregates ---- */

/* Numbers added up: integers exactly, doubles with what was lost in each step added at the end. */
struct total {
    uint64_t count;
    __extension__ __int128 integers;
    double doubles, lost;
    bool has_double, has_duration;
    struct sp_operand extreme; /* min() and max(); NIL at first */
};

static void add_double(struct total *total, double number)
{
    double sum = total->doubles + number;
    if (isfinite(sum))
        total->lost += fabs(total->doubles) >= fabs(number) ? (total->doubles - sum) + number
                                                            : (number - sum) + total->doubles;
    total->doubles = sum;
    total->has_double = true;
}

static enum sp_status add_extreme(struct sp_spanset_run *run, enum sp_traceql_aggregate aggregate,
                                  const struct sp_operand *operand, struct total *total)
{
    struct sp_span_place place = {run->facts, 0};
    bool better = total->extreme.kind == SP_OPERAND_NIL;
    enum sp_status status = SP_OK;
    if (!better)
        status = sp_operand_compare(&place, operand,
                                    aggregate == SP_TRACEQL_MIN ? SP_TRACEQL_LT : SP_TRACEQL_GT,
                                    &total->extreme, NULL, &better, run->reterr);
    if (better)
        sp_operand_move(operand, &total->extreme);
    return status;
}

static enum sp_status add_operand(struct sp_spanset_run *run, enum sp_traceql_aggregate aggregate,
                                  const struct sp_operand *operand, struct total *total)
{
    if (operand->kind != SP_OPERAND_SCALAR)
        return SP_OK;
    enum sp_traceql_type type = operand->scalar.type;
    bool integer = type == SP_TRACEQL_TYPE_INT || type == SP_TRACEQL_TYPE_DURATION;
    bool number = type == SP_TRACEQL_TYPE_FLOAT && !isnan(operand->scalar.number);
    if (!integer && !number)
        return SP_OK;
    total->count++;
    total->has_duration |= type == SP_TRACEQL_TYPE_DURATION;
    if (aggregate == SP_TRACEQL_MIN || aggregate == SP_TRACEQL_MAX)
        return add_extreme(run, aggregate, operand, total);
    if (integer)
        total->integers += operand->scalar.integer;
    else
        add_double(total, operand->scalar.number);
    return SP_OK;
}

static enum sp_status add_row(struct sp_spanset_run *run, enum sp_traceql_aggregate aggregate,
                              struct sp_match *match, uint32_t row, struct total *total)
{
    struct sp_operand operand, one;
    struct sp_span_place place = {run->facts, row};
    enum sp_status status = sp_match_value(match, run->facts, row, &operand, run->reterr);
    if (status != SP_OK || operand.kind != SP_OPERAND_EACH)
        return status == SP_OK ? add_operand(run, aggregate, &operand, total) : status;
    uint32_t count = sp_operand_each_count(&place, operand.each);
    for (uint32_t i = 0; i < count && status == SP_OK; i++) {
        sp_operand_each(&place, operand.each, i, &one);
        status = add_operand(run, aggregate, &one, total);
    }
    return status;
}

static void set_number(enum sp_traceql_type type, int64_t integer, double number,
                       struct sp_operand *ret)
{
    ret->kind = type == SP_TRACEQL_TYPE_FLOAT && isnan(number) ? SP_OPERAND_NIL : SP_OPERAND_SCALAR;
    ret->scalar = (struct sp_traceql_value){.type = type, .integer = integer};
    if (type == SP_TRACEQL_TYPE_FLOAT)
        ret->scalar.number = number;
}

static void finish(enum sp_traceql_aggregate aggregate, const struct total *total,
                   struct sp_operand *ret)
{
    bool fits = total->integers >= INT64_MIN && total->integers <= INT64_MAX;
    double sum = (double)total->integers + total->doubles + total->lost;
    ret->kind = SP_OPERAND_NIL;
    if (total->count == 0)
        return;
    if (aggregate == SP_TRACEQL_MIN || aggregate == SP_TRACEQL_MAX)
        sp_operand_move(&total->extreme, ret);
    else if (aggregate == SP_TRACEQL_AVG)
        set_number(SP_TRACEQL_TYPE_FLOAT, 0, sum / (double)total->count, ret);
    else if (fits && !total->has_double)
        set_number(total->has_duration ? SP_TRACEQL_TYPE_DURATION : SP_TRACEQL_TYPE_INT,
                   (int64_t)total->integers, 0, ret);
    else
        set_number(SP_TRACEQL_TYPE_FLOAT, 0, sum, ret);
}

enum sp_status sp_spanset_aggregate(struct sp_spanset_run *run, enum sp_traceql_aggregate aggregate,
                                    struct sp_match *match, struct sp_rows rows,
                                    struct sp_operand *ret)
{
    if (aggregate == SP_TRACEQL_COUNT) {
        set_number(SP_TRACEQL_TYPE_INT, rows.count, 0, ret);
        return SP_OK;
    }
    struct total total = {.extreme.kind = SP_OPERAND_NIL};
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < rows.count && status == SP_OK; i++) {
        status = add_row(run, aggregate, match, rows.rows[i], &total);
        if (status == SP_OK)
            status = sp_spanset_look(run);
    }
    if (status == SP_OK)
        finish(aggregate, &total, ret);
    return status;
}
