/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/check_main.h: the main() of a test program: runs one suite of check and prints TAP. Each program
 * defines sp_test_suite(). CK_FORK=no runs without forking (sanitizers, debuggers). */
#pragma once

#include <check.h>

Suite *sp_test_suite(void);
