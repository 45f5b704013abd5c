/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bench/bench_stages.c: what a span costs in each stage between its request and its segment, one stage after the other on one
 * thread: decoding, columns in memory, the seal. Prints nanoseconds of CPU a span; asserts nothing about them. Run by hand.
 * bench_stages [SPANS [RECORDING]]: a recording of tests/support/recording.h, at first "synthetic": what `spoor load` makes. It is
 * repeated with other ids and times until there are as many spans. */
#include "storage/rocks_rollup.h"
#include "tests/bench/corpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define REQUESTS_MAX 512 /* of a group that becomes columns at once */
#define BLOCKS_MAX   4096

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void must(enum sp_status status, const struct sp_error *error)
{
    if (status == SP_OK)
        return;
    fprintf(stderr, "%s\n", error->message);
    exit(EXIT_FAILURE);
}

/* ---- stages ---- */

struct stages {
    struct sp_kv *kv;
    struct sp_kv_batch *batch;
    struct sp_block_builder *builder;
    struct sp_rocks_head_block *blocks;
    uint32_t block_count;
    uint64_t spans, bytes;
    uint64_t decode_ns, columns_ns;
};

/* Requests from *at on, as many as a group of the head has, become blocks. */
static void make_blocks(struct stages *stages, size_t *at, uint64_t spans_max)
{
    struct sp_append appends[REQUESTS_MAX] = {0};
    struct sp_rocks_entry entries[REQUESTS_MAX] = {0};
    struct sp_rocks_entry *pointers[REQUESTS_MAX];
    struct sp_block_shared **made;
    struct sp_error error;
    size_t count = 0;
    size_t spans = 0;
    size_t largest = 0; /* request so far; one that does not fit is left to the next group */
    uint32_t made_count;
    uint64_t begun = cpu_ns();
    while (count < REQUESTS_MAX && spans + largest <= SP_ROCKS_FRESH_SPANS &&
           stages->spans + spans < spans_max) {
        struct sp_append *append = &appends[count];
        sp_arena_init(&append->arena, SIZE_MAX);
        append->batch = corpus_next(&append->arena);
        ++*at;
        spans += append->batch->span_count;
        if (append->batch->span_count > largest)
            largest = append->batch->span_count;
        entries[count].append = append;
        pointers[count] = &entries[count];
        count++;
    }
    uint64_t decoded = cpu_ns();
    must(sp_rocks_entries_to_blocks(stages->builder, pointers, count, &made, &made_count, &error),
         &error);
    stages->columns_ns += cpu_ns() - decoded;
    stages->decode_ns += decoded - begun;
    stages->spans += spans;
    for (uint32_t i = 0; i < made_count; i++) {
        SP_ASSERT(stages->block_count < BLOCKS_MAX);
        stages->blocks[stages->block_count++] =
            (struct sp_rocks_head_block){.shared = made[i], .first_sequence = *at};
        stages->bytes += sp_arena_filled_bytes(&made[i]->arena);
    }
    free(made);
    for (size_t i = 0; i < count; i++)
        sp_arena_fini(&appends[i].arena);
}

/* ---- the seal ---- */

struct sealing {
    struct stages *stages;
    uint32_t *next, *end; /* block of each input */
};

static enum sp_status next_block(void *cookie, uint32_t input, const struct sp_block **ret,
                                 struct sp_error *reterr)
{
    struct sealing *sealing = cookie;
    (void)reterr;
    *ret = sealing->next[input] < sealing->end[input]
               ? &sealing->stages->blocks[sealing->next[input]++].shared->block
               : NULL;
    return SP_OK;
}

/* What would be written is let go: the database is not what is measured. */
static enum sp_status forget_chunks(void *cookie, const struct sp_block *block,
                                    struct sp_error *reterr)
{
    (void)block;
    (void)reterr;
    sp_kv_batch_clear(((struct sealing *)cookie)->stages->batch);
    return SP_OK;
}

static void seal(struct stages *stages, bool with_rollups)
{
    struct sealing sealing = {.stages = stages,
                              .next = calloc(BLOCKS_MAX, sizeof(uint32_t)),
                              .end = calloc(BLOCKS_MAX, sizeof(uint32_t))};
    struct sp_rocks_rollups rollups;
    struct sp_segment_writer writer;
    struct sp_error error;
    uint32_t inputs = 0;
    for (uint32_t i = 0; i < stages->block_count; i++) {
        if (i == 0 || stages->blocks[i].first_sequence != stages->blocks[i - 1].first_sequence)
            sealing.next[inputs++] = i;
        sealing.end[inputs - 1] = i + 1;
    }
    must(sp_segment_writer_init(&writer, stages->kv, stages->batch, 1, &error), &error);
    must(sp_rocks_rollups_init(&rollups, &error), &error);
    const struct sp_rocks_mix mix = {.input_count = inputs,
                                     .next = next_block,
                                     .added = forget_chunks,
                                     .cookie = &sealing,
                                     .builder = stages->builder,
                                     .writer = &writer,
                                     .rollups = with_rollups ? &rollups : NULL};
    uint64_t begun = cpu_ns();
    must(sp_rocks_mix(&mix, &error), &error);
    printf("%-28s %7.1f ns a span, %.2f bytes\n", with_rollups ? "seal, with rollups" : "seal",
           (double)(cpu_ns() - begun) / (double)stages->spans,
           (double)writer.segment->bytes / (double)stages->spans);
    SP_ASSERT(writer.segment->span_count == stages->spans);
    sp_rocks_rollups_fini(&rollups);
    sp_segment_writer_fini(&writer);
    free(sealing.next);
    free(sealing.end);
}

int main(int argc, char **argv)
{
    char path[] = "/tmp/spoor-bench-XXXXXX";
    char command[64];
    struct stages stages = {.blocks = calloc(BLOCKS_MAX, sizeof(*stages.blocks)),
                            .batch = sp_kv_batch_new()};
    struct sp_error error;
    uint64_t spans_max = argc > 1 ? strtoull(argv[1], NULL, 10) : 512 * 1024;
    corpus_open(argc > 2 ? argv[2] : "synthetic");
    SP_ASSERT(mkdtemp(path) != NULL && stages.blocks != NULL && stages.batch != NULL);
    must(sp_kv_open(path, true, &stages.kv, &error), &error);
    must(sp_block_builder_new(&stages.builder, &error), &error);
    for (size_t at = 0; stages.spans < spans_max;)
        make_blocks(&stages, &at, spans_max);
    double spans = (double)stages.spans;
    printf("%.0f spans, %u blocks, %.0f bytes a span in memory\n", spans, stages.block_count,
           (double)stages.bytes / spans);
    printf("%-28s %7.1f ns a span\n", "decode", (double)stages.decode_ns / spans);
    printf("%-28s %7.1f ns a span\n", "columns", (double)stages.columns_ns / spans);
    seal(&stages, false);
    seal(&stages, true);
    for (uint32_t i = 0; i < stages.block_count; i++)
        sp_block_unref(stages.blocks[i].shared);
    sp_block_builder_free(stages.builder);
    sp_kv_batch_free(stages.batch);
    sp_kv_close(stages.kv);
    free(stages.blocks);
    snprintf(command, sizeof(command), "rm -r %s", path);
    return system(command) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
