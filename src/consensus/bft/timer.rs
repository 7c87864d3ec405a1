//! Timers: which there are, and how long each runs.

use lucid_types::Params;

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKind {
    /// The leader of a round did not propose.
    Propose,
    /// The prevotes of a round do not agree.
    Prevote,
    /// The precommits of a round do not agree.
    Precommit,
    /// Nothing moves: what was said is said again.
    Rebroadcast,
    /// A body was not sent: it is asked for.
    Body,
    /// A decided block was not sent: somebody else is asked.
    Sync,
}

impl TimerKind {
    /// The steps of a round whose end goes into the log, each with its byte there.
    const STEPS: [(Self, u8); 3] = [(Self::Propose, 0), (Self::Prevote, 1), (Self::Precommit, 2)];

    pub(super) fn code(self) -> u8 {
        Self::STEPS.iter().find(|(kind, _)| *kind == self).map_or(u8::MAX, |(_, code)| *code)
    }

    pub(super) fn of_step(code: u8) -> Option<Self> {
        Self::STEPS.iter().find(|(_, known)| *known == code).map(|(kind, _)| *kind)
    }
}

/// A timer of one height and round. One that elapses after its height was decided means nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    /// The height.
    pub height: u64,
    /// The round; 0 for those that belong to the whole height.
    pub round: u32,
    /// What it is for.
    pub kind: TimerKind,
}

/// How long a body that a proposal names may take to come by itself, and then a peer that was asked for it, in ms.
/// A block of 1 MiB takes 0.4 s at 20 Mbit/s.
pub const BODY_WAIT_MS: u64 = 500;

/// How long a peer may take to send a decided block, in ms.
pub const SYNC_WAIT_MS: u64 = 2_000;

/// How long the steps of a round last, the same in every round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the leader to propose.
    pub propose_ms: u64,
    /// For prevotes to agree, once more than two thirds are there.
    pub prevote_ms: u64,
    /// For precommits to agree, once more than two thirds are there.
    pub precommit_ms: u64,
}

impl Timeouts {
    /// Those of a chain.
    pub const fn of(params: &Params) -> Self {
        Self {
            propose_ms: params.slot_timeout_ms,
            prevote_ms: params.prevote_timeout_ms,
            precommit_ms: params.precommit_timeout_ms,
        }
    }

    pub(super) const fn of_kind(&self, kind: TimerKind) -> u64 {
        match kind {
            // What a silent leader costs is also long enough for votes to have arrived.
            TimerKind::Propose | TimerKind::Rebroadcast => self.propose_ms,
            TimerKind::Prevote => self.prevote_ms,
            TimerKind::Precommit => self.precommit_ms,
            TimerKind::Body => BODY_WAIT_MS,
            TimerKind::Sync => SYNC_WAIT_MS,
        }
    }
}
