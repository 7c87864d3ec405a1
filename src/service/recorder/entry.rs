//! What the recorder notes, one line of JSON each.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// Something that happened to a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in Unix seconds by the clock of that moment, which may have been wrong.
    pub at: u64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The node was started.
    Start {
        /// Version of the program.
        version: String,
        /// Names the run of the machine: another one after each boot.
        boot: String,
        /// How the run before ended.
        before: Ending,
        /// Starts so far, by how the run before each ended.
        starts: BTreeMap<Ending, u64>,
    },
    /// The node ended by itself, in order.
    Stop {
        /// The exit code.
        code: u8,
        /// Why.
        reason: String,
    },
    /// A fault of the program ended it.
    Fault {
        /// What is known of it.
        reason: String,
    },
    /// The log had a warning or an error.
    Warning {
        /// Its text.
        text: String,
    },
}

/// How a run of a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// There was none before.
    First,
    /// It was asked to stop, and did.
    Stopped,
    /// It ended with an error.
    Failed,
    /// A fault of the program ended it.
    Fault,
    /// Something killed it while the machine ran on: the memory ran out, the watchdog, somebody.
    Killed,
    /// The machine went down under it: a power cut, or a reset.
    PowerCut,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::First, Self::Stopped, Self::Failed, Self::Fault, Self::Killed, Self::PowerCut];

    /// Its name, as in the file and in the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Fault => "fault",
            Self::Killed => "killed",
            Self::PowerCut => "power_cut",
        }
    }
}

/// The sentence for people.
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "there was no run before",
            Self::Stopped => "it was asked to stop, and did",
            Self::Failed => "it ended with an error",
            Self::Fault => "a fault of the program ended it",
            Self::Killed => "it was killed while the machine ran on (out of memory, the watchdog, or a person)",
            Self::PowerCut => "the machine went down under it (a power cut or a reset)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_file() {
        for ending in Ending::ALL {
            assert_eq!(serde_json::to_string(&ending).unwrap(), format!("\"{}\"", ending.name()));
        }
    }

    #[test]
    fn a_line_of_the_file_stays_readable() {
        let line = r#"{"at":1700000000,"event":"start","version":"0.1.0","boot":"b","before":"power_cut","starts":{"first":1,"power_cut":2}}"#;
        let entry: Entry = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&entry).unwrap(), line);
    }
}
