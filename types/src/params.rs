//! The parameters of a chain. They are fixed at genesis: the chain spec carries them, and its hash is in the
//! genesis header.

use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Most validators that any chain may have.
pub const MAX_VALIDATORS: u32 = 100;

/// A parameter lies outside of what the preset allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value}, and must lie between {} and {}", .bounds.start(), .bounds.end())]
pub struct ParamError {
    /// The parameter, as the chain spec names it.
    pub name: &'static str,
    /// What the chain spec says.
    pub value: u64,
    /// What would be accepted.
    pub bounds: RangeInclusive<u64>,
}

/// A named set of parameters to begin from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// The production chain: two-minute slots, a week of leader window.
    Lucid,
    /// One process, one-second slots, instant sealing.
    Dev,
}

/// How strictly [`Params::check`] reads the ranges of timeouts, cooldown and leader window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounds {
    /// The ranges of the production chain and its test network.
    Production,
    /// Only what the arithmetic needs: development and imported chains.
    Free,
}

/// What is the same on every node of a chain, for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Params {
    /// Length of a slot, in seconds.
    pub slot_duration_secs: u64,
    /// Slots in an epoch.
    pub epoch_slots: u64,
    /// How long the leader of a round has to propose, in milliseconds.
    pub slot_timeout_ms: u64,
    /// How long a round waits for prevotes, in milliseconds.
    pub prevote_timeout_ms: u64,
    /// How long a round waits for precommits, in milliseconds.
    pub precommit_timeout_ms: u64,
    /// Slots for which an entity rests after it has led.
    pub cooldown_slots: u64,
    /// Slots over which work is summed for the tally.
    pub leader_window_slots: u64,
    /// Least uptime of an entity that may lead, in parts per million.
    pub d_min_ppm: u64,
    /// Bytes of relayed data that count as one session, in MiB.
    pub base_mb_per_session: u64,
    /// Validators below which the set may not fall.
    pub validators_needed: u32,
    /// Most transactions in a block.
    pub block_transactions_max: u64,
    /// Most bytes in the RLP encoding of a block.
    pub block_bytes_max: u64,
    /// Gas limit of every block.
    pub block_gas_limit: u64,
    /// Base fee of the first block, in wei (EIP-1559).
    pub initial_base_fee: u64,
}

/// Slots that a task proof may be older than the block that brings it.
pub const MAX_TASK_PROOF_AGE_SLOTS: u64 = 60;

/// Slots of a span of proofs where an epoch is not shorter than four of them.
const PROOF_SPAN_SLOTS: u64 = 30;

impl Params {
    /// The epoch of a slot: `floor(slot / epoch length)`.
    pub const fn epoch_of(&self, slot: u64) -> u64 {
        slot / self.epoch_slots
    }

    /// First slot of an epoch.
    pub const fn epoch_start(&self, epoch: u64) -> u64 {
        epoch.saturating_mul(self.epoch_slots)
    }

    /// Slots of a span of proofs: one uptime beacon of a node counts in each, and proofs that wait alone open a height at
    /// most once in as many slots. It is 30, and a quarter of the epoch where that is less.
    pub const fn proof_span_slots(&self) -> u64 {
        let quarter = self.epoch_slots / 4;
        match quarter {
            0 => 1,
            _ if quarter < PROOF_SPAN_SLOTS => quarter,
            _ => PROOF_SPAN_SLOTS,
        }
    }

    /// The lowest slot of which a chain whose last block is in `slot` still needs task proofs. The tally of that block's
    /// epoch is made from blocks of the leader window before the epoch, and the first of those may bring proofs that are
    /// older than itself.
    pub const fn first_task_proof_slot(&self, slot: u64) -> u64 {
        let epoch_start = self.epoch_start(self.epoch_of(slot));
        epoch_start.saturating_sub(self.leader_window_slots).saturating_sub(MAX_TASK_PROOF_AGE_SLOTS)
    }
}

const MIB: u64 = 1 << 20;
const GWEI: u64 = 1_000_000_000;

impl Preset {
    /// The parameters of the preset.
    pub const fn params(self) -> Params {
        match self {
            Self::Lucid => Params {
                slot_duration_secs: 120,
                epoch_slots: 720,
                slot_timeout_ms: 5_000,
                prevote_timeout_ms: 10_000,
                precommit_timeout_ms: 1_000,
                cooldown_slots: 16,
                leader_window_slots: 5_040,
                d_min_ppm: 200_000,
                base_mb_per_session: 5,
                validators_needed: 3,
                block_transactions_max: 1_000,
                block_bytes_max: MIB,
                block_gas_limit: 8_000_000,
                initial_base_fee: GWEI,
            },
            Self::Dev => Params {
                slot_duration_secs: 1,
                epoch_slots: 16,
                slot_timeout_ms: 1_000,
                prevote_timeout_ms: 2_000,
                precommit_timeout_ms: 1_000,
                cooldown_slots: 0,
                leader_window_slots: 112,
                validators_needed: 1,
                block_gas_limit: 30_000_000,
                ..Self::Lucid.params()
            },
        }
    }
}

impl Params {
    /// Checks every parameter against its range.
    pub fn check(&self, bounds: Bounds) -> Result<(), ParamError> {
        let outside = self.ranges(bounds).into_iter().find(|(_, value, range)| !range.contains(value));
        outside.map_or(Ok(()), |(name, value, bounds)| Err(ParamError { name, value, bounds }))
    }

    /// Each parameter by the name that the chain spec gives it, with its value and what would be accepted.
    pub fn ranges(&self, bounds: Bounds) -> [(&'static str, u64, RangeInclusive<u64>); 14] {
        const DAY_SECS: u64 = 86_400;
        let production = bounds == Bounds::Production;
        let timeout = if production { 1_000..=10_000 } else { 1..=60_000 };
        let cooldown = if production { 8..=64 } else { 0..=10_000 };
        let slots_a_day = DAY_SECS / self.slot_duration_secs.clamp(1, DAY_SECS);
        let window = if production { 3 * slots_a_day..=14 * slots_a_day } else { 1..=10_000_000 };
        [
            ("slotDurationSecs", self.slot_duration_secs, 1..=DAY_SECS),
            ("epochSlots", self.epoch_slots, 1..=1_000_000),
            ("slotTimeoutMs", self.slot_timeout_ms, timeout),
            ("prevoteTimeoutMs", self.prevote_timeout_ms, 1..=60_000),
            ("precommitTimeoutMs", self.precommit_timeout_ms, 1..=60_000),
            ("cooldownSlots", self.cooldown_slots, cooldown),
            ("leaderWindowSlots", self.leader_window_slots, window),
            ("dMinPpm", self.d_min_ppm, 0..=1_000_000),
            ("baseMbPerSession", self.base_mb_per_session, 1..=1_024),
            ("validatorsNeeded", self.validators_needed.into(), 1..=MAX_VALIDATORS.into()),
            ("blockTransactionsMax", self.block_transactions_max, 1..=100_000),
            ("blockBytesMax", self.block_bytes_max, 64 * 1024..=16 * MIB),
            ("blockGasLimit", self.block_gas_limit, 5_000..=1_000_000_000),
            ("initialBaseFee", self.initial_base_fee, 7..=1_000_000 * GWEI),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_presets_keep_their_own_bounds() {
        assert_eq!(Preset::Lucid.params().check(Bounds::Production), Ok(()));
        assert_eq!(Preset::Dev.params().check(Bounds::Free), Ok(()));
    }

    #[test]
    fn task_proofs_are_needed_as_far_back_as_the_tally_of_the_epoch_looks() {
        let params = Preset::Lucid.params();
        assert_eq!(params.first_task_proof_slot(5_040 + 60), 0, "nothing is as old");
        assert_eq!(params.first_task_proof_slot(720 * 10), 7_200 - 5_040 - 60);
        assert_eq!(params.first_task_proof_slot(720 * 10 + 719), 7_200 - 5_040 - 60, "the same all through an epoch");
        assert_eq!(params.first_task_proof_slot(720 * 11), 7_920 - 5_040 - 60);
    }

    #[test]
    fn epochs_and_spans_are_those_of_the_presets() {
        let (lucid, dev) = (Preset::Lucid.params(), Preset::Dev.params());
        assert_eq!((lucid.proof_span_slots(), dev.proof_span_slots()), (30, 4));
        assert_eq!(Params { epoch_slots: 3, ..dev }.proof_span_slots(), 1);
        assert_eq!((lucid.epoch_of(719), lucid.epoch_of(720), lucid.epoch_start(2)), (0, 1, 1_440));
    }

    #[test]
    fn a_parameter_out_of_range_is_named() {
        let params = Params { cooldown_slots: 7, ..Preset::Lucid.params() };
        let error = params.check(Bounds::Production).unwrap_err();
        assert_eq!(error.to_string(), "cooldownSlots is 7, and must lie between 8 and 64");
        assert_eq!(params.check(Bounds::Free), Ok(()));
    }

    /// The names in messages are those that a person finds in the file.
    #[test]
    fn every_parameter_has_a_range_under_the_name_in_the_spec() {
        let params = Preset::Lucid.params();
        let file = serde_json::to_value(&params).unwrap();
        let ranges = params.ranges(Bounds::Production);
        assert_eq!(file.as_object().unwrap().len(), ranges.len());
        for (name, value, _) in ranges {
            assert_eq!(file[name], value, "{name}");
        }
    }
}
