//! Whether a node may sign: not while it could have signed before what it no longer knows of.
//!
//! The file beside the keys says how far the consensus key has signed. Where the store knows less (it was restored, or
//! its disk lost its end), or where there is no file, what was sent for the heights that are open now is unknown. The
//! node then follows without signing until a height has been decided that was open when it started and that is above the
//! file's: whatever it has sent is of heights up to that one.

use super::log::LogEntry;
use crate::keys::{HighestSigned, SignedStep};
use alloy_primitives::Address;
use lucid_types::VoteKind;

/// A decided block of a slot this far above the clock's at start was certainly not decided then. Its voters let it pass
/// only when their clocks showed its slot or the next, and a slot is longer than clocks of honest nodes lie apart.
const SLOTS_AFTER_START: u64 = 2;

/// Says at each height whether this node may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigningGuard {
    blocked: Option<Blocked>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Blocked {
    file_height: u64,
    started_slot: u64,
}

impl SigningGuard {
    /// What a node knows when it starts: the file (`None` where there is none), the height of its head, the log of the
    /// height after it, its own address, and the slot of a clock that is synchronised.
    pub fn at_start(file: Option<HighestSigned>, head: u64, log: &[LogEntry], own: Address, started_slot: u64) -> Self {
        let known = log.iter().filter_map(|entry| signed_step(entry, own)).max();
        // At and below the head all is decided: a node never votes there again.
        let known = known.unwrap_or(HighestSigned::precommit(head, u32::MAX));
        let blocked = match file {
            Some(file) if file <= known => None,
            file => Some(Blocked { file_height: file.map_or(0, |file| file.height), started_slot }),
        };
        Self { blocked }
    }

    /// Whether the next height may be signed.
    pub fn may_sign(&self) -> bool {
        self.blocked.is_none()
    }

    /// A height was decided, by votes or by sync, with a block of this slot.
    pub fn decided(&mut self, height: u64, slot: u64) {
        self.blocked = self.blocked.filter(|blocked| {
            let was_open = slot >= blocked.started_slot.saturating_add(SLOTS_AFTER_START);
            !was_open || height <= blocked.file_height
        });
    }
}

/// The step of a message of this node in its log.
fn signed_step(entry: &LogEntry, own: Address) -> Option<HighestSigned> {
    let LogEntry::Vote(vote) = entry else { return None };
    (vote.voter == own).then_some(HighestSigned { height: vote.height, round: vote.round, step: step_of(vote.kind) })
}

pub(super) fn step_of(kind: VoteKind) -> SignedStep {
    match kind {
        VoteKind::Proposal { .. } => SignedStep::Proposal,
        VoteKind::Prevote => SignedStep::Prevote,
        VoteKind::Precommit => SignedStep::Precommit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consensus::bft::SignedVote;
    use alloy_primitives::{B256, B512};

    const OWN: Address = Address::repeat_byte(1);

    fn own(height: u64, round: u32, kind: VoteKind) -> LogEntry {
        let block_hash = Some(B256::repeat_byte(7));
        LogEntry::Vote(SignedVote { voter: OWN, height, round, kind, block_hash, signature: B512::ZERO })
    }

    fn file(height: u64, round: u32, step: SignedStep) -> Option<HighestSigned> {
        Some(HighestSigned { height, round, step })
    }

    #[test]
    fn a_node_whose_store_knows_all_that_the_file_says_signs() {
        for file in
            [file(9, 3, SignedStep::Precommit), file(10, 0, SignedStep::Precommit), file(0, 0, SignedStep::Nothing)]
        {
            assert!(SigningGuard::at_start(file, 10, &[], OWN, 50).may_sign(), "{file:?}");
        }
        let log = [own(11, 0, VoteKind::Prevote), own(11, 1, VoteKind::Prevote)];
        assert!(SigningGuard::at_start(file(11, 1, SignedStep::Prevote), 10, &log, OWN, 50).may_sign());
    }

    #[test]
    fn a_file_ahead_of_the_store_keeps_a_node_from_signing() {
        let log = [own(11, 1, VoteKind::Prevote)];
        for ahead in
            [file(11, 1, SignedStep::Precommit), file(11, 2, SignedStep::Proposal), file(12, 0, SignedStep::Nothing)]
        {
            assert!(!SigningGuard::at_start(ahead, 10, &log, OWN, 50).may_sign(), "{ahead:?}");
        }
        assert!(!SigningGuard::at_start(file(11, 0, SignedStep::Proposal), 10, &[], OWN, 50).may_sign());
        let others = [LogEntry::Vote(SignedVote { voter: Address::ZERO, ..vote_of(&log[0]) })];
        assert!(!SigningGuard::at_start(file(11, 1, SignedStep::Prevote), 10, &others, OWN, 50).may_sign());
    }

    fn vote_of(entry: &LogEntry) -> SignedVote {
        let LogEntry::Vote(vote) = entry else { panic!("{entry:?} is no vote") };
        *vote
    }

    #[test]
    fn without_a_file_a_node_waits_for_a_height_that_was_open_when_it_started() {
        let mut guard = SigningGuard::at_start(None, 10, &[], OWN, 50);
        assert!(!guard.may_sign());
        // Blocks of before the start, or of a slot that could be, come by sync.
        for (height, slot) in [(11, 30), (12, 50), (13, 51)] {
            guard.decided(height, slot);
            assert!(!guard.may_sign(), "height {height}");
        }
        guard.decided(14, 52);
        assert!(guard.may_sign());
    }

    #[test]
    fn a_height_at_or_below_the_files_does_not_set_a_node_free() {
        let mut guard = SigningGuard::at_start(file(14, 0, SignedStep::Prevote), 10, &[], OWN, 50);
        guard.decided(14, 60);
        assert!(!guard.may_sign());
        guard.decided(15, 61);
        assert!(guard.may_sign());
    }
}
