//! The recorder's files: lines are appended to one until it is full, and then it takes the place of the other.

use super::{Ending, Entry, Event, flight::Flight};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The file that is written.
pub(super) const NOW: &str = "flight-recorder";

/// The file that was written before it.
pub(super) const BEFORE: &str = "flight-recorder.1";

/// Most bytes of both files.
pub const MAX_FLIGHT_BYTES: u64 = 64 << 10;

/// Most bytes of one.
pub(super) const MAX_FILE_BYTES: u64 = MAX_FLIGHT_BYTES / 2;

/// Most characters of a text in an entry: the beginning says what it is about.
const MAX_TEXT_CHARS: usize = 400;

/// Most warnings that are noted in one hour, and how long the same one is not noted again.
const MAX_WARNINGS_PER_HOUR: usize = 20;
const HOUR_SECS: u64 = 3_600;

/// Why nothing can be recorded. A node runs all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecorderError {
    /// Another node writes to it.
    #[error("another process has the flight recorder in {0}")]
    InUse(PathBuf),
    /// The file cannot be read or written.
    #[error("the flight recorder {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The recorder of a running node.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    before: Ending,
    starts: BTreeMap<Ending, u64>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Locked for as long as it is open.
    file: File,
    bytes: u64,
    /// Written anew at the head of each file, so that the last start is never lost to warnings.
    start: Entry,
    /// Warnings of the last hour, and when each came.
    warnings: BTreeMap<String, u64>,
}

impl Recorder {
    /// Notes the start of a node in `folder` at `now` (Unix seconds), in the run of the machine that `boot` names.
    ///
    /// # Errors
    ///
    /// Another node has the recorder, or the disk does not take it.
    pub fn start(folder: &Path, version: &str, boot: &str, now: u64) -> Result<Self, RecorderError> {
        let path = folder.join(NOW);
        let io = |source| RecorderError::Io { path: path.clone(), source };
        let file = open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(RecorderError::InUse(folder.to_owned())),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let flight = Flight::read(folder).map_err(io)?;
        let before = flight.ending(boot);
        let mut starts = flight.starts();
        *starts.entry(before).or_default() += 1;
        let event = Event::Start { version: version.to_owned(), boot: boot.to_owned(), before, starts: starts.clone() };
        let start = Entry { at: now, event };
        let bytes = file.metadata().map_err(io)?.len();
        let older = folder.join(BEFORE);
        if fs::symlink_metadata(&older).is_ok_and(|older| older.len() > MAX_FILE_BYTES) {
            fs::remove_file(older).map_err(io)?;
        }
        let mut state = State { file, bytes, start: start.clone(), warnings: BTreeMap::new() };
        state.write(folder, &start).map_err(io)?;
        Ok(Self { folder: folder.to_owned(), before, starts, state: Mutex::new(state) })
    }

    /// Whether something is on record in `folder`.
    pub fn has_record(folder: &Path) -> bool {
        [NOW, BEFORE].iter().any(|name| folder.join(name).exists())
    }

    /// Whether a node that runs has the recorder in `folder`.
    pub fn is_in_use(folder: &Path) -> bool {
        // Not made where it is missing: this only looks.
        let path = folder.join(NOW);
        let file = check_regular(&path).and_then(|()| File::open(path));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// How the run before this one ended.
    pub const fn before(&self) -> Ending {
        self.before
    }

    /// Starts so far, this one included, by how the run before each ended.
    pub const fn starts(&self) -> &BTreeMap<Ending, u64> {
        &self.starts
    }

    /// Notes that the node ends by itself.
    pub fn stop(&self, code: u8, reason: &str, now: u64) {
        self.note(Entry { at: now, event: Event::Stop { code, reason: cut(reason) } });
    }

    /// Notes that a fault ends the node.
    pub fn fault(&self, reason: &str, now: u64) {
        self.note(Entry { at: now, event: Event::Fault { reason: cut(reason) } });
    }

    /// Notes a warning, unless it was noted within the hour or too many were.
    pub fn warning(&self, text: &str, now: u64) {
        let text = cut(text);
        let mut state = self.state();
        state.warnings.retain(|_, at| now.abs_diff(*at) < HOUR_SECS);
        if state.warnings.len() >= MAX_WARNINGS_PER_HOUR || state.warnings.contains_key(&text) {
            return;
        }
        state.warnings.insert(text.clone(), now);
        drop(state);
        self.note(Entry { at: now, event: Event::Warning { text } });
    }

    /// What cannot be noted is lost: the log has it too, and a full disk must not stop who writes of it.
    fn note(&self, entry: Entry) {
        if let Err(error) = self.state().write(&self.folder, &entry) {
            tracing::debug!(%error, "the flight recorder could not be written");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn write(&mut self, folder: &Path, entry: &Entry) -> io::Result<()> {
        let line = line(entry)?;
        if self.bytes + line.len() as u64 > MAX_FILE_BYTES {
            self.turn_over(folder)?;
        }
        self.append(&line)
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)?;
        self.file.sync_data()?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// Begins a new file. It is locked before it gets its name, so that no other node ever finds it free.
    fn turn_over(&mut self, folder: &Path) -> io::Result<()> {
        let (now, before) = (folder.join(NOW), folder.join(BEFORE));
        let unfinished = folder.join(format!("{NOW}.new"));
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = open(&unfinished)?;
        file.try_lock()?;
        // One that is longer than any of ours was put there, and would stay for long.
        if self.bytes > MAX_FILE_BYTES {
            fs::remove_file(&now)?
        } else {
            fs::rename(&now, before)?
        }
        fs::rename(unfinished, now)?;
        File::open(folder)?.sync_all()?;
        (self.file, self.bytes) = (file, 0);
        self.append(&line(&self.start)?)
    }
}

fn line(entry: &Entry) -> io::Result<Vec<u8>> {
    // Begins with the end of a line: one that a power cut has torn takes no other with it.
    let mut line = b"\n".to_vec();
    serde_json::to_writer(&mut line, entry)?;
    line.push(b'\n');
    Ok(line)
}

fn open(path: &Path) -> io::Result<File> {
    check_regular(path)?;
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// Refuses what is there and is no file of ours: a pipe would keep its reader waiting, and a link leads elsewhere.
pub(super) fn check_regular(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a regular file")),
        _ => Ok(()),
    }
}

/// One line of a bounded length.
fn cut(text: &str) -> String {
    let mut line: String = text.chars().take(MAX_TEXT_CHARS).map(|c| if c == '\n' { ' ' } else { c }).collect();
    if line.len() < text.len() {
        line.push('\u{2026}');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn start(folder: &Path, boot: &str, now: u64) -> Recorder {
        Recorder::start(folder, "0.1.0", boot, now).unwrap()
    }

    #[test]
    fn the_next_start_knows_how_the_run_before_ended() {
        let folder = folder();
        let first = start(folder.path(), "a", 1);
        assert_eq!(first.before(), Ending::First);
        first.stop(0, "SIGTERM", 2);
        drop(first);
        let second = start(folder.path(), "a", 3);
        assert_eq!(second.before(), Ending::Stopped);
        drop(second);
        let third = start(folder.path(), "a", 4);
        assert_eq!(third.before(), Ending::Killed, "no stop, and the same boot");
        third.warning("slow", 5);
        drop(third);
        let fourth = start(folder.path(), "b", 6);
        assert_eq!(fourth.before(), Ending::PowerCut, "no stop, and another boot");
        fourth.fault("index out of bounds", 7);
        drop(fourth);
        let fifth = start(folder.path(), "b", 8);
        assert_eq!(fifth.before(), Ending::Fault);
        fifth.stop(65, "damaged", 9);
        drop(fifth);
        let sixth = start(folder.path(), "b", 10);
        assert_eq!(sixth.before(), Ending::Failed);
        assert_eq!(sixth.starts(), &Ending::ALL.into_iter().map(|ending| (ending, 1)).collect());
    }

    #[test]
    fn a_second_node_does_not_write_into_the_recorder_of_the_first() {
        let folder = folder();
        let first = start(folder.path(), "a", 1);
        let second = Recorder::start(folder.path(), "0.1.0", "a", 2);
        assert!(matches!(second, Err(RecorderError::InUse(_))));
        assert!(Recorder::is_in_use(folder.path()));
        drop(first);
        assert!(!Recorder::is_in_use(folder.path()));
        start(folder.path(), "a", 3);
    }

    #[test]
    fn years_of_warnings_stay_within_the_bound_and_keep_the_last_start() {
        let folder = folder();
        let recorder = start(folder.path(), "a", 1);
        for at in 0..2_000_u64 {
            recorder.warning(&format!("{at} {}", "x".repeat(1_000)), at * 1_000);
            let bytes: u64 = fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().metadata().unwrap().len()).sum();
            assert!(bytes <= MAX_FLIGHT_BYTES, "{bytes}");
        }
        let flight = Flight::read(folder.path()).unwrap();
        assert_eq!(flight.unreadable, 0);
        assert_eq!(flight.entries.iter().filter(|entry| entry.is_start()).count(), 1);
        assert_eq!(flight.starts(), BTreeMap::from([(Ending::First, 1)]));
        let last = &flight.entries.last().unwrap().event;
        assert!(matches!(last, Event::Warning { text } if text.starts_with("1999 ")), "{last:?}");
        assert!(Recorder::start(folder.path(), "0.1.0", "a", 2).is_err(), "the new file is locked too");
    }

    #[test]
    fn a_flood_of_warnings_is_bounded_by_the_hour() {
        let folder = folder();
        let recorder = start(folder.path(), "a", 1);
        let count = || Flight::read(folder.path()).unwrap().entries.len() - 1;
        for at in 0..1_000 {
            recorder.warning("the same", at);
        }
        assert_eq!(count(), 1);
        for at in 0..1_000 {
            recorder.warning(&format!("another {at}"), at);
        }
        assert_eq!(count(), MAX_WARNINGS_PER_HOUR);
        recorder.warning("the same", HOUR_SECS * 2);
        assert_eq!(count(), MAX_WARNINGS_PER_HOUR + 1);
    }

    #[test]
    fn a_line_that_a_power_cut_has_torn_takes_no_other_with_it() {
        let folder = folder();
        drop(start(folder.path(), "a", 1));
        let path = folder.path().join(NOW);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend(b"\n{\"at\":2,\"event\":\"st\0\0\0");
        fs::write(&path, bytes).unwrap();
        let next = start(folder.path(), "b", 3);
        assert_eq!(next.before(), Ending::PowerCut);
        let flight = Flight::read(folder.path()).unwrap();
        assert_eq!((flight.entries.len(), flight.unreadable), (2, 1));
    }

    #[test]
    fn what_is_no_file_of_ours_is_neither_waited_for_nor_followed_nor_kept() {
        let folder = folder();
        let (now, before) = (folder.path().join(NOW), folder.path().join(BEFORE));
        assert!(std::process::Command::new("mkfifo").arg(&now).status().unwrap().success());
        assert!(matches!(Recorder::start(folder.path(), "0.1.0", "a", 1), Err(RecorderError::Io { .. })));
        assert!(Flight::read(folder.path()).is_err());
        assert!(!Recorder::is_in_use(folder.path()));
        fs::remove_file(&now).unwrap();
        let precious = folder.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        std::os::unix::fs::symlink(&precious, &now).unwrap();
        assert!(Recorder::start(folder.path(), "0.1.0", "a", 1).is_err());
        assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
        fs::remove_file(&now).unwrap();
        for huge in [&now, &before] {
            File::create(huge).unwrap().set_len(1 << 40).unwrap();
        }
        drop(start(folder.path(), "a", 1));
        let bytes = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        assert!(bytes(&now) + bytes(&before) <= MAX_FLIGHT_BYTES);
    }

    #[test]
    fn a_recorder_that_was_never_written_tells_nothing() {
        let flight = Flight::read(folder().path()).unwrap();
        assert_eq!(flight, Flight::default());
        assert_eq!(flight.ending("a"), Ending::First);
    }
}
