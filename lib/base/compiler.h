/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/compiler.h: the few gcc and clang attributes in use, and the assertion that stays on in release. */
#pragma once

#define SP_MUST_USE          __attribute__((warn_unused_result))
#define SP_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define SP_NORETURN          __attribute__((noreturn))
#define SP_LIKELY(x)         __builtin_expect(!!(x), 1)
#define SP_UNLIKELY(x)       __builtin_expect(!!(x), 0)
#define SP_ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))

/* Prints the broken expectation and aborts. For our own bugs only: never for bytes from network or disk. */
SP_NORETURN void sp_assert_fail(const char *expression, const char *file, int line);

#define SP_ASSERT(x) (SP_LIKELY(x) ? (void)0 : sp_assert_fail(#x, __FILE__, __LINE__))
