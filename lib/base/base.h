/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/base.h: what every room stands on: slices, buffers with ceilings, capped arenas, status codes, text
 * codecs, compression, checksums, JSON, clock, log, memory budget, configuration. Knows nothing of spans, sockets or disks.
 *
 * This is the room's one public header; other rooms include it and not its parts. */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/budget.h"
#include "lib/base/buf.h"
#include "lib/base/checksum.h"
#include "lib/base/clock.h"
#include "lib/base/compiler.h"
#include "lib/base/compress.h"
#include "lib/base/config.h"
#include "lib/base/hash.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/base/sum.h"
#include "lib/base/text.h"
#include "lib/base/thread.h"
