/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/check_calls.c: the calls between services that are stored with the segments, against those in their spans. A segment also
 * says what its spans changed in traces of others (docs/decisions/0043-exact-graph.md), so only the sum over all segments means
 * something:
 *
 *   sum of stored(S)  =  sum of R(S)  +  sum over the traces T in several segments of  calls(T) - sum of calls(T within S)
 *
 * The difference is kept as one number a minute (struct sp_check). Candidates for exemplars are no sums and not compared.
 * Knows the database through kv.h only. */
#include "storage/block_cache.h"
#include "storage/brute.h"
#include "storage/check.h"
#include "storage/rollup_format.h"

#include <stdio.h>

#define NAME "calls between services by minute"
/* Readers of other segments that are open at once, each with the trace ids of one block. */
#define SP_CHECK_READERS_MAX ((uint32_t)64)
/* Corrections are taken into the sums when they are so many rows. */
#define ROWS_AT_ONCE ((uint32_t)16 * 1024)
#define MINUTES_SAID 3

/* ---- differences ---- */

/* Takes the sums of one off the other, which gets the rows it lacks. */
static bool subtract(struct sp_edge_rollup *from, const struct sp_edge_rollup *less)
{
    uint32_t *rows = calloc((size_t)less->rows.count + 1, sizeof(*rows));
    bool fits = rows != NULL;
    for (uint32_t i = 0; i < less->rows.count && fits; i++) {
        const struct sp_edge_row *row = &less->rows.items[i];
        const struct sp_edge_key *key = sp_edge_key_at(less, row->edge);
        uint32_t edge = sp_edge_rollup_edge(
            from, less->texts.texts.items[key->client], (enum sp_node_type)key->client_type,
            less->texts.texts.items[key->server], (enum sp_node_type)key->server_type,
            (enum sp_connection_type)key->type);
        rows[i] =
            edge != SP_INTERNER_NONE ? sp_edge_rollup_row(from, row->minute, edge) : UINT32_MAX;
        fits = rows[i] != UINT32_MAX;
        if (!fits)
            break;
        struct sp_edge_row *to = &from->rows.items[rows[i]];
        to->calls -= row->calls;
        to->errors -= row->errors;
        to->client_sum_ns -= row->client_sum_ns;
        to->server_sum_ns -= row->server_sum_ns;
    }
    for (size_t i = 0; i < less->cells.slot_count && fits; i++) {
        const struct sp_count *cell = &less->cells.slots[i];
        if (cell->key != 0)
            fits = sp_counts_add(&from->cells,
                                 rows[(cell->key - 1) / SP_EDGE_CELLS] * SP_EDGE_CELLS +
                                     (cell->key - 1) % SP_EDGE_CELLS,
                                 0 - cell->count);
    }
    free(rows);
    return fits;
}

/* A number that belongs to an edge, whatever its number in a rollup is. */
static uint64_t edge_hash(const struct sp_edge_rollup *rollup, uint32_t edge)
{
    const struct sp_edge_key *key = sp_edge_key_at(rollup, edge);
    const uint64_t types[] = {key->client_type, key->server_type, key->type};
    uint64_t hash = sp_checksum(sp_slice_make(types, sizeof(types)), 0);
    hash = sp_checksum(rollup->texts.texts.items[key->client], hash);
    return sp_checksum(rollup->texts.texts.items[key->server], hash + 1);
}

static uint64_t weigh(uint64_t hash, uint64_t field, uint64_t value)
{
    return (sp_checksum(sp_slice_make(&field, sizeof(field)), hash) | 1) * value;
}

/* Adds a difference to the sums, or takes it off. */
static bool add_sums(struct sp_check *check, const struct sp_edge_rollup *rollup, bool take)
{
    enum field { CALLS, ERRORS, CLIENT_SUM, SERVER_SUM, FIRST_CELL };
    uint64_t *hashes = calloc((size_t)rollup->edges.texts.count + 1, sizeof(*hashes));
    bool fits = hashes != NULL;
    for (uint32_t i = 0; i < rollup->edges.texts.count && fits; i++)
        hashes[i] = edge_hash(rollup, i);
    for (uint32_t i = 0; i < rollup->rows.count && fits; i++) {
        const struct sp_edge_row *row = &rollup->rows.items[i];
        uint64_t hash = hashes[row->edge];
        uint64_t sum = weigh(hash, CALLS, row->calls) + weigh(hash, ERRORS, row->errors) +
                       weigh(hash, CLIENT_SUM, row->client_sum_ns) +
                       weigh(hash, SERVER_SUM, row->server_sum_ns);
        fits = sp_counts_add(&check->call_sums, row->minute, take ? 0 - sum : sum);
    }
    for (size_t i = 0; i < rollup->cells.slot_count && fits; i++) {
        const struct sp_count *cell = &rollup->cells.slots[i];
        if (cell->key == 0 || cell->count == 0)
            continue;
        const struct sp_edge_row *row = &rollup->rows.items[(cell->key - 1) / SP_EDGE_CELLS];
        uint64_t sum =
            weigh(hashes[row->edge], FIRST_CELL + (cell->key - 1) % SP_EDGE_CELLS, cell->count);
        fits = sp_counts_add(&check->call_sums, row->minute, take ? 0 - sum : sum);
    }
    free(hashes);
    return fits;
}

/* Says the first row in which something is left. */
static void describe(const struct sp_edge_rollup *left, char *out, size_t size)
{
    const struct sp_edge_row *found = NULL;
    for (uint32_t i = 0; i < left->rows.count && found == NULL; i++) {
        const struct sp_edge_row *row = &left->rows.items[i];
        if (row->calls != 0 || row->errors != 0 || row->client_sum_ns != 0 ||
            row->server_sum_ns != 0)
            found = row;
    }
    for (size_t i = 0; i < left->cells.slot_count && found == NULL; i++)
        if (left->cells.slots[i].key != 0 && left->cells.slots[i].count != 0)
            found = &left->rows.items[(left->cells.slots[i].key - 1) / SP_EDGE_CELLS];
    if (found == NULL)
        return;
    const struct sp_edge_key *key = sp_edge_key_at(left, found->edge);
    struct sp_slice client = left->texts.texts.items[key->client];
    struct sp_slice server = left->texts.texts.items[key->server];
    char minute[SP_CHECK_MINUTE_BYTES];
    snprintf(out, size,
             "from \"%.*s\" to \"%.*s\" in the minute %s: stored less found is %lld calls",
             client.len < 60 ? (int)client.len : 60, (const char *)client.ptr,
             server.len < 60 ? (int)server.len : 60, (const char *)server.ptr,
             sp_check_minute(found->minute, minute), (long long)found->calls);
}

enum sp_status sp_check_segment_calls(struct sp_check *check, struct sp_check_segment *segment,
                                      struct sp_edge_rollup *found, struct sp_error *reterr)
{
    const struct sp_check_place place = {segment->segment, SP_ROW_NONE, NAME, 0};
    struct sp_edge_rollup stored;
    struct sp_error error = {0};
    bool is_there;
    enum sp_status status =
        sp_check_read_rollup(check, segment, SP_SEGMENT_EDGES, NAME, &is_there, reterr);
    segment->lacks_calls = !is_there;
    if (status != SP_OK || !is_there)
        return status;
    sp_edge_rollup_init(&stored);
    status = sp_edge_rollup_read(sp_buf_slice(&check->chunk), SP_TIME_RANGE_ALL, &stored, &error);
    if (status == SP_CORRUPT) {
        segment->lacks_calls = true;
        sp_check_rollup_damaged(check, &place, &error);
        status = SP_OK;
    } else if (status == SP_OK && !segment->is_damaged) {
        if (!subtract(&stored, found) || !add_sums(check, &stored, false))
            status = sp_edge_rollup_failed(reterr);
        describe(&stored, segment->calls_differ, sizeof(segment->calls_differ));
    } else if (status != SP_OK && reterr != NULL) {
        *reterr = error;
    }
    sp_edge_rollup_fini(&stored);
    return status;
}

/* ---- traces in several segments ---- */

struct sharing {
    struct sp_check *check;
    struct sp_block_reader *readers; /* heap; of each segment; trace ids only */
    uint32_t open_count;
    struct sp_block_reader whole; /* for the cache */
    struct sp_block_cache *cache;
    struct sp_arena arena; /* of one trace */
    struct sp_edge_rollup corrections;
    uint32_t *holders; /* heap: segments that hold the trace at hand, ascending */
    uint64_t too_large_count;
};

static void close_readers(struct sharing *sharing)
{
    for (uint32_t i = 0; i < sharing->check->segments.count && sharing->readers != NULL; i++)
        if (sharing->readers[i].decoder != NULL)
            sp_block_reader_fini(&sharing->readers[i]);
    sharing->open_count = 0;
}

static enum sp_status open_traces(struct sharing *sharing, uint32_t segment, uint32_t block,
                                  struct sp_error *reterr)
{
    struct sp_block_reader *reader = &sharing->readers[segment];
    const struct sp_segment *of = sharing->check->segments.items[segment].segment;
    enum sp_status status = SP_OK;
    if (reader->segment == of && reader->block_number == block)
        return SP_OK;
    if (reader->decoder == NULL) {
        if (sharing->open_count == SP_CHECK_READERS_MAX)
            close_readers(sharing);
        status = sp_block_reader_init(reader, sharing->check->kv, reterr);
        sharing->open_count++;
    }
    if (status == SP_OK)
        status = sp_block_reader_open(reader, of, block, reterr);
    if (status == SP_OK)
        status = sp_block_reader_fixed(reader, SP_CHUNK_TRACES, reterr);
    return status;
}

static enum sp_status holds(struct sharing *sharing, uint32_t segment, const struct sp_trace_id *id,
                            uint64_t hash, bool *ret, struct sp_error *reterr)
{
    uint32_t block, end;
    enum sp_status status = SP_OK;
    *ret = false;
    sp_segment_find(sharing->check->segments.items[segment].segment, id, hash, &block, &end);
    for (; block < end && !*ret && status == SP_OK; block++) {
        uint32_t row;
        status = open_traces(sharing, segment, block, reterr);
        *ret = status == SP_OK && sp_block_find(&sharing->readers[segment].block, id, &row) > 0;
    }
    return status;
}

/* All spans of a trace in one segment: a part. */
static enum sp_status read_part(struct sharing *sharing, uint32_t segment,
                                const struct sp_trace_id *id, struct sp_batch *ret,
                                struct sp_error *reterr)
{
    const struct sp_segment *of = sharing->check->segments.items[segment].segment;
    struct sp_span *spans = NULL;
    size_t count = 0;
    uint32_t block, end;
    enum sp_status status = SP_OK;
    sp_segment_find(of, id, sp_filter_hash(id), &block, &end);
    for (; block < end && status == SP_OK; block++) {
        struct sp_block_shared *shared;
        uint32_t first = 0;
        status = sp_block_cache_get(sharing->cache, &sharing->whole, of, block, &shared, reterr);
        if (status != SP_OK)
            return status;
        uint32_t more = sp_block_find(&shared->block, id, &first);
        spans = sp_arena_grow(&sharing->arena, spans, count * sizeof(*spans),
                              (count + more) * sizeof(*spans));
        status = spans == NULL && count + more > 0
                     ? SP_LIMIT
                     : sp_block_spans(&shared->block, first, more, true, &sharing->arena,
                                      spans + count, reterr);
        count += more;
        sp_block_unref(shared);
    }
    if (status == SP_OK && sp_graph_keep_names(spans, count, of->names, &sharing->arena) != SP_OK)
        status = SP_LIMIT;
    *ret = (struct sp_batch){.spans = spans, .span_count = count};
    return status;
}

static bool flush_corrections(struct sharing *sharing)
{
    bool fits = add_sums(sharing->check, &sharing->corrections, true);
    sp_edge_rollup_fini(&sharing->corrections);
    sp_edge_rollup_init(&sharing->corrections);
    return fits;
}

static enum sp_status correct(struct sharing *sharing, const struct sp_trace_id *id, uint32_t count,
                              struct sp_error *reterr)
{
    sp_arena_reset(&sharing->arena);
    struct sp_batch *parts = sp_arena_calloc(&sharing->arena, count, sizeof(*parts));
    enum sp_status status = parts != NULL ? SP_OK : SP_LIMIT;
    for (uint32_t i = 0; i < count && status == SP_OK; i++) {
        sharing->check->segments.items[sharing->holders[i]].shares_traces = true;
        status = read_part(sharing, sharing->holders[i], id, &parts[i], reterr);
    }
    if (status == SP_OK)
        status = sp_edge_rollup_correct(&sharing->corrections, parts, count, SP_EDGE_ADD, reterr);
    sharing->check->duplicate_trace_count += count - 1;
    if (status == SP_LIMIT) {
        sharing->too_large_count++;
        return SP_OK;
    }
    if (status == SP_OK && sharing->corrections.rows.count >= ROWS_AT_ONCE &&
        !flush_corrections(sharing))
        status = sp_edge_rollup_failed(reterr);
    return status;
}

/* A trace of a segment: when no older one holds it, and newer ones do, its calls are corrected. */
static enum sp_status look_at_trace(struct sharing *sharing, uint32_t segment,
                                    const struct sp_trace_id *id, struct sp_error *reterr)
{
    uint64_t hash = sp_filter_hash(id);
    uint32_t count = 1;
    enum sp_status status = SP_OK;
    sharing->holders[0] = segment;
    for (uint32_t i = 0; i < sharing->check->segments.count && status == SP_OK; i++) {
        bool is_held;
        if (i == segment)
            continue;
        status = holds(sharing, i, id, hash, &is_held, reterr);
        if (status == SP_OK && is_held && i < segment)
            return SP_OK; /* it was looked at there */
        if (status == SP_OK && is_held)
            sharing->holders[count++] = i;
    }
    return status == SP_OK && count > 1 ? correct(sharing, id, count, reterr) : status;
}

static enum sp_status look_at_segment(struct sharing *sharing, uint32_t segment,
                                      struct sp_error *reterr)
{
    const struct sp_segment *of = sharing->check->segments.items[segment].segment;
    struct sp_trace_id before = {0}; /* no trace's id */
    struct sp_block_reader reader;
    enum sp_status status = sp_block_reader_init(&reader, sharing->check->kv, reterr);
    for (uint32_t b = 0; b < of->block_count && status == SP_OK; b++) {
        status = sp_block_reader_open(&reader, of, b, reterr);
        if (status == SP_OK)
            status = sp_block_reader_fixed(&reader, SP_CHUNK_TRACES, reterr);
        for (uint32_t t = 0; t < reader.block.trace_count && status == SP_OK; t++) {
            const struct sp_trace_id *id = &reader.block.trace_ids[t];
            if (t > 0 || sp_trace_id_compare(id, &before) != 0)
                status = look_at_trace(sharing, segment, id, reterr);
            before = *id;
        }
    }
    sp_block_reader_fini(&reader);
    return status;
}

static enum sp_status look_at_all(struct sharing *sharing, struct sp_error *reterr)
{
    struct sp_check *check = sharing->check;
    enum sp_status status = sp_block_reader_init(&sharing->whole, check->kv, reterr);
    for (uint32_t i = 0; i < check->segments.count && status == SP_OK; i++) {
        status = look_at_segment(sharing, i, reterr);
        sp_check_progress(check, "calls of segments", i + 1, check->segments.count);
    }
    if (status == SP_OK && !flush_corrections(sharing))
        status = sp_edge_rollup_failed(reterr);
    sp_block_reader_fini(&sharing->whole);
    return status;
}

/* ---- what is left ---- */

/* A segment that shares no trace has to be right by itself; so when something is left, it is its. */
static void report(struct sp_check *check)
{
    uint64_t minutes[MINUTES_SAID];
    uint64_t left = 0;
    uint32_t named = 0;
    for (size_t i = 0; i < check->call_sums.slot_count; i++) {
        const struct sp_count *sum = &check->call_sums.slots[i];
        if (sum->key != 0 && sum->count != 0 && left++ < MINUTES_SAID)
            minutes[left - 1] = sum->key - 1;
    }
    if (left == 0)
        return;
    for (uint32_t i = 0; i < check->segments.count; i++) {
        const struct sp_check_segment *segment = &check->segments.items[i];
        const struct sp_check_place place = {segment->segment, SP_ROW_NONE, NAME, 0};
        if (segment->shares_traces || segment->calls_differ[0] == '\0')
            continue;
        sp_check_found(check, SP_FINDING_DISAGREEMENT, &place,
                       "what is stored is not what its spans add up to: %s", segment->calls_differ);
        named++;
    }
    if (named > 0)
        return;
    for (uint64_t i = 0; i < left && i < MINUTES_SAID; i++) {
        const struct sp_check_place place = {NULL, SP_ROW_NONE, NAME, 0};
        char minute[SP_CHECK_MINUTE_BYTES];
        sp_check_found(check, SP_FINDING_DISAGREEMENT, &place,
                       "the segments together store other calls in the minute %s than there are in "
                       "their spans (so in %llu minutes)",
                       sp_check_minute(minutes[i], minute), (unsigned long long)left);
    }
}

static void check_trace_count(struct sp_check *check)
{
    const struct sp_check_place place = {NULL, SP_ROW_NONE, "headers of all segments", 0};
    uint64_t said = 0;
    uint64_t found = 0;
    for (uint32_t i = 0; i < check->segments.count; i++) {
        said += check->segments.items[i].segment->links.new_trace_count;
        found += check->segments.items[i].segment->trace_count;
    }
    found -= check->duplicate_trace_count;
    if (said != found)
        sp_check_found(check, SP_FINDING_DISAGREEMENT, &place,
                       "new traces: together they store %llu, and there are %llu",
                       (unsigned long long)said, (unsigned long long)found);
}

static bool can_compare(struct sp_check *check)
{
    const struct sp_check_place place = {NULL, SP_ROW_NONE, NAME, 0};
    uint32_t damaged = 0;
    for (uint32_t i = 0; i < check->segments.count; i++)
        damaged += check->segments.items[i].is_damaged || check->segments.items[i].lacks_calls;
    if (damaged > 0 || check->lacks_segments)
        sp_check_found(check, SP_FINDING_NOT_CHECKED, &place,
                       "they mean something for all segments together only, and some are damaged");
    return damaged == 0 && !check->lacks_segments;
}

enum sp_status sp_check_calls(struct sp_check *check, struct sp_error *reterr)
{
    const struct sp_check_place place = {NULL, SP_ROW_NONE, NAME, 0};
    if (check->segments.count == 0 || !can_compare(check))
        return SP_OK;
    uint32_t count = check->segments.count;
    struct sharing sharing = {.check = check,
                              .readers = calloc(count, sizeof(*sharing.readers)),
                              .holders = calloc(count, sizeof(*sharing.holders)),
                              .cache = sp_block_cache_new()};
    sp_arena_init(&sharing.arena, SP_BRUTE_TRACE_BYTES_MAX);
    sp_edge_rollup_init(&sharing.corrections);
    enum sp_status status = SP_NO_MEMORY;
    if (sharing.readers != NULL && sharing.holders != NULL && sharing.cache != NULL)
        status = look_at_all(&sharing, reterr);
    else
        sp_error_set(reterr, status, "no memory to compare calls");
    close_readers(&sharing);
    if (status == SP_OK && sharing.too_large_count > 0) {
        sp_check_found(check, SP_FINDING_NOT_CHECKED, &place,
                       "%llu traces in several segments are too large to be looked at whole",
                       (unsigned long long)sharing.too_large_count);
    } else if (status == SP_OK) {
        report(check);
    }
    if (status == SP_OK)
        check_trace_count(check);
    sp_edge_rollup_fini(&sharing.corrections);
    sp_arena_fini(&sharing.arena);
    sp_block_cache_free(sharing.cache);
    free(sharing.readers);
    free(sharing.holders);
    return status;
}
