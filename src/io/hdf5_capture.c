/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The capturing driver.
 *
 * Reads of metadata go through as positioned reads; reads of raw data (H5FD_MEM_DRAW)
 * are noted while a capture is on. A capture is good if exactly one raw read was noted.
 * So the addresses of chunks are found in the same way with every libhdf5; newer ones
 * have H5Dchunk_iter, which goes through all chunks of a dataset and would have to be
 * kept for each, where a capture asks for those that a run reads.
 *
 * Two opens are the same file to libhdf5 only if device, inode, size and time of
 * change agree: a file that was changed since must not share metadata with its past.
 *
 * What a file is that is none of HDF5's its first bytes may tell (other_format.c).
 * libhdf5 looks for its signature there first, so they are noted as they pass: to look
 * at the file again is what a confined helper can no longer do.
 */
#include "io/hdf5_capture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "io/hdf5_driver.h"
#include "io/hdf5_lib.h"
#include "io/other_format.h"

static _Thread_local struct {
    bool is_on;
    int reads;
    haddr_t address;
    size_t bytes;
} noted;

/* guarded by the lock of hdf5_lib.h */
static int open_error;
static const char *other_format;
static struct {
    bool (*confine)(void);
    bool is_asked, has_one, is_confined;
} alone;

void cl_hdf5_capture_alone(bool (*confine)(void))
{
    alone.confine = confine;
    alone.is_asked = true;
}

bool cl_hdf5_capture_is_alone(void)
{
    return alone.has_one;
}

bool cl_hdf5_capture_is_confined(void)
{
    return alone.is_confined;
}

static H5FD_t *keep_alone(cl_hdf5_driver_file *f)
{
    alone.has_one = alone.is_asked;
    if (alone.confine)
        alone.is_confined = alone.confine();
    return (H5FD_t *)f;
}

static H5FD_t *open_file(const char *name, unsigned flags, hid_t list, haddr_t most)
{
    (void)list;
    (void)most;
    other_format = NULL;
    if (flags & H5F_ACC_RDWR)
        return NULL;
    if (alone.has_one) {
        open_error = EACCES;
        return NULL;
    }
    cl_hdf5_driver_file *f =
        cl_hdf5_driver_open(sizeof *f, name, O_RDONLY, &open_error);
    if (!f)
        return NULL;
    if (S_ISREG(f->at_open.st_mode))
        return keep_alone(f);
    cl_hdf5_driver_close(&f->base);
    return NULL;
}

static herr_t close_file(H5FD_t *file)
{
    cl_hdf5_driver_close(file);
    return 0;
}

static int order(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_files(const H5FD_t *a, const H5FD_t *b)
{
    const struct stat *x = &((const cl_hdf5_driver_file *)a)->at_open;
    const struct stat *y = &((const cl_hdf5_driver_file *)b)->at_open;
    const int key[] = {
        cl_hdf5_driver_compare(a, b),
        order(x->st_size, y->st_size),
        order(x->st_mtim.tv_sec, y->st_mtim.tv_sec),
        order(x->st_mtim.tv_nsec, y->st_mtim.tv_nsec),
    };
    size_t i = 0;
    while (i < sizeof key / sizeof *key - 1 && key[i] == 0)
        i++;
    return key[i];
}

static herr_t query(const H5FD_t *file, unsigned long *flags)
{
    (void)file;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA_READ |
             H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    if (!alone.is_asked) /* makes libhdf5 look the file's name up once more */
        *flags |= H5FD_FEAT_POSIX_COMPAT_HANDLE;
    return 0;
}

static _Thread_local struct {
    bool is_on, has_failed;
} postponed;

bool cl_hdf5_capture_postpone(bool postpones)
{
    const bool has_failed = postponed.has_failed;
    postponed.is_on = postpones;
    postponed.has_failed = false;
    return has_failed;
}

static herr_t read_file(H5FD_t *file, H5FD_mem_t type, hid_t list, haddr_t at,
                        size_t bytes, void *buffer)
{
    const cl_hdf5_driver_file *f = (const cl_hdf5_driver_file *)file;
    (void)list;
    if (noted.is_on && type == H5FD_MEM_DRAW) {
        noted.address = at;
        noted.bytes = bytes;
        noted.reads++;
        return 0;
    }
    if (cl_hdf5_driver_is_outside(f, at, bytes))
        return -1;
    const int error = cl_hdf5_driver_read(f, at, bytes, buffer);
    if (error > 0 && type == H5FD_MEM_DRAW && postponed.is_on) {
        cl_hdf5_note_errno(error);
        postponed.has_failed = true;
        memset(buffer, 0, bytes);
        return 0;
    }
    if (error == 0 && at == 0 && bytes >= CL_FORMAT_BYTES)
        other_format = cl_other_format(buffer);
    return error == 0 ? 0 : cl_hdf5_driver_fail(error);
}

static herr_t refuse_write(H5FD_t *file, H5FD_mem_t type, hid_t list, haddr_t at,
                           size_t bytes, const void *buffer)
{
    (void)file, (void)type, (void)list, (void)at, (void)bytes, (void)buffer;
    return -1;
}

/* Called unless the host switched HDF5's file locking off. File systems without locks
 * are taken as they are. */
static herr_t lock_file(H5FD_t *file, hbool_t is_write)
{
    const int fd = ((const cl_hdf5_driver_file *)file)->fd;
    (void)is_write;
    if (flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return 0;
    open_error = EWOULDBLOCK;
    return -1;
}

bool cl_hdf5_capture_use(hid_t access_list)
{
    static hid_t driver = H5I_INVALID_HID;
    H5FD_class_t own = cl_hdf5_driver_class(CL_HDF5_DRIVER_CAPTURE, "clast_capture");
    own.open = open_file;
    own.close = close_file;
    own.cmp = compare_files;
    own.query = query;
    own.read = read_file;
    own.write = refuse_write;
    own.lock = lock_file;
    return cl_hdf5_driver_use(access_list, &driver, &own);
}

int cl_hdf5_capture_error(void)
{
    return open_error;
}

const char *cl_hdf5_capture_other_format(void)
{
    return other_format;
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
