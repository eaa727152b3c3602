#!/bin/sh
# add-bundle.sh BUNDLE: verify a bundle and copy it into the sample app (`make ios-demo BUNDLE=...` calls this).
set -eu
bundle=${1:?"usage: add-bundle.sh BUNDLE"}
here=$(cd "$(dirname "$0")" && pwd)
bundle=$(cd "$bundle" && pwd)
cd "$here/../../.."
swift build -c release --product edge-ecg-swift
.build/release/edge-ecg-swift verify "$bundle"
rm -rf "$here/PersonalBundle"
cp -R "$bundle" "$here/PersonalBundle"
echo "copied to $here/PersonalBundle"
