/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_hours.c: what segments know by minute, added up by hour when it is first asked for, so that a question about a day or
 * a month reads sixty times less. Made from what is stored and kept in memory with the segment; nothing on disk.
 *
 *     range      |--:--------------------:-----|
 *     read         minutes    hours       minutes
 *
 * Knows the database through kv.h only. */
#include "storage/rocks_rollup.h"
#include "storage/rocks_view.h"

#define HOUR_NS (60 * SP_ROLLUP_NS)

/* Hours of one segment that are kept, encoded; larger ones are not, and its minutes are read each time. */
#define HOURS_BYTES_MAX ((size_t)256 * 1024)
/* So many whole hours of a range are worth it. */
#define HOURS_MIN 2

/* A range of whole minutes: its whole hours, and what is before and behind them. */
struct parts {
    struct sp_time_range hours, before, behind;
};

static bool split(struct sp_time_range range, struct parts *ret)
{
    uint64_t first = range.from_unix_ns / HOUR_NS + (range.from_unix_ns % HOUR_NS != 0);
    bool is_open = range.to_unix_ns == UINT64_MAX;
    uint64_t end = is_open ? UINT64_MAX / HOUR_NS : range.to_unix_ns / HOUR_NS;
    if (end < first + HOURS_MIN)
        return false;
    ret->hours = (struct sp_time_range){first * HOUR_NS, is_open ? UINT64_MAX : end * HOUR_NS};
    ret->before = (struct sp_time_range){range.from_unix_ns, ret->hours.from_unix_ns};
    ret->behind = (struct sp_time_range){ret->hours.to_unix_ns, range.to_unix_ns};
    if (is_open)
        ret->behind = (struct sp_time_range){0, 0};
    return true;
}

/* ---- calls ---- */

/* SP_LIMIT: too many to be kept. */
static enum sp_status make_edges(struct sp_kv *kv, const struct sp_segment *segment,
                                 uint32_t version, struct sp_buf *out, struct sp_error *reterr)
{
    struct sp_edge_rollup hours;
    sp_edge_rollup_init_answer(&hours); /* with as many candidates for exemplars */
    hours.one_minute = false;
    hours.minutes_a_row = 60;
    enum sp_status status =
        sp_rocks_edges_read(kv, segment, version, SP_TIME_RANGE_ALL, &hours, reterr);
    if (status == SP_OK)
        status = sp_edge_rollup_encode(&hours, out, reterr);
    sp_edge_rollup_fini(&hours);
    return status;
}

enum sp_status sp_rocks_edges_count(const struct sp_rocks_view *view,
                                    const struct sp_rocks_part *part, struct sp_time_range range,
                                    struct sp_edge_rollup *into, struct sp_error *reterr)
{
    struct parts parts;
    struct sp_segment *segment = part->segment;
    uint32_t version = part->links.edges_version;
    range = sp_time_range_minutes(range);
    if (!split(range, &parts))
        return sp_rocks_edges_read(view->kv, segment, version, range, into, reterr);
    struct sp_kept *kept = &segment->hours[SP_SEGMENT_HOURS_EDGES];
    enum sp_status status = SP_OK;
    pthread_mutex_lock(&view->rocks->kept_lock);
    if (!sp_kept_holds(kept, version)) {
        struct sp_buf bytes;
        sp_buf_init(&bytes, HOURS_BYTES_MAX);
        status = make_edges(view->kv, segment, version, &bytes, reterr);
        if (status == SP_OK)
            sp_kept_set(kept, &bytes, version);
        sp_buf_fini(&bytes);
    }
    if (status == SP_OK)
        status = sp_edge_rollup_read(sp_buf_slice(&kept->bytes), parts.hours, into, reterr);
    pthread_mutex_unlock(&view->rocks->kept_lock);
    if (status == SP_LIMIT)
        return sp_rocks_edges_read(view->kv, segment, version, range, into, reterr);
    if (status == SP_OK && !sp_time_range_is_empty(parts.before))
        status = sp_rocks_edges_read(view->kv, segment, version, parts.before, into, reterr);
    if (status == SP_OK && !sp_time_range_is_empty(parts.behind))
        status = sp_rocks_edges_read(view->kv, segment, version, parts.behind, into, reterr);
    return status;
}

/* ---- counts ---- */

static enum sp_status make_counts(struct sp_kv *kv, const struct sp_segment *segment,
                                  struct sp_buf *out, struct sp_error *reterr)
{
    struct sp_rollup hours;
    struct sp_rocks_counts minutes;
    sp_rollup_init(&hours);
    hours.minutes_a_row = 60;
    enum sp_status status = sp_rocks_counts_open(&minutes, kv, segment, reterr);
    if (status == SP_OK)
        status = sp_rollup_decode(sp_buf_slice(&minutes.bytes), &hours, reterr);
    if (status == SP_OK)
        status = sp_rollup_encode(&hours, out, reterr);
    sp_rocks_counts_fini(&minutes);
    sp_rollup_fini(&hours);
    return status;
}

static enum sp_status read_minutes(const struct sp_rocks_view *view,
                                   const struct sp_segment *segment, struct sp_time_range range,
                                   const struct sp_rocks_counts_reader *to, struct sp_error *reterr)
{
    struct sp_rocks_counts counts;
    enum sp_status status = sp_rocks_counts_open(&counts, view->kv, segment, reterr);
    if (status == SP_OK)
        status = to->read(to->cookie, &counts.reader, range, reterr);
    sp_rocks_counts_fini(&counts);
    return status;
}

static enum sp_status read_hours(struct sp_slice bytes, struct sp_time_range range,
                                 const struct sp_rocks_counts_reader *to, struct sp_error *reterr)
{
    struct sp_arena arena;
    struct sp_rollup_reader reader;
    sp_arena_init(&arena, SIZE_MAX);
    enum sp_status status = sp_rollup_open(bytes, &arena, &reader, reterr);
    if (status == SP_OK)
        status = to->read(to->cookie, &reader, range, reterr);
    sp_arena_fini(&arena);
    return status;
}

enum sp_status sp_rocks_counts_count(const struct sp_rocks_view *view, struct sp_segment *segment,
                                     struct sp_time_range range,
                                     const struct sp_rocks_counts_reader *to,
                                     struct sp_error *reterr)
{
    struct parts parts;
    bool too_large = false;
    if (!split(range, &parts))
        return read_minutes(view, segment, range, to, reterr);
    struct sp_kept *kept = &segment->hours[SP_SEGMENT_HOURS_COUNTS];
    enum sp_status status = SP_OK;
    pthread_mutex_lock(&view->rocks->kept_lock);
    if (!sp_kept_holds(kept, 0)) {
        struct sp_buf bytes;
        sp_buf_init(&bytes, HOURS_BYTES_MAX);
        status = make_counts(view->kv, segment, &bytes, reterr);
        too_large = status == SP_LIMIT;
        if (status == SP_OK)
            sp_kept_set(kept, &bytes, 0);
        sp_buf_fini(&bytes);
    }
    if (status == SP_OK)
        status = read_hours(sp_buf_slice(&kept->bytes), parts.hours, to, reterr);
    pthread_mutex_unlock(&view->rocks->kept_lock);
    if (too_large)
        return read_minutes(view, segment, range, to, reterr);
    if (status == SP_OK && !sp_time_range_is_empty(parts.before))
        status = read_minutes(view, segment, parts.before, to, reterr);
    if (status == SP_OK && !sp_time_range_is_empty(parts.behind))
        status = read_minutes(view, segment, parts.behind, to, reterr);
    return status;
}
