/* What Embedded Swift asks of a C library. Weak is what newlib lacks and glibc has. */
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

__attribute__((weak)) int posix_memalign(void **memory, size_t alignment, size_t size) {
  *memory = memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}

/* The seed of hashed collections: nothing here hangs on their order, so any number will do. */
__attribute__((weak)) void arc4random_buf(void *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) ((uint8_t *)bytes)[i] = (uint8_t)(41 * i + 7);
}

/* Where parsing ended; 0 if it can't begin. */
const char *_swift_stdlib_strtod_clocale(const char *text, double *number) {
  char *end;
  *number = strtod(text, &end);
  return end;
}

__attribute__((weak)) uintptr_t __stack_chk_guard = 0x5eed1e55;

__attribute__((weak)) void __stack_chk_fail(void) { abort(); }

/* Swift's tables of Unicode, 47 KB, compare texts by what they look like. The names here are compared byte by byte, as
   Python compares them: no character is composed of others, and each is a letter by itself. */
uint16_t _swift_stdlib_getNormData(uint32_t scalar) { return (void)scalar, 0; }
uint32_t _swift_stdlib_getDecompositionEntry(uint32_t scalar) { return (void)scalar, 0; }
uint32_t _swift_stdlib_getComposition(uint32_t first, uint32_t second) { return (void)first, (void)second, UINT32_MAX; }
uint8_t _swift_stdlib_getGraphemeBreakProperty(uint32_t scalar) { return (void)scalar, 0; }
bool _swift_stdlib_isExtendedPictographic(uint32_t scalar) { return (void)scalar, false; }
bool _swift_stdlib_isInCB_Consonant(uint32_t scalar) { return (void)scalar, false; }
const uint8_t _swift_stdlib_nfd_decompositions[1] = {0};
