//! One store that grows to many documents: whether it is as fast at the end as it was, and needs no more memory.

use crate::{
    documents::{Chunk, SESSION_CHUNKS, random, session_id},
    lucid::Lucid,
    measure::from_proc,
    peer::{Peer, folder_bytes},
};
use anyhow::{Result, ensure};
use std::{fmt::Write, fs, path::Path, time::Instant};

/// Documents between two points of the curve.
const STEP: u64 = 100_000;

/// Reads of each kind at a point.
const READS: u64 = 2_000;

/// What was measured at a point.
struct Point {
    documents: u64,
    insert_per_sec: f64,
    get_us: f64,
    range_us: f64,
    memory_mib: f64,
}

/// Inserts so many documents and prints a line for each point; then writes the curves as an SVG picture.
pub fn grow(folder: &Path, documents: u64, picture: &Path) -> Result<()> {
    let store = Lucid::new(folder)?;
    let mut points = vec![];
    println!("documents,insert_per_sec,get_us,range_us,rss_mib,rss_highest_mib,file_mib");
    let mut done = 0;
    // The first point is at ten thousand, with which the last is compared.
    for goal in std::iter::once(10_000).chain((STEP..=documents).step_by(STEP as usize)) {
        let began = Instant::now();
        let before = done;
        while done < goal {
            let chunks: Vec<_> = (done..done + SESSION_CHUNKS).map(Chunk::nth).collect();
            store.insert(&chunks)?;
            done += SESSION_CHUNKS;
        }
        let insert_per_sec = (done - before) as f64 / began.elapsed().as_secs_f64();
        let (get_us, range_us) = (gets(&store, done)?, ranges(&store, done)?);
        let of = |name| Ok::<_, anyhow::Error>(from_proc("self", "status", name)? as f64 / 1024.0);
        let (memory_mib, highest_mib) = (of("VmRSS")?, of("VmHWM")?);
        let file_mib = folder_bytes(folder)? as f64 / (1 << 20) as f64;
        println!("{done},{insert_per_sec:.0},{get_us:.2},{range_us:.1},{memory_mib:.1},{highest_mib:.1},{file_mib:.0}");
        points.push(Point { documents: done, insert_per_sec, get_us, range_us, memory_mib });
    }
    Ok(fs::write(picture, svg(&points)?)?)
}

/// The median time of a read by key, in microseconds.
fn gets(store: &Lucid, documents: u64) -> Result<f64> {
    median((0..READS).map(|seed| {
        let chunk = Chunk::nth(random(seed + documents, documents));
        let began = Instant::now();
        let found = store.get(&chunk)?;
        let took = began.elapsed();
        ensure!(found.as_ref() == Some(&chunk), "another document was read by its key");
        Ok(took.as_secs_f64() * 1e6)
    }))
}

/// The median time of reading a hundred documents of a session, in microseconds.
fn ranges(store: &Lucid, documents: u64) -> Result<f64> {
    median((0..READS / 10).map(|seed| {
        let session = session_id(random(seed + documents, documents / SESSION_CHUNKS));
        let began = Instant::now();
        let found = store.range(&session, random(seed, SESSION_CHUNKS - 100) as u32, 100)?;
        let took = began.elapsed();
        ensure!(found.len() == 100, "a range had {} documents", found.len());
        Ok(took.as_secs_f64() * 1e6)
    }))
}

fn median(values: impl Iterator<Item = Result<f64>>) -> Result<f64> {
    let mut values = values.collect::<Result<Vec<_>>>()?;
    values.sort_by(f64::total_cmp);
    Ok(values.get(values.len() / 2).copied().unwrap_or_default())
}

/// Size of a panel of the picture, in pixels, with room for its words on the left and below.
const PANEL: (f64, f64) = (420.0, 170.0);
const MARGIN: (f64, f64) = (70.0, 40.0);

/// Four panels, each with one curve over the number of documents; each begins at zero.
fn svg(points: &[Point]) -> Result<String> {
    type Panel = (&'static str, fn(&Point) -> f64);
    let panels: [Panel; 4] = [
        ("documents inserted a second", |p| p.insert_per_sec),
        ("get by key, µs (median)", |p| p.get_us),
        ("range of 100 documents, µs (median)", |p| p.range_us),
        ("memory of the process, MiB", |p| p.memory_mib),
    ];
    let (width, height) = (2.0 * (PANEL.0 + MARGIN.0) + 20.0, 2.0 * (PANEL.1 + MARGIN.1) + 20.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let most = points.last().map_or(1, |point| point.documents).max(1) as f64;
    for (number, (name, value)) in panels.into_iter().enumerate() {
        let x = MARGIN.0 + (number % 2) as f64 * (PANEL.0 + MARGIN.0);
        let y = 30.0 + (number / 2) as f64 * (PANEL.1 + MARGIN.1);
        let highest = points.iter().map(value).fold(f64::MIN_POSITIVE, f64::max) * 1.1;
        let place = |point: &Point| {
            let (across, up) = (point.documents as f64 / most, value(point) / highest);
            format!("{:.1},{:.1}", x + across * PANEL.0, y + PANEL.1 * (1.0 - up))
        };
        let line = points.iter().map(place).collect::<Vec<_>>().join(" ");
        let (right, bottom) = (x + PANEL.0, y + PANEL.1);
        writeln!(out, "<text x=\"{x}\" y=\"{:.0}\" font-weight=\"bold\">{name}</text>", y - 8.0)?;
        writeln!(out, "<path d=\"M{x} {y}V{bottom}H{right}\" fill=\"none\" stroke=\"#555\"/>")?;
        for part in [0.0, 0.5, 1.0] {
            let (tick, value) = (bottom - part * PANEL.1, part * highest);
            let shown = if highest > 1_000.0 { format!("{:.0},000", value / 1e3) } else { format!("{value:.1}") };
            writeln!(out, "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{shown}</text>", x - 6.0, tick + 4.0)?;
            let (at, millions) = (x + part * PANEL.0, part * most / 1e6);
            writeln!(out, "<text x=\"{at:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{millions} M</text>", bottom + 16.0)?;
        }
        writeln!(out, "<polyline points=\"{line}\" fill=\"none\" stroke=\"#06c\" stroke-width=\"1.5\"/>")?;
    }
    out.push_str("</svg>\n");
    Ok(out)
}
