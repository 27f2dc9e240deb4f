# Installing Debian's packages; sourced by mount/up.sh and tests/run.sh.

# What a build of weightfs needs, and what a mount needs.
build_packages='g++ meson ninja-build pkg-config python3 libfmt-dev libspdlog-dev libexpected-dev
  libxxhash-dev libzstd-dev liblmdb-dev libfuse3-dev nlohmann-json3-dev libcli11-dev libhdf5-dev
  libeigen3-dev libprotozero-dev libleveldb-dev libhwy-dev libsimdjson-dev libtbb-dev liblz4-dev
  zlib1g-dev'
mount_packages='fuse3 ca-certificates'
# What the tests need on top of that.
test_packages='libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev ccache clang-14
  clang-format-14 libclang-rt-14-dev git attr acl util-linux xz-utils python3-venv'

# Installs those of the packages $@ that are missing, and says which.
install_packages() {
  missing=
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' ||
      missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  if ! command -v apt-get >/dev/null; then
    echo "These packages are missing, and this is not Debian: install them by hand:$missing" >&2
    return 1
  fi
  as_root=
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "Run this as root, or install sudo; these packages are missing:$missing" >&2
      return 1
    fi
    as_root=sudo
  fi
  echo "Installing from Debian:$missing"
  $as_root apt-get update -qq
  # shellcheck disable=SC2086 # names of packages, apart
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    $missing >/dev/null
}
