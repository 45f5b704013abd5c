/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/check.c: `sp_store_check`: opens a data directory that nobody uses, without changing a byte of it, and has everything in
 * it looked at: the files, the totals, the journal, the segments, and what is left over. Knows the database through kv.h only. */
#include "storage/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A request as it was received, and what it decodes to: as when the journal is replayed. */
#define RECORD_BYTES_MAX ((size_t)1024 * 1024 * 1024)

/* ---- findings ---- */

const char *sp_finding_kind_name(enum sp_finding_kind kind)
{
    static const char *const names[SP_FINDING_KIND_COUNT] = {
        [SP_FINDING_CHECKSUM] = "checksum", [SP_FINDING_UNREADABLE] = "unreadable",
        [SP_FINDING_MISSING] = "missing",   [SP_FINDING_DISAGREEMENT] = "disagreement",
        [SP_FINDING_LEFTOVER] = "leftover", [SP_FINDING_NOT_CHECKED] = "not checked",
    };
    return names[kind];
}

/* What lies in a block, or in all of a segment. */
static void fill_concerned(const struct sp_check_place *place, struct sp_finding *finding)
{
    const struct sp_segment *segment = place->segment;
    if (segment == NULL)
        return;
    finding->has_segment = true;
    finding->segment = segment->id;
    finding->has_spans = place->span_count > 0;
    if (place->block == SP_ROW_NONE) {
        finding->span_count =
            place->span_count == SP_CHECK_ALL ? segment->span_count : place->span_count;
        finding->has_times = segment->span_count > 0;
        finding->start_min_unix_ns = segment->start_min_unix_ns;
        finding->start_max_unix_ns = segment->start_max_unix_ns;
        return;
    }
    const struct sp_segment_block *block = &segment->blocks[place->block];
    finding->has_block = finding->has_traces = finding->has_times = true;
    finding->block = place->block;
    finding->span_count = place->span_count == SP_CHECK_ALL ? block->rows : place->span_count;
    finding->first_trace_id = block->first;
    finding->last_trace_id = block->last;
    finding->start_min_unix_ns = block->start_min_unix_ns;
    finding->start_max_unix_ns = block->start_max_unix_ns;
}

void sp_check_found(struct sp_check *check, enum sp_finding_kind kind,
                    const struct sp_check_place *place, const char *format, ...)
{
    struct sp_error detail;
    struct sp_error where;
    char text[SP_ERROR_MESSAGE_MAX];
    char segment[64] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (place->segment != NULL && place->block != SP_ROW_NONE)
        snprintf(segment, sizeof(segment), "segment %llu, block %u",
                 (unsigned long long)place->segment->id, place->block);
    else if (place->segment != NULL)
        snprintf(segment, sizeof(segment), "segment %llu", (unsigned long long)place->segment->id);
    /* Both quote what stands on disk: an error's message is free of control characters. */
    sp_error_set(&detail, SP_CORRUPT, "%s", text);
    sp_error_set(&where, SP_CORRUPT, "%s%s%s", segment,
                 segment[0] != '\0' && place->part[0] != '\0' ? ", " : "", place->part);
    struct sp_finding finding = {.kind = kind, .place = where.message, .detail = detail.message};
    fill_concerned(place, &finding);
    check->summary->findings[kind]++;
    if (check->options->found != NULL)
        check->options->found(check->options->cookie, &finding);
}

enum sp_finding_kind sp_check_kind_of(const struct sp_error *error)
{
    return strstr(error->message, "checksum mismatch") != NULL ? SP_FINDING_CHECKSUM
                                                               : SP_FINDING_UNREADABLE;
}

bool sp_check_is_damage(enum sp_status status)
{
    return status == SP_CORRUPT || status == SP_VERSION || status == SP_IO ||
           status == SP_NOT_FOUND || status == SP_PERMISSION;
}

void sp_check_progress(struct sp_check *check, const char *what, uint64_t done, uint64_t all)
{
    if (check->options->progress != NULL)
        check->options->progress(check->options->cookie, what, done, all);
}

/* ---- files ---- */

static enum sp_status check_file(void *cookie, const char *name, uint64_t bytes,
                                 struct sp_error *reterr)
{
    struct sp_check *check = cookie;
    char path[4096];
    char place_name[300];
    struct stat info;
    snprintf(path, sizeof(path), "%s%s", check->dir.db, name);
    snprintf(place_name, sizeof(place_name), "file db%s", name);
    const struct sp_check_place place = sp_check_part(place_name);
    check->summary->file_count++;
    (void)reterr;
    if (stat(path, &info) != 0)
        sp_check_found(check, errno == ENOENT ? SP_FINDING_MISSING : SP_FINDING_UNREADABLE, &place,
                       "%s", strerror(errno));
    else if ((uint64_t)info.st_size != bytes)
        sp_check_found(check, SP_FINDING_DISAGREEMENT, &place,
                       "it has %llu bytes, and had %llu when it was written",
                       (unsigned long long)info.st_size, (unsigned long long)bytes);
    return SP_OK;
}

/* Once as strictly as the server does, and if that fails as far as it goes. */
static enum sp_status open_database(struct sp_check *check, struct sp_error *reterr)
{
    const struct sp_check_place place = sp_check_part("database");
    struct sp_error error = {0};
    enum sp_status status = sp_kv_open_read_only(check->dir.db, false, &check->kv, &error);
    if (status == SP_OK || !sp_check_is_damage(status) || status == SP_PERMISSION) {
        if (status != SP_OK && reterr != NULL)
            *reterr = error;
        return status;
    }
    sp_check_found(check, sp_check_kind_of(&error), &place, "it cannot be opened: %s",
                   error.message);
    status = sp_kv_open_read_only(check->dir.db, true, &check->kv, &error);
    if (status == SP_OK)
        return SP_OK;
    sp_check_found(check, SP_FINDING_NOT_CHECKED, &place,
                   "nothing in it can be read as long as it cannot be opened");
    return SP_OK;
}

/* ---- keys and values of a family ---- */

/* Where to go on behind damage: a key with a higher number in front. Both families whose values are large begin with one. */
static void skip_damage(struct sp_kv_iterator *rows, uint64_t *number, uint64_t *step)
{
    uint8_t key[SP_SEGMENT_KEY_BYTES];
    if (*number > UINT64_MAX - *step) {
        *step = 0;
        return;
    }
    *number += *step;
    *step *= 2;
    sp_segment_key(*number, key);
    sp_kv_iterator_seek(rows, sp_slice_make(key, sizeof(key)));
}

static uint64_t number_of(struct sp_slice key)
{
    uint64_t number = 0;
    for (size_t i = 0; i < 8; i++)
        number = number << 8 | (i < key.len ? key.ptr[i] : 0);
    return number;
}

struct rows {
    struct sp_kv_iterator *iterator; /* of the family; NULL: no memory. Freed at the end */
    const char *name;
    enum sp_status (*visit)(struct sp_check *check, struct sp_slice key, struct sp_slice value,
                            void *cookie, struct sp_error *reterr);
    void *cookie;
    bool is_damaged; /* some could not be read */
};

/* Reads all rows, so that every checksum of the files is looked at, and goes on behind damage. */
static enum sp_status each_row(struct sp_check *check, struct rows *rows, struct sp_error *reterr)
{
    const struct sp_check_place place = sp_check_part(rows->name);
    struct sp_kv_iterator *iterator = rows->iterator;
    enum sp_status status = SP_OK;
    uint64_t number = 0;
    uint64_t step = 1;
    if (iterator == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to check the database");
    sp_kv_iterator_seek(iterator, SP_SLICE(""));
    while (status == SP_OK && step > 0) {
        struct sp_error error = {0};
        if (sp_kv_iterator_valid(iterator)) {
            step = 1;
            number = number_of(sp_kv_iterator_key(iterator));
            status = rows->visit(check, sp_kv_iterator_key(iterator),
                                 sp_kv_iterator_value(iterator), rows->cookie, reterr);
            sp_kv_iterator_next(iterator);
            continue;
        }
        enum sp_status ended = sp_kv_iterator_status(iterator, &error);
        if (ended == SP_OK)
            break;
        if (!sp_check_is_damage(ended)) {
            if (reterr != NULL)
                *reterr = error;
            status = ended;
            break;
        }
        rows->is_damaged = true;
        if (step == 1)
            sp_check_found(check, sp_check_kind_of(&error), &place, "%s", error.message);
        skip_damage(iterator, &number, &step);
    }
    sp_kv_iterator_free(iterator);
    return status;
}

/* ---- headers ---- */

static enum sp_status visit_header(struct sp_check *check, struct sp_slice key,
                                   struct sp_slice value, void *cookie, struct sp_error *reterr)
{
    const struct sp_check_place place = sp_check_part("headers of segments");
    struct sp_check_segment made = {0};
    struct sp_error error = {0};
    uint64_t id;
    (void)cookie;
    if (!sp_segment_key_parse(key, &id)) {
        sp_check_found(check, SP_FINDING_UNREADABLE, &place, "a key is none of a segment");
        return SP_OK;
    }
    enum sp_status status = sp_segment_read_header(id, value, &made.segment, &error);
    if (status == SP_CORRUPT || status == SP_VERSION) {
        char name[64];
        snprintf(name, sizeof(name), "segment %llu, header", (unsigned long long)id);
        const struct sp_check_place header = sp_check_part(name);
        bool is_whole = status == SP_VERSION || sp_segment_header_is_whole(id, value);
        sp_check_found(check, is_whole ? SP_FINDING_UNREADABLE : SP_FINDING_CHECKSUM, &header,
                       "%s: its spans cannot be found", error.message);
        check->lacks_segments = true;
        return SP_OK;
    }
    if (status != SP_OK) {
        if (reterr != NULL)
            *reterr = error;
        return status;
    }
    if (!sp_vector_push(&check->segments, made)) {
        sp_segment_unref(made.segment);
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to check segments");
    }
    check->blocks_all += made.segment->block_count;
    check->summary->bytes += value.len;
    return SP_OK;
}

static int compare_sequences(const void *a, const void *b)
{
    const struct sp_segment *x = ((const struct sp_check_segment *)a)->segment;
    const struct sp_segment *y = ((const struct sp_check_segment *)b)->segment;
    return (x->first_sequence > y->first_sequence) - (x->first_sequence < y->first_sequence);
}

static void check_order(struct sp_check *check, bool has_totals)
{
    const struct sp_check_place totals = sp_check_part("totals");
    uint64_t last = 0;
    for (uint32_t i = 0; i < check->segments.count; i++) {
        const struct sp_segment *segment = check->segments.items[i].segment;
        const struct sp_check_place place = {segment, SP_ROW_NONE, "header", SP_CHECK_ALL};
        if (segment->first_sequence > segment->last_sequence || segment->first_sequence <= last)
            sp_check_found(check, SP_FINDING_DISAGREEMENT, &place,
                           "it holds the requests %llu to %llu, and another one those up to %llu",
                           (unsigned long long)segment->first_sequence,
                           (unsigned long long)segment->last_sequence, (unsigned long long)last);
        last = segment->last_sequence > last ? segment->last_sequence : last;
    }
    if (!has_totals && check->segments.count > 0)
        sp_check_found(check, SP_FINDING_MISSING, &totals, "they are not there");
    else if (last > check->totals.sealed_sequence)
        sp_check_found(check, SP_FINDING_DISAGREEMENT, &totals,
                       "requests up to %llu are said to be in segments, and those up to %llu are: "
                       "spans would be counted twice",
                       (unsigned long long)check->totals.sealed_sequence, (unsigned long long)last);
}

/* ---- the journal ---- */

static enum sp_status check_record(struct sp_check *check, uint64_t sequence, struct sp_slice value,
                                   struct sp_error *reterr)
{
    struct sp_journal_record record;
    struct sp_error error = {0};
    char name[64];
    snprintf(name, sizeof(name), "journal, record %llu", (unsigned long long)sequence);
    const struct sp_check_place place = sp_check_part(name);
    if (!sp_layout_journal_read(value, &record)) {
        sp_check_found(check, SP_FINDING_UNREADABLE, &place, "it is not what was written");
        return SP_OK;
    }
    const struct sp_store_codec *codec = &check->options->codec;
    const struct sp_batch *batch;
    struct sp_buf unpacked;
    struct sp_buf plain;
    sp_buf_init(&unpacked, RECORD_BYTES_MAX);
    sp_buf_init(&plain, RECORD_BYTES_MAX);
    sp_arena_reset(&check->values_arena);
    enum sp_status status =
        record.packed ? sp_layout_body_unpack(record.body, &unpacked, &error) : SP_OK;
    if (status == SP_OK)
        status = codec->decode(codec->cookie, record.format, record.encoding,
                               record.packed ? sp_buf_slice(&unpacked) : record.body, &plain,
                               &check->values_arena, &batch, &error);
    if (status == SP_OK) {
        check->summary->journal_record_count++;
        check->summary->journal_span_count += batch->span_count;
        check->summary->bytes += value.len;
    } else if (status != SP_NO_MEMORY) {
        sp_check_found(check, SP_FINDING_UNREADABLE, &place, "its body cannot be decoded: %s",
                       error.message);
        status = SP_OK;
    } else if (reterr != NULL) {
        *reterr = error;
    }
    sp_buf_fini(&unpacked);
    sp_buf_fini(&plain);
    return status;
}

/* Records up to the last one in a segment are deleted, but stand in the files for a while; damage there stops the database when it
 * tidies up. So they are read, too. */
static enum sp_status visit_record(struct sp_check *check, struct sp_slice key,
                                   struct sp_slice value, void *cookie, struct sp_error *reterr)
{
    const struct sp_check_place place = sp_check_part("journal");
    uint64_t sequence;
    (void)cookie;
    if (!sp_layout_journal_parse(key, &sequence))
        sp_check_found(check, SP_FINDING_UNREADABLE, &place, "a key is none of a record");
    else if (sequence > check->totals.sealed_sequence)
        return check_record(check, sequence, value, reterr);
    return SP_OK;
}

/* ---- chunks that nothing names ---- */

struct chunks {
    uint64_t id; /* of the segment at hand */
    uint64_t values, bytes;
};

static const struct sp_check_segment *find_segment(const struct sp_check *check, uint64_t id)
{
    for (uint32_t i = 0; i < check->segments.count; i++)
        if (check->segments.items[i].segment->id == id)
            return &check->segments.items[i];
    return NULL;
}

static void end_chunks(struct sp_check *check, struct chunks *chunks)
{
    const struct sp_check_segment *segment = find_segment(check, chunks->id);
    char name[64];
    snprintf(name, sizeof(name), "segment %llu", (unsigned long long)chunks->id);
    const struct sp_check_place place = sp_check_part(name);
    if (chunks->values > 0 && segment == NULL && !check->lacks_segments)
        sp_check_found(check, SP_FINDING_LEFTOVER, &place,
                       "%llu values of %llu bytes, which no header names",
                       (unsigned long long)chunks->values, (unsigned long long)chunks->bytes);
    else if (segment != NULL && !segment->is_damaged && chunks->values > segment->value_count)
        sp_check_found(check, SP_FINDING_LEFTOVER, &place,
                       "%llu values are stored, of which its blocks name %llu",
                       (unsigned long long)chunks->values,
                       (unsigned long long)segment->value_count);
    chunks->values = chunks->bytes = 0;
}

static enum sp_status visit_chunk(struct sp_check *check, struct sp_slice key,
                                  struct sp_slice value, void *cookie, struct sp_error *reterr)
{
    struct chunks *chunks = cookie;
    uint64_t id = number_of(key);
    (void)reterr;
    if (id != chunks->id)
        end_chunks(check, chunks);
    chunks->id = id;
    const struct sp_check_segment *segment = find_segment(check, id);
    if (segment != NULL && sp_segment_edges_are_old(segment->segment, key))
        return SP_OK;
    chunks->values++;
    chunks->bytes += value.len;
    return SP_OK;
}

static enum sp_status check_chunks(struct sp_check *check, struct sp_error *reterr)
{
    struct chunks chunks = {0};
    struct rows rows = {.iterator = sp_kv_iterator_new(check->kv, SP_KV_CHUNKS),
                        .name = "chunks",
                        .visit = visit_chunk,
                        .cookie = &chunks};
    enum sp_status status = each_row(check, &rows, reterr);
    end_chunks(check, &chunks);
    return status;
}

/* ---- all ---- */

static enum sp_status load(struct sp_check *check, struct sp_error *reterr)
{
    bool has_totals = false;
    struct rows meta = {.iterator = sp_kv_iterator_new(check->kv, SP_KV_META),
                        .name = "family \"default\"",
                        .visit = sp_check_meta,
                        .cookie = &has_totals};
    enum sp_status status = each_row(check, &meta, reterr);
    if (status != SP_OK)
        return status;
    struct rows headers = {.iterator = sp_kv_iterator_new(check->kv, SP_KV_SEGMENTS),
                           .name = "headers of segments",
                           .visit = visit_header};
    status = each_row(check, &headers, reterr);
    check->lacks_segments |= headers.is_damaged;
    if (check->segments.count > 1)
        qsort(check->segments.items, check->segments.count, sizeof(*check->segments.items),
              compare_sequences);
    if (status == SP_OK)
        check_order(check, has_totals);
    return status;
}

static enum sp_status check_all(struct sp_check *check, struct sp_error *reterr)
{
    enum sp_status status = sp_kv_each_file(check->kv, check_file, check, reterr);
    if (status == SP_OK)
        status = load(check, reterr);
    for (uint32_t i = 0; i < check->segments.count && status == SP_OK; i++)
        status = sp_check_segment(check, &check->segments.items[i], reterr);
    if (status == SP_OK)
        status = sp_check_calls(check, reterr);
    if (status == SP_OK) {
        struct rows records = {.iterator = sp_kv_iterator_new_undeleted(check->kv, SP_KV_JOURNAL),
                               .name = "journal",
                               .visit = visit_record};
        status = each_row(check, &records, reterr);
    }
    return status == SP_OK ? check_chunks(check, reterr) : status;
}

static void check_fini(struct sp_check *check)
{
    for (uint32_t i = 0; i < check->segments.count; i++)
        sp_segment_unref(check->segments.items[i].segment);
    sp_vector_fini(&check->segments);
    sp_interner_fini(&check->services);
    sp_interner_fini(&check->texts);
    sp_block_decoder_free(check->decoder);
    sp_buf_fini(&check->chunk);
    sp_arena_fini(&check->arena);
    sp_arena_fini(&check->values_arena);
    sp_counts_fini(&check->call_sums);
    sp_kv_close(check->kv);
    sp_datadir_close(&check->dir);
}

/* A FORMAT file or folder that is damaged is a finding, too. */
static enum sp_status open_folder(struct sp_check *check, bool *ret_open, struct sp_error *reterr)
{
    const struct sp_check_place place = sp_check_part("data directory");
    struct sp_error error = {0};
    enum sp_status status =
        sp_datadir_open_read_only(check->options->data_dir, &check->dir, &error);
    *ret_open = status == SP_OK;
    if (status == SP_CORRUPT) {
        sp_check_found(check, SP_FINDING_UNREADABLE, &place, "%s", error.message);
        return SP_OK;
    }
    if (status != SP_OK && reterr != NULL)
        *reterr = error;
    return status;
}

enum sp_status sp_store_check(const struct sp_check_options *options, struct sp_check_summary *ret,
                              struct sp_error *reterr)
{
    bool is_open;
    struct sp_check_summary summary = {0};
    struct sp_check check = {.options = options,
                             .summary = &summary,
                             .dir = {.lock_fd = -1},
                             .call_sums = {.seed = sp_hash_seed()}};
    sp_interner_init(&check.services);
    sp_interner_init(&check.texts);
    sp_buf_init(&check.chunk, SIZE_MAX / 2);
    sp_arena_init(&check.arena, SIZE_MAX);
    sp_arena_init(&check.values_arena, SIZE_MAX);
    enum sp_status status = open_folder(&check, &is_open, reterr);
    if (status == SP_OK && is_open)
        status = open_database(&check, reterr);
    if (status == SP_OK && check.kv != NULL)
        status = sp_block_decoder_new(&check.decoder, reterr);
    if (status == SP_OK && check.kv != NULL)
        status = check_all(&check, reterr);
    check_fini(&check);
    if (status == SP_OK)
        *ret = summary;
    return status;
}
