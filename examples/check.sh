#!/bin/sh
# Runs every numbered example that was built in $BUILD; each exits non-zero when its result is wrong.
passed=0 failed=0
cd "$(dirname "$0")/.." || exit 2
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
for source in examples/[0-9]*.c; do
    program=$PWD/$BUILD/${source%.c}
    if (cd "$folder" && $RUNNER "$program") >"$folder/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$source fails:"
        tail -n 10 "$folder/log"
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
