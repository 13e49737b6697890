/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The capturing driver.
 *
 * Reads of metadata go through as positioned reads; reads of raw data (H5FD_MEM_DRAW)
 * are noted while a capture is on. A capture is good if exactly one raw read was noted.
 *
 * Two opens are the same file to libhdf5 only if device, inode, size and time of
 * change agree: a file that was changed since must not share metadata with its past.
 *
 * The driver interface is public up to HDF5 1.12; later versions moved it. There the
 * default driver is used, nothing is captured, and chunks are read by H5Dread_chunk.
 */
#include "io/hdf5_capture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/sys.h"

#if H5_VERS_MAJOR == 1 && H5_VERS_MINOR == 10

typedef struct {
    H5FD_t base;
    int fd;
    haddr_t eoa;
    struct stat at_open;
} capture_file;

static _Thread_local struct {
    bool is_on;
    int reads;
    haddr_t address;
    size_t bytes;
} noted;

static int open_error; /* guarded by the lock of hdf5_lib.h */

static H5FD_t *open_file(const char *name, unsigned flags, hid_t list, haddr_t most)
{
    if (flags & H5F_ACC_RDWR)
        return NULL;
    capture_file *f = cl_calloc(1, sizeof *f);
    open_error = f ? 0 : ENOMEM;
    if (!f)
        return NULL;
    f->fd = open(name, O_RDONLY | O_CLOEXEC);
    if (f->fd >= 0 && fstat(f->fd, &f->at_open) == 0 && S_ISREG(f->at_open.st_mode))
        return &f->base;
    open_error = errno;
    if (f->fd >= 0)
        close(f->fd);
    cl_free(f);
    return NULL;
}

static herr_t close_file(H5FD_t *file)
{
    capture_file *f = (capture_file *)file;
    close(f->fd);
    cl_free(f);
    return 0;
}

static int order(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_files(const H5FD_t *a, const H5FD_t *b)
{
    const struct stat *x = &((const capture_file *)a)->at_open;
    const struct stat *y = &((const capture_file *)b)->at_open;
    const uint64_t key[][2] = {
        {(uint64_t)x->st_dev, (uint64_t)y->st_dev},
        {(uint64_t)x->st_ino, (uint64_t)y->st_ino},
        {(uint64_t)x->st_size, (uint64_t)y->st_size},
        {(uint64_t)x->st_mtim.tv_sec, (uint64_t)y->st_mtim.tv_sec},
        {(uint64_t)x->st_mtim.tv_nsec, (uint64_t)y->st_mtim.tv_nsec},
    };
    for (size_t i = 0; i < sizeof key / sizeof *key; i++)
        if (key[i][0] != key[i][1])
            return order(key[i][0], key[i][1]);
    return 0;
}

static herr_t query(const H5FD_t *file, unsigned long *flags)
{
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA_READ |
             H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_POSIX_COMPAT_HANDLE |
             H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t get_eoa(const H5FD_t *file, H5FD_mem_t type)
{
    return ((const capture_file *)file)->eoa;
}

static herr_t set_eoa(H5FD_t *file, H5FD_mem_t type, haddr_t address)
{
    ((capture_file *)file)->eoa = address;
    return 0;
}

static haddr_t get_eof(const H5FD_t *file, H5FD_mem_t type)
{
    return (haddr_t)((const capture_file *)file)->at_open.st_size;
}

static herr_t get_handle(H5FD_t *file, hid_t list, void **handle)
{
    *handle = &((capture_file *)file)->fd;
    return 0;
}

/* Behind the end of the file are zeros, as libhdf5's own drivers have it. */
static herr_t read_at(const capture_file *f, haddr_t at, size_t bytes, void *buffer)
{
    const haddr_t end = (haddr_t)f->at_open.st_size;
    const size_t there = at >= end ? 0 : end - at < bytes ? end - at : bytes;
    struct iovec piece = {buffer, there};
    memset((char *)buffer + there, 0, bytes - there);
    const int error = there > 0 ? cl_sys_read_all(f->fd, &piece, 1, (off_t)at) : 0;
    return error == 0 ? 0 : -1;
}

static herr_t read_file(H5FD_t *file, H5FD_mem_t type, hid_t list, haddr_t at,
                        size_t bytes, void *buffer)
{
    const capture_file *f = (const capture_file *)file;
    if (noted.is_on && type == H5FD_MEM_DRAW) {
        noted.address = at;
        noted.bytes = bytes;
        noted.reads++;
        return 0;
    }
    if (at == HADDR_UNDEF || at + bytes < at || at + bytes > f->eoa)
        return -1;
    return read_at(f, at, bytes, buffer);
}

static herr_t refuse_write(H5FD_t *file, H5FD_mem_t type, hid_t list, haddr_t at,
                           size_t bytes, const void *buffer)
{
    return -1;
}

/* Called unless the host switched HDF5's file locking off. File systems without locks
 * are taken as they are. */
static herr_t lock_file(H5FD_t *file, hbool_t is_write)
{
    const int fd = ((const capture_file *)file)->fd;
    if (flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return 0;
    open_error = EWOULDBLOCK;
    return -1;
}

static herr_t unlock_file(H5FD_t *file)
{
    flock(((const capture_file *)file)->fd, LOCK_UN);
    return 0;
}

static const H5FD_class_t capture_class = {
    .name = "clast_capture",
    .maxaddr = (haddr_t)1 << 62,
    .fc_degree = H5F_CLOSE_WEAK,
    .open = open_file,
    .close = close_file,
    .cmp = compare_files,
    .query = query,
    .get_eoa = get_eoa,
    .set_eoa = set_eoa,
    .get_eof = get_eof,
    .get_handle = get_handle,
    .read = read_file,
    .write = refuse_write,
    .lock = lock_file,
    .unlock = unlock_file,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

bool cl_hdf5_capture_use(hid_t access_list)
{
    static hid_t driver = H5I_INVALID_HID;
    if (driver < 0 ||
        H5Iget_type(driver) != H5I_VFL) /* also after the host's H5close */
        driver = H5FDregister(&capture_class);
    return driver >= 0 && H5Pset_driver(access_list, driver, NULL) >= 0;
}

int cl_hdf5_capture_error(void)
{
    return open_error;
}

/* The innermost complaint tells a chunk that was never written from an index that
 * cannot be read. */
static herr_t look_for_absence(unsigned n, const H5E_error2_t *entry, void *arg)
{
    if (n == 0 && entry->func_name)
        *(bool *)arg = strcmp(entry->func_name, "H5D__chunk_direct_read") == 0;
    return 0;
}

static cl_chunk_state why_not(void)
{
    bool is_absent = false;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, look_for_absence, &is_absent);
    return is_absent ? CL_CHUNK_ABSENT : CL_CHUNK_UNKNOWN;
}

cl_chunk_state cl_hdf5_locate(hid_t dataset, const hsize_t *offset, uint64_t *at,
                              uint64_t *bytes, uint32_t *mask)
{
    unsigned char nothing[16]; /* the driver stores no byte while a capture is on */
    noted.is_on = true;
    noted.reads = 0;
    *mask = 0;
    const herr_t result = H5Dread_chunk(dataset, H5P_DEFAULT, offset, mask, nothing);
    noted.is_on = false;
    if (result < 0)
        return why_not();
    if (noted.reads != 1)
        return CL_CHUNK_UNKNOWN;
    *at = noted.address;
    *bytes = noted.bytes;
    return CL_CHUNK_STORED;
}

#else

bool cl_hdf5_capture_use(hid_t access_list)
{
    return false;
}

int cl_hdf5_capture_error(void)
{
    return 0;
}

cl_chunk_state cl_hdf5_locate(hid_t dataset, const hsize_t *offset, uint64_t *at,
                              uint64_t *bytes, uint32_t *mask)
{
    hsize_t stored = 0;
    *mask = 0;
    *at = UINT64_MAX;
    if (H5Dget_chunk_storage_size(dataset, offset, &stored) < 0 || stored == 0)
        return CL_CHUNK_ABSENT;
    *bytes = stored;
    return CL_CHUNK_UNKNOWN;
}

#endif
