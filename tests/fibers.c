/* SPDX-License-Identifier: BSD-3-Clause */
/* Fibers are contexts of the C library, each on a stack of its own (fibers.h). */
#include "fibers.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

enum { STACK = 512 << 10 };

typedef enum { CAN_RUN, WAITS_FOR_TIME, WAITS_FOR_MUTEX, SLEEPS, ENDED } fiber_state;

typedef struct {
    ucontext_t context;
    fiber_state state;
    double until;         /* WAITS_FOR_TIME */
    const cl_cond *waits; /* SLEEPS */
    bool is_signaled;     /* it slept, and has not the mutex again yet */
} fiber;

static fiber all[FIBERS_MOST], *current, *holder;
static int n;
static char stacks[FIBERS_MOST][STACK];
static ucontext_t outside;
static dice *die;
static double now;
static bool is_verbose;
static char complaint[240];
static void (*on_letting_go)(void);

void fibers_begin(dice *d, bool verbose, void (*letting_go)(void))
{
    memset(all, 0, sizeof all);
    current = holder = NULL;
    n = 0;
    die = d;
    now = 0;
    is_verbose = verbose;
    complaint[0] = '\0';
    on_letting_go = letting_go;
}

void fibers_add(void (*main)(void))
{
    fiber *f = &all[n];
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = stacks[n++];
    f->context.uc_stack.ss_size = STACK;
    makecontext(&f->context, main, 0);
}

void fibers_complain(const char *format, ...)
{
    if (complaint[0] == '\0') {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(complaint, sizeof complaint, format, arguments);
        va_end(arguments);
    }
    if (current) /* the run is given up */
        swapcontext(&current->context, &outside);
}

const char *fibers_complaint(void)
{
    return complaint[0] == '\0' ? NULL : complaint;
}

void fibers_say(const char *format, ...)
{
    if (!is_verbose)
        return;
    va_list arguments;
    va_start(arguments, format);
    printf("# %9.3f us, %d: ", now * 1e6, fibers_index());
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

int fibers_index(void)
{
    return current ? (int)(current - all) : -1;
}

/* ---- who goes on ---- */

static void leave(fiber_state state)
{
    fiber *f = current;
    f->state = state;
    swapcontext(&f->context, &outside);
}

void fibers_end(void)
{
    leave(ENDED);
}

void fibers_hand_over(void)
{
    if (current && dice_one_in(die, 3))
        leave(CAN_RUN);
}

void fibers_pass(double seconds)
{
    current->until = now + seconds;
    leave(WAITS_FOR_TIME);
}

void fibers_relax(void)
{
    fibers_pass(dice_below(die, 20) * 1e-7);
}

double cl_clock(void)
{
    return now += 2e-8;
}

static bool can_go_on(const fiber *f)
{
    return f->state == CAN_RUN || (f->state == WAITS_FOR_TIME && f->until <= now) ||
           (f->state == WAITS_FOR_MUTEX && !holder);
}

static fiber *choose(void)
{
    fiber *able[FIBERS_MOST];
    uint32_t count = 0;
    for (int i = 0; i < n; i++)
        if (can_go_on(&all[i]))
            able[count++] = &all[i];
    return count ? able[dice_below(die, count)] : NULL;
}

/* To when the next one wakes; false: none will. */
static bool advance_time(void)
{
    const fiber *next = NULL;
    for (const fiber *f = all; f < all + n; f++)
        if (f->state == WAITS_FOR_TIME && (!next || f->until < next->until))
            next = f;
    if (next && next->until > now)
        now = next->until;
    return next;
}

static bool have_ended(void)
{
    bool have = true;
    for (int i = 0; i < n; i++)
        have = have && all[i].state == ENDED;
    return have;
}

void fibers_run(void)
{
    while (!fibers_complaint() && !have_ended()) {
        if (dice_one_in(die, 50))
            now += 1e-7 * dice_below(die, 100);
        fiber *f = choose();
        if (f) {
            f->state = CAN_RUN;
            current = f;
            swapcontext(&outside, &f->context);
            current = NULL;
        } else if (!advance_time()) {
            fibers_complain("nobody can go on: all sleep");
        }
    }
}

/* ---- the mutex and conditions ---- */

bool fibers_has_mutex(void)
{
    return holder == current;
}

static void get_mutex(void)
{
    while (holder)
        leave(WAITS_FOR_MUTEX);
    holder = current;
    current->is_signaled = false;
}

void cl_mutex_lock(cl_mutex *m)
{
    fibers_hand_over();
    get_mutex();
}

bool cl_mutex_try_lock(cl_mutex *m)
{
    fibers_hand_over();
    if (holder)
        return false;
    get_mutex();
    return true;
}

void cl_mutex_unlock(cl_mutex *m)
{
    if (!fibers_has_mutex())
        fibers_complain("the mutex is let go by who has not got it");
    on_letting_go();
    holder = NULL;
    fibers_hand_over();
}

void cl_cond_wait(cl_cond *c, cl_mutex *m)
{
    /* Condition variables may wake for nothing. */
    const bool sleeps = !dice_one_in(die, 50);
    if (!fibers_has_mutex())
        fibers_complain("sleeping without the mutex");
    fibers_say("sleeps");
    current->waits = c;
    current->state = sleeps ? SLEEPS : CAN_RUN;
    on_letting_go();
    holder = NULL;
    leave(current->state);
    get_mutex();
}

static fiber *sleeper(const cl_cond *c)
{
    fiber *found = NULL;
    for (fiber *f = all; f < all + n; f++)
        if (f->state == SLEEPS && f->waits == c && (!found || dice_one_in(die, 2)))
            found = f;
    return found;
}

void cl_cond_signal(cl_cond *c)
{
    fiber *f = sleeper(c);
    if (!f)
        return;
    f->state = CAN_RUN;
    f->is_signaled = true;
}

void cl_cond_broadcast(cl_cond *c)
{
    while (fibers_sleeps(c))
        cl_cond_signal(c);
}

bool fibers_sleeps(const cl_cond *c)
{
    for (const fiber *f = all; f < all + n; f++)
        if (f->state == SLEEPS && f->waits == c)
            return true;
    return false;
}

bool fibers_is_waking(void)
{
    for (const fiber *f = all; f < all + n; f++)
        if (f->is_signaled)
            return true;
    return false;
}
