/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The process-wide record of libhdf5.
 *
 * libhdf5 may be built with or without thread safety; with it, it is one giant lock of
 * its own. We take our own lock in either case: sequences of calls must not be torn
 * apart, and time under the lock stays countable. A host may put its own lock in the
 * place of ours; where libhdf5 has none it must say something, since nothing else would
 * keep its calls away from ours. `users` counts what would notice an exchange: threads
 * that are inside, open files and outputs; it is -1 while the lock is exchanged.
 *
 * The version that is loaded must be the compiled one to the last number: that is what
 * libhdf5's own headers demand of it, by abort() where we would not refuse before.
 *
 * Error printing is a setting per thread and belongs to the host. enter saves and
 * silences it, leave restores it; both cost well under a microsecond. The two versions
 * of the setting must be read and written by their own functions.
 */
#include "io/hdf5_lib.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "io/store.h"

#define METADATA_CACHE_START (256u << 10)
#define METADATA_CACHE_MOST  (2u << 20)

static cl_mutex own_mutex = CL_MUTEX_INIT;

static void lock_own(void *mutex)
{
    cl_mutex_lock(mutex);
}

static void unlock_own(void *mutex)
{
    cl_mutex_unlock(mutex);
}

static struct {
    clast_lock_fn *lock, *unlock;
    void *arg;
    bool is_said; /* by the host */
    _Atomic int64_t users;
} library = {.lock = lock_own, .unlock = unlock_own, .arg = &own_mutex};

void cl_hdf5_hold(void)
{
    int64_t n = atomic_load_explicit(&library.users, memory_order_relaxed);
    while (n < 0 || !atomic_compare_exchange_weak(&library.users, &n, n + 1)) {
        cl_thread_relax();
        n = atomic_load_explicit(&library.users, memory_order_relaxed);
    }
}

void cl_hdf5_release(void)
{
    atomic_fetch_sub(&library.users, 1);
}

clast_status cl_hdf5_set_lock(clast_lock_fn *lock, clast_lock_fn *unlock, void *arg)
{
    int64_t nobody = 0;
    if (!lock != !unlock)
        return CLAST_EVALUE;
    if (!atomic_compare_exchange_strong(&library.users, &nobody, -1))
        return CLAST_EBUSY;
    library.lock = lock ? lock : lock_own;
    library.unlock = lock ? unlock : unlock_own;
    library.arg = lock ? arg : &own_mutex;
    library.is_said = true;
    atomic_store(&library.users, 0);
    return CLAST_OK;
}

/* What a driver failed with last, since the lock was taken: libhdf5 does not leave
 * every error on its stack. */
static int driver_errno;

void cl_hdf5_note_errno(int error)
{
    driver_errno = error;
}

void cl_hdf5_enter(cl_hdf5_guard *guard)
{
    cl_hdf5_hold();
    library.lock(library.arg);
    driver_errno = 0;
    *guard = (cl_hdf5_guard){.is_v2 = 1};
    H5Eauto_is_v2(H5E_DEFAULT, &guard->is_v2);
    if (guard->is_v2)
        H5Eget_auto2(H5E_DEFAULT, &guard->print2, &guard->arg);
    else
        H5Eget_auto1(&guard->print1, &guard->arg);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void cl_hdf5_leave(const cl_hdf5_guard *guard)
{
    H5Eclear2(H5E_DEFAULT);
    if (guard->is_v2)
        H5Eset_auto2(H5E_DEFAULT, guard->print2, guard->arg);
    else
        H5Eset_auto1(guard->print1, guard->arg);
    library.unlock(library.arg);
    cl_hdf5_release();
}

clast_status cl_hdf5_check_library(cl_error *err)
{
    unsigned major = 0, minor = 0, release = 0;
    hbool_t is_safe = false;
    if (H5get_libversion(&major, &minor, &release) < 0 || major != H5_VERS_MAJOR ||
        minor != H5_VERS_MINOR || release != H5_VERS_RELEASE)
        return cl_error_set(
            err, CLAST_ENOTSUP,
            "libhdf5 %u.%u.%u is loaded, Clast was compiled with %d.%d.%d", major,
            minor, release, H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE);
    if (!library.is_said && (H5is_library_threadsafe(&is_safe) < 0 || !is_safe))
        return cl_error_set(err, CLAST_ENOTSUP,
                            "this libhdf5 is not thread-safe: the program has to say "
                            "by clast_set_hdf5_lock() how its own calls and Clast's "
                            "are kept apart");
    return CLAST_OK;
}

typedef struct {
    char reason[160];
    int error;
} innermost;

/* Where plugins were looked for in vain says less than what for, which comes next. */
static herr_t look_at(unsigned n, const H5E_error2_t *entry, void *arg)
{
    innermost *in = arg;
    (void)n;
    if (entry->maj_num == H5E_PLUGIN)
        return 0;
    if (!in->reason[0] && entry->desc)
        snprintf(in->reason, sizeof in->reason, "%s", entry->desc);
    const char *number = entry->desc ? strstr(entry->desc, "errno = ") : NULL;
    if (number && in->error == 0)
        in->error = atoi(number + strlen("errno = "));
    return 0;
}

int cl_hdf5_errno(void)
{
    innermost in = {"", 0};
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, look_at, &in);
    return in.error;
}

clast_status cl_hdf5_fail(cl_error *err, clast_status status, const char *format, ...)
{
    innermost in = {"", 0};
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, look_at, &in);
    char text[CL_ERROR_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (in.error == 0)
        in.error = driver_errno;
    if (in.error != 0)
        return cl_error_set(err, cl_status_from_errno(in.error), "%s: %s", text,
                            strerrordesc_np(in.error));
    if (in.reason[0])
        return cl_error_set(err, status, "%s (libhdf5: %s)", text, in.reason);
    return cl_error_set(err, status, "%s", text);
}

void cl_hdf5_close_list(hid_t list)
{
    const hid_t stack = H5Eget_current_stack();
    H5Pclose(list);
    if (stack >= 0)
        H5Eset_current_stack(stack);
}

int cl_hdf5_descriptor(hid_t file)
{
    void *handle = NULL;
    if (H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) < 0 || !handle)
        return -1;
    return *(const int *)handle;
}

void cl_hdf5_close_on_exec(hid_t file)
{
    const int fd = cl_hdf5_descriptor(file);
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static herr_t cap_metadata_cache(hid_t list)
{
    H5AC_cache_config_t config = {.version = H5AC__CURR_CACHE_CONFIG_VERSION};
    if (H5Pget_mdc_config(list, &config) < 0)
        return -1;
    config.set_initial_size = 1;
    config.initial_size = METADATA_CACHE_START;
    config.min_size = METADATA_CACHE_START;
    config.max_size = METADATA_CACHE_MOST;
    return H5Pset_mdc_config(list, &config);
}

hid_t cl_hdf5_access_list(void)
{
    const hid_t list = H5Pcreate(H5P_FILE_ACCESS);
    if (list < 0)
        return list;
    if (cap_metadata_cache(list) < 0 ||
        H5Pset_fclose_degree(list, H5F_CLOSE_WEAK) < 0 ||
        H5Pset_cache(list, 0, 0, 0, 1.0) < 0) {
        H5Pclose(list);
        return -1;
    }
    return list;
}
