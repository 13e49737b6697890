/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The process-wide record of libhdf5.
 *
 * libhdf5 may be built with or without thread safety; with it, it is one giant lock of
 * its own. We take our own lock in either case: sequences of calls must not be torn
 * apart, and time under the lock stays countable. (A host that uses libhdf5 itself from
 * other threads needs a thread-safe build, as without Clast.)
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

#define METADATA_CACHE_START (256u << 10)
#define METADATA_CACHE_MOST  (2u << 20)

static cl_mutex library;
static _Atomic int library_state; /* 0: not begun, 1: being made, 2: there */

/* The first caller makes the mutex; it is never unmade. */
static void make_lock_once(void)
{
    if (atomic_load_explicit(&library_state, memory_order_acquire) == 2)
        return;
    int expected = 0;
    if (atomic_compare_exchange_strong(&library_state, &expected, 1)) {
        cl_mutex_init(&library);
        atomic_store_explicit(&library_state, 2, memory_order_release);
    }
    while (atomic_load_explicit(&library_state, memory_order_acquire) != 2)
        continue;
}

void cl_hdf5_enter(cl_hdf5_guard *guard)
{
    make_lock_once();
    cl_mutex_lock(&library);
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
    cl_mutex_unlock(&library);
}

clast_status cl_hdf5_check_version(cl_error *err)
{
    unsigned major = 0, minor = 0, release = 0;
    if (H5get_libversion(&major, &minor, &release) >= 0 && major == H5_VERS_MAJOR &&
        minor == H5_VERS_MINOR && release >= H5_VERS_RELEASE)
        return CLAST_OK;
    return cl_error_set(err, CLAST_ENOTSUP,
                        "libhdf5 %u.%u.%u is loaded, Clast was compiled with %d.%d.%d",
                        major, minor, release, H5_VERS_MAJOR, H5_VERS_MINOR,
                        H5_VERS_RELEASE);
}

typedef struct {
    char reason[160];
    int error;
} innermost;

static herr_t look_at(unsigned n, const H5E_error2_t *entry, void *arg)
{
    innermost *in = arg;
    if (n == 0 && entry->desc)
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
