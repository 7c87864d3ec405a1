//! When a recording is finished: its recorder says so with a file `.done`, or nothing in its folder has changed for a while.

use super::notes::PREFIX;
use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The file with which a recorder says that it has finished.
pub(super) const DONE: &str = ".done";

/// How far wall clock and steady clock may move apart between two looks before the wall clock was set.
const MAX_SKEW: Duration = Duration::from_secs(2);

/// How a recorder's folder stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It can be anchored.
    Finished,
    /// There is no `.done`, and without it nothing is finished.
    NotDone,
    /// There is no `.done`, and no chunk yet.
    Empty,
    /// It changed so many seconds ago.
    ChangedBefore(u64),
    /// By the clock it changed in time to come.
    FromTheFuture,
}

/// How `folder` stands at the time `now`. Without `quiet` only `.done` counts.
pub(super) fn state(folder: &Path, quiet: Option<Duration>, now: SystemTime) -> io::Result<State> {
    match folder.join(DONE).symlink_metadata() {
        Ok(_) => return Ok(State::Finished),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    let Some(quiet) = quiet else { return Ok(State::NotDone) };
    // While chunks come, the folder itself tells, and none of them is looked at.
    if let Some(state) = recent(&folder.symlink_metadata()?, quiet, now) {
        return Ok(state);
    }
    let mut has_chunk = false;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        has_chunk |= !name.as_encoded_bytes().starts_with(b".");
        // Hidden ones too: what is being copied to the folder often has such a name meanwhile.
        if let Some(state) = recent(&entry.metadata()?, quiet, now) {
            return Ok(state);
        }
    }
    Ok(if has_chunk { State::Finished } else { State::Empty })
}

/// That a file has changed within `quiet`. A copy keeps the time of the last write, so that of the file's record counts too.
fn recent(file: &Metadata, quiet: Duration, now: SystemTime) -> Option<State> {
    let (secs, nanos) = (u64::try_from(file.ctime()).ok()?, u32::try_from(file.ctime_nsec()).ok()?);
    let changed = UNIX_EPOCH + Duration::new(secs, nanos);
    let last = file.modified().map_or(changed, |modified| modified.max(changed));
    match now.duration_since(last) {
        Ok(age) if age >= quiet => None,
        Ok(age) => Some(State::ChangedBefore(age.as_secs())),
        Err(_) => Some(State::FromTheFuture),
    }
}

/// Whether the clock has gone evenly for a while. After a jump forward, as when a machine without a clock of its own learns
/// the time, every file looks as if it had been left alone for long.
#[derive(Debug)]
pub(super) struct Evenness {
    last: (SystemTime, Instant),
    since: Instant,
}

impl Evenness {
    /// Nothing is known of the time before.
    pub(super) const fn new(wall: SystemTime, steady: Instant) -> Self {
        Self { last: (wall, steady), since: steady }
    }

    /// For how long the clock has gone evenly, as it looks now.
    pub(super) fn lasts(&mut self, wall: SystemTime, steady: Instant) -> Duration {
        let passed = steady.saturating_duration_since(self.last.1);
        let expected = self.last.0 + passed;
        let skew = wall.duration_since(expected).unwrap_or_else(|error| error.duration());
        if skew > MAX_SKEW {
            self.since = steady;
        }
        self.last = (wall, steady);
        steady.saturating_duration_since(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    const QUIET: Option<Duration> = Some(Duration::from_secs(300));

    fn later(secs: u64) -> SystemTime {
        SystemTime::now() + Duration::from_secs(secs)
    }

    #[test]
    fn a_recording_is_finished_when_its_recorder_says_so_or_nothing_has_changed_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let at = |quiet, now| state(folder.path(), quiet, now).unwrap();
        fs::write(folder.path().join("chunk"), "x").unwrap();
        assert_eq!(at(None, later(1_000)), State::NotDone);
        assert!(matches!(at(QUIET, later(10)), State::ChangedBefore(9..=10)));
        assert_eq!(at(QUIET, later(301)), State::Finished);
        assert_eq!(at(QUIET, later(0) - Duration::from_secs(100)), State::FromTheFuture);
        fs::write(folder.path().join(DONE), "").unwrap();
        assert_eq!([at(QUIET, later(0)), at(None, later(0))], [State::Finished; 2]);
    }

    #[test]
    fn a_file_that_grows_within_a_quiet_folder_keeps_it_from_being_finished() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["chunk", ".chunk.part"] {
            let path = folder.path().join(name);
            fs::write(&path, "x").unwrap();
            // Later than its folder by as much as a test can say.
            let ahead = File::options().write(true).open(&path).unwrap();
            ahead.set_modified(later(200)).unwrap();
            assert!(matches!(state(folder.path(), QUIET, later(301)).unwrap(), State::ChangedBefore(_)), "{name}");
            ahead.set_modified(SystemTime::UNIX_EPOCH).unwrap();
            assert_eq!(state(folder.path(), QUIET, later(301)).unwrap(), State::Finished, "{name}");
        }
    }

    #[test]
    fn a_folder_that_a_recorder_has_only_made_is_not_finished() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".lucid-new"), "").unwrap();
        assert_eq!(state(folder.path(), QUIET, later(301)).unwrap(), State::Empty);
        assert!(state(&folder.path().join("gone"), QUIET, later(0)).is_err());
    }

    #[test]
    fn a_clock_that_is_set_begins_the_quiet_time_anew() {
        let (wall, steady) = (SystemTime::now(), Instant::now());
        let secs = Duration::from_secs;
        let mut evenness = Evenness::new(wall, steady);
        assert_eq!(evenness.lasts(wall + secs(10), steady + secs(10)), secs(10));
        assert_eq!(evenness.lasts(wall + secs(21), steady + secs(20)), secs(20), "a second is no jump");
        assert_eq!(evenness.lasts(wall + secs(90_000), steady + secs(30)), secs(0));
        assert_eq!(evenness.lasts(wall + secs(90_010), steady + secs(40)), secs(10));
        assert_eq!(evenness.lasts(wall, steady + secs(50)), secs(0), "back is a jump too");
    }
}
