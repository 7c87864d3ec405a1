#!/usr/bin/env bash
# What test.sh runs inside a Debian root, with the packages in /root: the life of an installation, from the first install to
# the purge.
#
#   test-inside.sh plain     there is no service manager: the program is started as the unit would start it
#   test-inside.sh booted    systemd runs: the unit is started, killed, watched, stopped
#
# Ends with the first thing that is not as it should be.
set -Eeuo pipefail

mode=$1
data=/var/lib/lucid-node
config=/etc/lucid-node/lucid-node.toml
session=5d0c9a44-3f5e-4a1b-9c35-0f9d6b1e7a10
# Of the recording that is watched.
watched=5d0c9a44-3f5e-4a1b-9c35-0f9d6b1e7a11
unit=lucid-node.service
# Emulated, everything takes many times as long, so times are held to what is promised only without.
emulated=${EMULATED:-false}

# All that is made here, in a folder of its own.
cd "$(mktemp -d)"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
old=$(echo /root/packages/old/*.deb)
new=$(echo /root/packages/new/*.deb)
old_version=$(dpkg-deb --field "$old" Version)
new_version=$(dpkg-deb --field "$new" Version)
node_pid=

ok() { echo "  ok: $*"; }
fail() {
  echo "  FAILED: $*" >&2
  if [[ $mode == booted ]]; then journalctl --no-pager --lines 40 --unit "$unit" >&2 || true; fi
  if [[ -f node.log ]]; then tail -20 node.log >&2; fi
  exit 1
}
trap 'fail "line $LINENO: $BASH_COMMAND"' ERR

now_ms() { date +%s%3N; }

# rpc METHOD: the answer's body, or nothing. Bash alone, since a root of Debian has no HTTP client.
rpc() {
  local body="{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":[]}"
  (
    exec 3<>/dev/tcp/127.0.0.1/8545 || exit 0
    printf 'POST / HTTP/1.1\r\nHost: 127.0.0.1:8545\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' \
      "${#body}" "$body" >&3
    timeout 20 cat <&3
  ) 2>/dev/null || true
}

# get PORT PATH: the whole answer.
get() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 0
    printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$2" >&3
    timeout 20 cat <&3
  ) 2>/dev/null || true
}

chain_id() { rpc eth_chainId | sed -n 's/.*"result":"\(0x[0-9a-f]*\)".*/\1/p'; }

# Waits until a command succeeds: until SECONDS COMMAND…
until_true() {
  local seconds=$1 end
  shift
  end=$((SECONDS + seconds))
  until "$@"; do
    if ((SECONDS >= end)); then return 1; fi
    sleep 0.1
  done
}

answers() { [[ -n "$(chain_id)" ]]; }

as_node=(setpriv --reuid lucid-node --regid lucid-node --init-groups)

start_node() {
  if [[ $mode == booted ]]; then
    systemctl start "$unit"
  else
    # Clocks of test machines are often not synchronised; under systemd another way is tried.
    "${as_node[@]}" lucid-node run --no-init --datadir "$data" --config "$config" --accept-clock >>node.log 2>&1 &
    node_pid=$!
  fi
  until_true 120 answers || fail "the node does not answer"
}

stop_node() {
  if [[ $mode == booted ]]; then
    systemctl stop "$unit"
  else
    kill "$node_pid"
    wait "$node_pid" || fail "the node ended with $?"
  fi
}

main_pid() { systemctl show --property MainPID --value "$unit"; }

installed_version() { dpkg-query --show --showformat '${Version}' lucid-node; }

expect() { # expect WHAT IS SHOULD-BE
  [[ "$2" == "$3" ]] || fail "$1 is '$2' and should be '$3'"
}

try_install() {
  echo "install $old_version"
  dpkg --install "$old" >install.log 2>&1 || { cat install.log >&2; fail "the package cannot be installed"; }
  for file in account.key consensus.key; do
    grep -q "$data/keys/$file" install.log || fail "nobody says that $file is to be copied off the machine"
  done
  grep -q 'sudo lucid-node status' install.log || fail "nobody says what comes next"
  expect "the folder's configuration" "$(readlink "$data/lucid.toml") $(readlink "$data/conf.d")" "$config /etc/lucid-node/conf.d"
  ok "a chain was made, and the operator was told which files to copy off the machine"
  expect "the owner and mode of $data" "$(stat --format '%U:%G %a' "$data")" "lucid-node:lucid-node 700"
  expect "the owner and mode of a key" "$(stat --format '%U:%G %a' "$data/keys/account.key")" "lucid-node:lucid-node 600"
  dpkg --verify lucid-node | tee verify.log
  [[ ! -s verify.log ]] || fail "dpkg --verify finds differences"
  ok "every file is as the package has it (dpkg --verify)"
  lucid-node config check --datadir "$data" >/dev/null
  [[ -z "$(lucid-node config show --datadir "$data" --config "$config" | grep -v ' default$' || true)" ]] ||
    fail "the configuration file says more than defaults"
  ok "the configuration file says nothing but defaults, and is good"
  printf '[http]\nport = 8546\n' >/etc/lucid-node/conf.d/port.toml
  # Not through a pipe: the reader has enough before the writer is done, and that would count as a failure.
  grep -q 'http.port *8546' <<<"$(lucid-node config show --datadir "$data")" || fail "the folder's configuration is another one"
  rm /etc/lucid-node/conf.d/port.toml
}

try_start() {
  local began
  began=$(now_ms)
  start_node
  id=$(chain_id)
  ok "eth_chainId answers $id, $(($(now_ms) - began)) ms after the start was asked for"
}

try_again() {
  dpkg --install "$old" >install.log 2>&1 || { cat install.log >&2; fail "the package cannot be installed twice"; }
  if grep -q 'Copy these off' install.log; then fail "a chain was made again"; fi
  if [[ $mode == plain ]]; then stop_node; start_node; fi
  until_true 60 answers || fail "the node does not answer after the second install"
  expect "the chain id" "$(chain_id)" "$id"
  ok "installed a second time: the same chain"
}

try_anchor() {
  local chunk
  mkdir recording
  for chunk in 1 2 3 4 5; do head --bytes 100000 /dev/urandom >recording/chunk-$chunk.enc; done
  timeout 300 lucid-node session anchor --token-file "$data/tokens/anchor" --session-id "$session" recording >anchor.log 2>&1 ||
    { cat anchor.log >&2; fail "the session was not anchored"; }
  lucid-node session proof "$session" --chunk 3 -o proof.json >/dev/null
  genesis=$(rpc lucid_chainInfo | grep -o '"genesis_hash":"[^"]*"' | head -1 | cut -d'"' -f4)
  stop_node
  # With the node stopped nothing but the file is there to ask.
  lucid-node session verify proof.json --chunk-file 3=recording/chunk-4.enc --genesis "$genesis" >/dev/null ||
    fail "the proof does not hold"
  printf x | dd of=recording/chunk-4.enc bs=1 seek=7 conv=notrunc status=none
  if lucid-node session verify proof.json --chunk-file 3=recording/chunk-4.enc --genesis "$genesis" >/dev/null 2>&1; then
    fail "the proof holds for an altered chunk"
  fi
  start_node
  ok "a session was anchored, its proof verified offline, and refused for an altered chunk"
}

has_session() { grep -q "$session.*confirmed\|confirmed.*$session" <<<"$(lucid-node session list --json)"; }

try_upgrade() {
  local before= watch_before=
  if [[ $mode == booted ]]; then
    before=$(main_pid)
    watch_before=$(watch_pid)
  fi
  dpkg --install "$new" >install.log 2>&1 || { cat install.log >&2; fail "the upgrade failed"; }
  expect "the installed version" "$(installed_version)" "$new_version"
  if [[ $mode == booted ]]; then
    [[ "$(main_pid)" != "$before" ]] || fail "the upgrade did not restart the node"
    [[ "$(watch_pid)" != 0 && "$(watch_pid)" != "$watch_before" ]] || fail "the upgrade did not restart the watch"
  else
    stop_node
    start_node
  fi
  until_true 120 answers || fail "the node does not answer after the upgrade"
  expect "the chain id" "$(chain_id)" "$id"
  has_session || fail "the session is gone"
  ok "upgraded to $new_version: the same chain and session"
}

try_downgrade() {
  if dpkg --install "$old" >downgrade.log 2>&1; then fail "a downgrade was accepted"; fi
  grep -q "from version $new_version to version $old_version" downgrade.log ||
    { cat downgrade.log >&2; fail "the refusal does not name both versions"; }
  expect "the installed version" "$(installed_version)" "$new_version"
  expect "the state of the package" "$(dpkg-query --show --showformat '${db:Status-Status}' lucid-node)" installed
  until_true 60 answers || fail "the node does not answer after a refused downgrade"
  ok "a downgrade is refused: $(grep 'not going back' downgrade.log)"
}

try_backup() {
  # What a store was before it was put back to a lower height: the greatest by name, and the oldest.
  "${as_node[@]}" mkdir -p "$data/backups"
  "${as_node[@]}" touch "$data/backups/lucid-99999999-1.redb"
  if [[ $mode == booted ]]; then
    for _ in 1 2 3 4 5; do
      systemctl start lucid-node-backup.service || { journalctl --no-pager --unit lucid-node-backup >&2; fail "no backup"; }
      sleep 1.1
    done
    expect "the number of backups after five" "$(find "$data/backups" -name '*.redb' | wc -l)" 3
    ok "five backups by lucid-node-backup.service: three are kept"
  else
    "${as_node[@]}" env BACKUPS_KEPT=1 /usr/libexec/lucid-node/backup >backup.log 2>&1 || { cat backup.log >&2; fail "no backup"; }
    expect "the number of backups of which one is kept" "$(find "$data/backups" -name '*.redb' | wc -l)" 1
    ok "a backup of the running node"
  fi
  # What root wrote there the node could not read at its next start.
  if lucid-node key rotate-token anchor --datadir "$data" >rotate.log 2>&1; then fail "root wrote a token for the node"; fi
  grep -q "^  sudo -u lucid-node lucid-node key rotate-token anchor --datadir $data\$" rotate.log || fail "root is told $(cat rotate.log)"
  "${as_node[@]}" lucid-node key rotate-token anchor --datadir "$data" >/dev/null || fail "the node's user may write no token"
  ok "root is refused a new token, and the node's user is not"
  [[ ! -e $data/backups/lucid-99999999-1.redb ]] || fail "the oldest backup was kept, for its height"
}

# The last backup, the keys and the chain spec in a folder of their own make the same chain.
try_restore() {
  local backup
  backup=$(find "$data/backups" -name '*.redb' | sort | tail -1)
  install -d -o lucid-node -g lucid-node -m 0700 "$data-restored"
  cp -a "$data/chain.json" "$data-restored/"
  # What root made there the node could not read.
  if lucid-node db restore --datadir "$data-restored" "$backup" >restore.log 2>&1; then fail "root restored into the node's folder"; fi
  "${as_node[@]}" lucid-node db restore --datadir "$data-restored" "$backup" >restore.log 2>&1 ||
    { cat restore.log >&2; fail "no restore"; }
  lucid-node db verify --datadir "$data-restored" >verify.log 2>&1 || { cat verify.log >&2; fail "the restored store is bad"; }
  rm -r "$data-restored"
  ok "the backup was restored, and db verify is content"
}

try_remove() {
  if [[ $mode == plain ]]; then stop_node; else systemctl --quiet enable --now lucid-node-backup.timer; fi
  dpkg --remove lucid-node >remove.log 2>&1 || { cat remove.log >&2; fail "the package cannot be removed"; }
  if answers; then fail "a node still answers"; fi
  [[ ! -e /usr/bin/lucid-node ]] || fail "the program is still there"
  [[ -f $data/lucid.redb && -f $config ]] || fail "removing took data or configuration"
  ok "removed: the node is stopped, data and configuration are there"
  dpkg --install "$new" >install.log 2>&1 || { cat install.log >&2; fail "it cannot be installed again"; }
  if [[ $mode == plain ]]; then start_node; fi
  until_true 120 answers || fail "the node does not answer after it was installed again"
  expect "the chain id" "$(chain_id)" "$id"
  ok "installed again: the same chain"
  if [[ $mode == plain ]]; then return; fi
  systemctl --quiet is-active lucid-node-backup.timer || fail "backups were switched on, and are not after it was installed again"
  systemctl --quiet disable --now lucid-node-backup.timer
  ok "backups that were switched on are on after it was installed again"
  systemctl --quiet is-active lucid-node-watch || fail "the watch was switched on, and is not after it was installed again"
  systemctl --quiet disable --now lucid-node-watch
  ok "the watch that was switched on is on after it was installed again"
}

# Removed, then the disk with the data is not there, and installed again.
try_empty_disk() {
  if [[ $mode == plain ]]; then stop_node; fi
  dpkg --remove lucid-node >/dev/null 2>&1
  mv "$data" "$data.away"
  dpkg --install "$new" >install.log 2>&1 || { cat install.log >&2; fail "it cannot be installed over an empty folder"; }
  [[ ! -e $data/lucid.redb ]] || fail "a new chain was made where an old one had been"
  if [[ $mode == booted ]]; then
    until_true 20 failed_with 78 || fail "the unit did not end with code 78: $(result_of_unit)"
    systemctl reset-failed "$unit"
  else
    if "${as_node[@]}" lucid-node run --no-init --datadir "$data" --config "$config" >empty.log 2>&1; then fail "it ran without a chain"; fi
  fi
  rm -rf "$data"
  mv "$data.away" "$data"
  start_node
  expect "the chain id" "$(chain_id)" "$id"
  ok "where the data is gone, no new chain is begun"
}

try_purge() {
  local before kept
  before=$(cd "$data/keys" && sha256sum -- *)
  if [[ $mode == plain ]]; then stop_node; fi
  dpkg --purge lucid-node >purge.log 2>&1 || { cat purge.log >&2; fail "the package cannot be purged"; }
  [[ ! -e $data ]] || fail "$data is still there"
  [[ ! -e /etc/lucid-node ]] || fail "/etc/lucid-node is still there"
  kept=$(echo /var/lib/lucid-node-keys-*)
  grep -q "$kept" purge.log || { cat purge.log >&2; fail "the purge does not say where the keys are"; }
  expect "the keys that were kept" "$(cd "$kept/keys" && sha256sum -- *)" "$before"
  expect "the owner and mode of $kept" "$(stat --format '%U:%G %a' "$kept")" "root:root 700"
  [[ -f $kept/chain.json ]] || fail "the chain spec was not kept"
  ok "purged: $(grep 'moved to' purge.log)"
}

try_new_chain() {
  # A disk that fstab has for the data, and that is not mounted.
  printf '/dev/disk/by-label/lucid %s ext4 defaults,nofail 0 2\n' "$data" >>/etc/fstab
  dpkg --install "$new" >install.log 2>&1 || { cat install.log >&2; fail "it cannot be installed without its disk"; }
  grep -q 'is not mounted' install.log || { cat install.log >&2; fail "nobody says that the disk is not mounted"; }
  [[ ! -e $data/lucid.redb ]] || fail "a chain was made where a disk should be"
  dpkg --purge lucid-node >/dev/null 2>&1
  sed -i '/lucid/d' /etc/fstab
  ok "where /etc/fstab has a disk that is not mounted, no chain is made"
  # Nobody has set the clock.
  if [[ $mode == booted ]]; then rm -f /run/systemd/timesync/synchronized; fi
  dpkg --install "$new" >install.log 2>&1 || { cat install.log >&2; fail "it cannot be installed after a purge"; }
  if [[ $mode == plain ]]; then start_node; fi
  until_true 120 answers || fail "the node does not answer after a purge and an install"
  [[ "$(chain_id)" != "$id" ]] || fail "after a purge the chain is the old one"
  if [[ $mode == booted ]]; then
    grep -q '^lucid-node: the node makes no blocks: the clock' install.log || { cat install.log >&2; fail "nobody says that no block comes"; }
    grep -q 'sudo lucid-node doctor$' install.log || fail "nobody says what mends that"
    try_anew
  fi
  ok "installed after the purge: a new chain, $(chain_id)"
  if [[ $mode == plain ]]; then stop_node; fi
  dpkg --purge lucid-node >/dev/null 2>&1
}

. /root/test-systemd.sh

echo "$(. /etc/os-release && echo "$PRETTY_NAME"), $(dpkg --print-architecture), package $(dpkg-deb --field "$old" Architecture), $mode"
if [[ $mode == booted ]]; then before_install; fi
try_install
if [[ $mode == booted ]]; then try_units; fi
try_start
try_again
try_anchor
if [[ $mode == booted ]]; then
  begin_watch
  try_kill
  try_health
  try_stop
  try_watchdog
  try_bad_configuration
  try_credentials
  end_watch
fi
try_upgrade
try_downgrade
try_backup
try_restore
if [[ $mode == booted ]]; then try_page; fi
try_remove
try_empty_disk
try_purge
try_new_chain
if [[ $mode == booted ]]; then after_purge; fi
echo "  all of it"
