/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/gate.c: a list of those within, under a lock of its own. That the list is walked only while the gate is shut keeps a way
 * in and out as cheap as a read-write lock. Knows nothing. */
#include "storage/gate.h"

#include <time.h>

#define NS_PER_SECOND 1000000000ULL

void sp_gate_init(struct sp_gate *gate)
{
    pthread_condattr_t monotonic;
    *gate = (struct sp_gate){.passes = NULL};
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->opens, &monotonic);
    pthread_cond_init(&gate->empties, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void sp_gate_fini(struct sp_gate *gate)
{
    SP_ASSERT(gate->passes == NULL && gate->helpers == NULL);
    pthread_cond_destroy(&gate->empties);
    pthread_cond_destroy(&gate->opens);
    pthread_mutex_destroy(&gate->lock);
}

static struct timespec time_after(uint64_t ns)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    ns += (uint64_t)until.tv_nsec;
    until.tv_sec += (time_t)(ns / NS_PER_SECOND);
    until.tv_nsec = (long)(ns % NS_PER_SECOND);
    return until;
}

/* Under the lock, as all that follow. */
static bool is_within(const struct sp_gate *gate, pthread_t thread)
{
    const struct sp_gate_pass *pass = gate->passes;
    while (pass != NULL && !pthread_equal(pass->thread, thread))
        pass = pass->next;
    return pass != NULL;
}

static bool may_pass(const struct sp_gate *gate)
{
    pthread_t self = pthread_self();
    if (!gate->shut || is_within(gate, self))
        return true;
    for (const struct sp_gate_helper *helper = gate->helpers; helper != NULL;
         helper = helper->next) {
        if (pthread_equal(helper->thread, self) && is_within(gate, helper->host))
            return true;
    }
    return false;
}

static void let_in(struct sp_gate *gate, struct sp_gate_pass *pass)
{
    *pass = (struct sp_gate_pass){.thread = pthread_self(), .next = gate->passes};
    if (gate->passes != NULL)
        gate->passes->previous = pass;
    gate->passes = pass;
}

bool sp_gate_enter(struct sp_gate *gate, struct sp_gate_pass *pass, uint64_t patience_ns)
{
    pthread_mutex_lock(&gate->lock);
    bool enters = may_pass(gate);
    if (!enters) {
        struct timespec until = time_after(patience_ns);
        int error = 0;
        while (!(enters = may_pass(gate)) && error == 0)
            error = pthread_cond_timedwait(&gate->opens, &gate->lock, &until);
    }
    if (enters)
        let_in(gate, pass);
    pthread_mutex_unlock(&gate->lock);
    return enters;
}

void sp_gate_enter_always(struct sp_gate *gate, struct sp_gate_pass *pass)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->occupied)
        pthread_cond_wait(&gate->opens, &gate->lock);
    let_in(gate, pass);
    pthread_mutex_unlock(&gate->lock);
}

/* The last one hands over to who waits: otherwise somebody who always enters could be there again before that one wakes up. */
void sp_gate_leave(struct sp_gate *gate, struct sp_gate_pass *pass)
{
    pthread_mutex_lock(&gate->lock);
    SP_ASSERT(pthread_equal(pass->thread, pthread_self()));
    if (pass->previous != NULL)
        pass->previous->next = pass->next;
    else
        gate->passes = pass->next;
    if (pass->next != NULL)
        pass->next->previous = pass->previous;
    if (gate->awaited && gate->passes == NULL) {
        gate->occupied = true;
        pthread_cond_signal(&gate->empties);
    }
    pthread_mutex_unlock(&gate->lock);
}

void sp_gate_help(struct sp_gate *gate, struct sp_gate_helper *helper, pthread_t host)
{
    pthread_mutex_lock(&gate->lock);
    *helper =
        (struct sp_gate_helper){.thread = pthread_self(), .host = host, .next = gate->helpers};
    if (gate->helpers != NULL)
        gate->helpers->previous = helper;
    gate->helpers = helper;
    pthread_mutex_unlock(&gate->lock);
}

void sp_gate_help_end(struct sp_gate *gate, struct sp_gate_helper *helper)
{
    pthread_mutex_lock(&gate->lock);
    if (helper->previous != NULL)
        helper->previous->next = helper->next;
    else
        gate->helpers = helper->next;
    if (helper->next != NULL)
        helper->next->previous = helper->previous;
    pthread_mutex_unlock(&gate->lock);
}

bool sp_gate_shut(struct sp_gate *gate, uint64_t patience_ns)
{
    struct timespec until = time_after(patience_ns);
    int error = 0;
    pthread_mutex_lock(&gate->lock);
    SP_ASSERT(!gate->awaited && !gate->occupied);
    gate->shut = true;
    gate->occupied = gate->passes == NULL;
    gate->awaited = !gate->occupied;
    while (!gate->occupied && error == 0)
        error = pthread_cond_timedwait(&gate->empties, &gate->lock, &until);
    gate->awaited = false;
    bool alone = gate->occupied;
    pthread_mutex_unlock(&gate->lock);
    return alone;
}

void sp_gate_open(struct sp_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->shut = gate->occupied = false;
    pthread_cond_broadcast(&gate->opens);
    pthread_mutex_unlock(&gate->lock);
}
