/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/check_report.h: sp_store_check on a folder, as text to look into, and stores with something of everything for
 * it to look at. */
#pragma once

#include "tests/contract/fixture.h"

#define SEGMENTS     4
#define FOLDER_BYTES 512

struct report {
    struct sp_check_summary summary;
    struct sp_buf text; /* a line for each finding, with a zero behind; free it with sp_buf_fini */
    uint64_t damage_count, span_count;
    struct sp_error error;
};

enum sp_status check_folder(const char *path, struct report *ret);
const char *text_of(const struct report *report);

/* Exactly so much damage, one of it of this kind, and the place is named. */
void assert_damage(const char *path, const char *kind, const char *place, uint64_t count);

/* Calls visit with each file in the folder. */
void each_file(const char *folder, void (*visit)(const char *path, const char *name, void *cookie),
               void *cookie);
/* A data directory, also of a store that is open, when nothing goes on in it: what a kill would leave behind. */
void copy_folder(const char *from, char to[FOLDER_BYTES]);

struct sp_store_sizes without_merges(void);
/* Spans of traces that all such appends share, sealed. */
void append_some(struct fixture *fixture, uint64_t seed, unsigned odd_percent);
/* So many segments. */
void make_store(struct fixture *fixture, struct sp_store_sizes sizes);
void close_store(struct fixture *fixture);
