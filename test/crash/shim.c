/*
 * Preloaded into the server by the crash harness. CRASH_SHIM names a file of two 64-bit numbers, read at every call:
 * nanoseconds to add to the machine's time of day (the monotonic clock is left alone), and which fsync from now on fails
 * with EIO, counted down here; 0 for none.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct orders {
  volatile int64_t ahead;
  volatile int64_t failing;
};

static struct orders none;

static struct orders *orders(void) {
  static struct orders *mapped;
  if (mapped) return mapped;
  const char *name = getenv("CRASH_SHIM");
  int file = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
  void *place = file < 0 ? MAP_FAILED : mmap(0, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (file >= 0) close(file);
  return mapped = place == MAP_FAILED ? &none : place;
}

static int fails(void) {
  struct orders *given = orders();
  return given->failing > 0 && __atomic_sub_fetch(&given->failing, 1, __ATOMIC_SEQ_CST) == 0;
}

int fsync(int file) {
  if (fails()) return errno = EIO, -1;
  return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
  if (fails()) return errno = EIO, -1;
  return (int)syscall(SYS_fdatasync, file);
}

static void shift(int64_t *seconds, int64_t *nanoseconds) {
  int64_t moved = *seconds * 1000000000 + *nanoseconds + orders()->ahead;
  *seconds = moved / 1000000000;
  *nanoseconds = moved % 1000000000;
}

int clock_gettime(clockid_t which, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int failed = real(which, now);
  if (failed || (which != CLOCK_REALTIME && which != CLOCK_REALTIME_COARSE)) return failed;
  int64_t seconds = now->tv_sec, nanoseconds = now->tv_nsec;
  shift(&seconds, &nanoseconds);
  now->tv_sec = seconds, now->tv_nsec = nanoseconds;
  return 0;
}

int gettimeofday(struct timeval *now, void *zone) {
  struct timespec real;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &real)) return -1;
  now->tv_sec = real.tv_sec, now->tv_usec = real.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *into) {
  struct timespec real;
  clock_gettime(CLOCK_REALTIME, &real);
  if (into) *into = real.tv_sec;
  return real.tv_sec;
}
