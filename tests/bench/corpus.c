/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bench/corpus.c: see corpus.h. */
#include "tests/bench/corpus.h"

#include "cmd/load_source.h"
#include "lib/wire/wire.h"
#include "tests/support/recording.h"

#include <stdio.h>
#include <stdlib.h>

static struct sp_recording recording;
static size_t next; /* of all rounds */

static void must(enum sp_status status, const struct sp_error *error)
{
    if (status == SP_OK)
        return;
    fprintf(stderr, "%s\n", error->message);
    exit(EXIT_FAILURE);
}

/* Takes the place of the one in cmd/: the generator hands its requests to us. */
enum sp_status sp_load_source_add(struct sp_load_source *source, struct sp_buf *request,
                                  struct sp_error *reterr)
{
    (void)source;
    (void)reterr;
    recording.requests =
        realloc(recording.requests, (recording.count + 1) * sizeof(*recording.requests));
    struct sp_recorded *added = &recording.requests[recording.count++];
    *added = (struct sp_recorded){.signal = SP_SLICE("traces")};
    SP_ASSERT(sp_arena_copy(&recording.arena, sp_buf_slice(request), &added->body));
    return SP_OK;
}

void corpus_open(const char *path)
{
    struct sp_error error;
    if (strcmp(path, "synthetic") == 0) {
        sp_arena_init(&recording.arena, SIZE_MAX);
        must(sp_load_source_generate(NULL, 1, &error), &error);
    } else {
        must(sp_recording_open(&recording, path),
             &(struct sp_error){.message = "the recording cannot be read"});
    }
}

/* Another run of the same system: other ids, and later. */
static void change(struct sp_span *span, uint64_t round)
{
    uint64_t mask = round * 0x9e3779b97f4a7c15ULL;
    for (int i = 0; i < 8; i++) {
        span->trace_id.bytes[i] ^= (uint8_t)(mask >> 8 * i);
        span->span_id.bytes[i] ^= (uint8_t)(mask >> 8 * i);
        if (!sp_span_id_is_zero(&span->parent_span_id))
            span->parent_span_id.bytes[i] ^= (uint8_t)(mask >> 8 * i);
    }
    span->start_unix_ns += round * 2000000000;
    span->end_unix_ns += round * 2000000000;
}

/* Nobody else has the batch yet. */
static struct sp_span *spans_of(const struct sp_batch *batch)
{
    return (struct sp_span *)(uintptr_t)batch->spans;
}

const struct sp_batch *corpus_next(struct sp_arena *arena)
{
    const struct sp_recorded *request;
    const struct sp_batch *batch;
    struct sp_error error;
    uint64_t round;
    do {
        request = &recording.requests[next % recording.count];
        round = next++ / recording.count;
    } while (!sp_slice_equal_cstr(request->signal, "traces"));
    must(sp_otlp_decode(arena, request->body, sp_limits_default(), &batch, &error), &error);
    for (size_t i = 0; i < batch->span_count; i++)
        change(&spans_of(batch)[i], round);
    return batch;
}
