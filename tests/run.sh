#!/bin/sh
# Installs what the tests need, builds, and runs everything: sh tests/run.sh [SECTION...]
#
# Sections, in this order: format includes release frameworks asan tsan fuzz. Without arguments: all. The last line sums
# the runners up as "N passed, N failed"; the exit status is 0 if nothing failed. Where there is no /dev/fuse
# the tests of the mount fail, unless WEIGHTFS_SKIP_MOUNT=1 leaves them out. Builds go to
# $WEIGHTFS_BUILD_DIR (./build-ci); ccache's directory and Python's packages lie outside of the checkout.
set -u

source_root=$(cd "$(dirname "$0")/.." && pwd)
cd "$source_root" || exit 1
builds=${WEIGHTFS_BUILD_DIR:-$source_root/build-ci}
export CCACHE_DIR="${CCACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/weightfs-ccache}"
# The same objects serve every checkout, wherever it lies.
export CCACHE_NOHASHDIR=1
passed=0
failed=0

# shellcheck source=mount/packages.sh
. "$source_root/mount/packages.sh"

say() { printf '\n== %s\n' "$*"; }

# count NAME STATUS LOG: adds up what the runners wrote into LOG: GoogleTest's own summaries and lines
# "N passed, N failed". A runner that failed without saying how often counts once.
count() {
  here_passed=$(awk '/^\[  PASSED  \]/ {n += $4} /^[0-9]+ passed, [0-9]+ failed/ {n += $1}
                     END {print n + 0}' "$3")
  here_failed=$(awk '/FAILED TESTS?$/ {n += $1} /^[0-9]+ passed, [0-9]+ failed/ {n += $3}
                     END {print n + 0}' "$3")
  if [ "$2" -ne 0 ] && [ "$here_failed" -eq 0 ]; then
    echo "$1 ended with status $2"
    here_failed=1
  fi
  echo "$1: $here_passed passed, $here_failed failed"
  passed=$((passed + here_passed))
  failed=$((failed + here_failed))
}

# run NAME COMMAND...: runs it, shows what it says, and counts.
run() {
  name=$1
  shift
  log=$builds/$(printf %s "$name" | tr ' /' '--').log
  "$@" >"$log" 2>&1 </dev/null
  status=$?
  [ "$status" -eq 0 ] || tail -n 60 "$log"
  count "$name" "$status" "$log"
}

# configure DIRECTORY OPTION...: a build directory that is made once.
configure() {
  directory=$builds/$1
  shift
  [ -f "$directory/build.ninja" ] || meson setup "$@" "$directory" "$source_root"
}

# meson_tests DIRECTORY FOLDER...: builds and runs the tests of these folders of tests/, or all.
meson_tests() {
  directory=$builds/$1
  shift
  python3 "$source_root/tests/run_meson_tests.py" "$directory" "$@"
}

format_section() { run "clang-format" python3 tests/check_format.py; }

includes_section() { run "include directions" python3 tests/check_includes.py; }

release_section() {
  run "release setup" configure release --buildtype=release --werror
  run "release" meson_tests release
}

# The release build's program under PyTorch, TensorFlow and the others; what was left out is shown by name.
frameworks_section() {
  if [ "${WEIGHTFS_SKIP_MOUNT:-}" = 1 ]; then
    echo "left out, since WEIGHTFS_SKIP_MOUNT=1"
    return
  fi
  run "frameworks setup" configure release --buildtype=release --werror
  run "frameworks build" ninja -C "$builds/release" src/cli/weightfs
  run "frameworks" sh tests/frameworks/run.sh "$builds/release/src/cli/weightfs"
  grep '^skipped: ' "$builds/frameworks.log"
}

asan_section() {
  # Without --werror, here and below: the sanitizers' code makes GCC see what is not there.
  run "asan setup" configure asan --buildtype=debugoptimized \
    -Db_sanitize=address,undefined -Db_lundef=false
  export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1
  export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
  run "asan" meson_tests asan
}

tsan_section() {
  run "tsan setup" configure tsan --buildtype=debugoptimized -Db_sanitize=thread \
    -Db_lundef=false
  export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
  run "tsan" meson_tests tsan kv store file fs
}

fuzz_section() {
  run "fuzz" sh tests/fuzz/run.sh "$builds/fuzz" "${WEIGHTFS_FUZZ_SECONDS:-15}"
}

main() {
  # shellcheck disable=SC2086 # names of packages, apart
  install_packages $build_packages $mount_packages $test_packages || exit 1
  mkdir -p "$builds"
  [ $# -gt 0 ] || set -- format includes release frameworks asan tsan fuzz
  for section in "$@"; do
    say "$section"
    "${section}_section"
  done
  printf '\n%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ]
}

main "$@"
