//! The wall clock, and the last time that this node recorded while it had no doubt about it.

use super::{
    datadir::{DataDir, read_small, write_whole},
    error::NodeError,
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The wall clock since 1970; zero for a clock before that, which no chain's genesis is.
pub(super) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The wall clock in Unix seconds.
pub(super) fn unix_now() -> u64 {
    since_epoch().as_secs()
}

/// Whether the clock is held for synchronised. A kernel that may not be asked does not vouch for anything.
pub(super) fn clock_synchronised() -> bool {
    lucid_kernel::clock_synchronised().unwrap_or(false)
}

/// The recorded time in Unix seconds; 0 where there is none, or none that can be read. What it serves is caution, so
/// less of it is never an error.
pub(super) fn recorded(datadir: &DataDir) -> u64 {
    let text = read_small(&datadir.recorded_time()).ok().flatten();
    text.and_then(|text| String::from_utf8(text).ok()?.trim_end().parse().ok()).unwrap_or_default()
}

/// Records the time of now.
pub(super) fn record(datadir: &DataDir) -> Result<(), NodeError> {
    write_whole(&datadir.recorded_time(), format!("{}\n", unix_now()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_time_comes_back_and_a_damaged_one_counts_for_nothing() {
        let folder = DataDir::temporary().unwrap();
        assert_eq!(recorded(&folder), 0);
        let before = unix_now();
        record(&folder).unwrap();
        assert!((before..=unix_now()).contains(&recorded(&folder)));
        std::fs::write(folder.recorded_time(), "noon").unwrap();
        assert_eq!(recorded(&folder), 0);
    }
}
