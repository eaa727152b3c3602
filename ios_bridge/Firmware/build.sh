#!/bin/sh
# Build the program of one device: build.sh m7|m4f|aarch64|arm32 OUT
# Needs swiftc, and of Debian gcc-arm-none-eabi and libnewlib-arm-none-eabi (m7, m4f), gcc-aarch64-linux-gnu (aarch64)
# or gcc-arm-linux-gnueabihf (arm32).
set -eu
cd "$(dirname "$0")"
device=$1 out=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

case $device in
  m7) triple=armv7em-none-none-eabi gcc=arm-none-eabi-gcc cpu="-mcpu=cortex-m7 -mfpu=fpv5-d16 -mfloat-abi=hard" ;;
  m4f) triple=armv7em-none-none-eabi gcc=arm-none-eabi-gcc cpu="-mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard" ;;
  aarch64) triple=aarch64-none-none-elf gcc=aarch64-linux-gnu-gcc cpu="" ;;
  arm32) triple=armv7-none-none-eabi gcc=arm-linux-gnueabihf-gcc cpu="-mfpu=vfpv3-d16 -mfloat-abi=hard" ;;
  *) echo "no device is called $device: m7, m4f, aarch64 or arm32" >&2 && exit 2 ;;
esac

xcc=""
for option in $cpu; do xcc="$xcc -Xcc $option"; done
# shellcheck disable=SC2086
swiftc -target $triple -enable-experimental-feature Embedded -enable-experimental-feature Extern -swift-version 6 \
  -wmo -parse-as-library -warnings-as-errors -package-name edgeecg -module-name Firmware -Xfrontend -function-sections -Osize $xcc \
  -c ../Sources/EdgeECGCore/*.swift ../Sources/EdgeECGCore/*/*.swift Device.swift Main.swift -o "$work/core.o"

toolchain=$(dirname "$(dirname "$(readlink -f "$(command -v swiftc)")")")
common="-std=c11 -Wall -Wextra -Werror -O2 -ffunction-sections -fdata-sections"
case $device in
  m7 | m4f)
    # shellcheck disable=SC2086
    $gcc $cpu -mthumb $common ../C/runtime.c semihosting.c "$work/core.o" -nostartfiles --specs=nano.specs \
      --specs=nosys.specs -T mps2.ld -Wl,--gc-sections,--no-warn-mismatch,-z,noexecstack -lm -o "$out"
    ;;
  *)
    # GNU ld refuses the relocations of Swift's objects; lld does not.
    ln -s "$toolchain/bin/ld.lld" "$work/ld"
    # shellcheck disable=SC2086
    $gcc $cpu $common -D_GNU_SOURCE ../C/runtime.c posix.c "$work/core.o" -static -B"$work" -Wl,--gc-sections \
      -lm -o "$out"
    ;;
esac
