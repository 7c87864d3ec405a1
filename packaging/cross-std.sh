# shellcheck shell=bash
# Finds a standard library for the target, in this order: the one that is installed with the toolchain; one built from
# Debian's rust-src of the same version; Debian sid's own compiler with its standard library. Says which it was. build.sh
# reads this file.

# All of what is fetched and built for it, kept for the next time.
std_work=$target/cross-std

# Set here and read by build.sh: where the sources lie that the standard library was built from, and its folder, if it is
# not the toolchain's own.
std_source=
std_sysroot=

toolchain_version() { rustc --version | cut -d' ' -f2; }

find_std() {
  if [[ -n "$(find "$(rustc --print sysroot)/lib/rustlib/$triple/lib" -name 'libstd-*.rlib' 2>/dev/null)" ]]; then
    echo "way 1: the toolchain has it"
    return
  fi
  std_sysroot=$std_work/sysroot-$(toolchain_version)
  # Always the same folder: names of symbols depend on where the sources of the standard library lie.
  std_source=/var/tmp/lucid-node-std-$(toolchain_version)
  if std_is_built || std_from_source; then
    echo "way 2: built from Debian's rust-src $(toolchain_version)"
    return
  fi
  std_source=
  std_sysroot=
  echo "way 2 is closed: trixie-backports has no rust-src $(toolchain_version), or it could not be had or built"
  debian_toolchain
}

std_is_built() { [[ -n "$(find "$std_sysroot/lib/rustlib/$triple/lib" -name 'libstd-*.rlib' 2>/dev/null)" ]]; }

# apt_state SUITE: an apt that knows this suite and nothing else, and leaves the machine's own as it is.
apt_state() {
  local folder=$std_work/apt-$1
  mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
  : >"$folder/status"
  # A name that does not end so is not read.
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(debian_mirror) $1 main" >"$folder/one.list"
  apt_options=(-o "Dir::Etc::SourceList=$folder/one.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$folder/lists" -o "Dir::State::status=$folder/status" -o "Dir::Cache=$folder/cache"
    -o APT::Sandbox::User=root -o Acquire::Languages=none -o APT::Architectures::=amd64 -o APT::Architectures::=arm64)
  apt-get "${apt_options[@]}" -q -q update
}

# Fails, rather than ends the build, where this way is closed.
std_from_source() {
  local version package
  apt_state trixie-backports || return 1
  version=$(apt-cache "${apt_options[@]}" madison rust-src | awk '{ print $3 }' | grep "^$(toolchain_version)+" | head -1)
  if [[ -z "$version" ]]; then return 1; fi
  mkdir -p "$std_work"
  # Two builds at a time would be in each other's way, and what somebody else has put there is not built.
  mkdir -m 0755 "$std_source" || return 1
  (cd "$std_work" && apt-get "${apt_options[@]}" -q -q download "rust-src=$version") || return 1
  package=$(find "$std_work" -maxdepth 1 -name 'rust-src_*.deb' | head -1)
  dpkg -x "$package" "$std_source" || return 1
  rm -f "$package"
  build_std "$std_source/usr/src/rustc-$(toolchain_version)/library" || { rm -rf "$std_source" && return 1; }
  rm -rf "$std_source"
}

# Built once in an empty crate, so that the program itself is compiled by the stable compiler that everybody has.
build_std() {
  local empty=$std_source/empty lib=$std_sysroot/lib/rustlib/$triple/lib
  mkdir -p "$empty/src" "$lib"
  printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n[profile.release]\npanic = "abort"\n' \
    >"$empty/Cargo.toml"
  printf '#![no_std]\n' >"$empty/src/lib.rs"
  (
    cd "$empty" || exit
    # As the released ones are built, and without a path of this machine.
    export RUSTFLAGS="-Cembed-bitcode=yes -Zunstable-options -Cforce-frame-pointers=non-leaf \
--remap-path-prefix=$std_source=/usr/src/rust --remap-path-prefix=$cargo_home/registry/src=/usr/src/crates"
    export RUSTC_BOOTSTRAP=1 __CARGO_TESTS_ONLY_SRC_ROOT=$1
    export CARGO_TARGET_DIR=$std_source/target
    cargo build --quiet --release --target "$triple" -Zbuild-std=std,panic_unwind,panic_abort,proc_macro
  ) || return 1
  cp "$std_source/target/$triple/release/deps/"*.rlib "$lib/"
  rm -f "$lib"/libempty-*.rlib
  std_is_built
}

# debian_toolchain: Debian sid's compiler and both standard libraries, unpacked and run with their own C library. Cargo is the
# machine's. The C library that the program is linked against is the cross compiler's, as in the other ways.
debian_toolchain() {
  local prefix=$std_work/sid wrapper=$std_work/sid-rustc package
  if [[ ! -x $wrapper ]]; then
    echo "fetching Debian sid's compiler"
    apt_state sid
    # An apt that knows of no installed package names all that the compiler needs.
    apt-get "${apt_options[@]}" -q -q --no-install-recommends --download-only -y install \
      rustc libstd-rust-dev libstd-rust-dev:arm64
    rm -rf "$prefix"
    mkdir -p "$prefix"
    for package in "$std_work"/apt-sid/cache/archives/*.deb; do
      # Not the C compiler that it depends on: the machine has one.
      case ${package##*/} in
      rustc_* | libstd-rust-*_amd64.deb | libstd-rust-dev_*_arm64.deb) dpkg -x "$package" "$prefix" ;;
      libc6_*_amd64.deb | libgcc-s1_*_amd64.deb | libstdc++6_*_amd64.deb) dpkg -x "$package" "$prefix" ;;
      libllvm*_amd64.deb | libz3-*_amd64.deb | libzstd1_*_amd64.deb | zlib1g_*_amd64.deb) dpkg -x "$package" "$prefix" ;;
      libedit2_*_amd64.deb | libffi*_amd64.deb | libxml2*_amd64.deb) dpkg -x "$package" "$prefix" ;;
      libbsd0_*_amd64.deb | libmd0_*_amd64.deb | libtinfo6_*_amd64.deb) dpkg -x "$package" "$prefix" ;;
      esac
    done
    rm -rf "$std_work/apt-sid/cache"
    cat >"$wrapper" <<WRAPPER
#!/bin/sh
exec $prefix/usr/lib64/ld-linux-x86-64.so.2 --library-path $prefix/usr/lib/x86_64-linux-gnu:$prefix/usr/lib \\
  --argv0 $prefix/usr/bin/rustc $prefix/usr/bin/rustc --sysroot $prefix/usr "\$@"
WRAPPER
    chmod +x "$wrapper"
  fi
  export RUSTC=$wrapper
  echo "way 3: Debian sid's $("$RUSTC" --version)"
}
