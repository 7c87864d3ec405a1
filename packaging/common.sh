# shellcheck shell=bash
# What build.sh and test.sh share.

die() {
  echo "$*" >&2
  exit 1
}

# Runs a step and says how long it took.
step() {
  local name=$1 began=$SECONDS
  shift
  printf '\n==> %s\n' "$name"
  "$@"
  printf '<== %s: %d s\n' "$name" "$((SECONDS - began))"
}

# need_program NAME HOW-TO-GET-IT
need_program() {
  command -v "$1" >/dev/null || die "$1 is missing: $2"
}

# Installs Debian packages that are not there yet.
need_packages() {
  local package missing=()
  for package in "$@"; do
    if [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]]; then
      missing+=("$package")
    fi
  done
  if ((${#missing[@]} == 0)); then return; fi
  if ((EUID != 0)); then die "not installed here, and only root may: ${missing[*]}"; fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q && apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# The version that Cargo.toml gives the workspace, which is the package's.
package_version() {
  sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml
}

# Where this machine gets Debian from: the mirror of the first of its sources that is Debian's main archive.
debian_mirror() {
  local mirror
  mirror=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(SITE)|$(REPO_URI)' 2>/dev/null |
    awk -F'|' '$1 == "Debian" && $2 == "Debian" { print $4; exit }')
  [[ -n "$mirror" ]] || die "this machine's apt has no Debian mirror: run apt-get update"
  echo "${mirror%/}"
}
