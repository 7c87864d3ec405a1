//! One store that grows to many documents: whether it is as fast at the end as it was, and needs no more memory.

use crate::{
    documents::{Chunk, SESSION_CHUNKS, random},
    lucid::Lucid,
    measure::{cpu_secs, from_proc, median},
    peer::{Peer, folder_bytes},
    picture,
};
use anyhow::{Result, ensure};
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// Documents between two points of the curve.
const STEP: u64 = 100_000;

/// Documents at the first point, with which the last is compared.
const FIRST: u64 = 10_000;

/// Reads of each kind at a point.
const READS: u64 = 2_000;

/// What was measured at a point.
pub struct Point {
    pub documents: u64,
    /// Documents inserted in a second since the point before.
    pub insert_per_sec: f64,
    /// Time of the processor that each of them took. Other work on the machine does not change it much.
    pub insert_cpu_us: f64,
    /// Bytes that the process wrote for each of them.
    pub written: f64,
    /// Reads: by key, by hash, and ranges of a hundred documents.
    pub get: Reads,
    pub by_hash: Reads,
    pub range: Reads,
    /// Memory of the process, now and at most.
    pub rss_mib: f64,
    pub rss_highest_mib: f64,
    /// Size of the file on disk.
    pub file_mib: f64,
}

/// What reads of one kind take.
pub struct Reads {
    /// Median time of one.
    pub us: f64,
    /// How often one asks the kernel for pages of the file, on average.
    pub file_reads: f64,
}

/// Inserts so many documents, some sessions to a commit, and prints a line for each point; then draws the curves.
pub fn grow(store: &Lucid, folder: &Path, documents: u64, sessions: u64, picture: &Path) -> Result<()> {
    let mut points: Vec<Point> = vec![];
    println!(
        "documents,insert_per_sec,insert_cpu_us,written,get_us,get_file_reads,by_hash_us,by_hash_file_reads,range_us,\
         range_file_reads,rss_mib,rss_highest_mib,file_mib"
    );
    let mut done = 0;
    for goal in std::iter::once(FIRST).chain((STEP..=documents).step_by(STEP as usize)) {
        let (before, cpu_before, written_before) = (done, cpu_secs("self")?, from_proc("self", "io", "write_bytes")?);
        let began = Instant::now();
        while done < goal {
            let end = (done + sessions * SESSION_CHUNKS).min(goal);
            let chunks: Vec<_> = (done..end).map(Chunk::nth).collect();
            store.insert(&chunks)?;
            done = end;
        }
        let inserted = (done - before) as f64;
        let insert_per_sec = inserted / began.elapsed().as_secs_f64();
        let insert_cpu_us = (cpu_secs("self")? - cpu_before) * 1e6 / inserted;
        let written = (from_proc("self", "io", "write_bytes")? - written_before) as f64 / inserted;
        let mib = |name| Ok::<_, anyhow::Error>(from_proc("self", "status", name)? as f64 / 1024.0);
        let point = Point {
            documents: done,
            insert_per_sec,
            insert_cpu_us,
            written,
            get: gets(done, |chunk| store.get(chunk))?,
            by_hash: gets(done, |chunk| store.by_hash(&chunk.ciphertext_sha256))?,
            range: ranges(store, done)?,
            rss_mib: mib("VmRSS")?,
            rss_highest_mib: mib("VmHWM")?,
            file_mib: folder_bytes(folder)? as f64 / (1 << 20) as f64,
        };
        println!("{}", point.csv());
        points.push(point);
    }
    Ok(fs::write(picture, picture::svg(&points)?)?)
}

impl Point {
    fn csv(&self) -> String {
        let Self { documents, insert_per_sec, insert_cpu_us, written, .. } = self;
        let Self { rss_mib, rss_highest_mib, file_mib, .. } = self;
        let [get, by_hash, range] =
            [&self.get, &self.by_hash, &self.range].map(|reads| format!("{:.2},{:.2}", reads.us, reads.file_reads));
        format!(
            "{documents},{insert_per_sec:.0},{insert_cpu_us:.2},{written:.0},{get},{by_hash},{range},\
             {rss_mib:.1},{rss_highest_mib:.1},{file_mib:.0}"
        )
    }
}

/// Reads documents.
fn gets(documents: u64, get: impl Fn(&Chunk) -> Result<Option<Chunk>>) -> Result<Reads> {
    reads(READS, |seed| {
        let chunk = Chunk::nth(random(seed + documents, documents));
        let began = Instant::now();
        let found = get(&chunk)?;
        let took = began.elapsed();
        ensure!(found.as_ref() == Some(&chunk), "another document was read");
        Ok(took)
    })
}

/// Reads a hundred documents of sessions.
fn ranges(store: &Lucid, documents: u64) -> Result<Reads> {
    reads(READS / 10, |seed| {
        let session = Chunk::nth(random(seed + documents, documents)).session_id;
        let began = Instant::now();
        let found = store.range(&session, random(seed, SESSION_CHUNKS - 100) as u32, 100)?;
        let took = began.elapsed();
        ensure!(found.len() == 100, "a range had {} documents", found.len());
        Ok(took)
    })
}

/// Does it so often, and says what it took.
fn reads(count: u64, read: impl FnMut(u64) -> Result<Duration>) -> Result<Reads> {
    let file_reads = || from_proc("self", "io", "syscr");
    // A look at the count reads too.
    let (first, before) = (file_reads()?, file_reads()?);
    let times = (0..count).map(read).collect::<Result<Vec<_>>>()?;
    let file_reads = (file_reads()? - before).saturating_sub(before - first) as f64 / count as f64;
    Ok(Reads { us: median(times).as_secs_f64() * 1e6, file_reads })
}
