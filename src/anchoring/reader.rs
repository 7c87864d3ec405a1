//! A folder of encrypted chunks, each file read once: SHA-256 for the chunk's record and BLAKE3 for the tree come out
//! of the same pass.
//!
//! The one file of this room that touches files and threads. Chunk index = place of the file name in natural number
//! order; names that begin with a dot are skipped, and whatever else is no regular file is refused.

use alloy_primitives::B256;
use lucid_types::{MAX_CHUNK_BYTES, MAX_CHUNKS};
use sha2::{Digest, Sha256};
use std::{
    cmp::Ordering,
    fs::{self, File, Metadata},
    io::{self, Read},
    num::NonZeroUsize,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

/// Bytes read at once. Large enough that a system call costs nothing beside the hashing, small enough for the cache.
const READ_BUFFER_BYTES: usize = 256 * 1024;

/// Most files read at the same time: a Pi has four cores, and its card gains nothing from more.
const MAX_READERS: usize = 4;

/// Most reports between the readers and the one that counts them; a reader waits when it is full.
const REPORT_QUEUE_LEN: usize = 64;

/// Why a folder or a file is no input for an anchor. Each says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The operating system refused.
    #[error("cannot read {}: {source}; check the path and your rights on it", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// No chunk in the folder.
    #[error("{} holds no chunk files; give the folder that holds the session's encrypted chunks", .0.display())]
    NoChunks(PathBuf),
    /// More files than a session may have.
    #[error("{} holds more than {MAX_CHUNKS} files; anchor the recording as several sessions", .0.display())]
    TooManyChunks(PathBuf),
    /// A folder within the folder.
    #[error("{} is a folder; a session's chunks lie in one folder: move it away or flatten it", .0.display())]
    Subfolder(PathBuf),
    /// A link, a pipe, a socket or a device.
    #[error("{} is not a regular file; put the chunk itself there, or move this away", .0.display())]
    NotAFile(PathBuf),
    /// A name that cannot be kept as text.
    #[error("the name of {} is not UTF-8; rename the file: the chunk's record keeps its name as text", .0.display())]
    NotUtf8(PathBuf),
    /// A chunk without a byte.
    #[error("{} is empty; the recorder did not finish it: complete or remove it", .0.display())]
    EmptyChunk(PathBuf),
    /// A chunk larger than the contract takes.
    #[error("{} has {size_bytes} bytes, and a chunk at most {MAX_CHUNK_BYTES}; cut it", path.display())]
    ChunkTooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size_bytes: u64,
    },
    /// The file is not what it was when the folder was listed.
    #[error("{} changed while it was read; wait until the recorder has finished, then anchor again", .0.display())]
    Changed(PathBuf),
}

/// What one pass over a file found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDigest {
    /// Bytes read.
    pub size_bytes: u64,
    /// SHA-256 of the file: the `ciphertext_sha256` of the chunk's record.
    pub sha256: B256,
    /// BLAKE3 of the file: the chunk's leaf in the Merkle tree.
    pub blake3: B256,
}

/// One chunk of a session, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadChunk {
    /// Place among the chunks, from 0.
    pub index: u32,
    /// Name of the file in the folder.
    pub file_name: String,
    /// Size and hashes.
    pub digest: FileDigest,
}

/// How far [`ChunkFolder::read`] has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Files read to their end.
    pub files: u32,
    /// Files in the folder.
    pub files_total: u32,
    /// Bytes read.
    pub bytes: u64,
    /// Bytes in the folder.
    pub bytes_total: u64,
}

/// A folder's chunk files in index order, listed but not yet read.
#[derive(Debug, Clone)]
pub struct ChunkFolder {
    folder: PathBuf,
    /// At least one and at most [`MAX_CHUNKS`].
    files: Vec<ChunkFile>,
}

#[derive(Debug, Clone)]
struct ChunkFile {
    path: PathBuf,
    name: String,
    stamp: Stamp,
}

/// What tells whether a file is still the one that was listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size_bytes: u64,
    modified: SystemTime,
    /// When the file's record on the disk changed, in seconds and nanoseconds: this no program can set back.
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> io::Result<Self> {
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Ok(Self { size_bytes: metadata.len(), modified: metadata.modified()?, changed })
    }
}

/// A reader thread's message to the one that counts.
enum Report {
    Bytes(u64),
    Done(Result<ReadChunk, ReadError>),
}

impl ChunkFolder {
    /// Lists the folder and refuses what cannot be a session: see [`ReadError`].
    pub fn open(folder: &Path) -> Result<Self, ReadError> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(io_error(folder))? {
            let entry = entry.map_err(io_error(folder))?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            // Before the file is looked at, so that a folder of a million files ends here and not in memory.
            if files.len() == MAX_CHUNKS as usize {
                return Err(ReadError::TooManyChunks(folder.to_owned()));
            }
            files.push(ChunkFile::list(&entry)?);
        }
        if files.is_empty() {
            return Err(ReadError::NoChunks(folder.to_owned()));
        }
        files.sort_by(|a, b| natural_order(&a.name, &b.name));
        Ok(Self { folder: folder.to_owned(), files })
    }

    /// Number of chunks, at least 1.
    #[expect(clippy::cast_possible_truncation, reason = "the listing ends at MAX_CHUNKS, a u32")]
    pub const fn chunk_count(&self) -> u32 {
        self.files.len() as u32
    }

    /// Bytes of all chunks.
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.stamp.size_bytes).sum()
    }

    /// When the oldest file was last written, in Unix seconds; `None` if that was before 1970. The nearest the folder
    /// comes to the time at which the session started.
    pub fn oldest_modified_secs(&self) -> Option<u64> {
        let oldest = self.files.iter().map(|file| file.stamp.modified).min()?;
        oldest.duration_since(UNIX_EPOCH).ok().map(|age| age.as_secs())
    }

    /// A hash over the names and sizes of the chunks: the same for a copy of the folder, and another one where a chunk came
    /// to it, went, or grew.
    pub fn contents_hash(&self) -> B256 {
        self.hash(|file, hasher| {
            hasher.update(&file.stamp.size_bytes.to_be_bytes());
        })
    }

    /// A hash over names, sizes and times of the chunks: another one whenever a file was touched.
    pub fn stamp_hash(&self) -> B256 {
        self.hash(|file, hasher| {
            let since = file.stamp.modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
            hasher.update(&file.stamp.size_bytes.to_be_bytes()).update(&since.to_be_bytes());
            hasher.update(&file.stamp.changed.0.to_be_bytes()).update(&file.stamp.changed.1.to_be_bytes());
        })
    }

    fn hash(&self, add: impl Fn(&ChunkFile, &mut blake3::Hasher)) -> B256 {
        let mut hasher = blake3::Hasher::new();
        for file in &self.files {
            // The end of a name is seen by a byte that no name has.
            hasher.update(file.name.as_bytes()).update(&[0]);
            add(file, &mut hasher);
        }
        B256::from(*hasher.finalize().as_bytes())
    }

    /// Reads every file once, several at a time, and returns the chunks in index order. The folder is listed once more at
    /// the end: what came to it meanwhile, or changed after its turn, is [`ReadError::Changed`].
    ///
    /// `on_progress` is called on this thread, after each buffer and each file.
    pub fn read(&self, on_progress: impl FnMut(Progress)) -> Result<Vec<ReadChunk>, ReadError> {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let chunks = self.read_with(cores.min(MAX_READERS), on_progress)?;
        let now = Self::open(&self.folder).map_err(|_| ReadError::Changed(self.folder.clone()))?;
        let same = |(listed, now): (&ChunkFile, &ChunkFile)| listed.name == now.name && listed.stamp == now.stamp;
        if now.files.len() != self.files.len() || !self.files.iter().zip(&now.files).all(same) {
            return Err(ReadError::Changed(self.folder.clone()));
        }
        Ok(chunks)
    }

    fn read_with(&self, readers: usize, mut on_progress: impl FnMut(Progress)) -> Result<Vec<ReadChunk>, ReadError> {
        let mut progress =
            Progress { files_total: self.chunk_count(), bytes_total: self.total_bytes(), ..Progress::default() };
        let next = AtomicUsize::new(0);
        let mut chunks = thread::scope(|scope| {
            // Made and dropped within the scope: readers that outlive an error find the channel closed and end.
            let (reports, inbox) = sync_channel(REPORT_QUEUE_LEN);
            for _ in 0..readers.clamp(1, self.files.len()) {
                let (reports, next) = (reports.clone(), &next);
                scope.spawn(move || self.read_files(next, &reports));
            }
            drop(reports);
            let mut chunks = Vec::with_capacity(self.files.len());
            for report in inbox {
                match report {
                    Report::Bytes(bytes) => progress.bytes += bytes,
                    Report::Done(chunk) => {
                        chunks.push(chunk?);
                        progress.files += 1;
                    }
                }
                on_progress(progress);
            }
            Ok(chunks)
        })?;
        chunks.sort_by_key(|chunk: &ReadChunk| chunk.index);
        Ok(chunks)
    }

    /// One reader: takes the next file until none is left or nobody listens any more.
    fn read_files(&self, next: &AtomicUsize, reports: &SyncSender<Report>) {
        let mut buffer = vec![0; READ_BUFFER_BYTES];
        loop {
            let place = next.fetch_add(1, Relaxed);
            let (Some(file), Ok(index)) = (self.files.get(place), u32::try_from(place)) else { return };
            let digest = file.read(&mut buffer, |bytes| reports.send(Report::Bytes(bytes)).is_ok());
            let chunk = digest.map(|digest| ReadChunk { index, file_name: file.name.clone(), digest });
            let failed = chunk.is_err();
            if reports.send(Report::Done(chunk)).is_err() || failed {
                return;
            }
        }
    }
}

impl ChunkFile {
    fn list(entry: &fs::DirEntry) -> Result<Self, ReadError> {
        let path = entry.path();
        // Neither of these follows a link.
        let kind = entry.file_type().map_err(io_error(&path))?;
        if kind.is_dir() {
            return Err(ReadError::Subfolder(path));
        }
        if !kind.is_file() {
            return Err(ReadError::NotAFile(path));
        }
        let Ok(name) = entry.file_name().into_string() else { return Err(ReadError::NotUtf8(path)) };
        let stamp = entry.metadata().and_then(|metadata| Stamp::of(&metadata)).map_err(io_error(&path))?;
        match stamp.size_bytes {
            0 => Err(ReadError::EmptyChunk(path)),
            size_bytes if size_bytes > MAX_CHUNK_BYTES => Err(ReadError::ChunkTooLarge { path, size_bytes }),
            _ => Ok(Self { path, name, stamp }),
        }
    }

    /// Reads the file as it was listed; `on_bytes` says whether anybody still waits for it.
    fn read(&self, buffer: &mut [u8], on_bytes: impl FnMut(u64) -> bool) -> Result<FileDigest, ReadError> {
        let mut file = File::open(&self.path).map_err(io_error(&self.path))?;
        let stamp = |file: &File| file.metadata().and_then(|m| Stamp::of(&m)).map_err(io_error(&self.path));
        let changed = || ReadError::Changed(self.path.clone());
        if stamp(&file)? != self.stamp {
            return Err(changed());
        }
        // One byte more than listed is enough to see that the file grew, however long it has become.
        let source = (&mut file).take(self.stamp.size_bytes + 1);
        let digest = digest(source, buffer, on_bytes).map_err(io_error(&self.path))?;
        if digest.size_bytes != self.stamp.size_bytes || stamp(&file)? != self.stamp {
            return Err(changed());
        }
        Ok(digest)
    }
}

/// Reads one file, for a chunk that is to be held against a proof.
pub fn digest_file(path: &Path) -> Result<FileDigest, ReadError> {
    // Before it is opened: a pipe waits there for its writer.
    if !fs::metadata(path).map_err(io_error(path))?.is_file() {
        return Err(ReadError::NotAFile(path.to_owned()));
    }
    let file = File::open(path).map_err(io_error(path))?;
    let size_bytes = file.metadata().map_err(io_error(path))?.len();
    let too_large = |size_bytes| ReadError::ChunkTooLarge { path: path.to_owned(), size_bytes };
    if size_bytes > MAX_CHUNK_BYTES {
        return Err(too_large(size_bytes));
    }
    let mut buffer = vec![0; READ_BUFFER_BYTES];
    let digest = digest(file.take(MAX_CHUNK_BYTES + 1), &mut buffer, |_| true).map_err(io_error(path))?;
    if digest.size_bytes > MAX_CHUNK_BYTES { Err(too_large(digest.size_bytes)) } else { Ok(digest) }
}

/// Both hashes of what `source` yields. Ends early, with hashes of no use, when `on_bytes` says that nobody waits.
fn digest(mut source: impl Read, buffer: &mut [u8], mut on_bytes: impl FnMut(u64) -> bool) -> io::Result<FileDigest> {
    let (mut sha256, mut blake3, mut size_bytes) = (Sha256::new(), blake3::Hasher::new(), 0);
    loop {
        let part = match source.read(buffer) {
            Ok(0) => break,
            Ok(length) => &buffer[..length],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        sha256.update(part);
        blake3.update(part);
        size_bytes += part.len() as u64;
        if !on_bytes(part.len() as u64) {
            break;
        }
    }
    Ok(FileDigest {
        size_bytes,
        sha256: B256::from_slice(&sha256.finalize()),
        blake3: B256::from(*blake3.finalize().as_bytes()),
    })
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> ReadError {
    let path = path.to_owned();
    move |source| ReadError::Io { path: path.clone(), source }
}

/// Natural number order of file names: a run of ASCII digits counts as one number (of any length, leading zeros
/// ignored), every other byte as itself, and a digit stands against another byte by its ASCII value. A name comes
/// before those that it begins. Names that are equal so far (`a1`, `a01`) are ordered by their bytes.
fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    while let (Some(x), Some(y)) = (left.first(), right.first()) {
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (x, y) = (take_number(&mut left), take_number(&mut right));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            let order = x.cmp(y);
            (left, right) = (&left[1..], &right[1..]);
            order
        };
        if order.is_ne() {
            return order;
        }
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// Takes a run of digits off the front and returns it without leading zeros.
fn take_number<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let (number, rest) = bytes.split_at(bytes.iter().take_while(|b| b.is_ascii_digit()).count());
    *bytes = rest;
    &number[number.iter().take_while(|b| **b == b'0').count()..]
}

#[cfg(test)]
mod tests;
