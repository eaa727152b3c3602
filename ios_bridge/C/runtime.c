/* What the objects of Embedded Swift ask of a C library, on every device. Weak is what newlib lacks and others have. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#ifndef __wasm__
#include <malloc.h>
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#ifndef __wasm__
__attribute__((weak)) int posix_memalign(void **memory, size_t alignment, size_t size) {
  *memory = memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}
#endif

/* Seeds the hashes of dictionaries: no order depends on it, so that a replay is the same every time. */
__attribute__((weak)) void arc4random_buf(void *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) ((uint8_t *)bytes)[i] = (uint8_t)(41 * i + 7);
}

/* A decimal point is a point wherever the host's locale puts a comma. */
const char *_swift_stdlib_strtod_clocale(const char *text, double *number) {
  char *end;
  if (isspace((unsigned char)*text)) return NULL;
#if defined(__wasm__) || !defined(LC_ALL_MASK)
  *number = strtod(text, &end); /* a C library that knows one locale */
#else
  static locale_t plain;
  locale_t known = __atomic_load_n(&plain, __ATOMIC_ACQUIRE);
  if (!known) {
    locale_t made = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (__atomic_compare_exchange_n(&plain, &known, made, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) known = made;
    else freelocale(made);
  }
  *number = strtod_l(text, &end, known);
#endif
  return end;
}

__attribute__((weak)) uintptr_t __stack_chk_guard = 0x5eed1e55;
__attribute__((weak)) _Noreturn void __stack_chk_fail(void) { abort(); }

/* Swift's tables of Unicode, 100 KB, compare texts by what they look like. Names are compared byte by byte here, as
   Python compares them: no character is composed of others, and each is a letter by itself. */
uint16_t _swift_stdlib_getNormData(uint32_t scalar) { return (void)scalar, 0; }
uint32_t _swift_stdlib_getDecompositionEntry(uint32_t scalar) { return (void)scalar, 0; }
uint32_t _swift_stdlib_getComposition(uint32_t first, uint32_t second) { return (void)first, (void)second, UINT32_MAX; }
uint8_t _swift_stdlib_getGraphemeBreakProperty(uint32_t scalar) { return (void)scalar, 0; }
bool _swift_stdlib_isExtendedPictographic(uint32_t scalar) { return (void)scalar, false; }
bool _swift_stdlib_isInCB_Consonant(uint32_t scalar) { return (void)scalar, false; }
const uint8_t _swift_stdlib_nfd_decompositions[1] = {0};
