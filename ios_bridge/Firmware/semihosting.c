/* Bare metal: start-up of a Cortex-M, files and text through the debugger's calls (Arm, "Semihosting for AArch32 and
   AArch64"), and meters: instructions by SysTick, the heap by what newlib asked for, the stack by what it painted over. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SYS_OPEN = 1, SYS_CLOSE = 2, SYS_WRITE0 = 4, SYS_WRITE = 5, SYS_READ = 6, SYS_FLEN = 12 };
enum { SYS_GET_CMDLINE = 0x15, SYS_EXIT = 0x18 };
enum { STOPPED_BY_ERROR = 0x20023, STOPPED_AS_WANTED = 0x20026 };
static const uint32_t PAINT = 0xa5a5a5a5;

#define SYSTICK ((volatile uint32_t *)0xe000e010) /* control, reload, value */
#define CPACR (*(volatile uint32_t *)0xe000ed88)

extern uint32_t stack_top[], bss_start[], bss_end[], data_start[], data_end[], data_source[];
static uint32_t *heap_end = bss_end;
static int console;

int main(int, char **);

static int call(int operation, const void *block) {
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = block;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

__attribute__((noreturn)) static void stop(int reason) {
  for (;;) call(SYS_EXIT, (void *)(uintptr_t)reason);
}

/* A trap of Swift is an undefined instruction, and any fault ends here. */
__attribute__((noreturn)) static void fault(void) {
  call(SYS_WRITE0, "trap\n");
  stop(STOPPED_BY_ERROR);
}

/* Objects refer to the unwinder of exceptions, which nothing here throws. */
void __aeabi_unwind_cpp_pr0(void) {}
void __aeabi_unwind_cpp_pr1(void) {}

void abort(void) { fault(); }

/* newlib's would bring printf along. */
void __assert_func(const char *file, int line, const char *function, const char *condition) {
  (void)file, (void)line, (void)function, (void)condition;
  fault();
}

int device_open(const char *path) {
  const void *block[] = {path, (void *)1 /* "rb" */, (void *)strlen(path)};
  return call(SYS_OPEN, block);
}

int device_size(int file) {
  const void *block[] = {(void *)(intptr_t)file};
  return call(SYS_FLEN, block);
}

void device_close(int file) {
  const void *block[] = {(void *)(intptr_t)file};
  call(SYS_CLOSE, block);
}

size_t device_read(int file, void *bytes, size_t most) {
  const void *block[] = {(void *)(intptr_t)file, bytes, (void *)most};
  return most - (size_t)call(SYS_READ, block);
}

void device_write(const void *bytes, size_t count) {
  const void *block[] = {(void *)(intptr_t)console, bytes, (void *)count};
  call(SYS_WRITE, block);
}

/* QEMU gives the program's arguments in one text, with blanks between. */
int device_argument(int index, char *text, size_t most) {
  static char line[1024];
  const void *block[] = {line, (void *)sizeof line};
  if (!line[0] && call(SYS_GET_CMDLINE, block)) return -1;
  const char *word = line;
  for (; index > 0; index--) {
    word = strchr(word, ' ');
    if (!word) return -1;
    word++;
  }
  size_t length = strcspn(word, " ");
  if (length > most) return -1;
  memcpy(text, word, length);
  return (int)length;
}

/* SysTick counts down, 24 bits. */
uint32_t device_ticks(void) {
  static uint32_t last;
  uint32_t now = SYSTICK[2], passed = (last - now) & 0xffffff;
  last = now;
  return passed;
}

uint32_t device_calibration(void) {
  uint32_t rounds = 500000;
  device_ticks();
  __asm__ volatile("1: subs %0, #1\n bne 1b" : "+r"(rounds) : : "cc");
  return device_ticks();
}

void *_sbrk(ptrdiff_t size) {
  uint32_t *before = heap_end;
  if ((char *)heap_end + size > (char *)__builtin_frame_address(0)) {
    errno = ENOMEM;
    return (void *)-1;
  }
  heap_end = (uint32_t *)((char *)heap_end + size);
  return before;
}

uint32_t device_heap(void) { return (uint32_t)((char *)heap_end - (char *)bss_end); }

uint32_t device_stack(void) {
  uint32_t *reached = heap_end;
  while (reached < stack_top && *reached == PAINT) reached++;
  return (uint32_t)((char *)stack_top - (char *)reached);
}

void reset(void) {
  CPACR |= 0xf << 20; /* the FPU */
  __asm__ volatile("dsb\n isb");
  memcpy(data_start, data_source, (size_t)((char *)data_end - (char *)data_start));
  memset(bss_start, 0, (size_t)((char *)bss_end - (char *)bss_start));
  for (uint32_t *word = bss_end; word < (uint32_t *)__builtin_frame_address(0) - 32; word++) *word = PAINT;
  SYSTICK[1] = 0xffffff;
  SYSTICK[0] = 5; /* on, by the core's clock, without interrupts */
  const void *block[] = {":tt", (void *)4 /* "w" */, (void *)3};
  console = call(SYS_OPEN, block);
  main(0, 0);
  stop(STOPPED_AS_WANTED);
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    stack_top, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, fault};
