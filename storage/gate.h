/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/gate.h: many are within, or one alone. Who wants to be alone lets nobody new in, so that he gets his turn as soon as those who
 * are within have left, however many others come. Those who are within can enter again meanwhile: otherwise a read within a read
 * would wait for itself. Internal to storage/, but for struct sp_gate_helper. Knows nothing.
 *
 *   open --- sp_gate_shut --> shut: who comes waits, and is refused after a while --- the last one leaves --> somebody is alone
 *    ^                                                                                                             |
 *    +---------------------------------------------------- sp_gate_open -------------------------------------------+
 *
 * A read-write lock of pthreads has no such thing: one that prefers writers stops a reader that reads again, and one that prefers
 * readers lets them overlap for ever. */
#pragma once

#include "lib/base/base.h"

#include <pthread.h>

/* Somebody within: one thread's, from enter to leave, and not moved between. */
struct sp_gate_pass {
    pthread_t thread;
    struct sp_gate_pass *next, *previous;
};

/* A thread that works for another one, the host, which waits for it: it may enter whenever its host is within. */
struct sp_gate_helper {
    pthread_t thread, host;
    struct sp_gate_helper *next, *previous;
};

struct sp_gate {
    pthread_mutex_t lock; /* of all below; nothing else is done under it */
    pthread_cond_t opens, empties;
    struct sp_gate_pass *passes;
    struct sp_gate_helper *helpers;
    bool shut;     /* nobody new gets in */
    bool awaited;  /* somebody waits for the last one to leave */
    bool occupied; /* somebody is alone */
};

void sp_gate_init(struct sp_gate *gate);
void sp_gate_fini(struct sp_gate *gate);

/* False: it was shut for so long, and this thread is not within, nor its host. */
SP_MUST_USE bool sp_gate_enter(struct sp_gate *gate, struct sp_gate_pass *pass,
                               uint64_t patience_ns);
/* For who is never long within, and does not come in turns with others like him: waits only while somebody is alone. */
void sp_gate_enter_always(struct sp_gate *gate, struct sp_gate_pass *pass);
void sp_gate_leave(struct sp_gate *gate, struct sp_gate_pass *pass); /* on the same thread */

void sp_gate_help(struct sp_gate *gate, struct sp_gate_helper *helper, pthread_t host);
void sp_gate_help_end(struct sp_gate *gate, struct sp_gate_helper *helper);

/* One thread's, outside. True: it is alone until it opens the gate. False: somebody is still within after so long; nobody new gets in
 * until it has tried again, or opens the gate. */
SP_MUST_USE bool sp_gate_shut(struct sp_gate *gate, uint64_t patience_ns);
void sp_gate_open(struct sp_gate *gate);
