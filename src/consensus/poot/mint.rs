//! What a block mints: LUCID for its leader, by the sessions that others had anchored in it.

use super::credits::session_work;
use crate::chain::MintedWork;
use alloy_primitives::{U256, uint};

/// Wei in one LUCID, as in one ether.
pub const LUCID_WEI: U256 = uint!(1_000_000_000_000_000_000_U256);

/// LUCID after which a block's reward halves, and halves again.
const HALVING_LUCID: U256 = uint!(2_100_000_000_U256);

/// Most LUCID that a block mints before the first halving.
const FIRST_SLOT_MAX: u64 = 50;

/// Sessions from which on their number does not raise the reward any further.
const FULL_SESSIONS: u64 = 10;

/// The reward of a block in whole LUCID, by the work that operators of admitted nodes other than the leader's had done in
/// it; nothing where no session was registered.
///
/// `beacons` is the number of admitted nodes with a counted beacon in the epoch before, `base_mib` the traffic that counts
/// as a session, `minted` what blocks before have minted, in wei.
///
/// With `S` sessions, `W = max(S, ceil(B / base))`, `N = max(1, beacons)`, `D = W / N`, `H = floor(minted / 2.1e9 LUCID)`
/// and `slotMax = max(1, floor(50 / 2^H))` it is `1 + floor((slotMax - 1) · gS · gD)`, where `gS = clamp((S - 1) / 9, 0, 1)`
/// and `gD = clamp((D - 0.2) / 0.8, 0, 1)`. All of it is one fraction with one rounding, down.
pub fn reward(work: MintedWork, beacons: u64, base_mib: u64, minted: U256) -> u64 {
    if work.sessions == 0 {
        return 0;
    }
    let sessions = u128::from(work.sessions.min(FULL_SESSIONS) - 1);
    let nodes = u128::from(beacons.max(1));
    let load = u128::from(session_work(work.sessions, work.bytes, base_mib));
    // (D - 1/5) / (4/5) = (5 W - N) / 4 N.
    let density = (5 * load).saturating_sub(nodes).min(4 * nodes);
    let most = u128::from(slot_max(minted) - 1);
    let share = most * sessions * density / (u128::from(FULL_SESSIONS - 1) * 4 * nodes);
    // At most 49.
    1 + share as u64
}

/// Most LUCID that a block mints, once so much (wei) has been minted.
fn slot_max(minted: U256) -> u64 {
    let halvings = minted / (HALVING_LUCID * LUCID_WEI);
    let halvings = u32::try_from(halvings).unwrap_or(u32::MAX);
    FIRST_SLOT_MAX.checked_shr(halvings).unwrap_or_default().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sessions: u64, beacons: u64, mib: u64, minted_lucid: u64) -> u64 {
        reward(MintedWork { sessions, bytes: mib << 20 }, beacons, 5, U256::from(minted_lucid) * LUCID_WEI)
    }

    #[test]
    fn the_published_rewards_come_out() {
        for (sessions, beacons, mib, expected) in
            [(1, 5, 5, 1), (5, 10, 20, 9), (10, 10, 50, 50), (10, 20, 25, 19), (10, 50, 50, 1)]
        {
            assert_eq!(at(sessions, beacons, mib, 0), expected, "{sessions} sessions, {beacons} nodes, {mib} MiB");
        }
    }

    #[test]
    fn without_a_session_nothing_is_minted_and_with_one_never_less_than_one() {
        assert_eq!(at(0, 3, 500, 0), 0);
        assert_eq!(at(1, 100, 0, 0), 1);
        assert_eq!(at(10, 1_000_000, 0, 0), 1);
    }

    #[test]
    fn more_sessions_or_traffic_never_earn_more_than_the_most() {
        assert_eq!(at(10, 1, 0, 0), 50);
        assert_eq!(at(100_000, 0, 1 << 20, 0), 50);
        assert_eq!(reward(MintedWork { sessions: u64::MAX, bytes: u64::MAX }, u64::MAX, 5, U256::ZERO), 50);
    }

    #[test]
    fn the_reward_halves_with_every_2_1_billion_until_one_is_left() {
        let halving = 2_100_000_000;
        assert_eq!(at(10, 10, 50, halving - 1), 50);
        assert_eq!([1, 2, 3, 4, 5, 6, 7].map(|h| at(10, 10, 50, h * halving)), [25, 12, 6, 3, 1, 1, 1]);
        assert_eq!(reward(MintedWork { sessions: 10, bytes: 0 }, 1, 5, U256::MAX), 1);
    }
}
