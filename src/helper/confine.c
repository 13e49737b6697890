/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A seccomp filter (Drewry 2012; seccomp(2)) as a program for the kernel's packet
 * filter.
 *
 * Each row of the table allows a call, where needed only with one argument: the program
 * loads the call's number, compares it with that of each row, and kills the process at
 * the end. Only the low half of an argument is looked at; what is allowed by it (a
 * descriptor, protection bits, a command) is an int to the kernel too.
 *
 * Not under sanitizers: they open files, make threads and map memory as they like.
 */
#include "helper/confine.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MACHINE 0
#elif defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define MACHINE AUDIT_ARCH_AARCH64
#else
#define MACHINE 0
#endif

typedef enum {
    ALWAYS,
    EQUAL,  /* the argument has this value */
    WITHOUT /* it has none of these bits */
} condition;

static const struct {
    uint32_t call;
    condition when;
    uint32_t argument, value;
} allowed[] = {
    /* what is open, in the order of how often it is asked for */
    {__NR_pread64, ALWAYS, 0, 0},
    {__NR_preadv, ALWAYS, 0, 0},
    {__NR_read, ALWAYS, 0, 0},
    {__NR_lseek, ALWAYS, 0, 0},
    {__NR_fstat, ALWAYS, 0, 0},
    /* how newer libraries do fstat(); the path may say something all the same, which no
     * filter sees: stat() of any file is allowed with it */
    {__NR_newfstatat, EQUAL, 3, AT_EMPTY_PATH},
    {__NR_flock, ALWAYS, 0, 0},
    {__NR_fcntl, EQUAL, 1, F_SETFD},
    {__NR_fcntl, EQUAL, 1, F_GETFD},
    {__NR_close, ALWAYS, 0, 0},
    {__NR_write, EQUAL, 0, STDOUT_FILENO},
    {__NR_getcwd, ALWAYS, 0,
     0}, /* of a name without a folder libhdf5 makes a full one */
    /* memory, without code in it */
    {__NR_brk, ALWAYS, 0, 0},
    {__NR_mmap, WITHOUT, 2, PROT_EXEC},
    {__NR_mprotect, WITHOUT, 2, PROT_EXEC},
    {__NR_munmap, ALWAYS, 0, 0},
    {__NR_mremap, ALWAYS, 0, 0},
    {__NR_madvise, ALWAYS, 0, 0},
    /* the clock, where the kernel has no faster way to it */
    {__NR_clock_gettime, ALWAYS, 0, 0},
    {__NR_gettimeofday, ALWAYS, 0, 0},
    /* libhdf5 waits a nanosecond after metadata whose checksum is wrong */
    {__NR_nanosleep, ALWAYS, 0, 0},
    {__NR_clock_nanosleep, ALWAYS, 0, 0},
    {__NR_exit_group, ALWAYS, 0, 0},
};
enum { CALLS = sizeof allowed / sizeof *allowed, MOST = 5 + 5 * CALLS };

typedef struct {
    struct sock_filter step[MOST];
    unsigned short n;
} program;

static void add(program *p, uint16_t code, uint8_t if_true, uint8_t if_false,
                uint32_t k)
{
    p->step[p->n++] = (struct sock_filter){code, if_true, if_false, k};
}

static void load(program *p, size_t from)
{
    add(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)from);
}

/* Steps over what follows where the call is another one, or its argument is. */
static void add_call(program *p, size_t i)
{
    const bool is_plain = allowed[i].when == ALWAYS;
    add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, is_plain ? 1 : 4, allowed[i].call);
    if (!is_plain) {
        load(p, offsetof(struct seccomp_data, args) +
                    allowed[i].argument * sizeof(uint64_t));
        if (allowed[i].when == EQUAL)
            add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, allowed[i].value);
        else
            add(p, BPF_JMP | BPF_JSET | BPF_K, 1, 0, allowed[i].value);
    }
    add(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
    if (!is_plain)
        load(p, offsetof(struct seccomp_data, nr));
}

bool cl_confine(void)
{
    program p = {.n = 0};
    if (MACHINE == 0)
        return false;
    load(&p, offsetof(struct seccomp_data, arch));
    add(&p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, MACHINE);
    add(&p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
    load(&p, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < CALLS; i++)
        add_call(&p, i);
    add(&p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
    const struct sock_fprog filter = {p.n, p.step};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}
