#!/bin/sh
# Compile the core (Sources/EdgeECGCore) as Embedded Swift for a Cortex-M7 and for bare-metal aarch64: no Foundation,
# no existentials, typed throws. It shows that the core can be linked into firmware; nothing is run here.
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
compile() { # target, more options
  target=$1
  shift
  swiftc -target "$target" -enable-experimental-feature Embedded -enable-experimental-feature Extern -swift-version 6 \
    -wmo -parse-as-library -warnings-as-errors -package-name edgeecg -module-name EdgeECGCore -Xfrontend -function-sections \
    -O "$@" -c Sources/EdgeECGCore/*.swift Sources/EdgeECGCore/*/*.swift -o "$out/core.o"
  echo "the core compiles for $target"
}
compile armv7em-none-none-eabi -Xcc -mcpu=cortex-m7 -Xcc -mfloat-abi=hard -Xcc -mfpu=fpv5-d16
compile aarch64-none-none-elf
