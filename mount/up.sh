#!/bin/sh
# From nothing to a mounted store: sh mount/up.sh [MOUNTPOINT]
#
# Installs what is missing from Debian's packages, builds a release, mounts the default store on MOUNTPOINT
# (~/models), copies a small model in and shows what it takes. Safe to run again: what is done already stays.
set -eu

source_root=$(cd "$(dirname "$0")/.." && pwd)
mount_point=${1:-$HOME/models}
store=${XDG_DATA_HOME:-$HOME/.local/share}/weightfs/default
build=$source_root/build-release
weightfs=$build/src/cli/weightfs

# shellcheck source=mount/packages.sh
. "$source_root/mount/packages.sh"

build_release() {
  [ -f "$build/build.ninja" ] ||
    meson setup --buildtype=release -Dtests=false "$build" "$source_root" >/dev/null
  echo "Building $weightfs"
  ninja -C "$build" --quiet src/cli/weightfs
}

is_mounted() {
  grep -q " $(printf %s "$mount_point" | sed 's/ /\\\\040/g') .* - fuse.weightfs " /proc/self/mountinfo
}

mount_store() {
  mkdir -p "$(dirname "$store")" 2>/dev/null || true
  [ -d "$mount_point" ] || mkdir -p "$mount_point" 2>/dev/null || true # not if it is a dead mount
  if is_mounted && stat "$mount_point" >/dev/null 2>&1; then
    echo "$mount_point is mounted already"
  else
    "$weightfs" mount "$store" "$mount_point"
    echo "Mounted $store on $mount_point"
  fi
}

# A model of the project's test data where it is there; otherwise one that is made up, with its fine-tune.
copy_a_model() {
  samples=$source_root/../shared/corpus/trained
  if ls "$samples"/*.safetensors >/dev/null 2>&1; then
    for sample in "$samples"/lm5m_base_bf16*.safetensors "$samples"/lm5m_ft_*.safetensors; do
      [ ! -f "$sample" ] || copy_once "$sample"
    done
  elif [ ! -f "$mount_point/sample/fine-tune.safetensors" ]; then
    python3 "$source_root/mount/sample_model.py" "$mount_point/sample"
  fi
}

copy_once() {
  target=$mount_point/sample/$(basename "$1")
  mkdir -p "$mount_point/sample"
  [ -f "$target" ] || cp "$1" "$target"
}

# shellcheck disable=SC2086 # names of packages, apart
install_packages $build_packages $mount_packages
build_release
mount_store
copy_a_model
"$weightfs" sync "$mount_point"
"$weightfs" report "$mount_point"
echo "Copy your models to $mount_point; unmount with: $weightfs umount $mount_point"
