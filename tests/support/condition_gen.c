/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/condition_gen.h"

#include "storage/block.h"
#include "storage/catalogue.h"

#include <math.h>

bool sp_gen_attribute_of(struct sp_gen *gen, const struct sp_span *const *spans, uint32_t count,
                         struct sp_attribute *ret)
{
    const struct sp_span *span = spans[sp_gen_below(gen, count)];
    enum sp_attribute_scope scope;
    const struct sp_attributes *list = sp_attribute_list(
        span, sp_gen_below(gen, sp_attribute_list_count(span)), UINT32_MAX, &scope);
    if (list->count == 0)
        return false;
    uint32_t i = list->count > SP_BLOCK_LIST_MAX && sp_gen_chance(gen, 50)
                     ? list->count - 1
                     : (uint32_t)sp_gen_below(gen, list->count);
    *ret = list->items[i];
    return true;
}

/* A value like the one given: equal, beside it, of another kind. */
static struct sp_value near(struct sp_gen *gen, struct sp_value value)
{
    static const double doubles[] = {0.5, -0.5, 1e19, -1e19, NAN, INFINITY, 9007199254740992.0};
    static const int64_t integers[] = {0, 1, INT64_MIN, INT64_MAX};
    switch (sp_gen_below(gen, 12)) {
    case 0:
        return (struct sp_value){.kind = SP_VALUE_STRING, .string = SP_SLICE("value-3")};
    case 1:
        return (struct sp_value){.kind = SP_VALUE_INT, .integer = integers[sp_gen_below(gen, 4)]};
    case 2:
        return (struct sp_value){.kind = SP_VALUE_DOUBLE, .number = doubles[sp_gen_below(gen, 7)]};
    case 3:
        return (struct sp_value){.kind = SP_VALUE_BOOL, .boolean = sp_gen_chance(gen, 50)};
    case 4:
        return (struct sp_value){.kind = SP_VALUE_STRING, .string = SP_SLICE("")};
    default:
        break;
    }
    if (value.kind == SP_VALUE_INT && sp_gen_chance(gen, 30))
        value =
            (struct sp_value){.kind = SP_VALUE_DOUBLE,
                              .number = (double)value.integer + (double)sp_gen_below(gen, 3) / 2};
    else if (value.kind == SP_VALUE_INT && value.integer < INT64_MAX && sp_gen_chance(gen, 30))
        value.integer++;
    else if (value.kind == SP_VALUE_DOUBLE && value.number > -1e9 && value.number < 1e9 &&
             sp_gen_chance(gen, 30))
        value = (struct sp_value){.kind = SP_VALUE_INT, .integer = (int64_t)value.number};
    else if (value.kind == SP_VALUE_STRING && value.string.len > 0 && sp_gen_chance(gen, 20))
        value.string.len--;
    return value;
}

static struct sp_value integer(int64_t number)
{
    return (struct sp_value){.kind = SP_VALUE_INT, .integer = number};
}

static struct sp_value text(struct sp_slice string)
{
    return (struct sp_value){.kind = SP_VALUE_STRING, .string = string};
}

/* Half of all texts, whatever they are. */
static bool is_half(void *cookie, struct sp_slice text)
{
    unsigned sum = *(const unsigned *)cookie;
    for (size_t i = 0; i < text.len; i++)
        sum += text.ptr[i];
    return sum % 2 == 0;
}

/* All, many, few or none. */
static bool is_longer(void *cookie, struct sp_slice text)
{
    return text.len > *(const unsigned *)cookie;
}

static const struct sp_text_test *test_of(struct sp_gen *gen)
{
    static unsigned numbers[] = {0, 1, 6, 7, 30};
    static const struct sp_text_test tests[] = {
        {is_half, &numbers[0], "half"},     {is_half, &numbers[1], "half"},
        {is_longer, &numbers[0], "longer"}, {is_longer, &numbers[2], "longer"},
        {is_longer, &numbers[3], "longer"}, {is_longer, &numbers[4], "longer"},
    };
    return &tests[sp_gen_below(gen, SP_ARRAY_LEN(tests))];
}

/* To the trace that a link of the span names, or to the span's own. */
static struct sp_value a_link(struct sp_gen *gen, const struct sp_span *span)
{
    const struct sp_trace_id *id = span->link_count > 0
                                       ? &span->links[sp_gen_below(gen, span->link_count)].trace_id
                                       : &span->trace_id;
    return (struct sp_value){.kind = SP_VALUE_BYTES,
                             .string = sp_slice_make(id->bytes, SP_TRACE_ID_BYTES)};
}

struct sp_condition sp_gen_condition(struct sp_gen *gen, const struct sp_span *const *spans,
                                     uint32_t count)
{
    const struct sp_span *span = spans[sp_gen_below(gen, count)];
    struct sp_condition condition = {
        .field = sp_gen_chance(gen, 60) ? SP_FIELD_ATTRIBUTE : (enum sp_field)sp_gen_below(gen, 10),
        .operation = (enum sp_condition_operator)sp_gen_below(gen, SP_OP_TEST + 1)};
    struct sp_attribute attribute = {.key = SP_SLICE("absent")};
    switch (condition.field) {
    case SP_FIELD_SERVICE:
        condition.value = text(sp_span_service(span));
        break;
    case SP_FIELD_NAME:
        condition.value = text(span->name);
        break;
    case SP_FIELD_KIND:
        condition.value = integer(span->kind);
        break;
    case SP_FIELD_STATUS:
        condition.value = integer(span->status_code);
        break;
    case SP_FIELD_STATUS_MESSAGE:
        condition.value = text(span->status_message);
        break;
    case SP_FIELD_DURATION:
        condition.value = integer((int64_t)(sp_span_duration_ns(span) & INT64_MAX));
        break;
    case SP_FIELD_ATTRIBUTE:
        sp_gen_attribute_of(gen, spans, count, &attribute);
        condition.scopes = sp_gen_chance(gen, 40) ? SP_SCOPE_SPAN : (uint32_t)sp_gen_below(gen, 32);
        condition.key = attribute.key;
        condition.value = attribute.value;
        break;
    case SP_FIELD_LINKS:
        condition.value = a_link(gen, span);
        break;
    case SP_FIELD_EVENT_NAME:
        condition.value =
            text(span->event_count > 0 ? span->events[sp_gen_below(gen, span->event_count)].name
                                       : SP_SLICE("exception"));
        break;
    case SP_FIELD_SCOPE_NAME:
        condition.value = text(span->scope != NULL ? span->scope->name : SP_SLICE(""));
        break;
    }
    if (condition.field != SP_FIELD_LINKS || sp_gen_chance(gen, 20))
        condition.value = near(gen, condition.value);
    if (condition.operation == SP_OP_TEST)
        condition.test = test_of(gen);
    return condition;
}
