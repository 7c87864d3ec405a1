//! One way through the folder of recordings: metadata of folders, and nothing that is known already.

use super::{
    finished::{State, state},
    memory::{Key, Known, Memory},
    notes::Notes,
};
use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs::{self, DirEntry, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

/// Finished recordings that one look brings home; where there are more, the next comes at once.
const MAX_FINISHED: usize = 64;

/// What a file system puts at its top by itself, and is no recording.
const LOST_AND_FOUND: &str = "lost+found";

/// What one look found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Recordings to be anchored now.
    pub(super) finished: Vec<OsString>,
    /// Anchored ones whose turn it is to be held against the node and their folder.
    pub(super) rechecks: Vec<OsString>,
    /// Anchored, as their notes say.
    pub(super) anchored: u64,
    /// With the node.
    pub(super) under_way: u64,
    /// Not finished yet.
    pub(super) unfinished: u64,
    /// Refused, and left alone for now.
    pub(super) refused: u64,
    /// Whether the look ended early, and there may be more finished ones.
    pub(super) more: bool,
}

/// By what a look judges.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// How long nothing may have changed in a recording without `.done`; none where only `.done` counts.
    pub(super) quiet: Option<Duration>,
    /// The wall clock.
    pub(super) wall: SystemTime,
    /// The steady clock.
    pub(super) now: Instant,
}

/// Goes through `dir`. `alive` is called again and again, however long it takes.
pub(super) fn look(
    dir: &Path,
    notes: &Notes,
    rules: Rules,
    memory: &mut Memory,
    alive: impl Fn(),
) -> io::Result<Found> {
    let mut rechecks = memory.next_rechecks(rules.now);
    let mut found = Found::default();
    for entry in fs::read_dir(dir)? {
        alive();
        let entry = entry?;
        if !is_recording(&entry)? {
            continue;
        }
        if found.finished.len() == MAX_FINISHED {
            found.more = true;
            return Ok(found);
        }
        let (name, folder) = (entry.file_name(), entry.path());
        let key = Key::of(&name);
        let known = memory.get(key);
        if rechecks.remove(&key) && matches!(known, Some(Known::Anchored { .. })) {
            found.rechecks.push(name.clone());
        }
        match known {
            Some(Known::Anchored { .. }) => found.anchored += 1,
            Some(Known::UnderWay) => found.under_way += 1,
            Some(Known::Refused(refused)) if rules.now < refused.until && stamp(&folder) == refused.folder => {
                found.refused += 1;
            }
            None if notes.has_anchored(&folder) => {
                memory.set(key, Known::Anchored { told: 0 });
                found.anchored += 1;
            }
            Some(Known::Refused(_)) | None => found.judge(name, &folder, rules),
        }
    }
    forget(memory, &rechecks);
    Ok(found)
}

/// What was not met on the whole way is gone.
fn forget(memory: &mut Memory, gone: &BTreeSet<Key>) {
    for key in gone {
        if memory.get(*key) != Some(Known::UnderWay) {
            memory.forget(*key);
        }
    }
}

impl Found {
    fn judge(&mut self, name: OsString, folder: &Path, rules: Rules) {
        match state(folder, rules.quiet, rules.wall) {
            // What cannot be looked at is told by whoever tries to read it.
            Ok(State::Finished) => self.finished.push(name),
            Err(error) if error.kind() != io::ErrorKind::NotFound => self.finished.push(name),
            Ok(_) => self.unfinished += 1,
            Err(_) => {}
        }
    }
}

/// Whether this is a recording: a folder, no link to one, and not hidden.
pub(super) fn is_recording(entry: &DirEntry) -> io::Result<bool> {
    let name = entry.file_name();
    let hidden = name.as_encoded_bytes().starts_with(b".");
    Ok(!hidden && name != OsStr::new(LOST_AND_FOUND) && entry.file_type()?.is_dir())
}

/// The folder's own times, as a number: another one when a file comes or goes, or when its rights change.
pub(super) fn stamp(folder: &Path) -> u64 {
    let times = |file: Metadata| [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()];
    let times = folder.symlink_metadata().map(times).unwrap_or_default();
    times.iter().fold(0, |hash: u64, time| hash.rotate_left(13) ^ time.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::{super::memory::Refused, *};

    fn rules() -> Rules {
        Rules { quiet: None, wall: SystemTime::now(), now: Instant::now() }
    }

    fn folder(dir: &Path, name: &str, done: bool) {
        fs::create_dir(dir.join(name)).unwrap();
        if done {
            fs::write(dir.join(name).join(".done"), "").unwrap();
        }
    }

    #[test]
    fn only_finished_folders_that_are_not_known_are_brought_home() {
        let dir = tempfile::tempdir().unwrap();
        let notes = Notes::open(dir.path(), None).unwrap();
        for (name, done) in
            [("new", true), ("recording", false), ("known", true), (".hidden", true), ("lost+found", true)]
        {
            folder(dir.path(), name, done);
        }
        folder(dir.path(), "noted", true);
        fs::write(dir.path().join("noted/.lucid-anchored.json"), "{}").unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink(dir.path().join("new"), dir.path().join("link")).unwrap();
        let mut memory = Memory::default();
        memory.set(Key::of(OsStr::new("known")), Known::UnderWay);
        let found = look(dir.path(), &notes, rules(), &mut memory, || {}).unwrap();
        assert_eq!(found.finished, ["new"]);
        assert_eq!((found.anchored, found.under_way, found.unfinished, found.more), (1, 1, 1, false));
        assert_eq!(memory.get(Key::of(OsStr::new("noted"))), Some(Known::Anchored { told: 0 }));
    }

    #[test]
    fn a_refused_folder_is_left_alone_until_it_changes_or_its_time_has_come() {
        let dir = tempfile::tempdir().unwrap();
        let notes = Notes::open(dir.path(), None).unwrap();
        folder(dir.path(), "bad", true);
        let (mut memory, key, rules) = (Memory::default(), Key::of(OsStr::new("bad")), rules());
        let mut refused = Refused::next(None, 1, None, false, rules.now);
        refused.folder = stamp(&dir.path().join("bad"));
        memory.set(key, Known::Refused(refused));
        let mut finished = |rules| look(dir.path(), &notes, rules, &mut memory, || {}).unwrap().finished.len();
        assert_eq!(finished(rules), 0);
        assert_eq!(finished(Rules { now: refused.until, ..rules }), 1);
        std::thread::sleep(Duration::from_millis(20));
        fs::write(dir.path().join("bad/chunk"), "").unwrap();
        assert_eq!(finished(rules), 1);
    }

    #[test]
    fn what_is_gone_is_forgotten_and_one_look_brings_home_a_bounded_number() {
        let dir = tempfile::tempdir().unwrap();
        let notes = Notes::open(dir.path(), None).unwrap();
        let (mut memory, key) = (Memory::default(), Key::of(OsStr::new("gone")));
        memory.set(key, Known::Anchored { told: 0 });
        look(dir.path(), &notes, rules(), &mut memory, || {}).unwrap();
        assert_eq!(memory.get(key), None);
        for number in 0..=MAX_FINISHED {
            folder(dir.path(), &number.to_string(), true);
        }
        let found = look(dir.path(), &notes, rules(), &mut memory, || {}).unwrap();
        assert_eq!((found.finished.len(), found.more), (MAX_FINISHED, true));
    }
}
