//! One store, measured from empty to the end, in a process of its own.

use crate::{
    documents::{Chunk, SESSION_CHUNKS, random},
    peer::Peer,
};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

/// Chunks of a range that is read.
const RANGE_CHUNKS: u64 = 100;

/// Writers that write at the same time.
const WRITERS: u64 = 16;

/// In which the kernel says how long a process ran, on Linux everywhere.
const TICKS_PER_SEC: f64 = 100.0;

/// How much is measured.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Size {
    /// Documents that are inserted, a thousand to a commit.
    #[arg(long, default_value_t = 200_000)]
    pub documents: u64,
    /// Documents that are inserted one to a commit, by one writer and then by sixteen.
    #[arg(long, default_value_t = 2_000)]
    pub single: u64,
    /// Documents that are read by their keys and by their hashes; ranges are a tenth of it.
    #[arg(long, default_value_t = 20_000)]
    pub reads: u64,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Measured {
    /// Documents inserted in a second, a thousand to a commit.
    pub insert_1000: f64,
    /// Bytes that the process wrote for each of them, and time of the processor that it took.
    pub written: f64,
    pub cpu_us: f64,
    /// Documents inserted in a second, one to a commit.
    pub insert_1: f64,
    /// Bytes that the process wrote for each of them, and time of the processor that it took.
    pub written_1: f64,
    pub cpu_us_1: f64,
    /// As `insert_1`, by sixteen writers.
    pub insert_1_of_16: f64,
    /// Syncs of the file for each of them, where the store counts them.
    pub syncs: Option<f64>,
    /// Documents read by key in a second, by the median time of one.
    pub get: f64,
    /// Ranges of a hundred documents read in a second.
    pub range: f64,
    /// Documents read by an index in a second.
    pub index: f64,
    /// Bytes on disk for each document.
    pub file: f64,
    /// Most memory that the process had, in KiB.
    pub memory_kib: f64,
}

/// Does all of it with one store.
pub fn measure(peer: Box<dyn Peer>, size: Size) -> Result<Measured> {
    let process = peer.process().map_or_else(|| "self".to_owned(), |id| id.to_string());
    let taken = || Ok::<_, anyhow::Error>((from_proc(&process, "io", "write_bytes")?, cpu_secs(&process)?));
    let for_each = |before: (u64, f64), count: u64| {
        let (written, cpu) = taken()?;
        Ok::<_, anyhow::Error>(((written - before.0) as f64 / count as f64, (cpu - before.1) * 1e6 / count as f64))
    };
    let before = taken()?;
    let insert_1000 = rate(size.documents, Chunk::nth, |chunks| peer.insert(chunks))?;
    let (written, cpu_us) = for_each(before, size.documents)?;

    // New sessions, so that a document of one commit lies beside that of the one before.
    let first = size.documents.next_multiple_of(SESSION_CHUNKS);
    let before = taken()?;
    let insert_1 = rate(size.single, |number| Chunk::nth(first + number), |chunks| each_alone(&*peer, chunks))?;
    let (written_1, cpu_us_1) = for_each(before, size.single)?;
    let first = (first + size.single).next_multiple_of(SESSION_CHUNKS);
    let syncs = peer.syncs()?;
    let insert_1_of_16 = insert_by_many(&*peer, first, size.single)?;
    let syncs = peer.syncs()?.zip(syncs).map(|(after, before)| (after - before) as f64 / size.single as f64);

    let any = |seed| Chunk::nth(random(seed, size.documents));
    let get = reads(size.reads, any, |chunk| peer.get(chunk), is_found)?;
    let (sessions, ranges) = (size.documents / SESSION_CHUNKS, size.reads / 10);
    let any_range = |seed| {
        let (session, first) = (random(seed, sessions), random(seed + ranges, SESSION_CHUNKS - RANGE_CHUNKS));
        Chunk::nth(session * SESSION_CHUNKS + first)
    };
    let range = reads(
        ranges,
        any_range,
        |first| peer.range(&first.session_id, first.idx, RANGE_CHUNKS as u32),
        |first, found| {
            ensure!(found.len() as u64 == RANGE_CHUNKS, "a range had {} documents", found.len());
            is_found(first, &found.first().cloned())
        },
    )?;
    let index =
        reads(size.reads, |seed| any(seed + size.reads), |chunk| peer.by_hash(&chunk.ciphertext_sha256), is_found)?;
    Ok(Measured {
        insert_1000,
        written,
        cpu_us,
        insert_1,
        written_1,
        cpu_us_1,
        insert_1_of_16,
        syncs,
        get,
        range,
        index,
        memory_kib: from_proc(&process, "status", "VmHWM")? as f64,
        file: peer.settle()? as f64 / (size.documents + 2 * size.single) as f64,
    })
}

fn each_alone(peer: &dyn Peer, chunks: &[Chunk]) -> Result<()> {
    chunks.chunks(1).try_for_each(|chunk| peer.insert(chunk))
}

fn is_found(wanted: &Chunk, found: &Option<Chunk>) -> Result<()> {
    ensure!(found.as_ref() == Some(wanted), "another document was read than {wanted:?}");
    Ok(())
}

/// How many reads are done in a second, by the median time of one: so those count for nothing during which the machine did
/// something else.
fn reads<T>(
    count: u64,
    nth: impl Fn(u64) -> Chunk,
    read: impl Fn(&Chunk) -> Result<T>,
    check: impl Fn(&Chunk, &T) -> Result<()>,
) -> Result<f64> {
    let mut times = Vec::new();
    for number in 0..count {
        let wanted = nth(number);
        let began = Instant::now();
        let found = read(&wanted)?;
        times.push(began.elapsed());
        check(&wanted, &found)?;
    }
    Ok(1.0 / median(times).as_secs_f64())
}

/// The median of some times; nothing of none.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// How many are done in a second, a thousand at a time, not counting the time in which they are made up.
fn rate(count: u64, nth: impl Fn(u64) -> Chunk, mut work: impl FnMut(&[Chunk]) -> Result<()>) -> Result<f64> {
    let mut spent = Duration::ZERO;
    for first in (0..count).step_by(1_000) {
        let chunks: Vec<_> = (first..(first + 1_000).min(count)).map(&nth).collect();
        let began = Instant::now();
        work(&chunks)?;
        spent += began.elapsed();
    }
    Ok(count as f64 / spent.as_secs_f64())
}

fn insert_by_many(peer: &dyn Peer, first: u64, documents: u64) -> Result<f64> {
    let next = AtomicU64::new(first);
    let began = Instant::now();
    thread::scope(|scope| {
        let write = || -> Result<()> {
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= first + documents {
                    return Ok(());
                }
                peer.insert(&[Chunk::nth(number)])?;
            }
        };
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write)).collect();
        writers.into_iter().try_for_each(|writer| writer.join().unwrap_or_else(|_| anyhow::bail!("a writer panicked")))
    })?;
    Ok(documents as f64 / began.elapsed().as_secs_f64())
}

/// A number that the kernel says of a process.
pub fn from_proc(process: &str, file: &str, name: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/{file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = line.and_then(|line| line.split_whitespace().next()).and_then(|value| value.parse().ok());
    value.with_context(|| format!("the kernel does not say {name} of {process}"))
}

/// Time of the processor that a process has taken.
pub fn cpu_secs(process: &str) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // Behind the name, which may have spaces: the 12th and the 13th.
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).map(str::parse::<u64>).sum::<Result<_, _>>()?;
    Ok(ticks as f64 / TICKS_PER_SEC)
}
