/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_check.c: what sp_store_check says when one value of the database is damaged: it names that one, and nothing
 * else. Only for the engine on disk. Files, and what cannot be checked: test_check_files.c. */
#include "storage/block_codec.h"
#include "storage/kv.h"
#include "storage/layout.h"
#include "storage/pack.h"
#include "storage/rollup.h"
#include "storage/segment.h"
#include "storage/segment_layout.h"
#include "tests/contract/check_report.h"
#include "tests/support/check_main.h"

#include <stdio.h>

/* ---- rows ---- */

static struct sp_kv *open_database(const char *folder)
{
    char path[FOLDER_BYTES];
    struct sp_kv *kv;
    snprintf(path, sizeof(path), "%s/db", folder);
    ck_assert_int_eq(sp_kv_open(path, false, &kv, NULL), SP_OK);
    return kv;
}

static void write_row(struct sp_kv *kv, enum sp_kv_family family, struct sp_slice key,
                      struct sp_slice value)
{
    struct sp_kv_batch *batch = sp_kv_batch_new();
    if (value.ptr != NULL)
        sp_kv_batch_put(batch, kv, family, key, value);
    else
        sp_kv_batch_delete(batch, kv, family, key);
    ck_assert_int_eq(sp_kv_write(kv, batch, true, NULL), SP_OK);
    sp_kv_batch_free(batch);
}

/* The row of that number in a family, in its order; the arena's memory. */
struct row {
    struct sp_slice key, value;
};

static struct row row_at(struct sp_kv *kv, struct sp_arena *arena, enum sp_kv_family family,
                         size_t number)
{
    struct row row = {0};
    struct sp_kv_iterator *rows = sp_kv_iterator_new(kv, family);
    sp_kv_iterator_seek(rows, SP_SLICE(""));
    for (; number > 0 && sp_kv_iterator_valid(rows); number--)
        sp_kv_iterator_next(rows);
    if (sp_kv_iterator_valid(rows)) {
        struct sp_slice key = sp_kv_iterator_key(rows);
        struct sp_slice value = sp_kv_iterator_value(rows);
        uint8_t *bytes = sp_arena_alloc(arena, key.len + value.len);
        memcpy(bytes, key.ptr, key.len);
        memcpy(bytes + key.len, value.ptr, value.len);
        row =
            (struct row){sp_slice_make(bytes, key.len), sp_slice_make(bytes + key.len, value.len)};
    }
    sp_kv_iterator_free(rows);
    return row;
}

static uint8_t *bytes_of(struct sp_slice slice)
{
    return (uint8_t *)(uintptr_t)slice.ptr; /* the arena's, so ours to change */
}

/* ---- one thing damaged ---- */

START_TEST(every_damaged_or_missing_chunk_is_named)
{
    struct fixture fixture;
    make_store(&fixture, without_merges());
    close_store(&fixture);
    for (size_t number = 0;; number++) {
        struct sp_kv *kv = open_database(fixture.data_dir);
        struct row row = row_at(kv, &fixture.arena, SP_KV_CHUNKS, number);
        if (row.key.len == 0 || row.key.ptr[7] > 2) { /* two segments are enough */
            ck_assert_uint_gt(number, 40);
            sp_kv_close(kv);
            break;
        }
        uint8_t *bytes = bytes_of(row.value);
        bytes[row.value.len / 2] ^= 0x10;
        write_row(kv, SP_KV_CHUNKS, row.key, row.value);
        sp_kv_close(kv);
        const char *part = row.key.len == SP_ROLLUP_KEY_BYTES  ? ""
                           : row.key.len == SP_VALUE_KEY_BYTES ? "values of group 0, page "
                                                               : "block 0, ";
        char place[64];
        snprintf(place, sizeof(place), "segment %u, %s", row.key.ptr[7], part);
        assert_damage(fixture.data_dir, "checksum", place, 1);

        kv = open_database(fixture.data_dir);
        write_row(kv, SP_KV_CHUNKS, row.key, (struct sp_slice){0});
        sp_kv_close(kv);
        assert_damage(fixture.data_dir, "missing", place, 1);

        kv = open_database(fixture.data_dir);
        bytes[row.value.len / 2] ^= 0x10;
        write_row(kv, SP_KV_CHUNKS, row.key, row.value);
        sp_kv_close(kv);
        sp_arena_reset(&fixture.arena);
    }
    assert_sound(fixture.data_dir);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(damage_says_which_column_and_which_spans)
{
    struct fixture fixture;
    struct report report;
    make_store(&fixture, without_merges());
    close_store(&fixture);
    struct sp_kv *kv = open_database(fixture.data_dir);
    struct row row;
    for (size_t i = 0;; i++) { /* the first column of the first segment */
        row = row_at(kv, &fixture.arena, SP_KV_CHUNKS, i);
        if (row.key.len == SP_CHUNK_KEY_BYTES && row.key.ptr[29] == SP_CHUNK_FIRST_COLUMN)
            break;
    }
    bytes_of(row.value)[3] ^= 1;
    write_row(kv, SP_KV_CHUNKS, row.key, row.value);
    sp_kv_close(kv);
    ck_assert_int_eq(check_folder(fixture.data_dir, &report), SP_OK);
    ck_assert_uint_eq(report.damage_count, 1);
    ck_assert_ptr_nonnull(strstr(text_of(&report), "segment 1, block 0, column 0 ("));
    ck_assert_ptr_nonnull(strstr(text_of(&report), "not checked: calls between services"));
    ck_assert_uint_gt(report.span_count, 0);
    ck_assert_uint_le(report.span_count, 60);
    ck_assert_uint_eq(report.summary.segment_count, SEGMENTS);
    ck_assert_uint_eq(report.summary.span_count, 60 * (SEGMENTS - 1)); /* it went on */
    sp_buf_fini(&report.text);
    fixture_fini(&fixture);
}
END_TEST

/* Adds to one number of a header, modulo 2^64, and makes its checksum right again. field: in the order on disk. */
static void change_header(struct sp_kv *kv, struct sp_arena *arena, uint32_t field, uint64_t more)
{
    struct row row = row_at(kv, arena, SP_KV_SEGMENTS, 0);
    struct sp_buf changed;
    uint64_t id;
    ck_assert(sp_segment_key_parse(row.key, &id));
    sp_buf_init(&changed, 1024 * 1024);
    struct sp_slice rest = sp_slice_sub(row.value, 1, row.value.len - 9);
    sp_buf_append_byte(&changed, row.value.ptr[0]);
    for (uint32_t i = 0; i <= field; i++) {
        uint64_t number;
        ck_assert(sp_unpack_varint(&rest, &number));
        sp_pack_varint(i == field ? number + more : number, &changed);
    }
    sp_buf_append_slice(&changed, rest);
    uint64_t checksum = sp_checksum(sp_buf_slice(&changed), id);
    sp_buf_append(&changed, &checksum, sizeof(checksum));
    write_row(kv, SP_KV_SEGMENTS, row.key, sp_buf_slice(&changed));
    sp_buf_fini(&changed);
}

static enum sp_status put_page(void *cookie, const struct sp_value_place *place,
                               struct sp_slice bytes, struct sp_error *reterr)
{
    uint8_t key[SP_VALUE_KEY_BYTES];
    (void)reterr;
    sp_value_key(place, key);
    write_row(cookie, SP_KV_CHUNKS, sp_slice_make(key, sizeof(key)), bytes);
    return SP_OK;
}

START_TEST(header_that_contradicts_its_blocks_is_named)
{
    static const char *const said[] = {
        NULL,
        NULL,
        "segment 1, header: spans: 61 is stored, and 60 was found",
        "segment 1, header: traces: 10 is stored",
        "headers of all segments: new traces: together they store 10",
        "segment 1, header: bytes of chunks",
        "segment 1, header: first start",
        "segment 1, header: last start"};
    for (uint32_t field = 2; field < SP_ARRAY_LEN(said); field++) {
        struct fixture fixture;
        make_store(&fixture, without_merges());
        close_store(&fixture);
        struct sp_kv *kv = open_database(fixture.data_dir);
        change_header(kv, &fixture.arena, field, 1);
        sp_kv_close(kv);
        /* Traces, all and new ones, are also added up over all segments. */
        assert_damage(fixture.data_dir, "disagreement", said[field],
                      field == 3 || field == 4 ? 2 : 1);
        fixture_fini(&fixture);
    }
}
END_TEST

START_TEST(damaged_headers_and_filters_are_named)
{
    struct fixture fixture;
    make_store(&fixture, without_merges());
    close_store(&fixture);
    struct sp_kv *kv = open_database(fixture.data_dir);
    struct row row = row_at(kv, &fixture.arena, SP_KV_SEGMENTS, 0);
    uint8_t *bytes = bytes_of(row.value);
    uint64_t checksum;
    size_t len = row.value.len - sizeof(checksum);
    const size_t groups = 4; /* behind it: one group, four numbers of one byte */
    memset(bytes + len - groups - SP_FILTER_BYTES_PER_BLOCK, 0, SP_FILTER_BYTES_PER_BLOCK);
    checksum = sp_checksum(sp_slice_make(bytes, len), 1);
    memcpy(bytes + len, &checksum, sizeof(checksum));
    write_row(kv, SP_KV_SEGMENTS, row.key, row.value);
    sp_kv_close(kv);
    /* The segment's traces cannot be found there, so neither are they shared. */
    struct report report;
    ck_assert_int_eq(check_folder(fixture.data_dir, &report), SP_OK);
    ck_assert_ptr_nonnull(
        strstr(text_of(&report), "disagreement: segment 1, trace filter: it does not know 9 of"));
    sp_buf_fini(&report.text);

    kv = open_database(fixture.data_dir);
    bytes[3] ^= 1;
    write_row(kv, SP_KV_SEGMENTS, row.key, row.value);
    sp_kv_close(kv);
    assert_damage(fixture.data_dir, "checksum", "segment 1, header", 1);
    kv = open_database(fixture.data_dir);
    bytes[0] = 99;
    write_row(kv, SP_KV_SEGMENTS, row.key, row.value);
    sp_kv_close(kv);
    assert_damage(fixture.data_dir, "unreadable", "segment 1, header", 1);
    fixture_fini(&fixture);
}
END_TEST

/* Pages that are whole, in their place, and of other values. */
START_TEST(values_of_other_spans_are_named)
{
    struct fixture fixture;
    make_store(&fixture, without_merges());
    close_store(&fixture);
    struct sp_kv *kv = open_database(fixture.data_dir);
    struct sp_zstd_packer *zstd = sp_zstd_packer_new();
    struct sp_numbers_writer writer = {.zstd = zstd};
    const struct sp_value_sink sink = {.take = put_page, .cookie = kv};
    struct sp_value_items items;
    struct sp_value_group group;
    sp_value_items_init(&items);
    sp_value_items_pass(&items);
    ck_assert_int_eq(sp_value_pages_write(&items, 1, 0, &writer, &sink, &group, NULL), SP_OK);
    sp_value_items_fini(&items);
    sp_numbers_writer_fini(&writer);
    sp_zstd_packer_free(zstd);
    sp_kv_close(kv);
    struct report report;
    ck_assert_int_eq(check_folder(fixture.data_dir, &report), SP_OK);
    ck_assert_msg(strstr(text_of(&report), "disagreement: segment 1, values of group 0: 2 pages") !=
                      NULL,
                  "%s", text_of(&report));
    sp_buf_fini(&report.text);
    fixture_fini(&fixture);
}
END_TEST

/* What a segment says by minute, in the place of another's. */
START_TEST(counts_and_calls_of_other_spans_are_named)
{
    static const char *const names[] = {"operations and attribute keys by minute",
                                        "calls between services by minute"};
    for (unsigned which = 0; which < 2; which++) {
        struct fixture fixture;
        make_store(&fixture, without_merges());
        close_store(&fixture);
        struct sp_kv *kv = open_database(fixture.data_dir);
        struct row rows[2];
        for (size_t i = 0, found = 0; found < 2; i++) {
            struct row row = row_at(kv, &fixture.arena, SP_KV_CHUNKS, i);
            if (row.key.len == SP_ROLLUP_KEY_BYTES && row.key.ptr[8] == which)
                rows[found++] = row;
        }
        write_row(kv, SP_KV_CHUNKS, rows[0].key, rows[1].value);
        sp_kv_close(kv);
        struct report report;
        ck_assert_int_eq(check_folder(fixture.data_dir, &report), SP_OK);
        ck_assert_uint_ge(report.damage_count, 1);
        ck_assert_msg(strstr(text_of(&report), names[which]) != NULL, "%s", text_of(&report));
        ck_assert_ptr_nonnull(strstr(text_of(&report), "disagreement: "));
        sp_buf_fini(&report.text);
        fixture_fini(&fixture);
    }
}
END_TEST

/* An exemplar that is another span than the slowest. */
START_TEST(exemplars_that_are_not_the_slowest_are_named)
{
    struct fixture fixture;
    struct sp_rollup counts;
    struct sp_buf bytes;
    struct row row = {0};
    make_store(&fixture, without_merges());
    close_store(&fixture);
    struct sp_kv *kv = open_database(fixture.data_dir);
    for (size_t i = 0; row.key.len != SP_ROLLUP_KEY_BYTES; i++)
        row = row_at(kv, &fixture.arena, SP_KV_CHUNKS, i);
    ck_assert_uint_eq(row.key.ptr[8], SP_SEGMENT_COUNTS);
    sp_rollup_init(&counts);
    sp_buf_init(&bytes, SIZE_MAX);
    ck_assert_int_eq(sp_rollup_decode(row.value, &counts, NULL), SP_OK);
    counts.rows.items[0].exemplars.slowest.span_id.bytes[3] ^= 1;
    ck_assert_int_eq(sp_rollup_encode(&counts, &bytes, NULL), SP_OK);
    write_row(kv, SP_KV_CHUNKS, row.key, sp_buf_slice(&bytes));
    sp_kv_close(kv);
    struct report report;
    ck_assert_int_eq(check_folder(fixture.data_dir, &report), SP_OK);
    ck_assert_uint_eq(report.damage_count, 1);
    ck_assert_msg(strstr(text_of(&report), "in 1 places; the first: exemplars of ") != NULL, "%s",
                  text_of(&report));
    sp_buf_fini(&report.text);
    sp_buf_fini(&bytes);
    sp_rollup_fini(&counts);
    fixture_fini(&fixture);
}
END_TEST

/* Nobody shares its traces: then the segment is named, and the call. */
START_TEST(calls_of_a_segment_by_itself_are_named)
{
    struct fixture fixture;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    fixture.options.sizes = without_merges();
    fixture_reopen(&fixture);
    for (uint64_t i = 1; i <= 2; i++) {
        struct sp_span spans[2] = {
            simple_span(i, 10, 1767268800000000000ULL, 5000, "shop", "call"),
            simple_span(i, 11, 1767268800000000000ULL, 3000, i == 1 ? "cart" : "stock", "serve")};
        spans[0].kind = SP_KIND_CLIENT;
        spans[1].kind = SP_KIND_SERVER;
        spans[1].parent_span_id = spans[0].span_id;
        append(&fixture, batch_of(&fixture.arena, spans, 2));
        wait_for_merges(fixture.store);
        fixture_reopen(&fixture);
    }
    close_store(&fixture);
    assert_sound(fixture.data_dir);
    struct sp_kv *kv = open_database(fixture.data_dir);
    struct row rows[2];
    for (size_t i = 0, found = 0; found < 2; i++) {
        struct row row = row_at(kv, &fixture.arena, SP_KV_CHUNKS, i);
        if (row.key.len == SP_ROLLUP_KEY_BYTES && row.key.ptr[8] == SP_SEGMENT_EDGES)
            rows[found++] = row;
    }
    write_row(kv, SP_KV_CHUNKS, rows[0].key, rows[1].value);
    sp_kv_close(kv);
    struct report report;
    ck_assert_int_eq(check_folder(fixture.data_dir, &report), SP_OK);
    ck_assert_msg(report.damage_count == 1, "%s", text_of(&report));
    ck_assert_ptr_nonnull(
        strstr(text_of(&report), "disagreement: segment 1, calls between services by minute: "));
    ck_assert_ptr_nonnull(strstr(text_of(&report), "from \"shop\" to \"stock\""));
    sp_buf_fini(&report.text);
    fixture_fini(&fixture);
}
END_TEST

/* ---- a block that lies about itself ---- */

struct rewriting {
    struct sp_kv *kv;
    const struct sp_segment *segment;
};

static enum sp_status put_chunk(void *cookie, uint32_t chunk, struct sp_slice bytes,
                                struct sp_error *reterr)
{
    const struct rewriting *rewriting = cookie;
    uint8_t key[SP_CHUNK_KEY_BYTES];
    (void)reterr;
    sp_chunk_key(rewriting->segment->id, &rewriting->segment->blocks[0].first, 0, chunk, key);
    write_row(rewriting->kv, SP_KV_CHUNKS, sp_slice_make(key, sizeof(key)), bytes);
    return SP_OK;
}

/* Writes the first block of a segment again, as change has changed it. */
static void rewrite_block(struct fixture *fixture, void (*change)(struct sp_block *block))
{
    struct sp_kv *kv = open_database(fixture->data_dir);
    struct row header = row_at(kv, &fixture->arena, SP_KV_SEGMENTS, 0);
    struct rewriting rewriting = {.kv = kv};
    struct sp_segment *segment;
    struct sp_block_reader reader;
    struct sp_block_encoder *encoder;
    ck_assert_int_eq(sp_segment_read_header(1, header.value, &segment, NULL), SP_OK);
    rewriting.segment = segment;
    ck_assert_int_eq(sp_block_reader_init(&reader, kv, NULL), SP_OK);
    ck_assert_int_eq(sp_block_reader_open(&reader, segment, 0, NULL), SP_OK);
    ck_assert_int_eq(sp_block_reader_all(&reader, NULL), SP_OK);
    struct sp_span spans[64];
    const struct sp_span *pointers[64];
    struct sp_block_builder *builder;
    struct sp_block block;
    size_t taken;
    uint32_t count = reader.block.tables[SP_BLOCK_SPANS].count;
    ck_assert_uint_le(count, SP_ARRAY_LEN(spans));
    ck_assert_int_eq(sp_block_spans(&reader.block, 0, count, false, &fixture->arena, spans, NULL),
                     SP_OK);
    for (uint32_t i = 0; i < count; i++)
        pointers[i] = &spans[i];
    ck_assert_int_eq(sp_block_builder_new(&builder, NULL), SP_OK);
    ck_assert_int_eq(sp_block_builder_add_spans(builder, pointers, count, &taken, NULL), SP_OK);
    ck_assert_int_eq(sp_block_builder_view(builder, &block, NULL), SP_OK);
    change(&block);
    ck_assert_int_eq(sp_block_encoder_new(&encoder, NULL), SP_OK);
    const struct sp_chunk_sink sink = {.take = put_chunk, .cookie = &rewriting};
    ck_assert_int_eq(sp_block_encode(encoder, &block, &sink, NULL), SP_OK);
    sp_block_encoder_free(encoder);
    sp_block_builder_free(builder);
    sp_block_reader_fini(&reader);
    sp_segment_unref(segment);
    sp_kv_close(kv);
}

static void change_nothing(struct sp_block *block)
{
    (void)block;
}

/* Of the chunks of the first segment's blocks. */
static uint64_t chunk_bytes(const struct fixture *fixture)
{
    struct sp_kv *kv = open_database(fixture->data_dir);
    struct sp_kv_iterator *rows = sp_kv_iterator_new(kv, SP_KV_CHUNKS);
    uint64_t bytes = 0;
    for (sp_kv_iterator_seek(rows, SP_SLICE("")); sp_kv_iterator_valid(rows);
         sp_kv_iterator_next(rows)) {
        struct sp_slice key = sp_kv_iterator_key(rows);
        if (key.len == SP_CHUNK_KEY_BYTES && key.ptr[7] == 1)
            bytes += sp_kv_iterator_value(rows).len;
    }
    sp_kv_iterator_free(rows);
    sp_kv_close(kv);
    return bytes;
}

/* The first block, made of its spans: what is in it is the same, how long it is may differ a little from what a seal made. */
static void make_anew(struct fixture *fixture)
{
    enum { BYTES = 5 }; /* the number in the header */
    uint64_t before = chunk_bytes(fixture);
    rewrite_block(fixture, change_nothing);
    uint64_t more = chunk_bytes(fixture) - before;
    struct sp_kv *kv = open_database(fixture->data_dir);
    change_header(kv, &fixture->arena, BYTES, more);
    sp_kv_close(kv);
}

static void move_last_start(struct sp_block *block)
{
    block->start_max_unix_ns++;
}

static void make_first_span_another(struct sp_block *block)
{
    bytes_of(sp_slice_make(block->starts, sizeof(uint64_t)))[0] ^= 1;
}

START_TEST(zone_maps_and_counts_that_are_not_true_are_named)
{
    struct fixture fixture;
    make_store(&fixture, without_merges());
    close_store(&fixture);
    make_anew(&fixture);
    assert_sound(fixture.data_dir);
    rewrite_block(&fixture, move_last_start);
    assert_damage(fixture.data_dir, "disagreement", "segment 1, block 0: last start, in the head",
                  2); /* and its length, by which its chunks differ from what the header says */
    fixture_fini(&fixture);

    make_store(&fixture, without_merges());
    close_store(&fixture);
    rewrite_block(&fixture, make_first_span_another);
    struct report report;
    ck_assert_int_eq(check_folder(fixture.data_dir, &report), SP_OK);
    ck_assert_msg(strstr(text_of(&report),
                         "disagreement: segment 1, operations and attribute keys "
                         "by minute: what is stored is not what its spans") != NULL,
                  "%s", text_of(&report));
    sp_buf_fini(&report.text);
    fixture_fini(&fixture);
}
END_TEST

/* ---- totals, services, journal, leftovers ---- */

START_TEST(totals_services_and_journal_are_checked)
{
    static const uint8_t garbage[] = {1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff};
    struct fixture fixture;
    make_store(&fixture, without_merges());
    close_store(&fixture);
    struct sp_kv *kv = open_database(fixture.data_dir);
    struct sp_buf value;
    struct sp_totals totals;
    sp_buf_init(&value, 4096);
    ck_assert_int_eq(sp_kv_get(kv, SP_KV_META, SP_LAYOUT_TOTALS_KEY, &value, NULL), SP_OK);
    ck_assert(sp_layout_totals_read(sp_buf_slice(&value), &totals));

    struct sp_layout_key record = sp_layout_journal_key(totals.sealed_sequence + 7);
    write_row(kv, SP_KV_JOURNAL, sp_layout_key_slice(&record),
              sp_slice_make(garbage, sizeof(garbage)));
    sp_kv_close(kv);
    char place[64];
    snprintf(place, sizeof(place), "journal, record %llu",
             (unsigned long long)totals.sealed_sequence + 7);
    assert_damage(fixture.data_dir, "unreadable", place, 1);

    kv = open_database(fixture.data_dir);
    write_row(kv, SP_KV_JOURNAL, sp_layout_key_slice(&record), (struct sp_slice){0});
    totals.sealed_sequence--;
    sp_buf_reset(&value);
    sp_layout_totals_write(&totals, &value);
    write_row(kv, SP_KV_META, SP_LAYOUT_TOTALS_KEY, sp_buf_slice(&value));
    sp_kv_close(kv);
    assert_damage(fixture.data_dir, "disagreement", "totals", 1);

    kv = open_database(fixture.data_dir);
    write_row(kv, SP_KV_META, SP_LAYOUT_TOTALS_KEY, (struct sp_slice){0});
    sp_kv_close(kv);
    assert_damage(fixture.data_dir, "missing", "totals", 1);

    kv = open_database(fixture.data_dir);
    totals.sealed_sequence++;
    sp_buf_reset(&value);
    sp_layout_totals_write(&totals, &value);
    write_row(kv, SP_KV_META, SP_LAYOUT_TOTALS_KEY, sp_buf_slice(&value));
    struct sp_layout_key slot = sp_layout_slot_key(0);
    write_row(kv, SP_KV_META, sp_layout_key_slice(&slot), SP_SLICE("another"));
    sp_kv_close(kv);
    struct report report;
    ck_assert_int_eq(check_folder(fixture.data_dir, &report), SP_OK);
    ck_assert_msg(strstr(text_of(&report), "has no colour slot") != NULL, "%s", text_of(&report));
    sp_buf_fini(&report.text);
    sp_buf_fini(&value);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(pinned_traces_are_known_and_looked_at)
{
    struct fixture fixture;
    struct sp_trace_id id = trace_id_of(7);
    struct sp_layout_key key = sp_layout_pin_key(&id);
    struct sp_buf value;
    make_store(&fixture, without_merges());
    close_store(&fixture);
    sp_buf_init(&value, 64);
    sp_layout_pin_write(1, &value);
    struct sp_kv *kv = open_database(fixture.data_dir);
    write_row(kv, SP_KV_META, sp_layout_key_slice(&key), sp_buf_slice(&value));
    sp_kv_close(kv);
    assert_sound(fixture.data_dir);

    kv = open_database(fixture.data_dir);
    write_row(kv, SP_KV_META, sp_layout_key_slice(&key), sp_slice_sub(sp_buf_slice(&value), 0, 8));
    sp_kv_close(kv);
    assert_damage(fixture.data_dir, "unreadable", "pinned traces", 1);
    sp_buf_fini(&value);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(chunks_that_no_header_names_are_leftovers_and_no_damage)
{
    struct fixture fixture;
    struct report report;
    make_store(&fixture, without_merges());
    close_store(&fixture);
    struct sp_kv *kv = open_database(fixture.data_dir);
    struct row row = row_at(kv, &fixture.arena, SP_KV_CHUNKS, 5);
    bytes_of(row.key)[7] = 77;
    write_row(kv, SP_KV_CHUNKS, row.key, row.value);
    sp_kv_close(kv);
    ck_assert_int_eq(check_folder(fixture.data_dir, &report), SP_OK);
    ck_assert_msg(report.damage_count == 0, "%s", text_of(&report));
    ck_assert_ptr_nonnull(strstr(text_of(&report), "leftover: segment 77: 1 values of"));
    sp_buf_fini(&report.text);
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("check");
    TCase *tests = tcase_create("check");
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, every_damaged_or_missing_chunk_is_named);
    tcase_add_test(tests, damage_says_which_column_and_which_spans);
    tcase_add_test(tests, header_that_contradicts_its_blocks_is_named);
    tcase_add_test(tests, damaged_headers_and_filters_are_named);
    tcase_add_test(tests, values_of_other_spans_are_named);
    tcase_add_test(tests, counts_and_calls_of_other_spans_are_named);
    tcase_add_test(tests, exemplars_that_are_not_the_slowest_are_named);
    tcase_add_test(tests, calls_of_a_segment_by_itself_are_named);
    tcase_add_test(tests, zone_maps_and_counts_that_are_not_true_are_named);
    tcase_add_test(tests, totals_services_and_journal_are_checked);
    tcase_add_test(tests, pinned_traces_are_known_and_looked_at);
    tcase_add_test(tests, chunks_that_no_header_names_are_leftovers_and_no_damage);
    suite_add_tcase(suite, tests);
    return suite;
}
