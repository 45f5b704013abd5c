/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/thread.h: how a thread shares the processors with the others of the program. */
#pragma once

/* Names the calling thread (15 bytes at most, for ps and perf) and says how it shares its processor:
 *
 * nice  0 for those that somebody waits for; more for work that can wait, 19 at most. Never less than the process has:
 *       Linux does not give that back to those who are not root.
 *
 * With niceness 0 it works in the shortest turns that Linux has, otherwise in longer ones, so that it takes the processor at once from one that
 * can wait; Linux before 6.12 has no such turns and ignores it. Never fails: where the system refuses, the thread works as any
 * other. Decision 0143. */
void sp_thread_begin(const char *name, int nice);
