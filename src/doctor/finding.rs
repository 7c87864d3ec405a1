//! What was looked at, and what came of it.

use super::{Machine, Problem, Running, clock, disk, files, journal, machine, network, running};
use serde::Serialize;
use std::{net::SocketAddr, path::PathBuf};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Good,
    /// Worth knowing.
    Note,
    /// Should be mended.
    Warn,
    /// Must be mended.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What is so.
    pub found: String,
    /// Which problem it is; absent where it is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<&'static str>,
    /// What mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    /// Something that is as it should be.
    pub(super) fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, level: Level::Good, found: found.into(), problem: None, remedy: None }
    }

    /// Something that is not.
    pub(super) fn problem(check: &'static str, problem: Problem, found: impl Into<String>) -> Self {
        Self {
            check,
            level: problem.level(),
            found: found.into(),
            problem: Some(problem.name()),
            remedy: Some(problem.remedy().to_owned()),
        }
    }
}

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The node's folder.
    pub datadir: PathBuf,
    /// Where the node is configured to listen.
    pub http_addr: SocketAddr,
    /// Whether the kernel holds its clock for synchronised.
    pub clock_synchronised: bool,
    /// The wall clock, in Unix seconds.
    pub now: u64,
    /// The node, where one runs.
    pub running: Option<Running>,
}

/// Looks at everything; the order is that in which an operator would mend it.
pub fn examine(machine: &Machine, subject: &Subject) -> Vec<Finding> {
    let mut findings = vec![machine::pages(), machine::power(machine), machine::temperature(machine)];
    findings.extend([machine::memory(machine), machine::memory_cgroup(machine)]);
    findings.extend([clock::clock(subject), journal::journal(machine)]);
    findings.extend(disk::disk(machine, subject));
    findings.extend(files::files(subject));
    findings.push(network::port(machine, subject));
    findings.extend(running::node(subject));
    for finding in &mut findings {
        if let Some(remedy) = &mut finding.remedy {
            *remedy = remedy.replace("DIR", &subject.datadir.display().to_string());
        }
    }
    findings
}
