/* What the objects of Embedded Swift ask of a C library. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <ctype.h>
#include <locale.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

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
#ifdef __wasm__
_Noreturn void __stack_chk_fail(void) { __builtin_trap(); }
#endif
