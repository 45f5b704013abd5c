/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/storage/test_block_codec.c: blocks become chunks and come back equal; damaged chunks are found; parts can be read
 * alone. */
#include "tests/support/alloc_fail.h"
#include "tests/support/check_main.h"
#include "tests/support/chunks.h"
#include "tests/support/span_gen.h"

#include "storage/chunk.h"

#include <stdio.h>
#include <stdlib.h>

static int compare_spans(const void *a, const void *b)
{
    const struct sp_span *x = *(const struct sp_span *const *)a;
    const struct sp_span *y = *(const struct sp_span *const *)b;
    int order = sp_trace_id_compare(&x->trace_id, &y->trace_id);
    return order != 0 ? order : (x > y) - (x < y);
}

/* What a test works with; spans are sorted. */
struct fixture {
    struct sp_arena arena, decoded;
    struct sp_block_builder *builder;
    struct sp_block_encoder *encoder;
    struct sp_block_decoder *decoder;
    struct sp_test_chunks chunks;
    const struct sp_span **spans;
    size_t count;
    struct sp_block block;
};

static void setup(struct fixture *f)
{
    struct sp_error error;
    *f = (struct fixture){0};
    sp_arena_init(&f->arena, SIZE_MAX);
    sp_arena_init(&f->decoded, SIZE_MAX);
    ck_assert_int_eq(sp_block_builder_new(&f->builder, &error), SP_OK);
    ck_assert_int_eq(sp_block_encoder_new(&f->encoder, &error), SP_OK);
    ck_assert_int_eq(sp_block_decoder_new(&f->decoder, &error), SP_OK);
}

static void teardown(struct fixture *f)
{
    sp_test_chunks_fini(&f->chunks);
    sp_block_builder_free(f->builder);
    sp_block_encoder_free(f->encoder);
    sp_block_decoder_free(f->decoder);
    sp_arena_fini(&f->arena);
    sp_arena_fini(&f->decoded);
}

static void encode(struct fixture *f)
{
    struct sp_error error;
    const struct sp_chunk_sink sink = sp_test_chunks_sink(&f->chunks);
    sp_test_chunks_reset(&f->chunks);
    ck_assert_int_eq(sp_block_encode(f->encoder, &f->block, &sink, &error), SP_OK);
}

/* The block of these spans, as chunks. */
static void make(struct fixture *f, const struct sp_span *spans, size_t count)
{
    struct sp_error error;
    size_t taken = 0;
    f->spans = sp_arena_calloc(&f->arena, count + 1, sizeof(*f->spans));
    f->count = count;
    for (size_t i = 0; i < count; i++)
        f->spans[i] = &spans[i];
    qsort(f->spans, count, sizeof(*f->spans), compare_spans);
    sp_block_builder_reset(f->builder);
    if (count > 0)
        ck_assert_int_eq(sp_block_builder_add_spans(f->builder, f->spans, count, &taken, &error),
                         SP_OK);
    ck_assert_uint_eq(taken, count);
    ck_assert_int_eq(sp_block_builder_view(f->builder, &f->block, &error), SP_OK);
    encode(f);
}

static void make_random(struct fixture *f, uint64_t seed, size_t count, unsigned odd_percent)
{
    struct sp_gen_options options = sp_gen_options_everything(count);
    options.odd_percent = odd_percent;
    const struct sp_batch *batch = sp_gen_batch(&f->arena, seed, &options);
    ck_assert_ptr_nonnull(batch);
    make(f, batch->spans, batch->span_count);
}

static enum sp_status decode(struct fixture *f, struct sp_arena *arena, struct sp_block *ret,
                             struct sp_block_head *ret_head, struct sp_error *reterr)
{
    const struct sp_chunk_source source = sp_test_chunks_source(&f->chunks);
    return sp_block_decode(f->decoder, &source, arena, ret, ret_head, reterr);
}

/* What comes back are the spans that went in, and the block says of them what the builder's said. */
static struct sp_block_head assert_round_trip(struct fixture *f)
{
    struct sp_block back;
    struct sp_block_head head;
    struct sp_error error = {0};
    sp_arena_reset(&f->decoded);
    enum sp_status status = decode(f, &f->decoded, &back, &head, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    ck_assert_uint_eq(back.tables[SP_BLOCK_SPANS].count, f->count);
    ck_assert_uint_eq(back.trace_count, f->block.trace_count);
    ck_assert_uint_eq(back.start_min_unix_ns, f->block.start_min_unix_ns);
    ck_assert_uint_eq(back.start_max_unix_ns, f->block.start_max_unix_ns);
    struct sp_span *spans = calloc(f->count + 1, sizeof(*spans));
    ck_assert_int_eq(
        sp_block_spans(&back, 0, (uint32_t)f->count, false, &f->decoded, spans, &error), SP_OK);
    for (size_t i = 0; i < f->count; i++)
        ck_assert_msg(sp_span_equal(&spans[i], f->spans[i]), "row %zu is another span", i);
    free(spans);
    return head;
}

static struct sp_span *some_spans(struct fixture *f, size_t count)
{
    static const struct sp_resource resource = {.present = true};
    static const struct sp_scope scope = {0};
    struct sp_span *spans = sp_arena_calloc(&f->arena, count, sizeof(*spans));
    ck_assert_ptr_nonnull(spans);
    for (size_t i = 0; i < count; i++) {
        spans[i] = (struct sp_span){
            .trace_id = {.bytes = {1}},
            .span_id = {.bytes = {2, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}},
            .start_unix_ns = 1000,
            .end_unix_ns = 3000,
            .name = SP_SLICE("work"),
            .resource = &resource,
            .scope = &scope};
    }
    return spans;
}

/* ---- round trips ---- */

START_TEST(chunks_give_back_every_field_of_random_spans)
{
    struct fixture f;
    setup(&f);
    for (uint64_t seed = 0; seed < 40; seed++) {
        make_random(&f, seed, 1 + seed * 17, (unsigned)(seed % 4) * 20);
        assert_round_trip(&f);
        sp_arena_reset(&f.arena);
    }
    teardown(&f);
}
END_TEST

START_TEST(decoded_block_can_be_encoded_again)
{
    struct fixture f;
    struct sp_arena arena;
    struct sp_error error;
    setup(&f);
    sp_arena_init(&arena, SIZE_MAX);
    make_random(&f, 99, 3000, 20);
    ck_assert_int_eq(decode(&f, &arena, &f.block, NULL, &error), SP_OK);
    encode(&f);
    assert_round_trip(&f);
    sp_arena_fini(&arena);
    teardown(&f);
}
END_TEST

START_TEST(block_without_rows_is_its_head)
{
    struct fixture f;
    setup(&f);
    make(&f, NULL, 0);
    ck_assert_uint_eq(f.chunks.count, 1);
    assert_round_trip(&f);
    teardown(&f);
}
END_TEST

START_TEST(block_of_one_plain_span_comes_back)
{
    struct fixture f;
    setup(&f);
    make(&f, some_spans(&f, 1), 1);
    struct sp_block_head head = assert_round_trip(&f);
    ck_assert_uint_eq(head.duration_min_ns, 2000);
    ck_assert_uint_eq(head.duration_max_ns, 2000);
    teardown(&f);
}
END_TEST

START_TEST(full_block_of_one_trace_of_equal_spans_is_little_but_its_ids)
{
    struct fixture f;
    setup(&f);
    make(&f, some_spans(&f, SP_BLOCK_ROWS_MAX), SP_BLOCK_ROWS_MAX);
    assert_round_trip(&f);
    for (size_t i = 0; i < f.chunks.count; i++) {
        if (f.chunks.items[i].number != SP_CHUNK_SPAN_IDS)
            ck_assert_uint_lt(f.chunks.items[i].len, 200);
    }
    teardown(&f);
}
END_TEST

/* Chains, siblings, duplicates of ids, rows that are their own parents, circles, and parents elsewhere. */
START_TEST(parents_of_every_kind_come_back)
{
    struct fixture f;
    setup(&f);
    struct sp_gen gen = {5};
    for (int round = 0; round < 30; round++) {
        size_t count = 1 + sp_gen_below(&gen, 400);
        struct sp_span *spans = some_spans(&f, count);
        for (size_t i = 0; i < count; i++) {
            spans[i].trace_id.bytes[1] = (uint8_t)(i / (1 + sp_gen_below(&gen, 50)));
            if (sp_gen_chance(&gen, 5))
                spans[i].span_id = spans[sp_gen_below(&gen, i + 1)].span_id;
            switch (sp_gen_below(&gen, 5)) {
            case 0:
                break;
            case 1:
                spans[i].parent_span_id.bytes[sp_gen_below(&gen, 8)] = 0xee;
                break;
            case 2:
                spans[i].parent_span_id = spans[i].span_id;
                break;
            default:
                spans[i].parent_span_id = spans[sp_gen_below(&gen, count)].span_id;
            }
        }
        make(&f, spans, count);
        assert_round_trip(&f);
    }
    teardown(&f);
}
END_TEST

START_TEST(times_at_the_edges_come_back)
{
    struct fixture f;
    setup(&f);
    static const uint64_t times[] = {0,
                                     1,
                                     UINT64_MAX,
                                     UINT64_MAX - 1,
                                     (uint64_t)1 << 63,
                                     ((uint64_t)1 << 63) - 1,
                                     1700000000000000000ULL,
                                     7};
    enum { COUNT = SP_ARRAY_LEN(times) * SP_ARRAY_LEN(times) };
    for (uint8_t traces = 1; traces < 4; traces++) {
        struct sp_span *spans = some_spans(&f, COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            spans[i].trace_id.bytes[1] = (uint8_t)(i % traces);
            spans[i].start_unix_ns = times[i % SP_ARRAY_LEN(times)];
            spans[i].end_unix_ns = times[i / SP_ARRAY_LEN(times)];
        }
        make(&f, spans, COUNT);
        struct sp_block_head head = assert_round_trip(&f);
        ck_assert_uint_eq(head.duration_min_ns, 0);
        ck_assert_uint_eq(head.duration_max_ns, UINT64_MAX);
    }
    teardown(&f);
}
END_TEST

START_TEST(block_in_which_every_row_has_a_template_of_its_own_comes_back)
{
    struct fixture f;
    setup(&f);
    enum { COUNT = 3000 };
    struct sp_span *spans = some_spans(&f, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        struct sp_attribute *attribute = sp_arena_calloc(&f.arena, 1, sizeof(*attribute));
        char *key = sp_arena_alloc(&f.arena, 16);
        snprintf(key, 16, "key %zu", i);
        attribute->key = sp_slice_cstr(key);
        attribute->value = (struct sp_value){.kind = SP_VALUE_INT, .integer = -(int64_t)i};
        spans[i].attributes = (struct sp_attributes){attribute, 1, 0};
        spans[i].kind = (int32_t)i - 1500;
        spans[i].name = attribute->key;
    }
    make(&f, spans, COUNT);
    ck_assert_uint_eq(f.block.template_counts[SP_BLOCK_SPANS], COUNT);
    assert_round_trip(&f);
    teardown(&f);
}
END_TEST

START_TEST(huge_texts_come_back)
{
    struct fixture f;
    setup(&f);
    enum { COUNT = 5, BYTES = 3 * 1024 * 1024 };
    struct sp_gen gen = {9};
    struct sp_span *spans = some_spans(&f, COUNT);
    struct sp_attribute *attributes = sp_arena_calloc(&f.arena, COUNT, sizeof(*attributes));
    for (size_t i = 0; i < COUNT; i++) {
        uint8_t *bytes = sp_arena_alloc(&f.arena, BYTES);
        for (size_t b = 0; b < BYTES; b++)
            bytes[b] = i == 0 ? 'x' : (uint8_t)sp_gen_u64(&gen);
        attributes[i].key = SP_SLICE("large");
        attributes[i].value.kind = SP_VALUE_BYTES;
        attributes[i].value.string = sp_slice_make(bytes, i == 1 ? 0 : BYTES);
        spans[i].attributes = (struct sp_attributes){&attributes[i], 1, 0};
    }
    make(&f, spans, 3);
    assert_round_trip(&f);
    teardown(&f);
}
END_TEST

/* ---- damage ---- */

static void assert_damage_is_found(struct fixture *f, struct sp_test_chunk *chunk)
{
    struct sp_block back;
    struct sp_error error = {0};
    char name[SP_CHUNK_NAME_BYTES];
    sp_arena_reset(&f->decoded);
    ck_assert_int_eq(decode(f, &f->decoded, &back, NULL, &error), SP_CORRUPT);
    ck_assert_msg(strstr(error.message, sp_chunk_name(chunk->number, name)) != NULL,
                  "\"%s\" does not name the chunk \"%s\"", error.message, name);
}

START_TEST(every_flipped_byte_is_found)
{
    struct fixture f;
    setup(&f);
    make_random(&f, 3, 12, 20);
    for (size_t c = 0; c < f.chunks.count; c++) {
        struct sp_test_chunk *chunk = &f.chunks.items[c];
        for (size_t i = 0; i < chunk->len; i++) {
            uint8_t flip = (uint8_t)(1 << (i * 5 + c) % 8);
            chunk->ptr[i] ^= flip;
            assert_damage_is_found(&f, chunk);
            chunk->ptr[i] ^= flip;
        }
    }
    assert_round_trip(&f);
    teardown(&f);
}
END_TEST

START_TEST(every_truncation_is_found)
{
    struct fixture f;
    setup(&f);
    make_random(&f, 4, 12, 20);
    for (size_t c = 0; c < f.chunks.count; c++) {
        struct sp_test_chunk *chunk = &f.chunks.items[c];
        size_t len = chunk->len;
        for (chunk->len = 0; chunk->len < len; chunk->len++)
            assert_damage_is_found(&f, chunk);
    }
    assert_round_trip(&f);
    teardown(&f);
}
END_TEST

START_TEST(missing_chunks_are_found)
{
    struct fixture f;
    setup(&f);
    make_random(&f, 5, 40, 20);
    for (size_t c = 0; c < f.chunks.count; c++) {
        struct sp_test_chunk *chunk = &f.chunks.items[c];
        uint32_t number = chunk->number;
        chunk->number = UINT32_MAX;
        struct sp_test_chunk missing = {.number = number};
        assert_damage_is_found(&f, &missing);
        chunk->number = number;
    }
    teardown(&f);
}
END_TEST

START_TEST(chunks_of_another_block_or_place_are_found)
{
    struct fixture f, other;
    setup(&f);
    setup(&other);
    struct sp_span *spans = some_spans(&f, 50);
    make(&f, spans, 50);
    spans[7].span_id.bytes[7]++;
    make(&other, spans, 50);
    for (size_t c = 0; c < f.chunks.count; c++) {
        struct sp_test_chunk *chunk = &f.chunks.items[c], own = *chunk;
        if (chunk->number == SP_CHUNK_HEAD)
            continue;
        const struct sp_test_chunk *foreign = sp_test_chunks_find(&other.chunks, chunk->number);
        *chunk = *foreign;
        assert_damage_is_found(&f, chunk);
        *chunk = own;
        for (size_t d = 0; d < f.chunks.count; d++) {
            if (d == c)
                continue;
            chunk->ptr = f.chunks.items[d].ptr;
            chunk->len = f.chunks.items[d].len;
            assert_damage_is_found(&f, chunk);
            *chunk = own;
        }
    }
    teardown(&f);
    teardown(&other);
}
END_TEST

START_TEST(newer_version_is_not_called_damage)
{
    struct fixture f;
    struct sp_block back;
    struct sp_error error;
    setup(&f);
    make(&f, some_spans(&f, 3), 3);
    struct sp_test_chunk *chunk = &f.chunks.items[f.chunks.count - 1];
    ck_assert_uint_eq(chunk->number, SP_CHUNK_HEAD);
    struct sp_buf changed;
    sp_buf_init(&changed, SIZE_MAX);
    sp_buf_append(&changed, chunk->ptr, chunk->len - 8);
    changed.ptr[0]++;
    sp_chunk_end(&changed, SP_CHUNK_HEAD_SEED);
    memcpy(chunk->ptr, changed.ptr, changed.len);
    ck_assert_int_eq(decode(&f, &f.decoded, &back, NULL, &error), SP_VERSION);
    sp_buf_fini(&changed);
    teardown(&f);
}
END_TEST

/* Whatever a checksum would let through: nothing crashes (sanitizers), memory stays within the arena. */
START_TEST(content_that_no_encoder_made_is_refused_or_read)
{
    struct fixture f;
    struct sp_gen gen = {77};
    struct sp_arena arena;
    setup(&f);
    make_random(&f, 6, 30, 20);
    const struct sp_test_chunk *head = sp_test_chunks_find(&f.chunks, SP_CHUNK_HEAD);
    uint64_t stamp;
    memcpy(&stamp, head->ptr + 2, sizeof(stamp));
    for (int round = 0; round < 3000; round++) {
        struct sp_test_chunk *chunk = &f.chunks.items[sp_gen_below(&gen, f.chunks.count)];
        struct sp_block back;
        struct sp_error error;
        struct sp_buf changed;
        uint8_t *own = chunk->ptr;
        sp_buf_init(&changed, SIZE_MAX);
        sp_buf_append(&changed, chunk->ptr, chunk->len - 8);
        for (uint64_t n = 1 + sp_gen_below(&gen, 3); n > 0 && changed.len > 10; n--)
            changed.ptr[10 + sp_gen_below(&gen, changed.len - 10)] = (uint8_t)sp_gen_u64(&gen);
        sp_chunk_end(&changed, chunk->number == SP_CHUNK_HEAD
                                   ? SP_CHUNK_HEAD_SEED
                                   : sp_chunk_seed(stamp, chunk->number));
        chunk->ptr = changed.ptr;
        sp_arena_init(&arena, (size_t)64 * 1024 * 1024);
        enum sp_status status = decode(&f, &arena, &back, NULL, &error);
        ck_assert(status == SP_OK || status == SP_CORRUPT || status == SP_LIMIT);
        chunk->ptr = own;
        sp_buf_fini(&changed);
        sp_arena_fini(&arena);
    }
    teardown(&f);
}
END_TEST

START_TEST(full_arena_is_an_error)
{
    struct fixture f;
    struct sp_arena arena;
    struct sp_block back;
    struct sp_error error;
    setup(&f);
    make_random(&f, 8, 300, 20);
    enum sp_status status = SP_LIMIT;
    size_t cap = 0;
    for (; status != SP_OK && cap < (size_t)64 * 1024 * 1024; cap += 4096) {
        sp_arena_init(&arena, cap);
        status = decode(&f, &arena, &back, NULL, &error);
        ck_assert(status == SP_OK || status == SP_LIMIT);
        ck_assert_uint_le(arena.used_bytes, cap);
        sp_arena_fini(&arena);
    }
    ck_assert_int_eq(status, SP_OK);
    teardown(&f);
}
END_TEST

static enum sp_status full_disk(void *cookie, uint32_t chunk, struct sp_slice bytes,
                                struct sp_error *reterr)
{
    (void)bytes;
    return *(uint32_t *)cookie == chunk ? sp_error_set(reterr, SP_IO, "no space") : SP_OK;
}

START_TEST(errors_of_the_sink_are_handed_on)
{
    struct fixture f;
    struct sp_error error;
    uint32_t at;
    setup(&f);
    make_random(&f, 9, 100, 20);
    const struct sp_chunk_sink sink = {.take = full_disk, .cookie = &at};
    for (size_t c = 0; c < f.chunks.count; c++) {
        at = f.chunks.items[c].number;
        ck_assert_int_eq(sp_block_encode(f.encoder, &f.block, &sink, &error), SP_IO);
    }
    teardown(&f);
}
END_TEST

static enum sp_status count_bytes(void *cookie, uint32_t chunk, struct sp_slice bytes,
                                  struct sp_error *reterr)
{
    (void)chunk;
    (void)reterr;
    *(size_t *)cookie += bytes.len;
    return SP_OK;
}

/* Every allocation of a new encoder fails once; the encoder works afterwards, and writes the same. */
START_TEST(encoding_without_memory_says_so)
{
    struct fixture f;
    struct sp_error error;
    setup(&f);
    make_random(&f, 12, 200, 20);
    size_t want = 0, got;
    for (size_t c = 0; c < f.chunks.count; c++)
        want += f.chunks.items[c].len;
    const struct sp_chunk_sink sink = {.take = count_bytes, .cookie = &got};
    bool failed = true;
    size_t after = 0;
    for (; failed; after++) {
        struct sp_block_encoder *encoder = NULL;
        alloc_fail_after(after);
        enum sp_status status = sp_block_encoder_new(&encoder, &error);
        if (status == SP_OK)
            status = sp_block_encode(encoder, &f.block, &sink, &error);
        failed = alloc_fail_stop();
        ck_assert_int_eq(status, failed ? SP_NO_MEMORY : SP_OK);
        if (encoder != NULL) {
            got = 0;
            ck_assert_int_eq(sp_block_encode(encoder, &f.block, &sink, &error), SP_OK);
            ck_assert_uint_eq(got, want);
        }
        sp_block_encoder_free(encoder);
    }
    ck_assert_uint_gt(after, 10);
    teardown(&f);
}
END_TEST

START_TEST(decoding_without_memory_says_so)
{
    struct fixture f;
    struct sp_error error;
    setup(&f);
    make_random(&f, 13, 200, 20);
    bool failed = true;
    size_t after = 0;
    for (; failed; after++) {
        struct sp_block_decoder *decoder = NULL;
        struct sp_arena arena;
        struct sp_block back;
        const struct sp_chunk_source source = sp_test_chunks_source(&f.chunks);
        sp_arena_init(&arena, SIZE_MAX);
        alloc_fail_after(after);
        enum sp_status status = sp_block_decoder_new(&decoder, &error);
        if (status == SP_OK)
            status = sp_block_decode(decoder, &source, &arena, &back, NULL, &error);
        failed = alloc_fail_stop();
        ck_assert(failed ? status == SP_NO_MEMORY || status == SP_LIMIT : status == SP_OK);
        sp_block_decoder_free(decoder);
        sp_arena_fini(&arena);
    }
    ck_assert_uint_gt(after, 10);
    teardown(&f);
}
END_TEST

/* ---- parts ---- */

START_TEST(summaries_say_what_the_columns_hold)
{
    struct fixture f;
    struct sp_block back;
    setup(&f);
    make_random(&f, 10, 1500, 20);
    struct sp_block_head head = assert_round_trip(&f);
    struct sp_error error;
    ck_assert_int_eq(decode(&f, &f.decoded, &back, NULL, &error), SP_OK);
    for (uint32_t c = 0; c < back.column_count; c++) {
        const struct sp_column *column = &back.columns[c];
        const struct sp_column_summary *summary = &head.columns[c];
        bool found_min = false, found_max = false;
        for (uint32_t i = 0; i < column->count && column->kind == SP_VALUE_INT; i++) {
            int64_t number = (int64_t)column->numbers[i];
            ck_assert(summary->has_range && number >= (int64_t)summary->min &&
                      number <= (int64_t)summary->max);
            found_min = found_min || number == (int64_t)summary->min;
            found_max = found_max || number == (int64_t)summary->max;
        }
        ck_assert(column->kind != SP_VALUE_INT || (found_min && found_max));
        if (column->codes != NULL)
            ck_assert(summary->distinct >= 1 && summary->distinct <= column->dictionary->count);
    }
    teardown(&f);
}
END_TEST

START_TEST(texts_and_durations_can_be_read_alone)
{
    struct fixture f;
    struct sp_error error;
    setup(&f);
    make_random(&f, 11, 900, 10);
    struct sp_block_head head = assert_round_trip(&f);
    for (uint32_t c = 0; c < head.block.column_count; c++) {
        const struct sp_test_chunk *chunk =
            sp_test_chunks_find(&f.chunks, SP_CHUNK_FIRST_COLUMN + c);
        struct sp_column column;
        struct sp_dictionary texts;
        if (chunk == NULL)
            continue;
        struct sp_slice bytes = sp_slice_make(chunk->ptr, chunk->len);
        ck_assert_int_eq(
            sp_block_decode_column(f.decoder, &head, c, bytes, &f.decoded, &column, &error), SP_OK);
        if (column.codes == NULL)
            continue;
        ck_assert_int_eq(
            sp_block_decode_dictionary(f.decoder, &head, c, bytes, &f.decoded, &texts, &error),
            SP_OK);
        ck_assert_uint_eq(texts.count, column.dictionary->count);
        for (uint32_t i = 0; i < texts.count; i++)
            ck_assert(sp_slice_equal(texts.texts[i], column.dictionary->texts[i]));
    }
    const struct sp_test_chunk *ends = sp_test_chunks_find(&f.chunks, SP_CHUNK_ENDS);
    const uint64_t *durations;
    ck_assert_int_eq(sp_block_decode_durations(f.decoder, &head,
                                               sp_slice_make(ends->ptr, ends->len), &f.decoded,
                                               &durations, &error),
                     SP_OK);
    for (size_t i = 0; i < f.count; i++)
        ck_assert_uint_eq(durations[i], f.spans[i]->end_unix_ns - f.spans[i]->start_unix_ns);
    teardown(&f);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("block codec");
    TCase *tests = tcase_create("block codec");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, chunks_give_back_every_field_of_random_spans);
    tcase_add_test(tests, decoded_block_can_be_encoded_again);
    tcase_add_test(tests, block_without_rows_is_its_head);
    tcase_add_test(tests, block_of_one_plain_span_comes_back);
    tcase_add_test(tests, full_block_of_one_trace_of_equal_spans_is_little_but_its_ids);
    tcase_add_test(tests, parents_of_every_kind_come_back);
    tcase_add_test(tests, times_at_the_edges_come_back);
    tcase_add_test(tests, block_in_which_every_row_has_a_template_of_its_own_comes_back);
    tcase_add_test(tests, huge_texts_come_back);
    tcase_add_test(tests, every_flipped_byte_is_found);
    tcase_add_test(tests, every_truncation_is_found);
    tcase_add_test(tests, missing_chunks_are_found);
    tcase_add_test(tests, chunks_of_another_block_or_place_are_found);
    tcase_add_test(tests, newer_version_is_not_called_damage);
    tcase_add_test(tests, content_that_no_encoder_made_is_refused_or_read);
    tcase_add_test(tests, full_arena_is_an_error);
    tcase_add_test(tests, errors_of_the_sink_are_handed_on);
    tcase_add_test(tests, encoding_without_memory_says_so);
    tcase_add_test(tests, decoding_without_memory_says_so);
    tcase_add_test(tests, summaries_say_what_the_columns_hold);
    tcase_add_test(tests, texts_and_durations_can_be_read_alone);
    suite_add_tcase(suite, tests);
    return suite;
}
