/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/fuzz/fuzz.h: what a fuzz target is. libFuzzer calls it with inputs it invents; fuzz_main.c with the stored
 * ones. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The name is libFuzzer's. Returns 0. What must not happen ends in SP_ASSERT, so that it also ends a replay. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
