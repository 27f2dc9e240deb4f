#!/bin/sh
# Builds a release and measures a mount beside the plain directory: sh tests/bench/run.sh [OPTION...]
# with mount_bench.py's options. codec_bench and blob_ageing_bench (ninja -C build-bench tests/bench/...)
# measure the codecs and the blob store alone.
set -eu
source_root=$(cd "$(dirname "$0")/../.." && pwd)
build=${WEIGHTFS_BENCH_BUILD:-$source_root/build-bench}
[ -f "$build/build.ninja" ] || meson setup --buildtype=release "$build" "$source_root" >/dev/null
ninja -C "$build" --quiet src/cli/weightfs tests/bench/generate_model
exec python3 "$source_root/tests/bench/mount_bench.py" "$build/src/cli/weightfs" \
  "$build/tests/bench/generate_model" "$@"
