# shellcheck shell=bash
# The part of test-inside.sh that needs a running systemd. Not run by itself.

drop_in() { # drop_in NAME LINE…
  local name=$1
  shift
  mkdir -p "/etc/systemd/system/$unit.d"
  printf '%s\n' '[Service]' "$@" >"/etc/systemd/system/$unit.d/$name.conf"
  systemctl daemon-reload
}

drop_out() {
  rm -f "/etc/systemd/system/$unit.d/$1.conf"
  systemctl daemon-reload
}

show() { systemctl show --property "$1" --value "$unit"; }

result_of_unit() { systemctl show --property ActiveState,SubState,Result,ExecMainStatus,NRestarts "$unit" | tr '\n' ' '; }

failed_with() { [[ "$(show ActiveState)" == failed && "$(show ExecMainStatus)" == "$1" ]]; }

running_anew() { [[ "$(main_pid)" != 0 && "$(main_pid)" != "$1" ]] && answers; }

before_install() {
  # systemd-timesyncd would leave this when it has set the clock; there is no network here that it could do it over.
  mkdir -p /run/systemd/timesync
  touch /run/systemd/timesync/synchronized
  if $emulated; then
    # The emulator itself makes memory executable.
    mkdir -p /etc/systemd/system/lucid-node-backup.service.d
    printf '[Service]\nMemoryDenyWriteExecute=no\n' >/etc/systemd/system/lucid-node-backup.service.d/emulated.conf
    for name in watch export; do
      mkdir -p /etc/systemd/system/lucid-node-$name.service.d
      cp /etc/systemd/system/lucid-node-backup.service.d/emulated.conf /etc/systemd/system/lucid-node-$name.service.d/
    done
    drop_in emulated MemoryDenyWriteExecute=no TimeoutStartSec=300
  fi
}

try_units() {
  local exposure
  systemd-analyze verify --man=no lucid-node.service lucid-node-backup.service lucid-node-backup.timer lucid-node-watch.service \
    lucid-node-export.service lucid-node-export.timer ||
    fail "systemd-analyze verify"
  ok "systemd-analyze verify"
  expect "whether the unit is enabled" "$(systemctl is-enabled "$unit")" enabled
  expect "whether the timer is enabled" "$(systemctl is-enabled lucid-node-backup.timer || true)" disabled
  expect "whether the watch is enabled" "$(systemctl is-enabled lucid-node-watch || true)" disabled
  expect "whether the export is enabled" "$(systemctl is-enabled lucid-node-export.timer || true)" disabled
  if systemctl --quiet is-active lucid-node-watch; then fail "the watch runs, and nobody has switched it on"; fi
  until_true 60 systemctl --quiet is-active "$unit" || fail "the package did not start the unit: $(result_of_unit)"
  ok "the package enabled and started the unit; the timers of backups and export and the watch are off"
  for name in lucid-node lucid-node-backup lucid-node-watch lucid-node-export; do
    exposure=$(systemd-analyze security --no-pager "$name.service" | sed -n 's/.*exposure level.*: \([0-9.]*\) .*/\1/p')
    ok "exposure of the running $name.service: $exposure"
  done
  expect "the mode of /run/lucid-node" "$(stat --format '%U:%G %a' /run/lucid-node)" "lucid-node:lucid-node 750"
}

# What an operator and a monitor may ask.
try_health() {
  local said
  lucid-node status >status.txt || fail "lucid-node status: $(cat status.txt)"
  useradd --no-create-home somebody
  if setpriv --reuid somebody --regid somebody --init-groups lucid-node status >/dev/null 2>&1; then
    fail "somebody outside of the group may ask"
  fi
  setpriv --reuid somebody --regid somebody --init-groups lucid-node doctor --json >doctor.json 2>/dev/null || true
  grep -A5 '"check": "node"' doctor.json | grep -q not-readable || fail "who may not ask is told: $(cat doctor.json)"
  usermod --append --groups lucid-node somebody
  setpriv --reuid somebody --regid somebody --init-groups lucid-node status >/dev/null || fail "a member of the group may not ask"
  ok "lucid-node status answers root and the group lucid-node, and nobody else: $(head -1 status.txt)"
  printf '[health]\nport = 9464\n' >/etc/lucid-node/conf.d/health.toml
  systemctl restart "$unit"
  until_true 60 answers
  said=$(get 9464 /readyz)
  grep -q '^HTTP/1.1 200' <<<"$said" || fail "/readyz says $said"
  said=$(get 9464 /metrics)
  grep -q '^lucid_head_number ' <<<"$said" || fail "/metrics says $said"
  grep -q '^lucid_restarts_total{reason="killed"} [1-9]' <<<"$said" || fail "/metrics does not know of the kill"
  rm /etc/lucid-node/conf.d/health.toml
  systemctl restart "$unit"
  until_true 60 answers
  ok "with health.port in conf.d: /readyz and /metrics answer"
}

try_kill() {
  local before began
  before=$(main_pid)
  began=$(now_ms)
  kill -KILL "$before"
  until_true 60 running_anew "$before" || fail "a killed node was not started again: $(result_of_unit)"
  ok "killed: runs again and answers after $(($(now_ms) - began)) ms (RestartSec is 5 s)"
  expect "the chain id" "$(chain_id)" "$id"
  awk '/^Vm(HWM|RSS)/ { printf "  memory: %s %s kB\n", $1, $2 }' "/proc/$(main_pid)/status"
}

try_stop() {
  local began took
  began=$(now_ms)
  systemctl stop "$unit"
  took=$(($(now_ms) - began))
  expect "how the unit ended" "$(show Result)" success
  if lucid-node doctor >doctor.txt 2>&1; then fail "the installed node is down, and doctor finds nothing to mend"; fi
  grep -q 'BAD.*does not run; the last run: stopped: it was asked to' doctor.txt || fail "doctor says $(cat doctor.txt)"
  if ! $emulated && ((took >= 2000)); then fail "it took $took ms to stop"; fi
  ok "stopped in $took ms"
  began=$(now_ms)
  systemctl start "$unit"
  took=$(($(now_ms) - began))
  if [[ "$(show Type)" == notify ]]; then answers || fail "started, and does not answer"; fi
  ok "started in $took ms (Type=$(show Type))"
  until_true 60 answers
}

# As /usr/share/doc/lucid-node/examples/watch.conf has it: recordings of another user, which only a group may read. What it
# is to anchor is made here, and looked for after the node was killed and stopped.
begin_watch() {
  local folder=/srv/recordings chunk
  if systemctl start lucid-node-watch 2>/dev/null; then fail "the watch runs without a folder"; fi
  expect "the code of a watch without a folder" "$(systemctl show --property ExecMainStatus --value lucid-node-watch)" 2
  systemctl reset-failed lucid-node-watch
  useradd --no-create-home --user-group recorders
  install -d -o recorders -g recorders -m 0750 "$folder" "$folder/$watched" "$folder/evening"
  for chunk in 1 2 3; do head --bytes 100000 /dev/urandom >"$folder/$watched/chunk-$chunk"; done
  chown -R recorders:recorders "$folder"
  chmod 0640 "$folder/$watched"/*
  mkdir -p /etc/systemd/system/lucid-node-watch.service.d
  sed 's/^#SupplementaryGroups=/SupplementaryGroups=/' /usr/share/doc/lucid-node/examples/watch.conf \
    >/etc/systemd/system/lucid-node-watch.service.d/watch.conf
  systemctl daemon-reload
  systemctl --quiet enable --now lucid-node-watch || fail "the watch does not start: $(systemctl status lucid-node-watch)"
  touch "$folder/$watched/.done"
  until_true 60 knows_watched || { journalctl --no-pager --unit lucid-node-watch >&2; fail "the recording was not handed to the node"; }
  ok "lucid-node-watch.service hands a recording to the node that its group may read"
}

knows_watched() { lucid-node session list --json | grep "$watched" >/dev/null; }

says_anchored() { [[ "$(systemctl show --property StatusText --value lucid-node-watch)" == '1 anchored,'* ]]; }

is_noted() { [[ -n "$(find /var/lib/lucid-node-watch -name '*.anchored.json')" ]]; }

end_watch() {
  local began took
  until_true 300 is_noted || { journalctl --no-pager --unit lucid-node-watch >&2; fail "the recording was not anchored"; }
  grep -rq "$watched" /var/lib/lucid-node-watch || fail "another session was noted"
  expect "the files of the recording" "$(find "/srv/recordings/$watched" -mindepth 1 | wc -l)" 4
  expect "the owner and mode of the notes" "$(stat --format '%U:%G %a' /var/lib/lucid-node-watch)" "lucid-node:lucid-node 700"
  expect "restarts of the watch" "$(systemctl show --property NRestarts --value lucid-node-watch)" 0
  until_true 30 says_anchored || fail "the watch does not say what it is at"
  awk '/^Vm(HWM|RSS)/ { printf "  memory of the watch: %s %s kB\n", $1, $2 }' "/proc/$(watch_pid)/status"
  began=$(now_ms)
  systemctl restart lucid-node-watch
  took=$(($(now_ms) - began))
  if ! $emulated && ((took >= 3000)); then fail "it took $took ms to start the watch again"; fi
  ok "the recording was anchored and noted while the node was killed, stopped and started; started again in $took ms"
}

watch_pid() { systemctl show --property MainPID --value lucid-node-watch; }

# A node that hangs is one that does not say that it is alive.
try_watchdog() {
  local before
  drop_in watchdog WatchdogSec=4
  systemctl restart "$unit"
  until_true 60 answers
  before=$(main_pid)
  sleep 10
  expect "the process after 10 s of a watchdog of 4 s" "$(main_pid)" "$before"
  kill -STOP "$before"
  until_true 60 running_anew "$before" || fail "a node that hangs was not started again: $(result_of_unit)"
  journalctl --no-pager --unit "$unit" | grep -q 'Watchdog timeout' || fail "it was not the watchdog"
  drop_out watchdog
  systemctl restart "$unit"
  until_true 60 answers
  ok "a node that hangs is killed by the watchdog and started again"
}

try_bad_configuration() {
  cp "$config" good.toml
  printf '[http]\nprot = 1\n' >"$config"
  systemctl restart "$unit" || true
  until_true 20 failed_with 78 || fail "the unit did not end with code 78: $(result_of_unit)"
  sleep 7
  failed_with 78 || fail "a wrong configuration was tried again: $(result_of_unit)"
  expect "restarts after a wrong configuration" "$(show NRestarts)" 0
  cp good.toml "$config"
  systemctl reset-failed "$unit"
  start_node
  ok "a wrong configuration ends the unit with code 78, and it is not tried again"
}

# As /usr/share/doc/lucid-node/examples/credentials.conf has it.
try_credentials() {
  local account
  account=$(lucid-node key show --datadir "$data")
  systemctl stop "$unit"
  install -d -m 0700 /etc/lucid-node/keys
  mv "$data/keys/account.key" "$data/keys/consensus.key" /etc/lucid-node/keys/
  chown root:root /etc/lucid-node/keys/*
  cp /usr/share/doc/lucid-node/examples/credentials.conf "/etc/systemd/system/$unit.d/" 2>/dev/null ||
    { mkdir -p "/etc/systemd/system/$unit.d" && cp /usr/share/doc/lucid-node/examples/credentials.conf "/etc/systemd/system/$unit.d/"; }
  systemctl daemon-reload
  start_node
  systemctl stop "$unit"
  drop_out credentials
  mv /etc/lucid-node/keys/* "$data/keys/"
  rmdir /etc/lucid-node/keys
  chown lucid-node:lucid-node "$data/keys/"*
  start_node
  expect "the keys afterwards" "$(lucid-node key show --datadir "$data")" "$account"
  ok "runs with keys that systemd hands to it (LoadCredential=)"
}

# block NUMBER HEADING: what the operator's page has to be pasted there.
block() {
  sed -n "/^##* $2\$/,/^##/p" /usr/share/doc/lucid-node/operate.md |
    awk -v want="$1" '/^```sh$/ { n++; inside = n == want; next } /^```$/ { inside = 0 } inside'
}

# The root of the test has no sudo; this does with its arguments what the page asks of it.
sudo() {
  if [[ $1 == -u ]]; then "${as_node[@]}" "${@:3}"; else "$@"; fi
}

# The steps of operate.md as they are pasted, with a backup from elsewhere that only root can read; and again.
try_page() {
  local steps
  install -m 600 "$(find "$data/backups" -name 'lucid-*-*.redb' | sort | tail -1)" /root/usb.redb
  # A folder that the user may make.
  if "${as_node[@]}" lucid-node db restore --datadir /tmp/nowhere /root/usb.redb >restore.log 2>&1; then fail "a user reads root's file"; fi
  grep -q 'sudo install -o lucid-node' restore.log || fail "nobody says how to make a backup readable: $(cat restore.log)"
  rm -rf /tmp/nowhere
  steps=$(block 1 'Put a backup back' | sed 's, FILE , /root/usb.redb ,')
  grep -q '/root/usb.redb' <<<"$steps" || fail "the operator's page has no steps: $steps"
  for _ in 1 2; do
    eval "$steps" >page.log 2>&1 || { cat page.log >&2; fail "the steps of operate.md do not work"; }
    grep -q 'Run it:  sudo systemctl start lucid-node' page.log || { cat page.log >&2; fail "nothing was restored"; }
    eval "$(block 3 'Put a backup back')"
    until_true 120 answers || fail "the node does not answer after the restore"
    expect "the chain id" "$(chain_id)" "$id"
    systemctl --quiet is-active "$unit" || fail "the unit does not run: $(result_of_unit)"
    sleep 1.1
  done
  expect "the folders with what was there before" "$(find /var/lib -maxdepth 1 -name 'lucid-node-before-*' | wc -l)" 2
  rm -r /var/lib/lucid-node-before-*
  ok "the steps of operate.md put a backup back, and once more"
}

# A chain that was begun by a wrong clock is made anew, as operate.md has it.
try_anew() {
  local before
  before=$(chain_id)
  eval "$(block 2 'Make a chain')" >page.log 2>&1 || { cat page.log >&2; fail "the chain cannot be made anew"; }
  until_true 120 answers || fail "the node does not answer after its chain was made anew"
  [[ "$(chain_id)" != "$before" ]] || fail "the chain was not made anew"
  grep -q 'Copy these off' page.log || fail "nobody says that the new keys are to be copied off the machine"
  [[ -f $(echo /var/lib/lucid-node-before-*/keys/account.key) ]] || fail "the old keys are gone"
  rm -r /var/lib/lucid-node-before-*
  ok "the steps of operate.md make a chain anew, and keep the old one"
}

after_purge() {
  [[ ! -e /var/lib/lucid-node-watch ]] || fail "the notes of the watch are still there"
  rm -rf "/etc/systemd/system/$unit.d" /etc/systemd/system/lucid-node-{backup,watch,export}.service.d
  systemctl daemon-reload
  expect "what systemd knows of the unit" "$(show LoadState)" not-found
  [[ -z "$(find /etc/systemd -name 'lucid-node*')" ]] || fail "the purge left links of units"
  ok "nothing of the units is left"
}
