//! What has to hold for a node to be called alive, and ready.

use crate::wire::{ConsensusUseDocument, StatusDocument};
use std::fmt::{self, Write};

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    name: &'static str,
    /// What is wrong; `None` for nothing.
    fault: Option<String>,
    /// What else there is to know of it where nothing is wrong.
    note: Option<String>,
}

impl Check {
    fn new(name: &'static str, fault: Option<String>) -> Self {
        Self { name, fault, note: None }
    }
}

/// Whether the node can go on. One that cannot has to be started anew.
pub(super) fn alive(status: &StatusDocument) -> Vec<Check> {
    vec![Check::new("progress", status.stuck.clone())]
}

/// Whether the node does what it is there for: it can go on, and it makes blocks where something waits.
pub(super) fn ready(status: &StatusDocument) -> Vec<Check> {
    let mut checks = alive(status);
    checks.push(Check::new("sealing", status.sealing_stop.clone()));
    if let Some(consensus) = &status.consensus {
        checks.extend([peers(status.peers, consensus), voters(consensus)]);
        let behind =
            status.catching_up.map(|noted| format!("far behind: catching up to block {}", noted.highest_block));
        checks.push(Check::new("history", behind));
    }
    checks
}

/// Whether others are there, without whom nothing is decided.
fn peers(connected: u32, consensus: &ConsensusUseDocument) -> Check {
    let fault = (connected == 0 && consensus.needs_others()).then(|| "no peer is connected".to_owned());
    let note = format!("{connected} are connected, {} are kept out", consensus.banned_peers);
    Check { name: "peers", fault, note: Some(note) }
}

/// Whether enough of them vote, and how the next height stands.
fn voters(consensus: &ConsensusUseDocument) -> Check {
    let ConsensusUseDocument { height, is_open, round, is_validator, may_sign, lacks_voters, .. } = *consensus;
    let stands = if is_open { format!("is open in round {round}") } else { "is not open".to_owned() };
    let signs = match (is_validator, may_sign) {
        (true, true) => "may sign",
        (true, false) => "may not sign yet",
        (false, _) => "follows",
    };
    let stands = format!("height {height} {stands}, and this node {signs}");
    let fault = lacks_voters.then(|| format!("too few validators vote: {stands}"));
    Check { name: "consensus", fault, note: Some(stands) }
}

pub(super) fn hold(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.fault.is_none())
}

/// One line for each check, and the verdict; the lines of what is well only where all are asked for. In the manner of
/// Kubernetes, whose tools know it.
pub(super) fn report(name: &str, checks: &[Check], verbose: bool) -> String {
    let mut text = String::new();
    for check in checks.iter().filter(|check| verbose || check.fault.is_some()) {
        // A string takes whatever is written to it.
        let _ = writeln!(text, "{check}");
    }
    let verdict = match (hold(checks), verbose) {
        (true, false) => "ok".to_owned(),
        (true, true) => format!("{name} check passed"),
        (false, _) => format!("{name} check failed"),
    };
    text + &verdict + "\n"
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.fault, &self.note) {
            (None, None) => write!(f, "[+]{} ok", self.name),
            (None, Some(note)) => write!(f, "[+]{} ok: {note}", self.name),
            (Some(fault), _) => write!(f, "[-]{} failed: {fault}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::metrics::tests::status, *};

    #[test]
    fn a_node_that_makes_no_blocks_lives_and_is_not_ready() {
        let mut status = status();
        status.consensus = None;
        assert_eq!(report("readyz", &ready(&status), false), "ok\n");
        assert_eq!(report("readyz", &ready(&status), true), "[+]progress ok\n[+]sealing ok\nreadyz check passed\n");
        status.sealing_stop = Some("the clock is not synchronised".to_owned());
        assert!(hold(&alive(&status)) && !hold(&ready(&status)));
        let told = report("readyz", &ready(&status), false);
        assert_eq!(told, "[-]sealing failed: the clock is not synchronised\nreadyz check failed\n");
        status.stuck = Some("a write does not end".to_owned());
        assert!(!hold(&alive(&status)));
    }

    #[test]
    fn a_node_among_others_needs_peers_and_voters_and_says_how_it_stands() {
        let mut status = status();
        assert!(!hold(&ready(&status)), "it is far behind");
        let told = report("readyz", &ready(&status), false);
        assert_eq!(told, "[-]history failed: far behind: catching up to block 20000\nreadyz check failed\n");
        status.catching_up = None;
        let told = report("readyz", &ready(&status), true);
        assert!(told.contains("[+]peers ok: 3 are connected, 1 are kept out\n"), "{told}");
        assert!(told.contains("[+]consensus ok: height 13 is open in round 2, and this node may sign\n"), "{told}");
        status.peers = 0;
        status.consensus = status.consensus.map(|stands| ConsensusUseDocument { lacks_voters: true, ..stands });
        let told = report("readyz", &ready(&status), false);
        let expected = "[-]peers failed: no peer is connected\n[-]consensus failed: too few validators vote: height 13 is \
                        open in round 2, and this node may sign\nreadyz check failed\n";
        assert_eq!(told, expected);
        assert!(hold(&alive(&status)), "a start anew would mend nothing");
        let alone = status.consensus.map(|stands| ConsensusUseDocument { validators: 1, ..stands }).unwrap();
        assert!(peers(0, &alone).fault.is_none());
        let follows = ConsensusUseDocument { is_validator: false, ..alone };
        assert!(
            peers(0, &follows).fault.is_some() && voters(&follows).note.unwrap().ends_with("and this node follows")
        );
        let waits = status.consensus.map(|stands| ConsensusUseDocument { is_open: false, may_sign: false, ..stands });
        assert_eq!(voters(&waits.unwrap()).note.unwrap(), "height 13 is not open, and this node may not sign yet");
    }
}
