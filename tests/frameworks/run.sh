#!/bin/sh
# The frameworks themselves over a real mount: sh tests/frameworks/run.sh PROGRAM [PYTEST-ARGUMENT...]
#
# PROGRAM is the weightfs to test. Python's packages are those of requirements.txt, checked against their hashes, in
# a virtual environment outside of the checkout ($XDG_CACHE_HOME or ~/.cache) that is made once for each version of
# that file. A package that can't be had leaves its tests out, and they are reported as skipped, by its name. The last
# line is "N passed, N failed, N skipped".
set -u

here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "$1") || exit 1
shift
wanted=$(cat "$here/requirements.txt" "$here/installer.txt" | sha256sum | cut -c1-16)
environment=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/weightfs-venv-$wanted
# Where a CPU build of torch lies on this machine, if pip knows of such a place.
torch_wheels=${PIP_FIND_LINKS:-$(python3 -m pip config get global.find-links 2>/dev/null)}

# install: what requirements.txt pins, all or, where something can't be had, one by one.
install() {
  set -- --quiet --no-cache --python "$environment.new/bin/python" --only-binary :all: --require-hashes
  [ -z "$torch_wheels" ] || set -- "$@" --find-links "$torch_wheels"
  uv=$environment.new/bin/uv
  "$environment.new/bin/pip" install --quiet --require-hashes -r "$here/installer.txt" || return 1
  "$uv" pip install "$@" -r "$here/requirements.txt" && return 0
  echo "not all packages can be had; installing one by one"
  partial=1
  pieces=$environment.new/requirements
  mkdir "$pieces"
  awk -v pieces="$pieces" '/^ *#/ {next}
                           /^[^ ]/ {file = pieces "/" substr($1, 1, index($1, "==") - 1)}
                           {print > file}' "$here/requirements.txt"
  for piece in "$pieces"/*; do
    "$uv" pip install "$@" --no-deps -r "$piece" || echo "skipped: $(basename "$piece") can't be had"
  done
}

# make_environment: in a place of its own first, so that an interrupted run leaves nothing half-made.
make_environment() {
  echo "making $environment"
  rm -rf "$environment.new"
  mkdir -p "$(dirname "$environment")"
  python3 -m venv "$environment.new" || return 1
  partial=
  install || return 1
  used=$environment
  if [ -n "$partial" ]; then
    used=$environment.partial  # made anew next time
  fi
  rm -rf "$used"
  mv "$environment.new" "$used"
}

used=$environment
[ -x "$environment/bin/python" ] || make_environment || {
  echo "the virtual environment could not be made"
  exit 1
}
cd "$here" || exit 1
WEIGHTFS_PROGRAM=$program exec "$used/bin/python" -m pytest "$@"
