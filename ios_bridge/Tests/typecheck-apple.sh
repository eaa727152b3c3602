#!/bin/sh
# Type-check EdgeECGApple and the sample app against the stubs in Tests/AppleStubs, for those without a Mac.
# It shows that the code agrees with itself and with the signatures written there; it does not show Apple's.
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
compile() { # name, sources: a module that others can import
  name=$1
  shift
  swiftc -swift-version 6 -parse-as-library -package-name edgeecg -emit-module -module-name "$name" -I "$out" \
    -emit-module-path "$out/$name.swiftmodule" "$@"
}
for stub in CoreML HealthKit SwiftUI; do
  compile "$stub" "Tests/AppleStubs/$stub.swift"
done
compile EdgeECG Sources/EdgeECG/*.swift Sources/EdgeECG/Core/*.swift
compile EdgeECGApple -warnings-as-errors Sources/EdgeECGApple/*.swift
swiftc -swift-version 6 -parse-as-library -typecheck -warnings-as-errors -I "$out" Examples/WatchDemo/Sources/*.swift
echo "EdgeECGApple and WatchDemo agree with the stubs"
