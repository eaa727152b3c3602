#!/bin/sh
# Build the DocC documentation of each library and fail on any warning, such as a link to a symbol that is not there.
# Arguments go to `swift build`. The code that only Apple's platforms compile is not in it here.
set -eu
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
swift build "$@"
modules=$(swift build "$@" --show-bin-path)/Modules
triple=$(swiftc -print-target-info | sed -n 's/.*"triple": "\(.*\)".*/\1/p' | head -1)
for module in EdgeECG EdgeECGApple EdgeECGUI; do
  mkdir -p "$out/$module/graph"
  # What EdgeECG exports of EdgeECGCore is documented as its own: an app imports EdgeECG alone.
  swift-symbolgraph-extract -module-name $module -I "$modules" -target "$triple" -minimum-access-level public \
    -skip-synthesized-members -experimental-allowed-reexported-modules=EdgeECGCore -output-dir "$out/$module/graph"
  catalog="ios_bridge/Sources/$module/$module.docc"
  test -d "$catalog" || catalog=""
  docc convert $catalog --additional-symbol-graph-dir "$out/$module/graph" --fallback-display-name "$module" \
    --fallback-bundle-identifier "$module" --output-dir "$out/$module/html" --warnings-as-errors
done
echo "the documentation has no warnings"
