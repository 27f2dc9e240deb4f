#!/bin/sh
# Builds libFuzzer's programs and lets each run for a while: sh tests/fuzz/run.sh BUILD SECONDS [TARGET...]
#
# Each starts from a copy of its corpus in tests/data. Targets are the names in tests/fuzz/meson.build, without
# "_fuzz". What crashes a program is kept in BUILD/findings. Ends with "N passed, N failed" over the programs.
set -eu

source_root=$(cd "$(dirname "$0")/../.." && pwd)
build=$1
seconds=$2
shift 2
[ $# -gt 0 ] || set -- codec_decode codec_roundtrip format_safetensors format_gguf format_pickle \
  format_zip format_hdf5 format_onnx
findings=$build/findings
passed=0
failed=""

configure() {
  [ -f "$build/build.ninja" ] || CC=clang-14 CXX=clang++-14 \
    CXXFLAGS=-fsanitize=fuzzer-no-link meson setup --buildtype=debugoptimized -Dfuzz=true \
    -Db_sanitize=address,undefined -Db_lundef=false "$build" "$source_root"
}

# The folder of tests/data that a target starts from, if it has one.
corpus_of() {
  case $1 in
    format_*) echo "$source_root/tests/data/fuzz/format-${1#format_}" ;;
    *) echo "$source_root/tests/data/fuzz/$1" ;;
  esac
}

fuzz() {
  work=$build/corpus/$1
  mkdir -p "$work" "$findings"
  cp -n "$(corpus_of "$1")"/* "$work/" 2>/dev/null || true
  "$build/tests/fuzz/${1}_fuzz" -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=1024 \
    -timeout=20 -artifact_prefix="$findings/$1-" -print_final_stats=1 "$work"
}

configure
for target in "$@"; do
  ninja -C "$build" "tests/fuzz/${target}_fuzz"
  if fuzz "$target"; then
    passed=$((passed + 1))
  else
    failed="$failed $target"
  fi
done
# Where the log is cut to its end, this is what is left of it.
for target in $failed; do
  echo "$target failed; its input, in base64 (none: empty):"
  for finding in "$findings/$target-"*; do
    [ ! -f "$finding" ] || { echo "$finding" && base64 "$finding" | head -n 20; }
  done
done
# shellcheck disable=SC2086 # names, apart
set -- $failed
echo "$passed passed, $# failed"
[ $# -eq 0 ]
