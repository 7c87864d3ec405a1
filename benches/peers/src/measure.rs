//! One store, measured from empty to the end, in a process of its own.

use crate::{
    documents::{Chunk, SESSION_CHUNKS, random, session_id},
    peer::Peer,
};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::Instant,
};

/// Chunks of a range that is read.
const RANGE_CHUNKS: u64 = 100;

/// Writers that write at the same time.
const WRITERS: u64 = 16;

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
    /// Bytes that the process wrote for each of them.
    pub written: f64,
    /// Documents inserted in a second, one to a commit.
    pub insert_1: f64,
    /// Bytes that the process wrote for each of them.
    pub written_1: f64,
    /// As `insert_1`, by sixteen writers.
    pub insert_1_of_16: f64,
    /// Documents read by key in a second.
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
    let written = || from_proc(&process, "io", "write_bytes");
    let (before, began) = (written()?, Instant::now());
    for first in (0..size.documents).step_by(1_000) {
        let chunks: Vec<_> = (first..(first + 1_000).min(size.documents)).map(Chunk::nth).collect();
        peer.insert(&chunks)?;
    }
    let insert_1000 = rate(size.documents, began);
    let written_1000 = (written()? - before) as f64 / size.documents as f64;

    // New sessions, so that a document of one commit lies beside that of the one before.
    let mut next = size.documents.next_multiple_of(SESSION_CHUNKS);
    let (before, began) = (written()?, Instant::now());
    for number in next..next + size.single {
        peer.insert(&[Chunk::nth(number)])?;
    }
    let insert_1 = rate(size.single, began);
    let written_1 = (written()? - before) as f64 / size.single as f64;
    next = (next + size.single).next_multiple_of(SESSION_CHUNKS);
    let insert_1_of_16 = insert_by_many(&*peer, next, size.single)?;

    let began = Instant::now();
    for seed in 0..size.reads {
        let chunk = Chunk::nth(random(seed, size.documents));
        ensure!(peer.get(&chunk)?.as_ref() == Some(&chunk), "another document was read by its key");
    }
    let get = rate(size.reads, began);

    let (sessions, ranges) = (size.documents / SESSION_CHUNKS, size.reads / 10);
    let began = Instant::now();
    for seed in 0..ranges {
        let (session, first) = (random(seed, sessions), random(seed + ranges, SESSION_CHUNKS - RANGE_CHUNKS));
        let found = peer.range(&session_id(session), first as u32, RANGE_CHUNKS as u32)?;
        ensure!(found.len() as u64 == RANGE_CHUNKS, "a range had {} documents", found.len());
        ensure!(found.first() == Some(&Chunk::nth(session * SESSION_CHUNKS + first)), "another range was read");
    }
    let range = rate(ranges, began);

    let began = Instant::now();
    for seed in 0..size.reads {
        let chunk = Chunk::nth(random(seed + size.reads, size.documents));
        ensure!(peer.by_hash(&chunk.ciphertext_sha256)?.as_ref() == Some(&chunk), "another was read by its hash");
    }
    let index = rate(size.reads, began);
    Ok(Measured {
        insert_1000,
        written: written_1000,
        insert_1,
        written_1,
        insert_1_of_16,
        get,
        range,
        index,
        memory_kib: from_proc(&process, "status", "VmHWM")? as f64,
        file: peer.settle()? as f64 / (size.documents + 2 * size.single) as f64,
    })
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
    Ok(rate(documents, began))
}

fn rate(done: u64, began: Instant) -> f64 {
    done as f64 / began.elapsed().as_secs_f64()
}

/// A number that the kernel says of a process.
pub fn from_proc(process: &str, file: &str, name: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/{file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = line.and_then(|line| line.split_whitespace().next()).and_then(|value| value.parse().ok());
    value.with_context(|| format!("the kernel does not say {name} of {process}"))
}
