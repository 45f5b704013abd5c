/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/skew.c: see lib/analysis/skew.h.
 *
 * A call from clock A to clock B, with an offset o of B against A:
 *
 *     caller, clock A   |------------------|          caller.start <= called.start - o    so o <= called.start - caller.start
 *     called, clock B  |-------|                      called.end - o <= caller.end        so o >= called.end - caller.end
 *
 * The first holds for every call: nothing begins before its cause. The second holds where the caller waits, and less strictly:
 * many servers finish a little after they have answered. All calls between two clocks together leave an interval of offsets.
 * If 0 is in it, nothing says that the clocks differ; nor does a call alone that ends late. */
#include "lib/analysis/analysis.h"
#include "lib/analysis/names.h"

#define NONE SP_ROW_NONE

struct bound {
    int64_t offset_ns;
    uint32_t row; /* NONE: open */
};

/* Calls between two clocks, in either direction, as offsets of the later clock against the earlier one. */
struct pair {
    uint32_t clocks[2]; /* the smaller number first; these two are the key */
    struct bound hard_min, hard_max, min, max;
    uint32_t call_count, outside_count;
    bool any_behind;  /* a call that was waited for begins when its caller has ended */
    uint32_t next[2]; /* the next pair of either clock, or NONE */
};

struct finder {
    struct sp_arena *arena;
    struct sp_trace *trace;
    struct sp_names clocks; /* of struct clock_key */
    struct sp_names names;  /* of hosts and services */
    struct sp_skew_clock *infos;
    uint32_t info_cap;
    uint32_t *clock_of_row;
    struct sp_names pair_keys; /* the two clocks */
    struct pair *pairs;        /* by number of the key */
    uint32_t pair_cap;
};

struct clock_key {
    uint32_t is_host, name;
};

/* ---- clocks ---- */

static const char *const host_keys[] = {"host.id", "host.name", "k8s.node.name"};

static struct sp_slice host_of(const struct sp_resource *resource)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(host_keys); i++) {
        const struct sp_value *value =
            sp_attributes_find(&resource->attributes, sp_slice_cstr(host_keys[i]));
        if (value && value->kind == SP_VALUE_STRING && value->string.len > 0)
            return value->string;
    }
    return (struct sp_slice){0};
}

static bool add_clock(struct finder *f, struct sp_slice name, bool is_host)
{
    if (f->clocks.count > f->info_cap) {
        uint32_t cap = f->info_cap > 0 ? 2 * f->info_cap : 16;
        struct sp_skew_clock *grown =
            sp_arena_grow(f->arena, f->infos, f->info_cap * sizeof(*grown), cap * sizeof(*grown));
        if (grown == NULL)
            return false;
        f->infos = grown;
        f->info_cap = cap;
    }
    f->infos[f->clocks.count - 1] = (struct sp_skew_clock){.name = name,
                                                           .is_host = is_host,
                                                           .via = SP_CLOCK_NONE,
                                                           .offset_min_ns = INT64_MIN,
                                                           .offset_max_ns = INT64_MAX,
                                                           .min_row = NONE,
                                                           .max_row = NONE,
                                                           .is_consistent = true};
    return true;
}

/* The number of a span's clock; SP_NAMES_NONE: the arena is full. */
static uint32_t clock_of(struct finder *f, const struct sp_span *span)
{
    struct sp_slice host = host_of(span->resource);
    struct sp_slice name = host.len > 0 ? host : sp_span_service(span);
    struct clock_key key = {host.len > 0, sp_names_number(&f->names, name)};
    uint32_t before = f->clocks.count;
    uint32_t clock =
        key.name == SP_NAMES_NONE ? SP_NAMES_NONE : sp_names_number(&f->clocks, SP_NAMES_KEY(key));
    if (clock != SP_NAMES_NONE && f->clocks.count > before && !add_clock(f, name, host.len > 0))
        return SP_NAMES_NONE;
    return clock;
}

static bool find_clocks(struct finder *f)
{
    const struct sp_resource *last = NULL;
    uint32_t clock = SP_NAMES_NONE;
    for (uint32_t row = 0; row < f->trace->row_count; row++) {
        const struct sp_span *span = f->trace->rows[row].span;
        if (span->resource != last)
            clock = clock_of(f, span);
        if (clock == SP_NAMES_NONE)
            return false;
        last = span->resource;
        f->clock_of_row[row] = clock;
        f->infos[clock].span_count++;
    }
    return true;
}

/* ---- pairs ---- */

static struct pair *find_pair(struct finder *f, uint32_t a, uint32_t b)
{
    uint32_t key[2] = {a < b ? a : b, a < b ? b : a};
    uint32_t before = f->pair_keys.count;
    uint32_t number = sp_names_number(&f->pair_keys, SP_NAMES_KEY(key));
    if (number == SP_NAMES_NONE || f->pair_keys.count == before)
        return number == SP_NAMES_NONE ? NULL : &f->pairs[number];
    if (number == f->pair_cap) {
        uint32_t cap = f->pair_cap > 0 ? 2 * f->pair_cap : 16;
        struct pair *grown =
            sp_arena_grow(f->arena, f->pairs, f->pair_cap * sizeof(*grown), cap * sizeof(*grown));
        if (grown == NULL)
            return NULL;
        f->pairs = grown;
        f->pair_cap = cap;
    }
    f->pairs[number] = (struct pair){.clocks = {key[0], key[1]},
                                     .hard_min = {INT64_MIN, NONE},
                                     .hard_max = {INT64_MAX, NONE},
                                     .min = {INT64_MIN, NONE},
                                     .max = {INT64_MAX, NONE},
                                     .next = {NONE, NONE}};
    return &f->pairs[number];
}

/* a - b; what does not fit stops at the ends, one short of them: those mean open. */
static int64_t difference(uint64_t a, uint64_t b)
{
    uint64_t size = a > b ? a - b : b - a;
    int64_t clamped = size < (uint64_t)INT64_MAX / 4 ? (int64_t)size : INT64_MAX / 4;
    return a > b ? clamped : -clamped;
}

static void raise_min(struct bound *bound, int64_t offset, uint32_t row)
{
    if (bound->row == NONE || offset > bound->offset_ns)
        *bound = (struct bound){offset, row};
}

static void lower_max(struct bound *bound, int64_t offset, uint32_t row)
{
    if (bound->row == NONE || offset < bound->offset_ns)
        *bound = (struct bound){offset, row};
}

/* Did the caller wait for this span? A consumer works when it likes; a caller that failed may have given up; and who takes longer
 * than its caller was not waited for, whatever the clocks say. */
static bool is_waited_for(const struct sp_trace_row *caller, const struct sp_trace_row *called)
{
    return called->span->kind != SP_KIND_CONSUMER && caller->span->kind != SP_KIND_PRODUCER &&
           !(caller->flags & (SP_ROW_ERROR | SP_ROW_END_BEFORE_START)) &&
           !(called->flags & SP_ROW_END_BEFORE_START) && called->duration_ns <= caller->duration_ns;
}

static bool add_call(struct finder *f, uint32_t row)
{
    const struct sp_trace_row *called = &f->trace->rows[row];
    const struct sp_trace_row *caller = &f->trace->rows[called->parent];
    uint32_t from = f->clock_of_row[called->parent], to = f->clock_of_row[row];
    struct pair *pair = find_pair(f, from, to);
    if (pair == NULL)
        return false;
    int64_t most = difference(called->span->start_unix_ns, caller->span->start_unix_ns);
    int64_t least = difference(called->span->end_unix_ns, caller->span->end_unix_ns);
    bool waited = is_waited_for(caller, called);
    pair->call_count++;
    pair->outside_count += most < 0 || (waited && least > 0);
    pair->any_behind |= waited && least >= (int64_t)called->duration_ns && least > 0;
    if (from < to) {
        lower_max(&pair->hard_max, most, row);
        lower_max(&pair->max, most, row);
        if (waited)
            raise_min(&pair->min, least, row);
    } else { /* the other way round: what the caller's clock shows more */
        raise_min(&pair->hard_min, -most, row);
        raise_min(&pair->min, -most, row);
        if (waited)
            lower_max(&pair->max, -least, row);
    }
    return true;
}

static bool find_calls(struct finder *f)
{
    for (uint32_t row = 0; row < f->trace->row_count; row++) {
        const struct sp_trace_row *here = &f->trace->rows[row];
        if (here->parent != NONE && !(here->flags & SP_ROW_DUPLICATE) &&
            f->clock_of_row[row] != f->clock_of_row[here->parent] && !add_call(f, row))
            return false;
    }
    return true;
}

/* ---- offsets ---- */

struct interval {
    struct bound min, max;
    bool is_consistent;
    bool is_evident; /* that 0 is not in it means something */
};

/* The offsets that a pair allows: with all bounds if they leave any, otherwise with the hard ones. */
static struct interval allowed(const struct pair *pair)
{
    bool is_hard = pair->hard_min.offset_ns > 0 || pair->hard_max.offset_ns < 0;
    if (pair->min.offset_ns <= pair->max.offset_ns)
        return (struct interval){pair->min, pair->max, true, is_hard || pair->any_behind};
    return (struct interval){pair->hard_min, pair->hard_max, false, is_hard};
}

/* 0 where it is allowed; else the middle of what is, which is right when both ways take the same time; else the offset nearest to
 * 0. Hard bounds that contradict each other, too, say nothing: a clock was set during the trace. */
static int64_t estimate(const struct interval *interval)
{
    int64_t min = interval->min.offset_ns, max = interval->max.offset_ns;
    if (!interval->is_evident || (min <= 0 && max >= 0) || min > max)
        return 0;
    if (interval->min.row == NONE)
        return max;
    if (interval->max.row == NONE)
        return min;
    return min + (max - min) / 2;
}

static int64_t add_offsets(int64_t a, int64_t b)
{
    if (a == INT64_MIN || b == INT64_MIN)
        return INT64_MIN;
    if (a == INT64_MAX || b == INT64_MAX)
        return INT64_MAX;
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return a < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

static struct interval mirrored(struct interval interval)
{
    struct bound min = interval.max, max = interval.min;
    min.offset_ns = min.row == NONE ? INT64_MIN : -min.offset_ns;
    max.offset_ns = max.row == NONE ? INT64_MAX : -max.offset_ns;
    return (struct interval){min, max, interval.is_consistent, interval.is_evident};
}

static void settle(struct finder *f, const struct pair *pair, uint32_t via, uint32_t clock)
{
    struct sp_skew_clock *info = &f->infos[clock];
    const struct sp_skew_clock *base = &f->infos[via];
    struct interval interval = allowed(pair);
    if (clock < via)
        interval = mirrored(interval);
    info->via = via;
    info->call_count = pair->call_count;
    info->outside_count = pair->outside_count;
    info->is_consistent = interval.is_consistent;
    info->min_row = interval.min.row;
    info->max_row = interval.max.row;
    info->offset_ns = add_offsets(base->offset_ns, estimate(&interval));
    info->offset_min_ns = add_offsets(base->offset_min_ns, interval.min.offset_ns);
    info->offset_max_ns = add_offsets(base->offset_max_ns, interval.max.offset_ns);
}

/* Breadth first from each clock that nothing has reached yet, in the order of the clocks; the first is the reference. */
static bool settle_all(struct finder *f)
{
    uint32_t count = f->clocks.count, done = 0, reached = 0;
    uint32_t *first = sp_arena_calloc(f->arena, count, sizeof(*first));
    uint32_t *queue = sp_arena_calloc(f->arena, count, sizeof(*queue));
    bool *seen = sp_arena_calloc(f->arena, count, sizeof(*seen));
    if (!first || !queue || !seen)
        return false;
    memset(first, 0xff, count * sizeof(*first)); /* all NONE */
    for (uint32_t i = f->pair_keys.count; i-- > 0;)
        for (int end = 0; end < 2; end++) {
            f->pairs[i].next[end] = first[f->pairs[i].clocks[end]];
            first[f->pairs[i].clocks[end]] = i;
        }
    for (uint32_t start = 0; start < count; start++) {
        if (seen[start])
            continue;
        seen[start] = true;
        queue[reached++] = start;
        f->infos[start].offset_min_ns = f->infos[start].offset_max_ns = 0;
        while (done < reached) {
            uint32_t via = queue[done++], end;
            for (uint32_t i = first[via]; i != NONE; i = f->pairs[i].next[end]) {
                end = f->pairs[i].clocks[1] == via;
                uint32_t clock = f->pairs[i].clocks[1 - end];
                if (seen[clock])
                    continue;
                seen[clock] = true;
                settle(f, &f->pairs[i], via, clock);
                queue[reached++] = clock;
            }
        }
    }
    return true;
}

static void sum_up(const struct finder *f, struct sp_skew *skew)
{
    for (uint32_t i = 0; i < skew->clock_count; i++) {
        int64_t offset = skew->clocks[i].offset_ns;
        uint64_t size = offset < 0 ? 0 - (uint64_t)offset : (uint64_t)offset;
        if (offset == 0)
            continue;
        skew->skewed_count++;
        skew->span_count += skew->clocks[i].span_count;
        skew->offset_ns = size > skew->offset_ns ? size : skew->offset_ns;
    }
    for (uint32_t row = 0; row < f->trace->row_count; row++)
        if (skew->clocks[f->clock_of_row[row]].offset_ns != 0)
            f->trace->rows[row].flags |= SP_ROW_SKEWED;
}

enum sp_status sp_skew_find(struct sp_arena *arena, struct sp_trace *trace, struct sp_skew *ret)
{
    struct finder f = {.arena = arena,
                       .trace = trace,
                       .clocks.arena = arena,
                       .names.arena = arena,
                       .pair_keys.arena = arena};
    f.clock_of_row = sp_arena_calloc(arena, trace->row_count, sizeof(*f.clock_of_row));
    if (!f.clock_of_row || !find_clocks(&f) || !find_calls(&f) || !settle_all(&f))
        return arena->error;
    struct sp_skew skew = {
        .clocks = f.infos, .clock_count = f.clocks.count, .clock_of_row = f.clock_of_row};
    sum_up(&f, &skew);
    *ret = skew;
    return SP_OK;
}

/* ---- on one clock ---- */

static uint64_t moved(uint64_t unix_ns, int64_t offset_ns)
{
    if (offset_ns > 0)
        return unix_ns > (uint64_t)offset_ns ? unix_ns - (uint64_t)offset_ns : 0;
    uint64_t size = 0 - (uint64_t)offset_ns;
    return unix_ns < UINT64_MAX - size ? unix_ns + size : UINT64_MAX;
}

static bool move_events(struct sp_arena *arena, struct sp_span *span, int64_t offset_ns)
{
    struct sp_event *events = sp_arena_calloc(arena, span->event_count, sizeof(*events));
    if (!events)
        return false;
    for (uint32_t i = 0; i < span->event_count; i++) {
        events[i] = span->events[i];
        events[i].time_unix_ns = moved(events[i].time_unix_ns, offset_ns);
    }
    span->events = events;
    return true;
}

enum sp_status sp_skew_adjust(struct sp_arena *arena, const struct sp_trace *trace,
                              const struct sp_skew *skew, struct sp_batch *ret)
{
    struct sp_span *spans = sp_arena_calloc(arena, trace->row_count, sizeof(*spans));
    if (!spans)
        return arena->error;
    for (uint32_t row = 0; row < trace->row_count; row++) {
        int64_t offset = skew->clocks[skew->clock_of_row[row]].offset_ns;
        spans[row] = *trace->rows[row].span;
        if (offset == 0)
            continue;
        spans[row].start_unix_ns = moved(spans[row].start_unix_ns, offset);
        spans[row].end_unix_ns = moved(spans[row].end_unix_ns, offset);
        if (spans[row].event_count > 0 && !move_events(arena, &spans[row], offset))
            return arena->error;
    }
    *ret = (struct sp_batch){.spans = spans, .span_count = trace->row_count};
    return SP_OK;
}
