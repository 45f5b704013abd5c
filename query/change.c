/* SPDX-License-Identifier: Apache-2.0
 *
 * query/change.c: see query/change.h. Durations by Mann and Whitney's test, shares of errors by Fisher's, both with the false
 * discovery rate over all things that are compared. */
#include "query/change.h"

#include <math.h>

/* Open ends stay open. */
static struct sp_time_range move_minute(struct sp_time_range range, bool back)
{
    uint64_t from = range.from_unix_ns, to = range.to_unix_ns;
    if (from >= SP_ROLLUP_NS)
        range.from_unix_ns = back ? from - SP_ROLLUP_NS : from + SP_ROLLUP_NS;
    if (to <= UINT64_MAX - SP_ROLLUP_NS)
        range.to_unix_ns = back ? to - SP_ROLLUP_NS : to + SP_ROLLUP_NS;
    return range;
}

enum sp_status sp_change_minutes(struct sp_time_range asked, struct sp_time_range before,
                                 struct sp_time_range *ret, struct sp_error *reterr)
{
    struct sp_time_range now = sp_time_range_minutes(asked);
    struct sp_time_range minutes = sp_time_range_minutes(before);
    bool is_earlier = before.to_unix_ns <= asked.from_unix_ns;
    bool is_later = asked.to_unix_ns <= before.from_unix_ns;
    bool shared = (is_earlier && minutes.to_unix_ns > now.from_unix_ns) ||
                  (is_later && now.to_unix_ns > minutes.from_unix_ns);
    if (shared && minutes.to_unix_ns - minutes.from_unix_ns <= SP_ROLLUP_NS)
        return sp_error_set_parameter(
            reterr, SP_INVALID_ARGUMENT, "compareFrom",
            "counts are kept by whole minutes, and the range to compare with lies in one that the "
            "other range has, too: take ranges of different minutes");
    *ret = shared ? move_minute(minutes, is_earlier) : minutes;
    return SP_OK;
}

/* How much longer the p95 has to be before something is slower: more than both quantiles may be off. */
#define SLOWER_MIN (1 + 2 * SP_HISTOGRAM_RELATIVE_ERROR)

static double p95(const struct sp_histogram *histogram)
{
    return (double)sp_histogram_quantile(histogram, 0.95);
}

static const char *name_change(const struct sp_change *change)
{
    if (change->calls[0] == 0)
        return "new";
    if (change->calls[1] == 0)
        return "gone";
    if (change->latency_q <= SP_FALSE_DISCOVERY_RATE) {
        double before = p95(change->latency[0]), now = p95(change->latency[1]);
        if (change->superiority > 0.5 && now > before * SLOWER_MIN)
            return "slower";
        if (change->superiority < 0.5 && before > now * SLOWER_MIN)
            return "faster";
    }
    return "same";
}

/* p values; NaN: not tested. */
static void test(struct sp_change *change, double *ret_latency_p, double *ret_error_p)
{
    struct sp_rank_test ranks = sp_rank_test(change->latency[0], 0, change->latency[1], 0);
    bool both = change->calls[0] > 0 && change->calls[1] > 0;
    change->superiority = ranks.superiority;
    *ret_latency_p = both && ranks.is_tested ? ranks.p : NAN;
    *ret_error_p = both && change->errors[0] + change->errors[1] > 0
                       ? sp_fisher_exact(change->errors[0], change->calls[0], change->errors[1],
                                         change->calls[1])
                       : NAN;
}

enum sp_status sp_changes_find(struct sp_arena *arena, struct sp_change *changes, size_t count)
{
    double *p = sp_arena_calloc(arena, count, 3 * sizeof(*p));
    uint32_t *scratch = sp_arena_calloc(arena, count, sizeof(*scratch));
    if (!p || !scratch)
        return arena->error;
    double *error_p = p + count, *q = error_p + count;
    for (size_t i = 0; i < count; i++)
        test(&changes[i], &p[i], &error_p[i]);
    sp_false_discovery_rates(error_p, count, scratch, q);
    for (size_t i = 0; i < count; i++)
        changes[i].error_q = q[i];
    sp_false_discovery_rates(p, count, scratch, q);
    for (size_t i = 0; i < count; i++) {
        changes[i].latency_q = q[i];
        changes[i].name = name_change(&changes[i]);
    }
    return SP_OK;
}

static void write_chance(const char *key, double q, struct sp_json_writer *w)
{
    sp_json_key(w, key);
    if (isnan(q))
        sp_json_null(w);
    else
        sp_json_double(w, q);
}

void sp_change_write(const struct sp_change *change, struct sp_json_writer *w)
{
    sp_json_key(w, "superiority");
    sp_json_double(w, change->superiority);
    write_chance("latencyQValue", change->latency_q, w);
    write_chance("errorQValue", change->error_q, w);
}
