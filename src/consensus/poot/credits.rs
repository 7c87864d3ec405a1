//! What work is worth: each formula is one function. All numbers are integers, and what is divided is rounded down where
//! nothing else is said. Sums that no chain reaches stop at the largest number.

use lucid_storage::StorageClaim;

/// One million: a whole, in parts per million.
pub const PPM: u64 = 1_000_000;

/// Credits for each chunk that a node stores.
const CREDITS_PER_CHUNK: u64 = 2;

/// Credits for each whole GiB that a node stores.
const CREDITS_PER_GIB: u64 = 10;

/// Credits for each block that a validator signed.
const CREDITS_PER_SIGNATURE: u64 = 5;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Work in sessions: `max(sessions, ceil(bytes / base))`, where `base_mib` (MiB) of traffic count as one session.
pub fn session_work(sessions: u64, bytes: u64, base_mib: u64) -> u64 {
    sessions.max(bytes.div_ceil(base_mib.saturating_mul(MIB).max(1)))
}

/// Credits for what a node stores: 2 for each chunk and 10 for each whole GiB.
pub fn storage_credits(claim: &StorageClaim) -> u64 {
    let for_chunks = claim.chunks_stored.saturating_mul(CREDITS_PER_CHUNK);
    for_chunks.saturating_add((claim.size_bytes / GIB).saturating_mul(CREDITS_PER_GIB))
}

/// Credits for signatures under blocks: 5 for each block.
pub fn signature_credits(blocks: u64) -> u64 {
    blocks.saturating_mul(CREDITS_PER_SIGNATURE)
}

/// Share of a window that a node was up, in parts per million: at most a whole, and nothing of an empty window.
pub fn uptime_ppm(uptime_secs: u64, window_secs: u64) -> u32 {
    let share = (u128::from(uptime_secs) * u128::from(PPM)).checked_div(window_secs.into()).unwrap_or_default();
    // A million fits.
    share.min(PPM.into()) as u32
}

/// What entities are ranked by: credits times uptime (parts per million).
pub fn live_score(credits: u64, uptime_ppm: u32) -> u128 {
    u128::from(credits) * u128::from(uptime_ppm)
}

/// A score after some misses: nine tenths for each, rounded down each time.
pub fn after_misses(score: u128, misses: u32) -> u128 {
    // Nothing is left below ten after a few steps, so a long run of misses ends early.
    let mut left = score;
    for _ in 0..misses {
        if left == 0 {
            break;
        }
        left = left - left / 10 - u128::from(!left.is_multiple_of(10));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn traffic_counts_as_sessions_by_started_5_mib() {
        assert_eq!(session_work(3, 0, 5), 3);
        assert_eq!(session_work(0, 1, 5), 1);
        assert_eq!(session_work(0, 5 * MIB, 5), 1);
        assert_eq!(session_work(1, 5 * MIB + 1, 5), 2);
        assert_eq!(session_work(7, 20 * MIB, 5), 7);
        assert_eq!(session_work(1, u64::MAX, 5), u64::MAX.div_ceil(5 * MIB));
    }

    #[test]
    fn what_is_stored_earns_by_chunks_and_whole_gib() {
        let credits = |chunks_stored, size_bytes| storage_credits(&StorageClaim { slot: 0, chunks_stored, size_bytes });
        assert_eq!(credits(0, GIB - 1), 0);
        assert_eq!(credits(3, GIB), 16);
        assert_eq!(credits(100, 5 * GIB + 7), 250);
        assert_eq!(credits(u64::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn a_signature_earns_5() {
        assert_eq!(signature_credits(5_040), 25_200);
    }

    #[test]
    fn uptime_is_a_share_of_the_window_and_never_above_a_whole() {
        assert_eq!(uptime_ppm(0, 100), 0);
        assert_eq!(uptime_ppm(1, 3), 333_333);
        assert_eq!(uptime_ppm(604_800, 604_800), 1_000_000);
        assert_eq!(uptime_ppm(u64::MAX, 1), 1_000_000);
        assert_eq!(uptime_ppm(5, 0), 0);
    }

    #[test]
    fn a_miss_takes_a_tenth_and_rounds_down() {
        assert_eq!(live_score(10, 999_999), 9_999_990);
        assert_eq!([0, 1, 2, 3].map(|misses| after_misses(105, misses)), [105, 94, 84, 75]);
        assert_eq!(after_misses(1, 1), 0);
        assert_eq!(after_misses(u128::MAX, u32::MAX), 0, "and ends");
    }

    proptest! {
        #[test]
        fn a_miss_is_nine_tenths_rounded_down(score in 0..=u128::MAX / 9) {
            prop_assert_eq!(after_misses(score, 1), score * 9 / 10);
        }
    }
}
