/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/fixture.h"

#include "lib/wire/wire.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Asked by thread sanitizer, if the program is built with it. RocksDB and what it calls are not instrumented, so their
 * locks are not seen: memory they hand from thread to thread looks like a race. Our own code is still watched. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:librocksdb.so\nrace:librocksdb.so\nrace:libstdc++.so\nrace:libzstd.so\n"
           "race:liblz4.so\n";
}

/* ---- codec ---- */

static enum sp_status codec_decode(void *cookie, enum sp_body_format format,
                                   enum sp_body_encoding encoding, struct sp_slice body,
                                   struct sp_buf *plain, struct sp_arena *arena,
                                   const struct sp_batch **ret_batch, struct sp_error *reterr)
{
    (void)cookie;
    return sp_otlp_decode_body(arena, (enum sp_wire_format)format, (enum sp_encoding)encoding, body,
                               plain, sp_limits_default(), ret_batch, reterr);
}

struct sp_store_codec test_codec(void)
{
    return (struct sp_store_codec){.decode = codec_decode};
}

/* ---- fixture ---- */

void fixture_open(struct fixture *fixture)
{
    struct sp_error error = {0};
    enum sp_status status =
        fixture->engine == ENGINE_REFERENCE
            ? sp_store_reference_open(&fixture->options, &fixture->store, &error)
            : sp_store_rocksdb_open(&fixture->options, &fixture->store, &error);
    ck_assert_msg(status == SP_OK, "open: %s: %s", sp_status_name(status), error.message);
}

void fixture_options(struct fixture *fixture)
{
    fixture->options =
        (struct sp_store_options){.data_dir = fixture->data_dir,
                                  .durability = SP_DURABILITY_OS,
                                  .backlog_bytes_max = SP_STORE_BACKLOG_BYTES_DEFAULT,
                                  .codec = test_codec(),
                                  .limits = sp_limits_default(),
                                  .clock = sp_clock_system()};
    sp_arena_init(&fixture->arena, SIZE_MAX);
}

#define MEMORY_FOLDER "/dev/shm"

void fixture_make(struct fixture *fixture, enum engine engine, bool in_memory)
{
    const char *folder = getenv("TMPDIR");
    if (folder == NULL)
        folder = in_memory && access(MEMORY_FOLDER, W_OK) == 0 ? MEMORY_FOLDER : "/tmp";
    *fixture = (struct fixture){.engine = engine};
    snprintf(fixture->data_dir, sizeof(fixture->data_dir), "%s/spoor-contract-XXXXXX", folder);
    ck_assert_ptr_nonnull(mkdtemp(fixture->data_dir));
    fixture_options(fixture);
}

void fixture_init(struct fixture *fixture, enum engine engine)
{
    fixture_make(fixture, engine, false);
    fixture_open(fixture);
}

void fixture_fini(struct fixture *fixture)
{
    sp_store_close(fixture->store);
    sp_arena_fini(&fixture->arena);
    remove_folder(fixture->data_dir);
}

static void say_finding(void *cookie, const struct sp_finding *finding)
{
    if (sp_finding_is_damage(finding->kind))
        sp_buf_printf(cookie, "%s: %s: %s\n", sp_finding_kind_name(finding->kind), finding->place,
                      finding->detail);
}

void assert_sound(const char *data_dir)
{
    struct sp_check_summary summary;
    struct sp_error error = {0};
    struct sp_buf text;
    sp_buf_init(&text, 1024 * 1024);
    const struct sp_check_options options = {
        .data_dir = data_dir, .codec = test_codec(), .found = say_finding, .cookie = &text};
    enum sp_status status = sp_store_check(&options, &summary, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    ck_assert_msg(text.len == 0, "%.*s", (int)text.len, (const char *)text.ptr);
    sp_buf_fini(&text);
}

void fixture_close_sound(struct fixture *fixture)
{
    sp_store_close(fixture->store);
    fixture->store = NULL;
    if (fixture->engine == ENGINE_ROCKSDB)
        assert_sound(fixture->data_dir);
}

void fixture_reopen(struct fixture *fixture)
{
    if (fixture->engine == ENGINE_REFERENCE)
        return;
    sp_store_close(fixture->store);
    fixture_open(fixture);
}

struct sp_store_sizes small_sizes(void)
{
    return (struct sp_store_sizes){
        .seal_spans = 1,
        .merge_spans = 64,
        .merge_spans_max = 2048,
        .merge_segments = 2,
        .retry_ns = 5000000,
        .follow_ns = 20000000,
    };
}

void wait_for_merges(struct sp_store *store)
{
    struct sp_store_stats stats;
    int tries = 0;
    do {
        usleep(2000);
        ck_assert_int_eq(sp_store_stats(store, &stats, NULL), SP_OK);
        ck_assert_msg(++tries < 5000, "the store does not come to rest");
    } while (stats.backlog_appends > 0 || stats.backlog_bytes > 0 ||
             stats.merge_waiting_count > 0 || stats.dropped_segment_count > 0);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

void remove_folder(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- roles ---- */

pid_t spawn_role(const char *role, const char *argument)
{
    fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        setenv("SPOOR_CONTRACT_ROLE", role, 1);
        setenv("SPOOR_CONTRACT_ARGUMENT", argument, 1);
        setenv("CK_FORK", "no", 1);
        if (freopen("/dev/null", "w", stdout) == NULL) /* TAP is the parent's */
            _exit(125);
        execl("/proc/self/exe", "contract", (char *)NULL);
        _exit(126);
    }
    return child;
}

bool played_role(const char *role)
{
    const char *played = getenv("SPOOR_CONTRACT_ROLE");
    return played != NULL && strcmp(played, role) == 0;
}

Suite *role_suite(const TTest *play)
{
    Suite *suite = suite_create("role");
    TCase *tcase = tcase_create("child");
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, play);
    suite_add_tcase(suite, tcase);
    return suite;
}

const char *played_argument(void)
{
    return getenv("SPOOR_CONTRACT_ARGUMENT");
}

/* ---- appends ---- */

struct sp_append *make_append(const struct sp_batch *batch, enum sp_body_format format,
                              enum sp_body_encoding encoding)
{
    struct sp_append *made = sp_append_new(SP_LIMIT_BODY_BYTES, SP_LIMIT_BODY_BYTES, SIZE_MAX);
    ck_assert_ptr_nonnull(made);
    struct sp_arena arena;
    struct sp_buf bytes;
    struct sp_error error = {0};
    sp_arena_init(&arena, SIZE_MAX);
    sp_buf_init(&bytes, SP_LIMIT_BODY_BYTES);
    const struct sp_span *const *spans = sp_batch_pointers(&arena, batch);
    if (format == SP_BODY_OTLP_JSON) {
        struct sp_json_writer writer;
        sp_json_writer_init(&writer, &bytes);
        sp_otlp_json_encode(spans, batch->span_count, &writer);
    } else {
        ck_assert_int_eq(sp_otlp_encode(spans, batch->span_count, &bytes), SP_OK);
    }
    ck_assert_int_eq(sp_compress((enum sp_encoding)encoding, sp_buf_slice(&bytes), 1, &made->body),
                     SP_OK);
    made->format = format;
    made->encoding = encoding;
    for (size_t i = 0; i < batch->span_count; i++) { /* when the last of them had started */
        if (batch->spans[i].start_unix_ns > made->received_unix_ns)
            made->received_unix_ns = batch->spans[i].start_unix_ns;
    }
    enum sp_status status = codec_decode(NULL, format, encoding, sp_buf_slice(&made->body),
                                         &made->plain, &made->arena, &made->batch, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    sp_buf_fini(&bytes);
    sp_arena_fini(&arena);
    return made;
}

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    enum sp_status status;
    const struct sp_append *append; /* valid until it is done */
    uint64_t number;
};

static void waiter_done(void *cookie, enum sp_status status, const struct sp_error *error)
{
    struct waiter *waiter = cookie;
    if (status != SP_OK && status != SP_OVERLOADED && status != SP_UNAVAILABLE)
        fprintf(stderr, "# append: %s\n", error->message);
    pthread_mutex_lock(&waiter->lock);
    waiter->done = true;
    waiter->status = status;
    waiter->number = waiter->append->number;
    pthread_cond_signal(&waiter->changed);
    pthread_mutex_unlock(&waiter->lock);
}

enum sp_status append_numbered(struct sp_store *store, const struct sp_batch *batch,
                               enum sp_body_format format, enum sp_body_encoding encoding,
                               uint64_t *ret_number)
{
    struct waiter waiter = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct sp_append *made = make_append(batch, format, encoding);
    waiter.append = made;
    made->done = waiter_done;
    made->cookie = &waiter;
    sp_store_append(store, made);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.done)
        pthread_cond_wait(&waiter.changed, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    *ret_number = waiter.number;
    return waiter.status;
}

enum sp_status append_as(struct sp_store *store, const struct sp_batch *batch,
                         enum sp_body_format format, enum sp_body_encoding encoding)
{
    uint64_t number;
    return append_numbered(store, batch, format, encoding, &number);
}

void append(struct fixture *fixture, const struct sp_batch *batch)
{
    enum sp_status status =
        append_as(fixture->store, batch, SP_BODY_OTLP_PROTOBUF, SP_BODY_IDENTITY);
    ck_assert_msg(status == SP_OK, "append: %s", sp_status_name(status));
}

/* ---- spans ---- */

struct span_list span_list_make(struct sp_arena *arena, const struct sp_batch *const *batches,
                                size_t batch_count)
{
    struct span_list list = {0};
    size_t count = 0;
    for (size_t b = 0; b < batch_count; b++)
        count += batches[b]->span_count;
    list.spans = sp_arena_calloc(arena, count + 1, sizeof(*list.spans));
    ck_assert_ptr_nonnull(list.spans);
    for (size_t b = 0; b < batch_count; b++) {
        for (size_t i = 0; i < batches[b]->span_count; i++)
            list.spans[list.count++] = &batches[b]->spans[i];
    }
    return list;
}

struct span_list span_list_of_trace(struct sp_arena *arena, const struct span_list *list,
                                    const struct sp_trace_id *id)
{
    struct span_list found = {0};
    found.spans = sp_arena_calloc(arena, list->count + 1, sizeof(*found.spans));
    ck_assert_ptr_nonnull(found.spans);
    for (size_t i = 0; i < list->count; i++) {
        if (sp_trace_id_compare(&list->spans[i]->trace_id, id) == 0)
            found.spans[found.count++] = list->spans[i];
    }
    return found;
}

void assert_trace(struct sp_store *store, const struct sp_trace_id *id,
                  const struct span_list *want)
{
    struct sp_arena arena;
    struct sp_error error = {0};
    const struct sp_batch *batch = NULL;
    sp_arena_init(&arena, SIZE_MAX);
    enum sp_status status = sp_store_trace_read(store, id, &arena, &batch, &error);
    if (want->count == 0) {
        ck_assert_int_eq(status, SP_NOT_FOUND);
    } else {
        ck_assert_msg(status == SP_OK, "trace: %s: %s", sp_status_name(status), error.message);
        ck_assert_uint_eq(batch->span_count, want->count);
        for (size_t i = 0; i < want->count; i++)
            ck_assert_msg(sp_span_equal(&batch->spans[i], want->spans[i]),
                          "span %zu of %zu differs from what was appended", i, want->count);
    }
    sp_arena_fini(&arena);
}

static int compare_span_traces(const void *a, const void *b)
{
    const struct sp_span *x = *(const struct sp_span *const *)a;
    const struct sp_span *y = *(const struct sp_span *const *)b;
    return sp_trace_id_compare(&x->trace_id, &y->trace_id);
}

void assert_all_traces(struct sp_store *store, const struct span_list *list)
{
    struct sp_arena arena;
    sp_arena_init(&arena, SIZE_MAX);
    const struct sp_span **sorted = sp_arena_calloc(&arena, list->count + 1, sizeof(*sorted));
    if (list->count > 0) {
        memcpy(sorted, list->spans, list->count * sizeof(*sorted));
        qsort(sorted, list->count, sizeof(*sorted), compare_span_traces);
    }
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0 && compare_span_traces(&sorted[i - 1], &sorted[i]) == 0)
            continue;
        struct span_list trace = span_list_of_trace(&arena, list, &sorted[i]->trace_id);
        assert_trace(store, &sorted[i]->trace_id, &trace);
    }
    sp_arena_fini(&arena);
}

struct sp_trace_id trace_id_of(uint64_t number)
{
    struct sp_trace_id id = {{0}};
    for (int i = 0; i < 8; i++)
        id.bytes[8 + i] = (uint8_t)(number >> (56 - 8 * i));
    return id;
}

/* One resource for each service name, for as long as the program runs: spans of any thread point at it. */
#define SERVICES_MAX 32

static const struct sp_resource *resource_of(const char *service)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct {
        struct sp_attribute attribute;
        struct sp_resource resource;
    } known[SERVICES_MAX];
    static size_t count;
    size_t i = 0;
    pthread_mutex_lock(
        &lock); /* of a table that lives as long as the program; names are copied into it */
    while (i < count && !sp_slice_equal_cstr(known[i].attribute.value.string, service))
        i++;
    if (i == count) {
        SP_ASSERT(count < SERVICES_MAX);
        known[i].attribute.key = SP_SLICE("service.name");
        known[i].attribute.value =
            (struct sp_value){.kind = SP_VALUE_STRING, .string = sp_slice_cstr(strdup(service))};
        known[i].resource.present = true;
        known[i].resource.attributes =
            (struct sp_attributes){.items = &known[i].attribute, .count = 1};
        count++;
    }
    pthread_mutex_unlock(&lock);
    return &known[i].resource;
}

struct sp_span simple_span(uint64_t trace, uint64_t span, uint64_t start_unix_ns,
                           uint64_t duration_ns, const char *service, const char *name)
{
    static const struct sp_scope no_scope = {0};
    const struct sp_resource *resource = resource_of(service);
    struct sp_span made = {.trace_id = trace_id_of(trace),
                           .start_unix_ns = start_unix_ns,
                           .end_unix_ns = start_unix_ns + duration_ns,
                           .name = sp_slice_cstr(name),
                           .resource = resource,
                           .scope = &no_scope};
    for (int i = 0; i < 8; i++)
        made.span_id.bytes[i] = (uint8_t)(span >> (56 - 8 * i));
    return made;
}

struct sp_batch *batch_of(struct sp_arena *arena, const struct sp_span *spans, size_t count)
{
    struct sp_batch *batch = sp_arena_calloc(arena, 1, sizeof(*batch));
    struct sp_span *copies = sp_arena_calloc(arena, count, sizeof(*copies));
    ck_assert(batch != NULL && copies != NULL);
    memcpy(copies, spans, count * sizeof(*copies));
    batch->spans = copies;
    batch->span_count = count;
    return batch;
}

/* ---- scans ---- */

struct scan_state {
    struct sp_arena *arena;
    struct candidate_list list;
    size_t cap;
};

static enum sp_visit scan_visit(void *cookie, const struct sp_candidate *candidate)
{
    struct scan_state *state = cookie;
    if (state->list.count == state->cap) {
        size_t cap = state->cap > 0 ? state->cap * 2 : 64;
        state->list.items =
            sp_arena_grow(state->arena, state->list.items, state->cap * sizeof(*state->list.items),
                          cap * sizeof(*state->list.items));
        ck_assert_ptr_nonnull(state->list.items);
        state->cap = cap;
    }
    state->list.items[state->list.count++] = *candidate;
    return SP_VISIT_CONTINUE;
}

static int compare_candidate_ids(const void *a, const void *b)
{
    return sp_trace_id_compare(a, b);
}

struct candidate_list scan_all(struct sp_store *store, struct sp_arena *arena,
                               const struct sp_scan *scan)
{
    struct scan_state state = {.arena = arena};
    struct sp_scanned scanned;
    struct sp_error error = {0};
    enum sp_status status = sp_store_scan(store, scan, NULL, scan_visit, &state, &scanned, &error);
    ck_assert_msg(status == SP_OK, "scan: %s: %s", sp_status_name(status), error.message);
    struct sp_trace_id *ids = calloc(state.list.count + 1, sizeof(*ids));
    for (size_t i = 0; i < state.list.count; i++) {
        ids[i] = state.list.items[i].trace_id;
        if (i > 0)
            ck_assert_uint_le(state.list.items[i].bound_unix_ns,
                              state.list.items[i - 1].bound_unix_ns);
    }
    qsort(ids, state.list.count, sizeof(*ids), compare_candidate_ids);
    for (size_t i = 1; i < state.list.count; i++)
        ck_assert_msg(sp_trace_id_compare(&ids[i - 1], &ids[i]) != 0, "a trace was visited twice");
    free(ids);
    return state.list;
}

struct sp_store_stats stats_of(struct sp_store *store)
{
    struct sp_store_stats stats;
    struct sp_error error = {0};
    enum sp_status status = sp_store_stats(store, &stats, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    return stats;
}

void append_noise(struct fixture *fixture, uint64_t trace, uint64_t start_unix_ns, uint64_t seed,
                  size_t bytes)
{
    struct sp_span span = simple_span(trace, 1, start_unix_ns, 5, "cart", "x");
    uint8_t *noise = calloc(bytes, 1);
    ck_assert_ptr_nonnull(noise);
    for (size_t i = 0; i < bytes; i++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        noise[i] = (uint8_t)(seed >> 56);
    }
    struct sp_attribute attribute = {
        .key = SP_SLICE("noise"),
        .value = {.kind = SP_VALUE_BYTES, .string = sp_slice_make(noise, bytes)}};
    span.attributes = (struct sp_attributes){.items = &attribute, .count = 1};
    append(fixture, batch_of(&fixture->arena, &span, 1));
    free(noise);
}
