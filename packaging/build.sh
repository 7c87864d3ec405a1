#!/usr/bin/env bash
# Builds lucid-node_VERSION_ARCH.deb for Debian 12 and newer, on Debian 12 amd64. Asks nothing, and installs what is missing:
# system packages only as root, cargo-deb into cargo's own folder of programs.
set -euo pipefail

usage="usage: packaging/build.sh arm64|amd64 [--check-reproducible]

--check-reproducible builds a second time, from a clone in another folder and into another target folder, and fails where
the two packages differ in a byte. What is not committed is not in the clone."

cd "$(dirname "$0")/.."
root=$PWD
. packaging/common.sh

cargo_deb_version=3.8.0
# What Debian 12 has. A symbol of a newer one would keep the program from starting there.
glibc_bound=2.36

arch=${1:-}
check_reproducible=false
case "$arch" in
amd64) triple=x86_64-unknown-linux-gnu ;;
arm64) triple=aarch64-unknown-linux-gnu ;;
*) die "$usage" ;;
esac
case "${2:-}" in
'') ;;
--check-reproducible) check_reproducible=true ;;
*) die "$usage" ;;
esac

target=${CARGO_TARGET_DIR:-$root/target}
mkdir -p "$target"
target=$(realpath "$target")
export CARGO_TARGET_DIR=$target
cargo_home=${CARGO_HOME:-$HOME/.cargo}
variable=CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$triple")
native=$([[ "$(dpkg --print-architecture)" == "$arch" ]] && echo true || echo false)

install_tools() {
  need_program cargo "install Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or newer"
  local packages=(gcc libc6-dev binutils)
  if ! $native; then packages+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross); fi
  need_packages "${packages[@]}"
  if [[ "$(cargo deb --version 2>/dev/null)" != "$cargo_deb_version" ]]; then
    # Unoptimised: it packs as fast, and is built sooner. In a folder that cargo removes again: nothing of it
    # is worth sharing with the build.
    env -u CARGO_TARGET_DIR CARGO_PROFILE_DEV_DEBUG=0 \
      cargo install --quiet --locked --debug cargo-deb@"$cargo_deb_version"
  fi
}

# Flags for what is built for the target; build scripts and macros, which run here, get none of them.
target_flags() {
  local folder
  printf '%s' "--remap-path-prefix=$root=/usr/src/lucid-node --remap-path-prefix=$target=/usr/src/target"
  # The name of the folder below is made of a registry's host.
  for folder in "$cargo_home"/registry/src/*; do
    printf '%s' " --remap-path-prefix=$folder=/usr/src/crates"
  done
  # Addresses that the loader fills in take a bit each instead of 24 bytes, and their pages are not read. Debian 12's C library
  # is the first that knows this form, so it is not in Cargo.toml. A linker that does not know it leaves it out and warns, as
  # Debian 12's does for arm64.
  printf '%s' " -C link-arg=-Wl,-z,pack-relative-relocs"
  if [[ -n "$std_source" ]]; then
    printf '%s' " --remap-path-prefix=$std_source=/usr/src/rust --sysroot=$std_sysroot"
  fi
}

build_program() {
  export "${variable}_RUSTFLAGS=$(target_flags)"
  if ! $native; then export "${variable}_LINKER=aarch64-linux-gnu-gcc"; fi
  # libsecp256k1 and whatever else is C: no path of this machine in its messages either.
  local cflags=CFLAGS_${triple//-/_}
  export "$cflags=-ffile-prefix-map=$cargo_home=/usr/src/cargo -ffile-prefix-map=$target=/usr/src/target"
  env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS \
    cargo build --release --locked --features mongo --target "$triple" --package lucid-node --bin lucid-node
}

# Runs on this machine, so it is built for it; LUCID_ASSETS names it where that was done, with `mongo`.
make_assets() {
  local folder=$target/$triple/release/assets
  if [[ -n "${LUCID_ASSETS:-}" ]]; then
    "$LUCID_ASSETS" "$folder" "$triple"
  else
    cargo run --quiet --locked --profile assets --package lucid-assets --features mongo -- "$folder" "$triple"
  fi
  gzip --best --no-name --force "$folder/third-party-licences" "$folder"/man/*.1
}

# What the program asks of the C library, and nothing of this machine in it.
check_program() {
  local program=$target/$triple/release/lucid-node highest path
  highest=$(readelf --version-info --wide "$program" | grep -o 'GLIBC_[0-9.]*' | sort --version-sort --unique | tail -1)
  echo "highest symbol version: $highest (bound: GLIBC_$glibc_bound); $(stat --format %s "$program") bytes"
  if [[ "$(printf '%s\n' "$highest" "GLIBC_$glibc_bound" | sort --version-sort | tail -1)" != "GLIBC_$glibc_bound" ]]; then
    die "the program would not start on Debian 12: build it there"
  fi
  for path in "$root" "$target" "$cargo_home" "${HOME:-/root}/"; do
    if grep --quiet --text --fixed-strings "$path" "$program"; then die "the program has the path $path of this machine in it"; fi
  done
}

make_package() {
  local version file
  version=$(package_version)
  file=$target/debian/lucid-node_${version}_$arch.deb
  if [[ "$(head -1 packaging/changelog)" != "lucid-node ($version) "* ]]; then
    die "packaging/changelog begins with another version than $version, which Cargo.toml has"
  fi
  cargo deb --quiet --no-build --no-strip --locked --package lucid-node --target "$triple" --output "$file" >/dev/null
  echo "$file: $(stat --format %s "$file") bytes, SHA-256 $(sha256sum "$file" | cut -d' ' -f1)"
}

build_again() {
  local version one other
  # Not local: it is removed when this function is over.
  again=$(mktemp -d "$target/again.XXXXXX")
  trap 'rm -rf "$again"' EXIT
  git clone --quiet "$root" "$again/lucid-node-again"
  CARGO_TARGET_DIR=$again/other-target nice "$again/lucid-node-again/packaging/build.sh" "$arch"
  version=$(package_version)
  one=$target/debian/lucid-node_${version}_$arch.deb
  other=$again/other-target/debian/lucid-node_${version}_$arch.deb
  cmp "$one" "$other" || die "two builds of the same commit differ"
  echo "reproducible: two builds in different folders have the same bytes"
}

# The time of the last commit is the time of every file.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
std_source=
std_sysroot=
step "tools" install_tools
step "crates" cargo fetch --locked --quiet
if ! $native; then
  . packaging/cross-std.sh
  step "standard library for $triple" find_std
fi
step "program for $triple" build_program
step "program, checked" check_program
step "manual pages, completions, configuration" make_assets
step "package" make_package
if $check_reproducible; then step "second build" build_again; fi
