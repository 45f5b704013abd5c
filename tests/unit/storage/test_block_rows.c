/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/storage/test_block_rows.c: the spans of one trace come out of a block on disk as they went in, and no more of it is read
 * than they need. */
#include "storage/segment.h"
#include "storage/segment_layout.h"
#include "tests/support/check_main.h"
#include "tests/unit/storage/block_fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

/* A segment of one block. */
struct stored {
    char path[128];
    struct sp_kv *kv;
    struct block_fixture block;
    struct sp_segment *segment;
};

static void stored_init(struct stored *stored, uint64_t seed, unsigned odd_percent)
{
    const char *folder = getenv("TMPDIR");
    struct sp_segment_writer writer;
    const struct sp_segment_origin origin = {.names = SP_PEER_NAMES_BY_DESTINATION};
    struct sp_kv_batch *batch = sp_kv_batch_new();
    snprintf(stored->path, sizeof(stored->path), "%s/spoor-rows-XXXXXX",
             folder != NULL ? folder : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(stored->path));
    ck_assert_int_eq(sp_kv_open(stored->path, true, &stored->kv, NULL), SP_OK);
    ck_assert_int_eq(sp_segment_writer_init(&writer, stored->kv, batch, 3, NULL), SP_OK);
    block_fixture_init(&stored->block, seed, 300, odd_percent, seed % 2 == 0);
    ck_assert_int_eq(sp_segment_writer_add(&writer, &stored->block.whole, NULL), SP_OK);
    ck_assert_int_eq(sp_segment_writer_finish(&writer, &origin, &stored->segment, NULL), SP_OK);
    ck_assert_int_eq(sp_kv_write(stored->kv, batch, false, NULL), SP_OK);
    sp_segment_writer_fini(&writer);
    sp_kv_batch_free(batch);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static void stored_fini(struct stored *stored)
{
    sp_segment_unref(stored->segment);
    sp_kv_close(stored->kv);
    block_fixture_fini(&stored->block);
    nftw(stored->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static enum sp_status open_trace(struct sp_block_reader *reader, const struct stored *stored,
                                 uint32_t trace, uint32_t *ret_first, uint32_t *ret_count)
{
    enum sp_status status = sp_block_reader_open(reader, stored->segment, 0, NULL);
    if (status == SP_OK)
        status = sp_block_reader_fixed(reader, SP_CHUNK_TRACES, NULL);
    ck_assert_int_eq(status, SP_OK);
    *ret_count = sp_block_find(&reader->block, &stored->block.whole.trace_ids[trace], ret_first);
    ck_assert_uint_gt(*ret_count, 0);
    return sp_block_reader_rows(reader, *ret_first, *ret_count, NULL);
}

static void assert_spans(const struct sp_block_reader *reader, const struct stored *stored,
                         uint32_t first, uint32_t count)
{
    struct sp_arena arena;
    struct sp_span *spans = calloc(count, sizeof(*spans));
    sp_arena_init(&arena, SIZE_MAX);
    ck_assert_int_eq(sp_block_spans(&reader->block, first, count, true, &arena, spans, NULL),
                     SP_OK);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_msg(sp_span_equal(&spans[i], stored->block.spans[first + i]), "row %u",
                      first + i);
    sp_arena_fini(&arena);
    free(spans);
}

START_TEST(spans_of_each_trace_are_those_that_were_stored)
{
    struct stored stored;
    stored_init(&stored, 50 + (uint64_t)_i, _i < 2 ? 0 : 25);
    for (int streams = 0; streams < 2; streams++) {
        struct sp_block_reader reader;
        ck_assert_int_eq(sp_block_reader_init(&reader, stored.kv, NULL), SP_OK);
        if (streams)
            sp_block_reader_stream(&reader);
        for (uint32_t t = 0; t < stored.block.whole.trace_count; t++) {
            uint32_t first, count;
            /* Forwards and, over the same chunks, back. */
            uint32_t trace = t % 2 == 0 ? t : stored.block.whole.trace_count - t;
            ck_assert_int_eq(open_trace(&reader, &stored, trace, &first, &count), SP_OK);
            assert_spans(&reader, &stored, first, count);
        }
        sp_block_reader_fini(&reader);
    }
    stored_fini(&stored);
}
END_TEST

/* A damaged column is the loss of those traces only that have a value in it. */
START_TEST(columns_that_no_row_has_a_value_in_are_not_read)
{
    struct stored stored;
    struct sp_block_reader reader;
    uint32_t readable = 0;
    stored_init(&stored, 60, 20);
    const struct sp_block *block = &stored.block.whole;
    ck_assert_int_eq(sp_block_reader_init(&reader, stored.kv, NULL), SP_OK);
    for (uint32_t column = 0; column < block->column_count; column += 5) {
        uint8_t key[SP_CHUNK_KEY_BYTES];
        struct sp_kv_batch *batch = sp_kv_batch_new();
        sp_chunk_key(3, &block->trace_ids[0], 0, SP_CHUNK_FIRST_COLUMN + column, key);
        sp_kv_batch_delete(batch, stored.kv, SP_KV_CHUNKS, sp_slice_make(key, sizeof(key)));
        ck_assert_int_eq(sp_kv_write(stored.kv, batch, false, NULL), SP_OK);
        sp_kv_batch_free(batch);
    }
    for (uint32_t t = 0; t < block->trace_count; t++) {
        uint32_t first, count;
        enum sp_status status = open_trace(&reader, &stored, t, &first, &count);
        if (status == SP_OK)
            assert_spans(&reader, &stored, first, count);
        else
            ck_assert_int_eq(status, SP_CORRUPT);
        readable += status == SP_OK;
    }
    ck_assert_uint_gt(readable, 0);
    ck_assert_uint_lt(readable, block->trace_count);
    sp_block_reader_fini(&reader);
    stored_fini(&stored);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("block rows");
    TCase *tests = tcase_create("block rows");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, spans_of_each_trace_are_those_that_were_stored, 0, 6);
    tcase_add_test(tests, columns_that_no_row_has_a_value_in_are_not_read);
    suite_add_tcase(suite, tests);
    return suite;
}
