/* What Embedded Swift asks of a C library and newlib lacks. */
#include <errno.h>
#include <locale.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

int posix_memalign(void **memory, size_t alignment, size_t size) {
  *memory = memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}

/* The seed of hashed collections: nothing here hangs on their order, so any number will do. */
void arc4random_buf(void *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) ((uint8_t *)bytes)[i] = (uint8_t)(41 * i + 7);
}

/* Where parsing ended; 0 if it can't begin. */
const char *_swift_stdlib_strtod_clocale(const char *text, double *number) {
  char *end;
  *number = strtod(text, &end);
  return end;
}

uintptr_t __stack_chk_guard = 0x5eed1e55;

void __stack_chk_fail(void) { abort(); }
