/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/text.h: text to values and back: UTF-8, hex, base64, numbers, durations, times. All bounded by their input,
 * none allocates, all thread-safe. */
#pragma once

#include "lib/base/buf.h"
#include "lib/base/compiler.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

/* Well-formed UTF-8 by Unicode 15 table 3-7 (no surrogates, no overlong forms, at most U+10FFFF)? */
bool sp_utf8_valid(struct sp_slice s);

/* Offset of the first byte that is not part of a well-formed sequence, or s.len. */
size_t sp_utf8_valid_prefix(struct sp_slice s);

/* Lower-case hex; out has room for 2 * s.len bytes and is not terminated. */
void sp_hex_encode(struct sp_slice s, char *out);

/* Hex in either case into exactly out_len bytes; false when text is not 2 * out_len hex digits. */
bool sp_hex_decode(struct sp_slice text, uint8_t *out, size_t out_len);

/* Standard base64 with padding, appended to out. */
void sp_base64_encode(struct sp_slice s, struct sp_buf *out);

/* Standard or URL-safe alphabet, padded or not. Appends to out; false when it is not base64 (out may hold a part). */
bool sp_base64_decode(struct sp_slice text, struct sp_buf *out);

/* Whole text as a decimal number; false on anything else, sign (unsigned), overflow or an empty text. */
bool sp_parse_u64(struct sp_slice text, uint64_t *ret);
bool sp_parse_i64(struct sp_slice text, int64_t *ret);

/* Longest text of a floating-point number that is read. */
#define SP_DOUBLE_TEXT_MAX 1024

/* Whole text as a finite decimal floating-point number (digits, point, exponent; no "inf", no hex), correctly rounded,
 * independent of the locale. False on anything else, overflow, or more than SP_DOUBLE_TEXT_MAX bytes. */
bool sp_parse_double(struct sp_slice text, double *ret);

/* Shortest correctly rounded text that reads back as the same double, JSON number grammar (value must be finite). out: 32 bytes at least;
 * returns the length. */
size_t sp_format_double(double value, char *out);

/* "250ms", "1.5s", "2h", "100us" or "100µs", "7d", sums like "1h30m": to nanoseconds. Units ns us µs ms s m h d;
 * only "0" needs none. What is below a nanosecond is cut off. */
bool sp_parse_duration_ns(struct sp_slice text, uint64_t *ret_ns);

/* "1.28s", "310ms", "45.2µs": three significant digits, ns to d, for people. out: 32 bytes at least; returns the length. */
size_t sp_format_duration(uint64_t duration_ns, char *out);

/* "64MiB", "1.5GiB", "500kB", "1024": to bytes. Units B kB MB GB KiB MiB GiB TB TiB. */
bool sp_parse_bytes(struct sp_slice text, uint64_t *ret_bytes);

/* A point in time as the read API takes it: RFC 3339 ("2026-11-22T12:00:00Z", offsets and fractions allowed), Unix
 * seconds, milliseconds, microseconds or nanoseconds (told apart by magnitude: up to 11 digits are seconds, 12 to 14
 * milliseconds, 15 to 17 microseconds, more nanoseconds), "now", "now-15m", "now+1h". Times before 1970 and past 2554 are refused.
 * Returns SP_OK and *ret_unix_ns, or SP_INVALID_ARGUMENT with a sentence that says what was expected. */
SP_MUST_USE enum sp_status sp_parse_time(struct sp_slice text, uint64_t now_unix_ns,
                                         uint64_t *ret_unix_ns, struct sp_error *reterr);

/* "2026-11-22T12:01:03.120456789Z". out: 40 bytes at least; returns the length. */
size_t sp_format_time(uint64_t unix_ns, char *out);
