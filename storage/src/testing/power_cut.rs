//! A disk in memory whose power is cut at a chosen write, sync or renaming. What was not synced is then lost, torn or in
//! another order (`survival`), and so are names of files beyond the last sync of their folder.

use super::{
    random::Random,
    survival::{Change, apply, survive},
};
use crate::disk::Disk;
use redb::StorageBackend;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A disk whose power can be cut, the same one for all clones. Everything that it does follows from its seed.
#[derive(Debug, Clone)]
pub struct PowerCut {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone)]
struct State {
    random: Random,
    /// Writes, settings of a length, syncs and changes of names so far.
    operations: u64,
    /// Those that succeed before the power is cut; the one after them is under way when it is.
    cut_at: Option<u64>,
    is_off: bool,
    /// How often power came back: a file that was opened before is gone.
    starts: u64,
    files: Vec<Content>,
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    name_changes: Vec<NameChange>,
}

/// What one file holds.
#[derive(Debug, Clone, Default)]
struct Content {
    synced: Vec<u8>,
    /// As programs see it.
    seen: Vec<u8>,
    changes: Vec<Change>,
}

#[derive(Debug, Clone)]
enum NameChange {
    Create(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

fn apply_name(names: &mut BTreeMap<PathBuf, usize>, change: &NameChange) {
    match change {
        NameChange::Create(path, file) => {
            names.insert(path.clone(), *file);
        }
        NameChange::Rename(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        NameChange::Remove(path) => {
            names.remove(path);
        }
    }
}

impl PowerCut {
    /// An empty disk.
    pub fn new(seed: u64) -> Self {
        let state = State {
            random: Random::new(seed),
            operations: 0,
            cut_at: None,
            is_off: false,
            starts: 0,
            files: Vec::new(),
            names: BTreeMap::new(),
            synced_names: BTreeMap::new(),
            name_changes: Vec::new(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// For [`Options`](crate::Options): stores are then on this disk.
    pub fn disk(&self) -> Disk {
        Disk::PowerCut(self.clone())
    }

    /// Another disk with the same contents, and from now on with chances of its own.
    pub fn copy(&self, seed: u64) -> Self {
        let mut state = self.state().clone();
        state.random = Random::new(seed);
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Writes, settings of a length, syncs and changes of names that were asked for so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Cuts the power after so many more of them. The one after those is under way then: it may be done, in part or not.
    pub fn cut_after(&self, operations: u64) {
        let mut state = self.state();
        state.cut_at = Some(state.operations.saturating_add(operations));
    }

    /// Whether the power was cut and did not come back yet.
    pub fn is_off(&self) -> bool {
        self.state().is_off
    }

    /// Power comes back, after a cut or as if there had been one at this moment. Files have to be opened anew.
    pub fn restore(&self) {
        let mut state = self.state();
        let mut random = state.random.clone();
        for file in &mut state.files {
            file.synced = survive(std::mem::take(&mut file.synced), std::mem::take(&mut file.changes), &mut random);
            file.seen.clone_from(&file.synced);
        }
        // A file system keeps a journal of names too: those up to some moment hold.
        let kept = random.below(state.name_changes.len() as u64 + 1) as usize;
        let mut names = std::mem::take(&mut state.synced_names);
        for change in state.name_changes.drain(..).take(kept) {
            apply_name(&mut names, &change);
        }
        state.synced_names.clone_from(&names);
        state.names = names;
        (state.random, state.is_off, state.cut_at) = (random, false, None);
        state.starts += 1;
    }

    /// Names of the files on the disk.
    pub fn names(&self) -> Vec<PathBuf> {
        self.state().names.keys().cloned().collect()
    }

    /// What a file holds, as programs see it; `None` where there is none of that name.
    pub fn content(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(path.as_ref()).map(|file| state.files[*file].seen.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn open(&self, path: &Path) -> io::Result<PowerCutFile> {
        let state = self.state();
        state.check_power()?;
        let file = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(PowerCutFile { disk: self.clone(), file, start: state.starts })
    }

    /// Opens a file, or makes one.
    pub(crate) fn create(&self, path: &Path) -> io::Result<PowerCutFile> {
        if !self.state().names.contains_key(path) {
            let mut state = self.state();
            state.files.push(Content::default());
            let file = state.files.len() - 1;
            state.change_name(NameChange::Create(path.to_owned(), file))?;
        }
        self.open(path)
    }

    pub(crate) fn len(&self, path: &Path) -> io::Result<u64> {
        let state = self.state();
        state.check_power()?;
        let file = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(state.files[file].seen.len() as u64)
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.state().change_name(NameChange::Rename(from.to_owned(), to.to_owned()))
    }

    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.check_power()?;
        if !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_name(NameChange::Remove(path.to_owned()))
    }

    pub(crate) fn sync_names(&self) -> io::Result<()> {
        let mut state = self.state();
        state.operation()?;
        state.synced_names = state.names.clone();
        state.name_changes.clear();
        Ok(())
    }
}

fn off() -> io::Error {
    io::Error::other("the power is off")
}

impl State {
    fn check_power(&self) -> io::Result<()> {
        if self.is_off { Err(off()) } else { Ok(()) }
    }

    /// Counts an operation, and fails where it is the one that is under way as the power is cut.
    fn operation(&mut self) -> io::Result<()> {
        self.check_power()?;
        self.is_off = self.cut_at.is_some_and(|cut_at| self.operations >= cut_at);
        self.operations += 1;
        self.check_power()
    }

    fn change_name(&mut self, change: NameChange) -> io::Result<()> {
        self.check_power()?;
        apply_name(&mut self.names, &change);
        self.name_changes.push(change);
        self.operation()
    }
}

/// A file that is open on a disk whose power can be cut.
#[derive(Debug, Clone)]
pub(crate) struct PowerCutFile {
    disk: PowerCut,
    file: usize,
    /// The start of the disk in which it was opened.
    start: u64,
}

impl PowerCutFile {
    /// The disk, unless it lost its power since the file was opened.
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        if state.starts != self.start {
            return Err(off());
        }
        state.check_power()?;
        Ok(state)
    }

    pub(crate) fn is_named(&self, path: &Path) -> io::Result<bool> {
        Ok(self.state()?.names.get(path) == Some(&self.file))
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.state()?;
        let content = &mut state.files[self.file];
        apply(&mut content.seen, &change);
        content.changes.push(change);
        state.operation()
    }
}

impl StorageBackend for PowerCutFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state()?.files[self.file].seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state()?;
        let end = offset.checked_add(out.len() as u64).ok_or(io::ErrorKind::InvalidInput)?;
        let there = state.files[self.file].seen.get(offset as usize..end as usize);
        out.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::SetLen(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state()?;
        state.operation()?;
        let content = &mut state.files[self.file];
        for change in content.changes.drain(..) {
            apply(&mut content.synced, &change);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Write(offset, data.to_vec()))
    }
}
