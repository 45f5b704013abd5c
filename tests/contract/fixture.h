/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/fixture.h: a store to test: either engine, the codec made of lib/wire, appends that wait for their ack,
 * and answers that are easy to compare. */
#pragma once

#include "storage/storage.h"
#include "tests/support/span_gen.h"

#include <check.h>
#include <sys/types.h>

enum engine { ENGINE_REFERENCE, ENGINE_ROCKSDB, ENGINE_COUNT };

struct fixture {
    enum engine engine;
    char data_dir[128]; /* made new; removed at the end */
    struct sp_store_options options;
    struct sp_store *store;
    struct sp_arena arena; /* for batches and answers of one test */
};

/* Opens a new store. */
void fixture_init(struct fixture *fixture, enum engine engine);
/* In two steps, for other options. in_memory: files are in memory if there is a file system for that, and no $TMPDIR. */
void fixture_make(struct fixture *fixture, enum engine engine, bool in_memory);
void fixture_open(struct fixture *fixture);
/* For a child: the options and the arena of a fixture whose data_dir is set; opens nothing. */
void fixture_options(struct fixture *fixture);
void fixture_fini(struct fixture *fixture);

/* Closes and opens again. The reference forgets when it is closed, so there it does nothing. */
void fixture_reopen(struct fixture *fixture);

/* Closes the store and asserts that sp_store_check finds no damage in what it leaves. */
void fixture_close_sound(struct fixture *fixture);
void assert_sound(const char *data_dir);

/* Sizes with which some spans are sealed and merged many times. */
struct sp_store_sizes small_sizes(void);
/* Waits until nothing is to be sealed, merged or dropped, with small sizes. The reference is always so far. */
void wait_for_merges(struct sp_store *store);

/* The codec every test uses. */
struct sp_store_codec test_codec(void);

/* An append whose body is the batch in this format and encoding, decoded again as the collector does. */
struct sp_append *make_append(const struct sp_batch *batch, enum sp_body_format format,
                              enum sp_body_encoding encoding);

/* Appends and waits for the callback. */
enum sp_status append_as(struct sp_store *store, const struct sp_batch *batch,
                         enum sp_body_format format, enum sp_body_encoding encoding);
/* And tells its number, also when it failed. */
enum sp_status append_numbered(struct sp_store *store, const struct sp_batch *batch,
                               enum sp_body_format format, enum sp_body_encoding encoding,
                               uint64_t *ret_number);
/* Uncompressed protobuf; asserts success. */
void append(struct fixture *fixture, const struct sp_batch *batch);

/* One span with so many bytes that cannot be compressed. Those of the same seed have the same value, which a segment has once. */
void append_noise(struct fixture *fixture, uint64_t trace, uint64_t start_unix_ns, uint64_t seed,
                  size_t bytes);

struct sp_store_stats stats_of(struct sp_store *store);

/* The spans of several batches in order, as one list; the arena's memory. */
struct span_list {
    const struct sp_span **spans;
    size_t count;
};
struct span_list span_list_make(struct sp_arena *arena, const struct sp_batch *const *batches,
                                size_t batch_count);
/* Those of one trace, in order. */
struct span_list span_list_of_trace(struct sp_arena *arena, const struct span_list *list,
                                    const struct sp_trace_id *id);

/* Asserts that the trace is stored with exactly these spans, in this order, field for field. */
void assert_trace(struct sp_store *store, const struct sp_trace_id *id,
                  const struct span_list *want);
/* Every trace of the list. */
void assert_all_traces(struct sp_store *store, const struct span_list *list);

/* Candidates of a scan, in order. Asserts what every scan promises: no trace twice, bounds that never ascend. */
struct candidate_list {
    struct sp_candidate *items; /* the arena's memory */
    size_t count;
};
struct candidate_list scan_all(struct sp_store *store, struct sp_arena *arena,
                               const struct sp_scan *scan);

/* One plain span with what a test cares about. */
struct sp_span simple_span(uint64_t trace, uint64_t span, uint64_t start_unix_ns,
                           uint64_t duration_ns, const char *service, const char *name);
struct sp_trace_id trace_id_of(uint64_t number);
struct sp_batch *batch_of(struct sp_arena *arena, const struct sp_span *spans, size_t count);

/* All answers of a store for one range, as text: equal texts are equal answers. */
void describe_answers(struct sp_store *store, struct sp_time_range range, struct sp_buf *out);
/* Asserts that they are equal, or says which line is the first that differs, and whose. */
void assert_equal_answers(const char *want_name, const struct sp_buf *want, const char *got_name,
                          const struct sp_buf *got);
void assert_same_answers(struct sp_store *want, struct sp_store *got, struct sp_time_range range);

/* Runs this program anew as a child that plays a role: sp_test_suite asks played_role and leaves the stage to it. A fork
 * alone would not do: the threads of RocksDB do not live on in it. argument reaches the child as played_argument. */
pid_t spawn_role(const char *role, const char *argument);
bool played_role(const char *role);
const char *played_argument(void);
Suite *role_suite(const TTest *play); /* of that child: check asserts work within tests only */

/* Removes a folder and the files and folders in it. */
void remove_folder(const char *path);
