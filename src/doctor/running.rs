//! The node itself, where one runs.

use super::{Finding, Problem, Subject, files::StoreLook};
use std::collections::BTreeMap;

/// What a node that runs says of itself.
#[derive(Debug, Clone, Default)]
pub struct Running {
    /// Version of its program.
    pub version: String,
    /// Seconds since it was started.
    pub uptime_secs: u64,
    /// Height of its last block.
    pub height: u64,
    /// Whether it holds its clock for synchronised.
    pub clock_synchronised: bool,
    /// Why it makes no blocks.
    pub sealing_stop: Option<String>,
    /// Why it cannot go on.
    pub stuck: Option<String>,
    /// Bytes that it wrote to the store since its start.
    pub bytes_written: u64,
    /// Starts so far, by how the run before each ended.
    pub starts: BTreeMap<String, u64>,
}

/// Endings that nobody wished for.
const BAD_ENDINGS: [&str; 4] = ["failed", "fault", "killed", "power_cut"];

pub(super) fn node(subject: &Subject, store: &StoreLook) -> Vec<Finding> {
    let Some(running) = &subject.running else {
        return vec![match store {
            StoreLook::InUse => Finding::problem(
                "node",
                Problem::NoStatusSocket,
                "runs, or another process has the store; none says how it is",
            ),
            _ => Finding::problem("node", Problem::NotRunning, "does not run"),
        }];
    };
    let node = match (&running.stuck, &running.sealing_stop) {
        (Some(reason), _) => Finding::problem("node", Problem::Stuck, format!("cannot go on: {reason}")),
        (None, Some(reason)) => Finding::problem("node", Problem::MakesNoBlocks, format!("makes no blocks: {reason}")),
        (None, None) => {
            let hours = running.uptime_secs / 3_600;
            Finding::good("node", format!("version {}, up {hours} h, at block {}", running.version, running.height))
        }
    };
    vec![node, endings(&running.starts)]
}

fn endings(starts: &BTreeMap<String, u64>) -> Finding {
    let total: u64 = starts.values().sum();
    let bad: Vec<String> = BAD_ENDINGS
        .into_iter()
        .filter_map(|name| Some(format!("{} {}", starts.get(name)?, name.replace('_', " "))))
        .collect();
    match bad.is_empty() {
        true => Finding::good("runs", format!("{total} so far, each of which ended as it was asked to")),
        false => Finding::problem("runs", Problem::EndedBadly, format!("{total} so far; ended: {}", bad.join(", "))),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::doctor) fn subject(running: Option<Running>) -> Subject {
        Subject {
            datadir: "/var/lib/lucid-node".into(),
            http_addr: ([127, 0, 0, 1], 8545).into(),
            config_fault: None,
            clock_synchronised: true,
            now: 1_800_000_000,
            running,
        }
    }

    #[test]
    fn the_worst_of_a_node_is_told() {
        let problem = |running: Running| node(&subject(Some(running)), &StoreLook::InUse)[0].problem;
        assert_eq!(node(&subject(None), &StoreLook::Absent)[0].problem, Some("not-running"));
        assert_eq!(node(&subject(None), &StoreLook::InUse)[0].problem, Some("no-status-socket"));
        assert_eq!(problem(Running::default()), None);
        let stopped = Running { sealing_stop: Some("the clock".to_owned()), ..Running::default() };
        assert_eq!(problem(stopped.clone()), Some("makes-no-blocks"));
        assert_eq!(problem(Running { stuck: Some("a write".to_owned()), ..stopped }), Some("stuck"));
    }

    #[test]
    fn runs_that_ended_badly_are_counted() {
        let starts = |pairs: &[(&str, u64)]| pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        assert_eq!(endings(&starts(&[("first", 1), ("stopped", 3)])).problem, None);
        let bad = endings(&starts(&[("first", 1), ("power_cut", 3)]));
        assert_eq!((bad.problem, bad.found.as_str()), (Some("ended-badly"), "4 so far; ended: 3 power cut"));
    }
}
