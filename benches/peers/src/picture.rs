//! The curves of a store that grows, as an SVG picture.

use crate::grow::Point;
use anyhow::Result;
use std::fmt::Write;

/// Size of a panel in pixels, and room for its words on the left and below.
const PANEL: (f64, f64) = (380.0, 150.0);
const MARGIN: (f64, f64) = (70.0, 60.0);

/// Panels side by side.
const COLUMNS: usize = 2;

/// What a panel shows: its name and the value of a point.
type Panel = (&'static str, fn(&Point) -> f64);

const PANELS: [Panel; 6] = [
    ("documents inserted a second", |p| p.insert_per_sec),
    ("processor time for each of them, µs", |p| p.insert_cpu_us),
    ("get by key, µs", |p| p.get.us),
    ("get by hash, µs", |p| p.by_hash.us),
    ("range of 100 documents, µs", |p| p.range.us),
    ("memory of the process, MiB", |p| p.rss_mib),
];

/// A panel for each, with one curve over the number of documents; each begins at zero.
pub fn svg(points: &[Point]) -> Result<String> {
    let rows = PANELS.len().div_ceil(COLUMNS);
    let (width, height) = (COLUMNS as f64 * (PANEL.0 + MARGIN.0) + 30.0, rows as f64 * (PANEL.1 + MARGIN.1));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let most = points.last().map_or(1, |point| point.documents) as f64;
    for (number, (name, value)) in PANELS.into_iter().enumerate() {
        let left = MARGIN.0 + (number % COLUMNS) as f64 * (PANEL.0 + MARGIN.0);
        let top = 30.0 + (number / COLUMNS) as f64 * (PANEL.1 + MARGIN.1);
        let (right, bottom) = (left + PANEL.0, top + PANEL.1);
        let (step, steps) = scale(points.iter().map(value).fold(f64::MIN_POSITIVE, f64::max));
        writeln!(out, "<text x=\"{left}\" y=\"{:.0}\" font-weight=\"bold\">{name}</text>", top - 10.0)?;
        for line in 0..=steps {
            let y = bottom - PANEL.1 * f64::from(line) / f64::from(steps);
            writeln!(out, "<path d=\"M{left} {y:.1}H{right}\" stroke=\"#ddd\"/>")?;
            let (x, y, shown) = (left - 6.0, y + 4.0, f64::from(line) * step);
            writeln!(out, "<text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"end\">{shown}</text>")?;
        }
        for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let (x, y, millions) = (left + part * PANEL.0, bottom + 16.0, part * most / 1e6);
            writeln!(out, "<text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"middle\">{millions} M</text>")?;
        }
        let place = |point: &Point| {
            let (across, up) = (point.documents as f64 / most, value(point) / (step * f64::from(steps)));
            format!("{:.1},{:.1}", left + across * PANEL.0, bottom - up * PANEL.1)
        };
        let line = points.iter().map(place).collect::<Vec<_>>().join(" ");
        writeln!(out, "<polyline points=\"{line}\" fill=\"none\" stroke=\"#06c\" stroke-width=\"1.5\"/>")?;
    }
    out.push_str("</svg>\n");
    Ok(out)
}

/// Distance between the lines of a panel and how many there are: round numbers, up to and with the highest value.
fn scale(highest: f64) -> (f64, u32) {
    let power = 10f64.powf((highest / 4.0).log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|times| times * power).into_iter().find(|step| step * 4.0 >= highest);
    let step = step.unwrap_or(10.0 * power);
    (step, (highest / step).ceil().max(1.0) as u32)
}
