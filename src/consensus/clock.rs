//! Whether the wall clock is good enough to seal by.
//!
//! Blocks carry the slot of their leader's clock for ever, so a machine that booted with a stale clock must wait until
//! its kernel says that the time is right. The clock acts on proposals alone: no block is judged by it.

use lucid_types::SlotGrid;

/// How far a synchronised clock may be past the last recorded time before it is remarked upon, in seconds.
pub const CLOCK_GAP_WARNED_SECS: u64 = 7 * 86_400;

/// How far past the last recorded time a solo chain may go by an unsynchronised clock that it trusts, in seconds.
pub const CLOCK_TRUSTED_SECS: u64 = 86_400;

/// What the clock shows, and what it is held against. Times are in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    /// The wall clock.
    pub now: u64,
    /// Whether the kernel says that it is synchronised.
    pub synchronised: bool,
    /// Start of the head's slot.
    pub head_time: u64,
    /// The last time that this node recorded while it had no doubt about its clock.
    pub recorded: u64,
}

/// What an operator allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClockPolicy {
    /// Whatever the clock says, for this run of the node.
    pub accept: bool,
    /// To seal unsynchronised within [`CLOCK_TRUSTED_SECS`] of the last recorded time: a chain with one validator.
    pub trust_local: bool,
}

/// Why the clock keeps a node from sealing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClockStop {
    /// The kernel does not vouch for it.
    #[error("the clock is not synchronised, as far as the kernel and systemd-timesyncd know")]
    Unsynchronised,
    /// It is trusted for a while without the kernel's word, and that while is over, or the clock went back.
    #[error(
        "the clock is not synchronised, as far as the kernel and systemd-timesyncd know, and not within {} h of the last \
         recorded time",
        CLOCK_TRUSTED_SECS / 3_600
    )]
    TrustExpired,
    /// The chain's last block is of a later slot than the clock's.
    #[error("the clock is {behind_secs} s before the slot of the last block")]
    BeforeHead {
        /// By how much.
        behind_secs: u64,
    },
}

/// Whether a block may be made by this clock; where it may, whether the time since the last record is remarkable
/// (then in seconds).
pub fn judge_clock(reading: &ClockReading, slots: SlotGrid, policy: ClockPolicy) -> Result<Option<u64>, ClockStop> {
    if policy.accept {
        return Ok(None);
    }
    let slot = slots.slot_at(reading.now);
    if slot.is_none() || slot < slots.slot_at(reading.head_time) {
        return Err(ClockStop::BeforeHead { behind_secs: reading.head_time.saturating_sub(reading.now) });
    }
    let gap = reading.now.checked_sub(reading.recorded);
    match (reading.synchronised, policy.trust_local) {
        (true, _) => Ok(gap.filter(|gap| *gap > CLOCK_GAP_WARNED_SECS)),
        (false, true) if gap.is_some_and(|gap| gap <= CLOCK_TRUSTED_SECS) => Ok(None),
        (false, true) => Err(ClockStop::TrustExpired),
        (false, false) => Err(ClockStop::Unsynchronised),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: u64 = 1_704_067_200;
    const HEAD: u64 = ORIGIN + 1_200;
    const SLOTS: SlotGrid = SlotGrid { origin: ORIGIN, duration_secs: 120 };
    const STRICT: ClockPolicy = ClockPolicy { accept: false, trust_local: false };
    const TRUSTING: ClockPolicy = ClockPolicy { accept: false, trust_local: true };
    const ACCEPTING: ClockPolicy = ClockPolicy { accept: true, trust_local: false };

    fn at(now: u64, synchronised: bool) -> ClockReading {
        ClockReading { now, synchronised, head_time: HEAD, recorded: HEAD }
    }

    #[test]
    fn nothing_is_sealed_by_a_clock_that_the_kernel_does_not_vouch_for() {
        assert_eq!(judge_clock(&at(HEAD + 500, false), SLOTS, STRICT), Err(ClockStop::Unsynchronised));
        assert_eq!(judge_clock(&at(HEAD + 500, true), SLOTS, STRICT), Ok(None));
        assert_eq!(judge_clock(&at(HEAD + 500, false), SLOTS, ACCEPTING), Ok(None));
    }

    #[test]
    fn nothing_is_sealed_before_the_slot_of_the_head_however_well_synchronised() {
        // In the head's own slot the clock is not wrong; the next block only waits for the next slot.
        assert_eq!(judge_clock(&at(HEAD, true), SLOTS, STRICT), Ok(None));
        for policy in [STRICT, TRUSTING] {
            let behind = judge_clock(&at(HEAD - 1, true), SLOTS, policy);
            assert_eq!(behind, Err(ClockStop::BeforeHead { behind_secs: 1 }));
        }
        let unset = judge_clock(&at(0, true), SLOTS, STRICT);
        assert_eq!(unset, Err(ClockStop::BeforeHead { behind_secs: HEAD }));
        assert_eq!(judge_clock(&at(HEAD - 500, true), SLOTS, ACCEPTING), Ok(None));
    }

    #[test]
    fn a_synchronised_clock_far_past_the_last_record_is_only_remarked_upon() {
        let week = CLOCK_GAP_WARNED_SECS;
        assert_eq!(judge_clock(&at(HEAD + week, true), SLOTS, STRICT), Ok(None));
        assert_eq!(judge_clock(&at(HEAD + week + 1, true), SLOTS, STRICT), Ok(Some(week + 1)));
    }

    #[test]
    fn a_trusted_clock_is_trusted_for_a_day_and_never_backwards() {
        let day = CLOCK_TRUSTED_SECS;
        assert_eq!(judge_clock(&at(HEAD + day, false), SLOTS, TRUSTING), Ok(None));
        assert_eq!(judge_clock(&at(HEAD + day + 1, false), SLOTS, TRUSTING), Err(ClockStop::TrustExpired));
        let recorded_later = ClockReading { recorded: HEAD + 900, ..at(HEAD + 500, false) };
        assert_eq!(judge_clock(&recorded_later, SLOTS, TRUSTING), Err(ClockStop::TrustExpired));
    }
}
