/* A disk that fails: preloaded into a trainer, it counts what is written below a folder, and from one write on
   answers with an error until it is mended. Every library's writes pass here, whatever language they are of.

   ACADEMY_IO_ROOT   the folder
   ACADEMY_IO_BOARD  a file of 512 bytes that is shared with the trial: see struct board
   Only a process with ACADEMY_HOST_PID in its environment is meant: the trainer, not its host. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct board {
    uint64_t count;     /* writes so far */
    uint64_t fail_at;   /* the first that fails, from 1; 0: none */
    uint64_t error;     /* what the disk says */
    uint64_t is_short;  /* the first write is taken by half, without an error */
    uint64_t mended;    /* the disk works again */
    uint64_t struck_ns; /* when it failed first, since 1970 */
    char what[464];     /* what that was */
};

static struct board *board;
static const char *root;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("ACADEMY_IO_BOARD");
    root = getenv("ACADEMY_IO_ROOT");
    if (!path || !root || !getenv("ACADEMY_HOST_PID"))
        return;
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    int file = real(path, O_RDWR);
    if (file < 0)
        return;
    void *mapped = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED)
        board = mapped;
}

/* 0: goes through; 1: fails, errno is set; 2: is taken by half */
static int judge(const char *what, const char *path)
{
    if (!board || !path || strncmp(path, root, strlen(root)) != 0)
        return 0;
    uint64_t number = __atomic_add_fetch(&board->count, 1, __ATOMIC_SEQ_CST);
    if (!board->fail_at || number < board->fail_at || board->mended)
        return 0;
    if (!board->struck_ns) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        snprintf(board->what, sizeof board->what, "%s %s", what, path + strlen(root));
        board->struck_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
        if (board->is_short && strcmp(what, "write") == 0)
            return 2;
    }
    errno = (int)board->error;
    return 1;
}

static int judge_file(const char *what, int file)
{
    char link[64], path[4096];
    if (!board)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return judge(what, path);
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int file, const void *bytes, size_t size)
{
    REAL(write);
    int verdict = judge_file("write", file);
    return verdict == 1 ? -1 : real(file, bytes, verdict == 2 ? (size + 1) / 2 : size);
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at)
{
    REAL(pwrite64);
    int verdict = judge_file("write", file);
    return verdict == 1 ? -1 : real(file, bytes, verdict == 2 ? (size + 1) / 2 : size, at);
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    REAL(writev);
    int verdict = judge_file("writev", file);
    return verdict ? -1 : real(file, parts, count);
}

ssize_t sendfile64(int to, int from, off64_t *at, size_t size);
ssize_t sendfile64(int to, int from, off64_t *at, size_t size)
{
    REAL(sendfile64);
    return judge_file("sendfile", to) ? -1 : real(to, from, at, size);
}

int fsync(int file)
{
    REAL(fsync);
    return judge_file("fsync", file) ? -1 : real(file);
}

int fdatasync(int file)
{
    REAL(fdatasync);
    return judge_file("fsync", file) ? -1 : real(file);
}

int ftruncate64(int file, off64_t size)
{
    REAL(ftruncate64);
    return judge_file("truncate", file) ? -1 : real(file, size);
}

int rename(const char *from, const char *to)
{
    REAL(rename);
    return judge("rename", to) ? -1 : real(from, to);
}

int mkdir(const char *path, mode_t mode)
{
    REAL(mkdir);
    return judge("mkdir", path) ? -1 : real(path, mode);
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        REAL(name); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list rest; \
            va_start(rest, flags); \
            mode = va_arg(rest, mode_t); \
            va_end(rest); \
            if (access(path, F_OK) != 0 && judge("create", path)) \
                return -1; \
        } \
        return real(path, flags, mode); \
    }

OPEN(open)
OPEN(open64)
