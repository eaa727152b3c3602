#!/bin/sh
# Build the core behind edge_ecg.h: build.sh wasm32|x86_64|aarch64|arm32 OUT_FOLDER
#   wasm32   edge_ecg.wasm
#   x86_64   libedge_ecg.a and libedge_ecg.so for Linux
#   aarch64  the same for Linux and Android: pages of 16 KB, and no use of x18, which Android keeps for itself
#   arm32    the same for 32-bit Arm Linux (hard float)
# Swift 6.3.1 and wasm-opt version 108: built edge_ecg.wasm.gz of the Python package; `gzip -9n` of what this writes
# Needs swiftc on the PATH, and of Debian wasi-libc, libclang-rt-19-dev-wasm32 and binaryen (wasm32),
# gcc-aarch64-linux-gnu or gcc-arm-linux-gnueabihf. No Swift runtime is shipped beside the result.
set -eu
target=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
cd "$(dirname "$0")"
toolchain=$(dirname "$(dirname "$(readlink -f "$(command -v swiftc)")")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

case $target in
  wasm32) triple=wasm32-unknown-none-wasm options="-Osize" ;;
  x86_64) triple=x86_64-unknown-linux-gnu options="-O -Xcc -fPIC" cc=gcc ;;
  aarch64) triple=aarch64-none-none-elf options="-O -Xcc -fPIC -Xcc -ffixed-x18" cc=aarch64-linux-gnu-gcc ;;
  arm32) triple=armv7-none-none-eabi options="-O -Xcc -fPIC -Xcc -mfpu=vfpv3-d16 -Xcc -mfloat-abi=hard"
    cc="arm-linux-gnueabihf-gcc -mfpu=vfpv3-d16" ;;
  *) echo "no target is called $target: wasm32, x86_64, aarch64 or arm32" >&2 && exit 2 ;;
esac

core=../Sources/EdgeECGCore
# shellcheck disable=SC2086
swiftc -target $triple -enable-experimental-feature Embedded -enable-experimental-feature Extern -swift-version 6 -wmo \
  -parse-as-library -package-name edgeecg -module-name EdgeECGCore -Xfrontend -function-sections \
  -Xfrontend -disable-incremental-llvm-codegen $options \
  -import-objc-header edge_ecg.h -c $core/*.swift $core/*/*.swift $core/*/*/*.swift Interface.swift -o "$work/core.o"
strict="-std=c11 -Wall -Wextra -Werror -O2 -ffunction-sections"

if [ "$target" = wasm32 ]; then
  # shellcheck disable=SC2086
  clang --target=wasm32-wasi $strict -isystem /usr/include/wasm32-wasi -c runtime.c -o "$work/runtime.o"
  exports="--export=malloc --export=free"
  for name in $(grep -oE '\becg_[a-z_]+\(' edge_ecg.h | tr -d '(' | sort -u); do exports="$exports --export=$name"; done
  # shellcheck disable=SC2086
  wasm-ld --no-entry --gc-sections --strip-all --stack-first -z stack-size=262144 $exports "$work/core.o" \
    "$work/runtime.o" /usr/lib/wasm32-wasi/libc.a \
    /usr/lib/llvm-19/lib/clang/19/lib/wasi/libclang_rt.builtins-wasm32.a -o "$work/linked.wasm"
  wasm-opt -Oz --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext --enable-mutable-globals \
    "$work/linked.wasm" -o "$out/edge_ecg.wasm"
else
  # shellcheck disable=SC2086
  $cc $strict -fPIC -c runtime.c -o "$work/runtime.o"
  if [ "$target" = aarch64 ] && llvm-objdump -d "$work/core.o" | grep -qE '\b[xw]18\b'; then
    echo "the core uses x18, which Android keeps for itself" >&2 && exit 1
  fi
  rm -f "$out/libedge_ecg.a"
  llvm-ar rcs "$out/libedge_ecg.a" "$work/core.o" "$work/runtime.o"
  # GNU ld refuses the relocations of Swift's objects; lld does not.
  ln -s "$toolchain/bin/ld.lld" "$work/ld"
  $cc -shared -B"$work" "$work/core.o" "$work/runtime.o" -Wl,--version-script=edge_ecg.map \
    -Wl,--gc-sections,-z,max-page-size=16384,-z,defs,-s -lm -o "$out/libedge_ecg.so"
fi
