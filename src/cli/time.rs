use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock in Unix seconds; 0 for a clock before 1970.
pub(super) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
