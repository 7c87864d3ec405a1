//! What has to hold for a node to be called alive, and ready.

use crate::wire::StatusDocument;
use std::fmt::{self, Write};

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    name: &'static str,
    /// What is wrong; `None` for nothing.
    fault: Option<String>,
}

/// Whether the node can go on. One that cannot has to be started anew.
pub(super) fn alive(status: &StatusDocument) -> Vec<Check> {
    vec![Check { name: "progress", fault: status.stuck.clone() }]
}

/// Whether the node does what it is there for: it can go on, and it makes blocks where something waits.
pub(super) fn ready(status: &StatusDocument) -> Vec<Check> {
    let mut checks = alive(status);
    checks.push(Check { name: "sealing", fault: status.sealing_stop.clone() });
    checks
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
        match &self.fault {
            None => write!(f, "[+]{} ok", self.name),
            Some(fault) => write!(f, "[-]{} failed: {fault}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::metrics::tests::status, *};

    #[test]
    fn a_node_that_makes_no_blocks_lives_and_is_not_ready() {
        let mut status = status();
        assert_eq!(report("readyz", &ready(&status), false), "ok\n");
        assert_eq!(report("readyz", &ready(&status), true), "[+]progress ok\n[+]sealing ok\nreadyz check passed\n");
        status.sealing_stop = Some("the clock is not synchronised".to_owned());
        assert!(hold(&alive(&status)) && !hold(&ready(&status)));
        let told = report("readyz", &ready(&status), false);
        assert_eq!(told, "[-]sealing failed: the clock is not synchronised\nreadyz check failed\n");
        status.stuck = Some("a write does not end".to_owned());
        assert!(!hold(&alive(&status)));
    }
}
