/* SPDX-License-Identifier: Apache-2.0
 *
 * query/history.h: what some counters showed during the last hour: GET /v1/system/history. A ring in memory, which ends with the process:
 * what was counted before a restart is in no history, so that nobody takes the difference of two processes. Knows no clock.
 *
 *            oldest                    newest
 *   at    |  t3  |  t4  |  t5  | ... |  t9  |          each column is one sample: a moment, and the value of every series then;
 *   a     |  12  |  12  |  40  | ... |  77  |          a full ring gives up its oldest column */
#pragma once

#include <pthread.h>

#include "query/query.h"

#define SP_HISTORY_SAMPLES_MAX ((uint32_t)720) /* an hour of SP_QUERY_SAMPLE_SECONDS */
#define SP_HISTORY_SERIES_MAX  ((uint32_t)16)

struct sp_history {
    const struct sp_metric *series[SP_HISTORY_SERIES_MAX]; /* borrowed; before the first sample */
    uint32_t series_count;
    pthread_mutex_t lock;  /* of all below; held for a fraction of a millisecond of writing JSON */
    uint32_t first, count; /* columns */
    uint64_t at_unix_ns[SP_HISTORY_SAMPLES_MAX];
    uint64_t values[SP_HISTORY_SAMPLES_MAX][SP_HISTORY_SERIES_MAX];
};

void sp_history_init(struct sp_history *history);
void sp_history_fini(struct sp_history *history);

/* Rows that are remembered from now on; before the first sample. */
void sp_history_add_series(struct sp_history *history, const struct sp_metric *metrics,
                           size_t count);

/* Reads every series. Moments only rise: a clock that was set back begins a new history. */
void sp_history_sample(struct sp_history *history, uint64_t at_unix_ns);

/* "atUnixNano" and "series" of an object that is open: the samples after a moment, the oldest first. */
void sp_history_write(struct sp_history *history, uint64_t since_unix_ns, struct sp_json_writer *w);
