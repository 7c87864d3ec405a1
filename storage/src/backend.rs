//! The file below the database: with a count of what is written, for SD cards wear by bytes and by syncs, and with what
//! went wrong; or as one that is only looked at.

use crate::error::leads_nowhere;
use redb::{BackendError, StorageBackend};
use std::{
    collections::BTreeMap,
    io,
    ops::Bound,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

/// What went to the file since it was opened.
#[derive(Debug, Default)]
pub(crate) struct IoCounters {
    pub(crate) bytes_written: AtomicU64,
    pub(crate) syncs: AtomicU64,
    /// Bytes of the file.
    pub(crate) file_bytes: AtomicU64,
    /// Writes that find room, plus one; zero where all do.
    #[cfg(test)]
    pub(crate) room: AtomicU64,
}

/// What became of one opening of the file.
#[derive(Debug, Default)]
pub(crate) struct FileState {
    /// Bytes of the file beyond which nothing is written; zero where nothing bounds it.
    max_bytes: AtomicU64,
    /// Something was not written because it lay beyond that.
    at_bound: AtomicBool,
    /// Something could not be written for want of room, which leaves no trace in what was written before.
    no_room: AtomicBool,
    /// Something else failed: what is in the file is no longer known.
    failed: AtomicBool,
    /// The file was opened anew, so this opening writes no more and leaves the locks alone.
    retired: AtomicBool,
}

impl FileState {
    /// Bounds the file from now on.
    pub(crate) fn bound(&self, max_bytes: Option<u64>) {
        self.max_bytes.store(max_bytes.unwrap_or(0), Relaxed);
    }

    pub(crate) fn is_at_bound(&self) -> bool {
        self.at_bound.load(Relaxed)
    }

    /// The engine lengthens the file long before it fills it, so what counts is where it writes.
    fn check_bound(&self, offset: u64, bytes: usize) -> io::Result<()> {
        let max_bytes = self.max_bytes.load(Relaxed);
        if max_bytes == 0 || offset.saturating_add(bytes as u64) <= max_bytes {
            return Ok(());
        }
        self.at_bound.store(true, Relaxed);
        Err(io::ErrorKind::StorageFull.into())
    }

    /// Whether want of room is all that went wrong.
    pub(crate) fn has_no_room(&self) -> bool {
        self.no_room.load(Relaxed) && !self.failed.load(Relaxed)
    }

    pub(crate) fn retire(&self) {
        self.retired.store(true, Relaxed);
    }

    fn is_retired(&self) -> bool {
        self.retired.load(Relaxed)
    }

    fn note<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        if let Err(error) = &outcome {
            let no_room = matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge);
            (if no_room { &self.no_room } else { &self.failed }).store(true, Relaxed);
        }
        outcome
    }
}

/// The file of a store.
#[derive(Debug)]
pub(crate) struct StoreBackend {
    file: Box<dyn StorageBackend>,
    /// Whether this opening takes the locks; another one of the same open file has them already.
    locks: bool,
    counters: Arc<IoCounters>,
    state: Arc<FileState>,
}

impl StoreBackend {
    pub(crate) fn new(
        file: Box<dyn StorageBackend>,
        locks: bool,
        counters: Arc<IoCounters>,
        state: Arc<FileState>,
    ) -> Self {
        // Where it cannot be told, the engine is told so too.
        counters.file_bytes.store(file.len().unwrap_or(0), Relaxed);
        Self { file, locks, counters, state }
    }

    /// Where the engine has given up on this opening it writes nothing more, and this makes sure.
    fn check_use(&self) -> io::Result<()> {
        if self.state.is_retired() { Err(io::Error::other("the file was opened anew")) } else { Ok(()) }
    }

    #[cfg(test)]
    fn take_room(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let room = &self.counters.room;
        // The header is written over in place, which takes no room.
        if offset == 0 && !data.is_empty() {
            return Ok(());
        }
        match room.load(Relaxed) {
            0 => Ok(()),
            1 => {
                // What fits is written.
                self.file.write(offset, &data[..data.len() / 2])?;
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => {
                room.fetch_sub(1, Relaxed);
                Ok(())
            }
        }
    }
}

impl StorageBackend for StoreBackend {
    fn len(&self) -> io::Result<u64> {
        self.state.note(self.file.len())
    }

    /// What reaches beyond the end of the file begins with zeros. Only a damaged page number leads there, and a page that
    /// begins so is refused as damage; after an error from here the engine would refuse all that follows as if the disk had
    /// failed. The rest is left alone: such a page may claim gigabytes, which nothing has touched so far.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match self.file.read(offset, out) {
            Err(error) if leads_nowhere(&error) => {
                let first = out.len().min(BLOCK_BYTES as usize);
                out[..first].fill(0);
                Ok(())
            }
            outcome => self.state.note(outcome),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_use()?;
        #[cfg(test)]
        if len > self.file.len()? {
            self.state.note(self.take_room(len, &[]))?;
        }
        self.state.note(self.file.set_len(len))?;
        self.counters.file_bytes.store(len, Relaxed);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.counters.syncs.fetch_add(1, Relaxed);
        match self.file.sync_data() {
            Ok(()) => Ok(()),
            // Whatever it says: what was on its way to the disk may be lost.
            Err(error) => {
                self.state.failed.store(true, Relaxed);
                Err(error)
            }
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check_use()?;
        self.state.note(self.state.check_bound(offset, data.len()))?;
        #[cfg(test)]
        self.state.note(self.take_room(offset, data))?;
        self.counters.bytes_written.fetch_add(data.len() as u64, Relaxed);
        self.state.note(self.file.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        if !self.locks || self.state.is_retired() { Ok(()) } else { self.file.close() }
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.locks { self.file.try_lock_range(start, end) } else { Ok(true) }
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.locks { self.file.try_lock_shared_range(start, end) } else { Ok(true) }
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.locks { self.file.lock_range(start, end) } else { Ok(()) }
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.locks { self.file.lock_shared_range(start, end) } else { Ok(()) }
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if !self.locks || self.state.is_retired() { Ok(()) } else { self.file.unlock_range(start, end) }
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.locks { self.file.query_lock_range(start, end) } else { Ok(false) }
    }
}

/// Bytes that are kept at once of what would be written.
const BLOCK_BYTES: u64 = 4096;

/// A file that is read and never written. What the engine writes to it, which is what a repair after a crash takes, is
/// kept in memory.
#[derive(Debug)]
pub(crate) struct AsideBackend {
    file: Box<dyn StorageBackend>,
    /// Whether others may look at the file meanwhile.
    shared: bool,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    len: u64,
    /// Up to here bytes that were not written are those of the file; beyond they are zero.
    of_file: u64,
    /// By offset in blocks.
    blocks: BTreeMap<u64, [u8; BLOCK_BYTES as usize]>,
}

impl AsideBackend {
    /// A file that is not opened for writing can only be `shared`, which keeps a writer out all the same.
    pub(crate) fn new(file: Box<dyn StorageBackend>, shared: bool) -> io::Result<Self> {
        let len = file.len()?;
        let written = Mutex::new(Written { len, of_file: len, blocks: BTreeMap::new() });
        Ok(Self { file, shared, written })
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what lies in the file, as far as that still counts.
    fn read_file(&self, of_file: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = of_file.saturating_sub(offset).min(out.len() as u64) as usize;
        if there > 0 {
            self.file.read(offset, &mut out[..there])?;
        }
        out[there..].fill(0);
        Ok(())
    }
}

/// Parts of `offset..offset + len` by block: the block, where the part begins in it, and its bytes of the whole.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = (at % BLOCK_BYTES) as usize;
        let next = len.min(done + (BLOCK_BYTES as usize - within));
        let part = done..next;
        done = next;
        (!part.is_empty()).then_some((at / BLOCK_BYTES, within, part))
    })
}

impl StorageBackend for AsideBackend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.written();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > written.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_file(written.of_file, offset, out)?;
        for (block, within, part) in parts(offset, out.len()) {
            if let Some(bytes) = written.blocks.get(&block) {
                let len = part.len();
                out[part].copy_from_slice(&bytes[within..within + len]);
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut written = self.written();
        written.of_file = written.of_file.min(len);
        // What is beyond the end is zero if the file grows again.
        written.blocks.split_off(&len.div_ceil(BLOCK_BYTES));
        if let Some(last) = written.blocks.get_mut(&(len / BLOCK_BYTES)) {
            last[(len % BLOCK_BYTES) as usize..].fill(0);
        }
        written.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.written();
        for (block, within, part) in parts(offset, data.len()) {
            let mut bytes = [0; BLOCK_BYTES as usize];
            match written.blocks.get(&block) {
                Some(earlier) => bytes = *earlier,
                None => self.read_file(written.of_file, block * BLOCK_BYTES, &mut bytes)?,
            }
            bytes[within..within + part.len()].copy_from_slice(&data[part]);
            written.blocks.insert(block, bytes);
        }
        written.len = written.len.max(offset + data.len() as u64);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        match self.shared {
            true => self.file.try_lock_shared_range(start, end),
            false => self.file.try_lock_range(start, end),
        }
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        match self.shared {
            true => self.file.lock_shared_range(start, end),
            false => self.file.lock_range(start, end),
        }
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use redb::backends::FileBackend;
    use std::{io::Write, os::unix::fs::FileExt};

    #[derive(Debug, Clone)]
    enum Op {
        Write(usize, Vec<u8>),
        SetLen(usize),
    }

    fn op() -> impl Strategy<Value = Op> {
        let bytes = (1..6_000_usize, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]);
        prop_oneof![
            3 => (0..12_000_usize, bytes).prop_map(|(offset, bytes)| Op::Write(offset, bytes)),
            1 => (0..20_000_usize).prop_map(Op::SetLen),
        ]
    }

    proptest! {
        #[test]
        fn what_is_kept_aside_reads_as_a_file_would(ops in prop::collection::vec(op(), 0..12)) {
            let content: Vec<u8> = (0..10_000_u32).map(|n| (n % 251) as u8).collect();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&content).unwrap();
            let backend = FileBackend::new(file.try_clone().unwrap()).unwrap();
            let aside = AsideBackend::new(Box::new(backend), true).unwrap();
            let mut model = content.clone();
            for op in ops {
                match op {
                    Op::Write(offset, bytes) => {
                        model.resize(model.len().max(offset + bytes.len()), 0);
                        model[offset..offset + bytes.len()].copy_from_slice(&bytes);
                        aside.write(offset as u64, &bytes).unwrap();
                    }
                    Op::SetLen(len) => {
                        model.resize(len, 0);
                        aside.set_len(len as u64).unwrap();
                    }
                }
                let mut read = vec![0xee; model.len()];
                prop_assert_eq!(aside.len().unwrap(), model.len() as u64);
                aside.read(0, &mut read).unwrap();
                prop_assert!(read == model);
                prop_assert!(aside.read(1, &mut read).is_err() || model.is_empty());
            }
            let mut untouched = vec![0; content.len()];
            file.read_exact_at(&mut untouched, 0).unwrap();
            prop_assert!(untouched == content);
        }
    }
}
