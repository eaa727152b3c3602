#!/bin/sh
# Type-check EdgeECGApple, EdgeECGUI and the sample apps against the stubs in Tests/AppleStubs, for those without a Mac.
# It shows that the code agrees with itself and with the signatures written there; it does not show Apple's.
# The public API of the libraries must be what public-api.txt lists; with --update it writes that file.
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
compile() { # name, sources: a module that others can import
  name=$1
  shift
  swiftc -swift-version 6 -parse-as-library -package-name edgeecg -enable-testing -emit-module -module-name "$name" -I "$out" \
    -emit-module-path "$out/$name.swiftmodule" "$@"
}
for stub in CoreML HealthKit WatchConnectivity WatchKit UIKit UniformTypeIdentifiers SwiftUI; do
  compile "$stub" "Tests/AppleStubs/$stub.swift"
done
compile EdgeECGCore $(find Sources/EdgeECGCore -name "*.swift" | sort)
compile EdgeECG Sources/EdgeECG/*.swift
compile EdgeECGApple -warnings-as-errors Sources/EdgeECGApple/*.swift
compile EdgeECGUI -warnings-as-errors Sources/EdgeECGUI/*.swift
for app in Watch Phone; do
  swiftc -swift-version 6 -parse-as-library -typecheck -warnings-as-errors -I "$out" Examples/WatchDemo/$app/*.swift
done
swiftc -swift-version 6 -typecheck -warnings-as-errors -I "$out" Tests/EdgeECGTests/CoreMLTests.swift
triple=$(swiftc -print-target-info | sed -n 's/.*"triple": "\(.*\)".*/\1/p' | head -1)
for module in EdgeECGCore EdgeECG EdgeECGApple EdgeECGUI; do
  swift-symbolgraph-extract -module-name $module -I "$out" -target "$triple" -minimum-access-level public \
    -skip-synthesized-members -output-dir "$out"
done
python3 Tests/public_api.py "$out" >"$out/public-api.txt"
test "${1:-}" != --update || cp "$out/public-api.txt" Tests/public-api.txt
diff Tests/public-api.txt "$out/public-api.txt" || { echo "the public API changed: typecheck-apple.sh --update" && exit 1; }
echo "EdgeECGApple, EdgeECGUI and WatchDemo agree with the stubs"
