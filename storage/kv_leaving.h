/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/kv_leaving.h: logs of a database that go away step by step. Internal to kv_rocksdb.c. Knows files, not RocksDB. */
#pragma once

struct sp_kv_leaving;

/* folder: of a database that this process writes. What an earlier process left behind goes at once. NULL: without memory, or where
 * nothing can be made in folder; then logs go at once, too. Takes NULL everywhere. */
struct sp_kv_leaving *sp_kv_leaving_start(const char *folder);
/* Gives each log a second name, so that it stays when its first is removed; then it becomes shorter until it is gone. Nobody removes logs
 * while this runs. */
void sp_kv_leaving_keep_logs(struct sp_kv_leaving *leaving);
/* What is left goes at once. */
void sp_kv_leaving_stop(struct sp_kv_leaving *leaving);
