/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/value_set.c: which numbers satisfy a condition. What satisfies >, >=, < and <= is one end of the numbers, so where
 * it begins or ends is found by halving, with the same question that single values are asked. Knows no blocks. */
#include "storage/value_set.h"

/* ---- one number of each kind, by its key ---- */

typedef bool (*holds_function)(const struct sp_condition *condition, uint64_t key);

static bool integer_holds(const struct sp_condition *condition, uint64_t key)
{
    struct sp_value value = {.kind = SP_VALUE_INT, .integer = (int64_t)sp_key_of_integer(key)};
    return sp_condition_holds_value(condition, &value);
}

static bool double_holds(const struct sp_condition *condition, uint64_t key)
{
    uint64_t bits = key >> 63 != 0 ? key ^ (uint64_t)1 << 63 : ~key;
    struct sp_value value = {.kind = SP_VALUE_DOUBLE};
    memcpy(&value.number, &bits, sizeof(bits));
    return sp_condition_holds_value(condition, &value);
}

/* ---- sets ---- */

static const struct sp_number_set everything = {.first = 0, .width = UINT64_MAX};

static struct sp_number_set from_to(uint64_t first, uint64_t last)
{
    return (struct sp_number_set){.first = first, .width = last - first};
}

static struct sp_number_set inverse(struct sp_number_set set)
{
    set.inverted = !set.inverted;
    return set;
}

/* The first key in [min, max] for which wanted is the answer; false: there is none. All behind it have the same. */
static bool search(const struct sp_condition *condition, holds_function holds, bool wanted,
                   uint64_t min, uint64_t max, uint64_t *ret)
{
    if (holds(condition, max) != wanted)
        return false;
    while (min < max) {
        uint64_t middle = min + (max - min) / 2;
        if (holds(condition, middle) == wanted)
            max = middle;
        else
            min = middle + 1;
    }
    *ret = max;
    return true;
}

/* What satisfies one of >, >= (the upper end), <, <= (the lower end). */
static struct sp_number_set end_set(const struct sp_condition *condition,
                                    enum sp_condition_operator operation, holds_function holds,
                                    uint64_t min, uint64_t max)
{
    struct sp_condition asked = *condition;
    uint64_t edge;
    asked.operation = operation;
    if (operation == SP_OP_GT || operation == SP_OP_GE)
        return search(&asked, holds, true, min, max, &edge) ? from_to(edge, max)
                                                            : inverse(everything);
    if (!holds(&asked, min))
        return inverse(everything);
    return search(&asked, holds, false, min, max, &edge) ? from_to(min, edge - 1)
                                                         : from_to(min, max);
}

/* What is neither below nor above. */
static struct sp_number_set equal_set(const struct sp_condition *condition, holds_function holds,
                                      uint64_t min, uint64_t max)
{
    struct sp_number_set low = end_set(condition, SP_OP_LE, holds, min, max);
    struct sp_number_set high = end_set(condition, SP_OP_GE, holds, min, max);
    if (low.inverted || high.inverted || high.first > low.first + low.width)
        return inverse(everything);
    return from_to(high.first, low.first + low.width);
}

/* Keys beyond [min, max] are NaN: they satisfy != only. */
static struct sp_number_set number_set(const struct sp_condition *condition, holds_function holds,
                                       uint64_t min, uint64_t max)
{
    switch (condition->operation) {
    case SP_OP_EXISTS:
        return everything;
    case SP_OP_EQ:
        return equal_set(condition, holds, min, max);
    case SP_OP_NE:
        return inverse(equal_set(condition, holds, min, max));
    case SP_OP_LT:
    case SP_OP_LE:
    case SP_OP_GT:
    case SP_OP_GE:
        return end_set(condition, condition->operation, holds, min, max);
    case SP_OP_TEST:
        return inverse(everything);
    }
    return everything;
}

void sp_value_set_init(struct sp_value_set *set, const struct sp_condition *condition)
{
    const uint64_t plus_infinity = 0x7ff0000000000000;
    const uint64_t minus_infinity = 0xfff0000000000000;
    *set = (struct sp_value_set){.condition = condition};
    set->integers = number_set(condition, integer_holds, 0, UINT64_MAX);
    set->doubles = number_set(condition, double_holds, sp_key_of_double(minus_infinity),
                              sp_key_of_double(plus_infinity));
    set->durations = number_set(condition, sp_condition_holds_duration, 0, UINT64_MAX);
    for (int i = 0; i < 2; i++)
        set->booleans[i] = sp_condition_holds_value(
            condition, &(struct sp_value){.kind = SP_VALUE_BOOL, .boolean = i != 0});
}

/* ---- what is known without values ---- */

static enum sp_share none_some_all(bool some, bool all)
{
    return all ? SP_SHARE_ALL : some ? SP_SHARE_SOME : SP_SHARE_NONE;
}

static enum sp_share range_answer(const struct sp_number_set *set, uint64_t min, uint64_t max)
{
    uint64_t last = set->first + set->width;
    bool all = min >= set->first && max <= last;
    bool none = max < set->first || min > last;
    return set->inverted ? none_some_all(!all, none) : none_some_all(!none, all);
}

enum sp_share sp_value_set_kind(const struct sp_value_set *set, enum sp_value_kind kind)
{
    const struct sp_condition *condition = set->condition;
    if (condition->operation == SP_OP_EXISTS || kind == SP_VALUE_ARRAY)
        return SP_SHARE_ALL;
    if (condition->operation == SP_OP_TEST)
        return kind == SP_VALUE_STRING ? SP_SHARE_SOME : SP_SHARE_NONE;
    switch (kind) {
    case SP_VALUE_INT:
        return range_answer(&set->integers, 0, UINT64_MAX);
    case SP_VALUE_DOUBLE:
        return range_answer(&set->doubles, 0, UINT64_MAX);
    case SP_VALUE_BOOL:
        return none_some_all(set->booleans[0] || set->booleans[1],
                             set->booleans[0] && set->booleans[1]);
    case SP_VALUE_STRING:
    case SP_VALUE_BYTES:
        if (kind == condition->value.kind)
            return SP_SHARE_SOME;
        break;
    case SP_VALUE_EMPTY:
    case SP_VALUE_ARRAY:
    case SP_VALUE_KVLIST:
        break;
    }
    /* Without an order one answer is right for all. */
    bool all = sp_condition_holds_value(condition, &(struct sp_value){.kind = kind});
    return none_some_all(all, all);
}

enum sp_share sp_value_set_range(const struct sp_value_set *set, enum sp_value_kind kind,
                                 uint64_t min, uint64_t max)
{
    if (kind == SP_VALUE_INT)
        return range_answer(&set->integers, sp_key_of_integer(min), sp_key_of_integer(max));
    if (kind == SP_VALUE_BOOL)
        return none_some_all(set->booleans[min != 0] || set->booleans[max != 0],
                             set->booleans[min != 0] && set->booleans[max != 0]);
    if (kind != SP_VALUE_DOUBLE)
        return SP_SHARE_SOME;
    enum sp_share answer =
        range_answer(&set->doubles, sp_key_of_double(min), sp_key_of_double(max));
    enum sp_share nan = sp_number_set_has(&set->doubles, UINT64_MAX) ? SP_SHARE_ALL : SP_SHARE_NONE;
    return answer == nan ? answer : SP_SHARE_SOME;
}

enum sp_share sp_value_set_durations(const struct sp_value_set *set, uint64_t min_ns,
                                     uint64_t max_ns)
{
    return range_answer(&set->durations, min_ns, max_ns);
}

/* ---- many numbers ---- */

void sp_value_set_numbers(const struct sp_value_set *set, enum sp_value_kind kind,
                          const uint64_t *numbers, uint32_t count, uint8_t *ret)
{
    struct sp_number_set integers = set->integers;
    struct sp_number_set doubles = set->doubles;
    if (kind == SP_VALUE_INT) {
        for (uint32_t i = 0; i < count; i++)
            ret[i] = sp_number_set_has(&integers, sp_key_of_integer(numbers[i]));
    } else if (kind == SP_VALUE_DOUBLE) {
        for (uint32_t i = 0; i < count; i++)
            ret[i] = sp_number_set_has(&doubles, sp_key_of_double(numbers[i]));
    } else {
        for (uint32_t i = 0; i < count; i++)
            ret[i] = set->booleans[numbers[i] != 0];
    }
}

void sp_value_set_duration_numbers(const struct sp_value_set *set, const uint64_t *durations_ns,
                                   uint32_t count, uint8_t *ret)
{
    struct sp_number_set durations = set->durations;
    for (uint32_t i = 0; i < count; i++)
        ret[i] = sp_number_set_has(&durations, durations_ns[i]);
}
