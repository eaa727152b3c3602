#!/bin/sh
# Build the DocC documentation of each library and fail on any warning, such as a link to a symbol that is not there.
# Arguments go to `swift package`. The code that only Apple's platforms compile is not in it here.
set -eu
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# It ends with an error where the tests are not built, whose symbols it wants as well; ours must be there.
swift package "$@" dump-symbol-graph --minimum-access-level public --skip-synthesized-members > "$out/log" 2>&1 || true
graphs=$(sed -n 's/^Files written to //p' "$out/log")
test -f "$graphs/EdgeECGUI.symbols.json" || { cat "$out/log"; exit 1; }
for module in EdgeECG EdgeECGApple EdgeECGUI; do
  mkdir -p "$out/$module/graph"
  cp "$graphs/$module.symbols.json" "$out/$module/graph"
  catalog="ios_bridge/Sources/$module/$module.docc"
  test -d "$catalog" || catalog=""
  docc convert $catalog --additional-symbol-graph-dir "$out/$module/graph" --fallback-display-name "$module" \
    --fallback-bundle-identifier "$module" --output-dir "$out/$module/html" --warnings-as-errors
done
echo "the documentation has no warnings"
