//! What was looked at, and what came of it.

use super::{Machine, Problem, Running, Silence, clock, disk, files, journal, machine, network, running};
use serde::Serialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

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
    /// The file or folder that it is about; absent where it is about none, or several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
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
        Self { check, level: Level::Good, found: found.into(), path: None, problem: None, remedy: None }
    }

    /// Something that is not.
    pub(super) fn problem(check: &'static str, problem: Problem, found: impl Into<String>) -> Self {
        Self {
            check,
            level: problem.level(),
            found: found.into(),
            path: None,
            problem: Some(problem.name()),
            remedy: Some(problem.remedy().to_owned()),
        }
    }
}

impl Finding {
    /// The same, about this path.
    pub(super) fn about(mut self, path: &Path) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// The same, as bad as this.
    pub(super) const fn with_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// With names for what stands in their places, and with the commands of the package where it has the folder.
    fn named(mut self, subject: &Subject) -> Self {
        let datadir = &subject.datadir;
        let problem = Problem::ALL.into_iter().find(|problem| self.problem == Some(problem.name()));
        if let Some(remedy) = problem.and_then(Problem::remedy_of_package).filter(|_| subject.is_installed()) {
            self.remedy = Some(remedy.to_owned());
        }
        let datadir = datadir.display().to_string();
        self.found = self.found.replace("DIR", &datadir);
        let path = self.path.as_ref().map(|path| path.display().to_string());
        self.remedy = self.remedy.map(|remedy| {
            let remedy = remedy.replace("DIR", &datadir);
            path.map_or(remedy.clone(), |path| remedy.replace("PATH", &path))
        });
        self
    }
}

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The node's folder.
    pub datadir: PathBuf,
    /// Where the node is configured to listen.
    pub http_addr: SocketAddr,
    /// What is wrong with the configuration; `None` for nothing.
    pub config_fault: Option<String>,
    /// Bytes of its disk that the store's file may take; `None` for any.
    pub max_store_bytes: Option<u64>,
    /// Files beside the configuration that look like parts of it, and are not read.
    pub config_passed_over: Vec<PathBuf>,
    /// Whether the kernel holds its clock for synchronised.
    pub clock_synchronised: bool,
    /// The wall clock, in Unix seconds.
    pub now: u64,
    /// The node, where one runs.
    pub running: Option<Running>,
    /// Why nothing is known of one, where nothing is.
    pub silence: Silence,
    /// How the last run ended, in a sentence; `None` where nothing is recorded.
    pub last_ending: Option<String>,
}

/// Where the package keeps the data.
const INSTALLED: &str = "/var/lib/lucid-node";

impl Subject {
    /// Whether the folder is the package's.
    pub(super) fn is_installed(&self) -> bool {
        self.datadir == Path::new(INSTALLED)
    }
}

/// Looks at everything; the order is that in which an operator would mend it.
pub fn examine(machine: &Machine, subject: &Subject) -> Vec<Finding> {
    let store = files::look(subject);
    let mut findings = vec![machine::pages(), machine::power(machine), machine::temperature(machine)];
    findings.extend([machine::memory(machine), machine::memory_cgroup(machine)]);
    findings.extend([clock::clock(machine, subject, &store), journal::journal(machine)]);
    findings.extend(disk::disk(machine, subject));
    findings.extend(
        subject.config_fault.iter().map(|fault| Finding::problem("configuration", Problem::BadConfiguration, fault)),
    );
    findings.extend(files::passed_over(subject));
    findings.extend(files::files(subject, &store));
    findings.push(network::port(machine, subject));
    findings.extend(running::node(machine, subject, &store));
    findings.into_iter().map(|finding| finding.named(subject)).collect()
}
