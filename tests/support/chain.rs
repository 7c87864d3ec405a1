//! A solo chain whose slots a test can wait for.

use super::{run, text};
use lucid_node::{keys::NodeKeys, node::solo_chain_spec};
use lucid_types::{ChainSpec, Params};
use std::{
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

/// Length of a slot of [`fast_chain`].
pub(crate) const FAST_SLOT_SECS: u64 = 2;

/// Makes a chain in `datadir` as an operator does who writes its spec himself: keys, the spec, `init --chain`.
pub(crate) fn fast_chain(datadir: &Path) -> ChainSpec {
    let folder = datadir.to_str().unwrap();
    let made = run(&["key", "new", "--datadir", folder]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let keys = NodeKeys::load(&datadir.join("keys")).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut spec = solo_chain_spec(&keys, now).unwrap();
    // The window is a number of days, whatever the slots.
    let window = spec.parameters.leader_window_slots * spec.parameters.slot_duration_secs / FAST_SLOT_SECS;
    spec.parameters =
        Params { slot_duration_secs: FAST_SLOT_SECS, leader_window_slots: window, ..spec.parameters.clone() };
    let file = datadir.with_extension("spec.json");
    fs::write(&file, spec.to_canonical_json()).unwrap();
    let made = run(&["init", "--datadir", folder, "--chain", file.to_str().unwrap()]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    spec
}
