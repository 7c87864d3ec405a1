//! The node itself, where one runs.

use super::{Finding, Level, Machine, Problem, Subject, files::StoreLook};
use std::{collections::BTreeMap, fs, io};

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
    /// By how many seconds its last block is ahead of the clock; 0 for one that is not.
    pub head_ahead_secs: u64,
    /// Why it makes no blocks.
    pub sealing_stop: Option<String>,
    /// Why it cannot go on.
    pub stuck: Option<String>,
    /// Bytes that it wrote to the store since its start.
    pub bytes_written: u64,
    /// Starts so far, by how the run before each ended.
    pub starts: BTreeMap<String, u64>,
}

/// Why nothing is known of a running node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Silence {
    /// It was not asked: nobody says where.
    #[default]
    NotAsked,
    /// Nobody answers where it would.
    NoAnswer,
    /// This user may not ask.
    NotAllowed,
}

/// Where systemd has a link for each unit that is enabled, in folders that end so.
const UNITS: &str = "/etc/systemd/system";
const WANTS: &str = ".wants";
const UNIT: &str = "lucid-node.service";

/// Whether the package's unit is to run from boot on.
fn is_enabled(machine: &Machine) -> bool {
    let folders = machine.names(UNITS).into_iter().filter(|name| name.ends_with(WANTS));
    folders.into_iter().any(|folder| machine.names(&format!("{UNITS}/{folder}")).iter().any(|name| name == UNIT))
}

/// What is known where no node says how it is.
fn silent(machine: &Machine, subject: &Subject, store: &StoreLook) -> Finding {
    let hidden = fs::read_dir(&subject.datadir).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
    match (store, subject.silence) {
        (_, Silence::NotAllowed) => {
            Finding::problem("node", Problem::NotReadable, "this user may not ask whether it runs, and how it is")
        }
        (StoreLook::InUse, _) => Finding::problem(
            "node",
            Problem::NoStatusSocket,
            "runs, or another process has the store; none says how it is",
        ),
        // Whether somebody has the store cannot be seen either.
        (_, Silence::NotAsked) if hidden => {
            Finding::problem("node", Problem::NotReadable, "this user cannot see whether it runs")
        }
        _ => {
            let ending = subject.last_ending.as_ref().map(|ending| format!("; the last run: {ending}"));
            let found = format!("does not run{}", ending.unwrap_or_default());
            let finding = Finding::problem("node", Problem::NotRunning, found);
            // One that nobody switched off is down, and one of a folder of somebody's own may be meant to be.
            match subject.is_installed() && is_enabled(machine) {
                true => finding.with_level(Level::Bad),
                false => finding,
            }
        }
    }
}

/// Endings that nobody wished for.
const BAD_ENDINGS: [&str; 4] = ["failed", "fault", "killed", "power_cut"];

pub(super) fn node(machine: &Machine, subject: &Subject, store: &StoreLook) -> Vec<Finding> {
    let Some(running) = &subject.running else { return vec![silent(machine, subject, store)] };
    let node = match (&running.stuck, &running.sealing_stop) {
        (Some(reason), _) => Finding::problem("node", Problem::Stuck, format!("cannot go on: {reason}")),
        (None, Some(reason)) => Finding::problem("node", Problem::MakesNoBlocks, format!("makes no blocks: {reason}")),
        (None, None) if running.head_ahead_secs > 0 => {
            let found = format!(
                "its last block, {}, is of a slot that begins {} s after what the clock shows",
                running.height, running.head_ahead_secs
            );
            Finding::problem("node", Problem::AheadOfClock, found)
        }
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
    use super::{super::machine::tests::machine, *};

    pub(in crate::doctor) fn subject(running: Option<Running>) -> Subject {
        Subject {
            datadir: "/var/lib/lucid-node".into(),
            http_addr: ([127, 0, 0, 1], 8545).into(),
            config_fault: None,
            max_store_bytes: None,
            clock_synchronised: true,
            now: 1_800_000_000,
            running,
            config_passed_over: Vec::new(),
            silence: Silence::NoAnswer,
            last_ending: None,
        }
    }

    #[test]
    fn the_worst_of_a_node_is_told() {
        let (_root, nothing) = machine(&[]);
        let problem = |running: Running| node(&nothing, &subject(Some(running)), &StoreLook::InUse)[0].problem;
        assert_eq!(node(&nothing, &subject(None), &StoreLook::Absent)[0].problem, Some("not-running"));
        assert_eq!(node(&nothing, &subject(None), &StoreLook::InUse)[0].problem, Some("no-status-socket"));
        let ahead = Running { head_ahead_secs: 36_000, ..Running::default() };
        assert_eq!(problem(ahead), Some("ahead-of-clock"));
        assert_eq!(problem(Running::default()), None);
        let stopped = Running { sealing_stop: Some("the clock".to_owned()), ..Running::default() };
        assert_eq!(problem(stopped.clone()), Some("makes-no-blocks"));
        assert_eq!(problem(Running { stuck: Some("a write".to_owned()), ..stopped }), Some("stuck"));
    }

    #[test]
    fn who_may_not_ask_is_not_told_that_nothing_runs() {
        let (_root, nothing) = machine(&[]);
        let outsider = Subject { silence: Silence::NotAllowed, ..subject(None) };
        assert_eq!(node(&nothing, &outsider, &StoreLook::Absent)[0].problem, Some("not-readable"));
    }

    /// A monitor that runs it goes by the exit code.
    #[test]
    fn an_installed_node_that_is_down_must_be_mended_and_says_how_it_ended() {
        let enabled = [("/etc/systemd/system/multi-user.target.wants/lucid-node.service", "")];
        let judge = |files: &[(&str, &str)], datadir: &str| {
            let (_root, machine) = machine(files);
            let last_ending = Some("ended with exit code 77: x".to_owned());
            let subject = Subject { datadir: datadir.into(), last_ending, ..subject(None) };
            let [found] = <[Finding; 1]>::try_from(node(&machine, &subject, &StoreLook::Absent)).unwrap();
            assert_eq!(found.problem, Some("not-running"));
            assert!(found.found.ends_with("the last run: ended with exit code 77: x"), "{}", found.found);
            found.level
        };
        assert_eq!(judge(&enabled, "/var/lib/lucid-node"), Level::Bad);
        assert_eq!(judge(&enabled, "/var/lib/lucid"), Level::Warn);
        let timer = [("/etc/systemd/system/timers.target.wants/lucid-node-backup.timer", "")];
        assert_eq!(judge(&timer, "/var/lib/lucid-node"), Level::Warn, "switched off");
    }

    #[test]
    fn runs_that_ended_badly_are_counted() {
        let starts = |pairs: &[(&str, u64)]| pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        assert_eq!(endings(&starts(&[("first", 1), ("stopped", 3)])).problem, None);
        let bad = endings(&starts(&[("first", 1), ("power_cut", 3)]));
        assert_eq!((bad.problem, bad.found.as_str()), (Some("ended-badly"), "4 so far; ended: 3 power cut"));
    }
}
