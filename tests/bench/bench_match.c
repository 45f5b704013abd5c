/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bench/bench_match.c: nanoseconds a row that scans of, and counts over, full blocks of the shop's recording take: with all of a
 * block in memory, and with what is needed decoded from its chunks each time. Prints a table; asserts nothing about time.
 * bench_match [ROUNDS] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/wire/wire.h"
#include "storage/block_count.h"
#include "storage/block_match.h"
#include "tests/support/block_loader.h"
#include "tests/support/recording.h"

#define COPIES 6 /* of the recording, with other trace ids */

struct block {
    struct sp_block block;
    struct sp_block_builder *builder;
    struct sp_block_loader disk;
};

struct bench {
    struct sp_arena arena;
    const struct sp_span **spans;
    size_t span_count;
    struct block *blocks;
    size_t block_count;
    long rounds;
};

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int compare_spans(const void *a, const void *b)
{
    const struct sp_span *x = *(const struct sp_span *const *)a;
    const struct sp_span *y = *(const struct sp_span *const *)b;
    int order = sp_trace_id_compare(&x->trace_id, &y->trace_id);
    return order != 0 ? order : (x > y) - (x < y);
}

static void *take(struct bench *bench, size_t count, size_t size)
{
    void *memory = sp_arena_calloc(&bench->arena, count + 1, size);
    SP_ASSERT(memory != NULL);
    return memory;
}

/* ---- blocks ---- */

static void add_batch(struct bench *bench, const struct sp_batch *batch)
{
    for (uint8_t copy = 0; copy < COPIES; copy++) {
        for (size_t i = 0; i < batch->span_count; i++) {
            struct sp_span *span = take(bench, 1, sizeof(*span));
            *span = batch->spans[i];
            span->trace_id.bytes[0] ^= (uint8_t)(copy << 4);
            bench->spans[bench->span_count++] = span;
        }
    }
}

static void read_spans(struct bench *bench)
{
    char path[4096];
    struct sp_recording recording;
    struct sp_error error;
    snprintf(path, sizeof(path), "%s/otel-js-shop/pb.tar.gz", sp_test_data_dir());
    SP_ASSERT(sp_recording_open(&recording, path) == SP_OK);
    for (size_t i = 0; i < recording.count; i++) {
        const struct sp_batch *batch;
        if (!sp_slice_equal_cstr(recording.requests[i].signal, "traces"))
            continue;
        SP_ASSERT(sp_otlp_decode(&bench->arena, recording.requests[i].body, sp_limits_default(),
                                 &batch, &error) == SP_OK);
        bench->spans = realloc(bench->spans, (bench->span_count + batch->span_count * COPIES + 1) *
                                                 sizeof(*bench->spans));
        SP_ASSERT(bench->spans != NULL);
        add_batch(bench, batch);
    }
    qsort(bench->spans, bench->span_count, sizeof(*bench->spans), compare_spans);
}

static void make_blocks(struct bench *bench)
{
    struct sp_error error;
    size_t at = 0;
    bench->blocks = take(bench, bench->span_count / SP_BLOCK_ROWS_MAX + 100, sizeof(struct block));
    while (at < bench->span_count) {
        struct block *block = &bench->blocks[bench->block_count++];
        size_t taken;
        SP_ASSERT(sp_block_builder_new(&block->builder, &error) == SP_OK);
        SP_ASSERT(sp_block_builder_add_spans(block->builder, bench->spans + at,
                                             bench->span_count - at, &taken, &error) == SP_OK);
        SP_ASSERT(sp_block_builder_view(block->builder, &block->block, &error) == SP_OK);
        sp_block_loader_init(&block->disk, &block->block);
        at += taken;
    }
}

/* The attribute column of spans of a kind with most values, in the first block. */
static const struct sp_column *fullest(const struct bench *bench, enum sp_value_kind kind)
{
    const struct sp_block *block = &bench->blocks[0].block;
    const struct sp_column *best = NULL;
    for (uint32_t c = 0; c < block->column_count; c++) {
        const struct sp_column *column = &block->columns[c];
        if (column->role == SP_ROLE_ATTRIBUTE && column->table == SP_BLOCK_SPANS &&
            column->kind == kind && (best == NULL || column->count > best->count))
            best = column;
    }
    SP_ASSERT(best != NULL);
    return best;
}

/* ---- jobs ---- */

struct job {
    const char *name;
    struct sp_scan scan;
    bool counts, with_latency; /* operations */
    uint32_t key_scopes;       /* keys */
    const struct sp_value_filter *values;
};

static enum sp_status count(const struct job *job, struct sp_block_view *view,
                            struct sp_tally *tally, uint64_t *next_mark)
{
    const struct sp_operation_filter all = {.kind = SP_KIND_ANY};
    struct sp_error error;
    if (job->counts)
        return sp_block_count_operations(view, SP_TIME_RANGE_ALL, &all, job->with_latency, tally,
                                         &error);
    if (job->values != NULL)
        return sp_block_count_values(view, SP_TIME_RANGE_ALL, job->values, next_mark, tally,
                                     &error);
    return sp_block_count_keys(view, SP_TIME_RANGE_ALL, job->key_scopes, SP_SLICE(""), next_mark,
                               tally, &error);
}

/* Nanoseconds of all blocks; *ret_rows: those found, or of the tally. */
static uint64_t run(struct bench *bench, const struct job *job, bool disk, uint64_t *ret_rows)
{
    struct sp_error error;
    struct sp_block_match match;
    struct sp_arena arena;
    struct sp_tally tally;
    uint64_t next_mark = 1;
    bool is_scan = !job->counts && job->key_scopes == 0 && job->values == NULL;
    sp_arena_init(&arena, SIZE_MAX);
    sp_tally_init(&tally, &arena);
    uint64_t rows = 0;
    uint64_t before = cpu_ns();
    SP_ASSERT(sp_block_match_init(&match, &job->scan, &error) == SP_OK);
    for (size_t b = 0; b < bench->block_count; b++) {
        struct block *block = &bench->blocks[b];
        struct sp_block_view memory = {.block = &block->block};
        struct sp_block_view *view = disk ? &block->disk.view : &memory;
        uint32_t all = block->block.tables[SP_BLOCK_SPANS].count;
        if (disk)
            sp_block_loader_reset(&block->disk);
        if (!is_scan) {
            SP_ASSERT(count(job, view, &tally, &next_mark) == SP_OK);
            continue;
        }
        SP_ASSERT(sp_block_match_run(&match, view, &error) == SP_OK);
        if (match.share == SP_SHARE_ALL)
            rows += all;
        else if (match.share == SP_SHARE_SOME)
            rows += sp_bitmap_count(match.rows, 0, all);
    }
    uint64_t taken = cpu_ns() - before;
    *ret_rows = is_scan ? rows : tally.count;
    sp_block_match_fini(&match);
    sp_tally_fini(&tally);
    sp_arena_fini(&arena);
    return taken;
}

static void measure(struct bench *bench, const struct job *job)
{
    uint64_t best[2] = {UINT64_MAX, UINT64_MAX};
    uint64_t rows = 0;
    for (long r = 0; r < bench->rounds; r++) {
        for (int disk = 0; disk < 2; disk++) {
            uint64_t ns = run(bench, job, disk != 0, &rows);
            best[disk] = ns < best[disk] ? ns : best[disk];
        }
    }
    printf("%-44s %9.2f %9.2f %10llu\n", job->name, (double)best[0] / (double)bench->span_count,
           (double)best[1] / (double)bench->span_count, (unsigned long long)rows);
}

static struct sp_value text(struct sp_slice string)
{
    return (struct sp_value){.kind = SP_VALUE_STRING, .string = string};
}

static struct sp_value integer(int64_t number)
{
    return (struct sp_value){.kind = SP_VALUE_INT, .integer = number};
}

static struct sp_condition on(enum sp_field field, enum sp_condition_operator operation,
                              struct sp_value value)
{
    return (struct sp_condition){.field = field, .operation = operation, .value = value};
}

static struct sp_condition on_attribute(struct sp_slice key, struct sp_value value)
{
    return (struct sp_condition){.field = SP_FIELD_ATTRIBUTE,
                                 .scopes = SP_SCOPE_SPAN | SP_SCOPE_RESOURCE,
                                 .key = key,
                                 .operation = SP_OP_EQ,
                                 .value = value};
}

#define SCAN(...)                                                                                  \
    {                                                                                              \
        .range = SP_TIME_RANGE_ALL, .conditions = (const struct sp_condition[]){__VA_ARGS__},      \
        .condition_count =                                                                         \
            sizeof((const struct sp_condition[]){__VA_ARGS__}) / sizeof(struct sp_condition)       \
    }

static void measure_all(struct bench *bench)
{
    const struct sp_column *texts = fullest(bench, SP_VALUE_STRING);
    const struct sp_column *integers = fullest(bench, SP_VALUE_INT);
    struct sp_slice some_text = texts->dictionary->texts[texts->codes[texts->count / 2]];
    int64_t some_integer = (int64_t)integers->numbers[integers->count / 2];
    struct sp_slice service = sp_span_service(bench->spans[bench->span_count / 2]);
    uint64_t middle_ns = bench->spans[bench->span_count / 2]->start_unix_ns;
    const struct sp_value_filter values = {.scopes = SP_SCOPE_SPAN, .key = texts->key};
    const struct sp_value_filter numbers = {.scopes = SP_SCOPE_SPAN, .key = integers->key};
    const struct sp_condition duration =
        on(SP_FIELD_DURATION, SP_OP_GT, integer((int64_t)5 * 1000 * 1000));
    const struct job jobs[] = {
        {.name = "text = absent", .scan = SCAN(on_attribute(texts->key, text(SP_SLICE("none"))))},
        {.name = "text =", .scan = SCAN(on_attribute(texts->key, text(some_text)))},
        {.name = "integer =", .scan = SCAN(on_attribute(integers->key, integer(some_integer)))},
        {.name = "duration > 5 ms", .scan = SCAN(duration)},
        {.name = "duration 5 to 50 ms",
         .scan =
             SCAN(duration, on(SP_FIELD_DURATION, SP_OP_LT, integer((int64_t)50 * 1000 * 1000)))},
        {.name = "service = and status = error",
         .scan = SCAN(on(SP_FIELD_SERVICE, SP_OP_EQ, text(service)),
                      on(SP_FIELD_STATUS, SP_OP_EQ, integer(SP_SPAN_STATUS_ERROR)))},
        {.name = "service = and duration > 5 ms",
         .scan = SCAN(on(SP_FIELD_SERVICE, SP_OP_EQ, text(service)), duration)},
        {.name = "all, from the middle of time", .scan = {.range = {middle_ns, UINT64_MAX}}},
        {.name = "count operations", .counts = true},
        {.name = "count operations with latency", .counts = true, .with_latency = true},
        {.name = "count keys, all scopes", .key_scopes = 31},
        {.name = "count values, texts", .values = &values},
        {.name = "count values, integers", .values = &numbers},
    };
    printf("%zu spans in %zu blocks; texts: %.*s, integers: %.*s\n", bench->span_count,
           bench->block_count, SP_SLICE_PRINTF(texts->key), SP_SLICE_PRINTF(integers->key));
    printf("%-44s %9s %9s %10s\n", "ns a row", "in memory", "loading", "found");
    for (size_t i = 0; i < SP_ARRAY_LEN(jobs); i++)
        measure(bench, &jobs[i]);
}

int main(int argc, char **argv)
{
    struct bench bench = {.rounds = argc > 1 ? atol(argv[1]) : 20};
    sp_arena_init(&bench.arena, SIZE_MAX);
    read_spans(&bench);
    make_blocks(&bench);
    measure_all(&bench);
    return 0; /* the process ends with its memory */
}
