#!/usr/bin/env bash
# Tries the package in a new Debian root: packaging/test.sh arm64|amd64 [bookworm|trixie]. Build it first with build.sh.
#
# Ends with 0 where all of it ran and passed, with 1 where something failed, and with 77 where this machine does not let
# it run, which is no pass: the last line then says what was not run, and why.
set -euo pipefail

usage="usage: packaging/test.sh arm64|amd64 [bookworm|trixie]"
not_run_code=77
# Ten times the exposure that systemd-analyze prints.
exposure_bound=11

cd "$(dirname "$0")/.."
root=$PWD
. packaging/common.sh

arch=${1:-}
suite=${2:-bookworm}
[[ "$arch" =~ ^(amd64|arm64)$ && "$suite" =~ ^(bookworm|trixie)$ ]] || die "$usage"
target=$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-$root/target}")
version=$(package_version)
package=$target/debian/lucid-node_${version}_$arch.deb
work=$target/package-test
machine=$(dpkg --print-architecture)
emulated=$([[ "$machine" == "$arch" ]] && echo false || echo true)
not_run=()

give_up() {
  echo "NOT RUN: $*"
  exit "$not_run_code"
}

cleanup=()
clean_up() {
  local at
  for ((at = ${#cleanup[@]} - 1; at >= 0; at--)); do eval "${cleanup[at]}" || true; done
}
trap clean_up EXIT

# A container outside of a unit leaves empty groups behind.
for folder in /sys/fs/cgroup/{,systemd/,unified/}{payload,supervisor}; do
  if [[ ! -e $folder ]]; then
    cleanup+=("if [[ -d $folder ]]; then find $folder -depth -type d -exec rmdir {} +; fi")
  fi
done

check_package() {
  dpkg-deb --info "$package" | sed -n '/^ Package/,$p'
  dpkg-deb --contents "$package" | awk '{ print $1, $3, $6 }'
  lintian --allow-root --fail-on error,warning --info --tag-display-limit 0 "$package"
  echo "lintian: no error and no warning"
}

check_units() {
  local unit
  for unit in lucid-node lucid-node-backup lucid-node-watch lucid-node-export; do
    systemd-analyze security --offline=true --no-pager --threshold="$exposure_bound" "systemd/$unit.service" | tail -1
  done
}

# Has programs of the other architecture run by an emulator. What is changed here is put back at the end.
register_emulator() {
  local folder=/proc/sys/fs/binfmt_misc said
  if [[ ! -e $folder/register ]]; then
    said=$(mount -t binfmt_misc binfmt_misc "$folder" 2>&1) || give_up "binfmt_misc cannot be mounted: $said"
    cleanup+=("umount $folder")
  fi
  if [[ ! -e $folder/qemu-aarch64 ]]; then
    said=$( (cat /usr/lib/binfmt.d/qemu-aarch64.conf >"$folder/register") 2>&1) || give_up "the emulator cannot be registered: $said"
    cleanup+=("echo -1 >$folder/qemu-aarch64")
  fi
}

# make_root NAME ARCHITECTURES PACKAGES: a Debian root, kept packed for the next time.
make_root() {
  local packed=$work/$suite-$1.tar.gz
  if [[ ! -f $packed ]]; then
    nice mmdebstrap --quiet --variant=minbase --architectures="$2" --include="$3" \
      --aptopt='Acquire::Languages "none"' --dpkgopt='path-exclude=/usr/share/locale/*' "$suite" "$packed.new.tar.gz" "$mirror"
    mv "$packed.new.tar.gz" "$packed"
  fi
  folder=$work/root-$suite-$1
  rm -rf "$folder"
  mkdir -p "$folder"
  cleanup+=("rm -rf '$folder'")
  tar --extract --file "$packed" --directory "$folder" --numeric-owner --exclude './dev/*'
  cp packaging/test-inside.sh packaging/test-systemd.sh "$folder/root/"
  mkdir -p "$folder/root/packages/old" "$folder/root/packages/new"
  cp "$package" "$folder/root/packages/old/"
  cp "$newer" "$folder/root/packages/new/"
}

# The same package under a higher version.
make_newer() {
  local unpacked
  newer=$work/lucid-node_${version}+newer_$arch.deb
  unpacked=$(mktemp -d "$work/newer.XXXXXX")
  dpkg-deb --raw-extract "$package" "$unpacked"
  sed -i "s/^Version: .*/Version: $version+newer/" "$unpacked/DEBIAN/control"
  dpkg-deb --root-owner-group -Zgzip -z1 --build "$unpacked" "$newer" >/dev/null
  rm -rf "$unpacked"
}

container=(systemd-nspawn --quiet --private-network --register=no --keep-unit)

try_plain() {
  make_root "$arch" "$arch" systemd,systemd-sysv,dbus
  "${container[@]}" --directory "$folder" --pipe --as-pid2 --setenv=EMULATED="$emulated" \
    /bin/bash /root/test-inside.sh plain || die "FAILED: $arch in $suite"
}

# systemd itself runs natively in any case: emulated, it would be the emulator that is tried.
try_booted() {
  local name=lucid-node-test-$$ leader pid end
  if $emulated; then
    make_root "$machine-$arch" "$machine,$arch" "systemd,systemd-sysv,dbus,libc6:$arch,libgcc-s1:$arch"
  else
    make_root "$arch" "$arch" systemd,systemd-sysv,dbus
  fi
  "${container[@]}" --directory "$folder" --machine "$name" --boot --console=pipe </dev/null >"$work/boot.log" 2>&1 &
  pid=$!
  cleanup+=("kill $pid 2>/dev/null; wait $pid 2>/dev/null")
  end=$((SECONDS + 60))
  until leader=$(pgrep --parent "$pid" 2>/dev/null | head -1) && [[ -n "$leader" ]] &&
    enter "$leader" systemctl is-system-running 2>/dev/null | grep -q 'running\|degraded'; do
    if ((SECONDS >= end)) || ! kill -0 "$pid" 2>/dev/null; then
      not_run+=("systemd cannot be booted here: $(tail -1 "$work/boot.log")")
      return 0
    fi
    sleep 0.2
  done
  enter "$leader" env EMULATED="$emulated" /bin/bash /root/test-inside.sh booted || die "FAILED: $arch in $suite, under systemd"
  enter "$leader" systemctl --no-block poweroff 2>/dev/null || true
  end=$((SECONDS + 30))
  while kill -0 "$pid" 2>/dev/null && ((SECONDS < end)); do sleep 0.2; done
}

enter() {
  local leader=$1
  shift
  nsenter --target "$leader" --mount --uts --ipc --net --pid --root -- \
    env --ignore-environment --chdir=/ PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

((EUID == 0)) || give_up "it takes root to make a root of Debian and to boot it"
[[ -f $package ]] || die "there is no $package: run packaging/build.sh $arch"
mkdir -p "$work"
tools=(mmdebstrap systemd-container lintian)
if $emulated; then tools+=(qemu-user-static arch-test); fi
step "tools" need_packages "${tools[@]}"
mirror=$(debian_mirror)
step "package" check_package
step "units" check_units
if $emulated; then register_emulator; fi
make_newer
step "life of an installation, $arch in $suite" try_plain
step "the same under systemd" try_booted
if ((${#not_run[@]} > 0)); then give_up "${not_run[*]}"; fi
printf '\npassed: %s in %s, in %d s\n' "$(basename "$package")" "$suite" "$SECONDS"
