/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/status.h: one set of status codes for the whole program, and the error that explains one.
 * The table is status.def. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/compiler.h"

enum sp_status {
#define SP_STATUS(name, text, http, grpc, retryable) SP_##name,
#include "lib/base/status.def"
#undef SP_STATUS
};

enum {
#define SP_STATUS(name, text, http, grpc, retryable) +1
    SP_STATUS_COUNT = 0
#include "lib/base/status.def"
#undef SP_STATUS
};

/* Longest message of an error, terminating zero included; longer ones end in "...". */
#define SP_ERROR_MESSAGE_MAX 512

/* What went wrong and where. Written by the callee on failure only; the caller's memory. */
struct sp_error {
    enum sp_status status;
    uint64_t offset;    /* byte offset in the input the message is about, or SP_ERROR_NO_OFFSET */
    char parameter[64]; /* name of the offending parameter, field or option; "" if none */
    /* One English sentence part, no trailing full stop. Always valid UTF-8 without control characters: what a message
     * quotes from the input is cleaned when the error is set. */
    char message[SP_ERROR_MESSAGE_MAX];
};

#define SP_ERROR_NO_OFFSET UINT64_MAX

const char *sp_status_name(enum sp_status status); /* "MALFORMED" */
const char *sp_status_text(enum sp_status status); /* "the input is not well formed" */
int sp_status_http(enum sp_status status);         /* HTTP status code */
int sp_status_grpc(enum sp_status status);         /* gRPC status code */
bool sp_status_retryable(enum sp_status status);   /* may the client send the same again? */

/* Fills *error (NULL is allowed and ignored) and returns status, so that callers can write
 * `return sp_error_set(reterr, SP_MALFORMED, "...")`. No offset, no parameter. */
SP_PRINTF(3, 4)
enum sp_status sp_error_set(struct sp_error *error, enum sp_status status, const char *format, ...);

/* The same with the byte offset in the input. */
SP_PRINTF(4, 5)
enum sp_status sp_error_set_at(struct sp_error *error, enum sp_status status, uint64_t offset,
                               const char *format, ...);

/* The same with the name of the offending parameter. */
SP_PRINTF(4, 5)
enum sp_status sp_error_set_parameter(struct sp_error *error, enum sp_status status,
                                      const char *parameter, const char *format, ...);
