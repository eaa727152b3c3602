/* Linux: files, text and arguments as everywhere; instructions are counted from outside, memory is not. */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int argument_count;
static char **arguments;

__attribute__((constructor)) static void remember(int count, char **words) {
  argument_count = count;
  arguments = words;
}

intptr_t device_argument(int index, char *text, size_t most) {
  if (index >= argument_count || strlen(arguments[index]) > most) return -1;
  size_t length = strlen(arguments[index]);
  memcpy(text, arguments[index], length);
  return (intptr_t)length;
}

int device_open(const char *path) { return open(path, O_RDONLY); }

intptr_t device_size(int file) {
  struct stat facts;
  return fstat(file, &facts) ? -1 : (intptr_t)facts.st_size;
}

void device_close(int file) { close(file); }

size_t device_read(int file, void *bytes, size_t most) {
  ssize_t count = read(file, bytes, most);
  return count > 0 ? (size_t)count : 0;
}

void device_write(const void *bytes, size_t count) {
  while (count > 0) {
    ssize_t written = write(1, bytes, count);
    if (written <= 0) return;
    bytes = (const char *)bytes + written;
    count -= (size_t)written;
  }
}

uint32_t device_ticks(void) { return 0; }
uint32_t device_calibration(void) { return 0; }
uint32_t device_heap(void) { return 0; }
uint32_t device_stack(void) { return 0; }
