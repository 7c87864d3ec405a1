//! What the recorder's files tell.

use super::{Ending, Entry, Event, file};
use std::{collections::BTreeMap, fs, io, io::Read, path::Path};

/// What names the run of the machine, from the kernel.
const BOOT_ID_FILE: &str = "/proc/sys/kernel/random/boot_id";

/// All that is on record, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flight {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Lines that cannot be read: a power cut may tear the last one.
    pub unreadable: u64,
}

impl Flight {
    /// Reads the files in a folder; a file that is not there holds nothing.
    ///
    /// # Errors
    ///
    /// One of them cannot be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut flight = Self::default();
        for name in [file::BEFORE, file::NOW] {
            let path = folder.join(name);
            file::check_regular(&path)?;
            let file = match fs::File::open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let mut bytes = Vec::new();
            file.take(file::MAX_FILE_BYTES).read_to_end(&mut bytes)?;
            flight.take_in(&bytes);
        }
        Ok(flight)
    }

    fn take_in(&mut self, bytes: &[u8]) {
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice::<Entry>(line) {
                // A file begins with the start that the one before ended with.
                Ok(entry) if self.entries.iter().rev().any(|had| *had == entry && had.is_start()) => {}
                Ok(entry) => self.entries.push(entry),
                Err(_) => self.unreadable += 1,
            }
        }
    }

    /// The last start.
    pub fn last_start(&self) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.is_start())
    }

    /// Starts so far, by how the run before each ended.
    pub fn starts(&self) -> BTreeMap<Ending, u64> {
        match self.last_start().map(|entry| &entry.event) {
            Some(Event::Start { starts, .. }) => starts.clone(),
            _ => BTreeMap::new(),
        }
    }

    /// How the last run ended, as the run of the machine that `boot` names sees it, while no node runs.
    pub fn ending(&self, boot: &str) -> Ending {
        let last = self.entries.iter().rev().map(|entry| &entry.event);
        for event in last {
            return match event {
                Event::Warning { .. } => continue,
                Event::Stop { code: 0, .. } => Ending::Stopped,
                Event::Stop { .. } => Ending::Failed,
                Event::Fault { .. } => Ending::Fault,
                Event::Start { boot: began, .. } if began == boot => Ending::Killed,
                Event::Start { .. } => Ending::PowerCut,
            };
        }
        Ending::First
    }
}

impl Entry {
    pub(super) const fn is_start(&self) -> bool {
        matches!(self.event, Event::Start { .. })
    }
}

/// The name of this run of the machine; empty where the kernel does not say.
pub fn boot_id() -> String {
    fs::read_to_string(BOOT_ID_FILE).map(|id| id.trim().to_owned()).unwrap_or_default()
}
