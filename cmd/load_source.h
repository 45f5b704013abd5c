/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/load_source.h: where `spoor load` gets its requests from: recordings on disk, or a generator. */
#pragma once

#include "cmd/load_template.h"

/* Requests to send, in order, again and again. */
struct sp_load_source {
    struct sp_load_template *items;
    size_t count, cap;
    size_t span_count;                             /* of all items together */
    uint64_t start_min_unix_ns, start_max_unix_ns; /* of all spans */
};

/* Largest file that is read, and largest request in it, decompressed. */
#define SP_LOAD_FILE_BYTES_MAX ((size_t)1024 * 1024 * 1024)

/* Reads recorded requests:
 *   a directory: with an index.jsonl ({"file":..., "signal":"traces"} a line) the files it names, otherwise all *.pb
 *   FILE.pb: one ExportTraceServiceRequest
 *   other files: gRPC frames (a zero byte, four bytes of length, the request)
 * each also compressed, with .gz or .zst behind the name. Errors name the file. */
SP_MUST_USE enum sp_status sp_load_source_read(struct sp_load_source *source, const char *path,
                                               struct sp_error *reterr);

/* Makes requests of a synthetic shop: ten services, traces of 12 spans, about 500 bytes and 11 attributes a span.
 * The same seed gives the same bytes. */
SP_MUST_USE enum sp_status sp_load_source_generate(struct sp_load_source *source, uint64_t seed,
                                                   struct sp_error *reterr);

void sp_load_source_fini(struct sp_load_source *source);

/* For sp_load_source_generate and _read: takes the request over. */
SP_MUST_USE enum sp_status sp_load_source_add(struct sp_load_source *source, struct sp_buf *request,
                                              struct sp_error *reterr);
