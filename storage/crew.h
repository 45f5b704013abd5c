/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/crew.h: threads that do jobs for one who hands them out and takes back what was made. Knows no spans. Internal to
 * storage/.
 *
 * Threads: everything but run is called by the one thread that made the crew. */
#pragma once

#include "lib/base/base.h"

/* The first member of what is to be done. Owned by who made it, also while the crew has it. */
struct sp_crew_job {
    void (*run)(struct sp_crew_job *job, void *tool); /* on a thread of the crew */
    struct sp_crew_job *next;                         /* the crew's */
    bool done;                                        /* under the crew's lock */
};

struct sp_crew;

/* A thread for each tool, which no two jobs use at once; tools are borrowed, the array, too. SP_NO_MEMORY: no thread. */
SP_MUST_USE enum sp_status sp_crew_new(void *const *tools, uint32_t count, struct sp_crew **ret,
                                       struct sp_error *reterr);
/* Waits for the jobs that run; those that nobody has begun are not done. NULL is fine. */
void sp_crew_free(struct sp_crew *crew);

/* Hurried ones come before the others. */
void sp_crew_submit(struct sp_crew *crew, struct sp_crew_job *job, bool hurried);
bool sp_crew_is_done(struct sp_crew *crew, const struct sp_crew_job *job);

/* How many jobs are done; and waits until there are others than so many. */
uint64_t sp_crew_done_count(struct sp_crew *crew);
void sp_crew_wait(struct sp_crew *crew, uint64_t done_count);
