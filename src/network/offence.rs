//! What a peer can do wrong, what it costs, and how that is forgiven. Integers, and time as an argument.

use super::limits::{BAN_SCORE, FORGIVE_ONE_MS};

/// Something that a peer has done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Offence {
    /// It is on another chain.
    WrongChain,
    /// It said something of consensus or of a block that an honest node cannot say: a header with the wrong author, a
    /// certificate that does not verify.
    Forgery,
    /// It sent headers, certificates or bodies of a history that is not the chain's.
    ForgedHistory,
    /// It passed on a message that breaks a rule which it could check.
    InvalidMessage,
    /// Bytes that are no message at all.
    Malformed,
    /// A response that does not answer its request.
    BadResponse,
    /// More messages or requests than one peer may send; once for each that is too many.
    Flood,
    /// More bytes than one peer may send in some seconds.
    Overload,
    /// It does not read what it asked to be told.
    SlowReader,
    /// It did not say in time which chain it is on, or does not answer pings.
    Silent,
    /// It did not answer a request, or cut the answer off.
    NoAnswer,
    /// A message came in while the node had others of this peer to look at still. It may be the node that is slow.
    Overrun,
}

impl Offence {
    /// How many points it costs. A peer that is at [`BAN_SCORE`] is banned.
    pub const fn weight(self) -> i64 {
        match self {
            // At once: there is nothing to be had from such a peer, and nothing that happens by mistake.
            // Rows have checksums, so no disk makes a history that is wrong.
            Self::WrongChain | Self::Overload | Self::ForgedHistory => 100,
            // Two, so that one disk that went bad does not cost a network a validator's connections.
            Self::Forgery => 50,
            // A few in a quarter of an hour: the rules for both are plain to see before a message is passed on.
            Self::InvalidMessage | Self::Malformed => 20,
            Self::BadResponse => 10,
            // What happens on bad lines too.
            Self::SlowReader | Self::Silent | Self::NoAnswer => 5,
            Self::Flood => 2,
            Self::Overrun => 1,
        }
    }

    /// What it is called in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WrongChain => "is on another chain",
            Self::Forgery => "sent a forgery",
            Self::ForgedHistory => "sent a forged history",
            Self::InvalidMessage => "passed on an invalid message",
            Self::Malformed => "sent bytes that are no message",
            Self::BadResponse => "sent a response that is none",
            Self::Flood => "sent too many messages",
            Self::Overload => "sent too many bytes",
            Self::SlowReader => "does not read",
            Self::Silent => "is silent",
            Self::NoAnswer => "does not answer requests",
            Self::Overrun => "sent faster than was taken",
        }
    }
}

/// How well a peer behaved: zero or below, and back towards zero with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Score {
    points: i64,
    /// When `points` were right, in milliseconds.
    at_ms: u64,
}

impl Score {
    /// A score as it was at a time. One that was better than nothing, or worse than any can be, is damage or another
    /// program's: it is brought within the bounds.
    pub(super) fn new(points: i64, at_ms: u64) -> Self {
        Self { points: points.clamp(10 * BAN_SCORE, 0), at_ms }
    }

    /// What it is at a time.
    pub(super) fn at(self, now_ms: u64) -> i64 {
        let forgiven = now_ms.saturating_sub(self.at_ms) / FORGIVE_ONE_MS;
        self.points.saturating_add(i64::try_from(forgiven).unwrap_or(i64::MAX)).min(0)
    }

    /// Takes the points of an offence off; whether it is bad enough for a ban now.
    pub(super) fn charge(&mut self, offence: Offence, now_ms: u64) -> bool {
        *self = Self::new(self.at(now_ms) - offence.weight(), now_ms.max(self.at_ms));
        self.points <= BAN_SCORE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Offence; 11] = [
        Offence::WrongChain,
        Offence::Forgery,
        Offence::InvalidMessage,
        Offence::Malformed,
        Offence::BadResponse,
        Offence::Flood,
        Offence::Overload,
        Offence::SlowReader,
        Offence::Silent,
        Offence::NoAnswer,
        Offence::Overrun,
    ];

    #[test]
    fn every_offence_costs_something_and_none_more_than_a_ban() {
        for offence in ALL {
            assert!((1..=-BAN_SCORE).contains(&offence.weight()), "{offence:?}");
            let mut score = Score::new(0, 0);
            let times = (-BAN_SCORE + offence.weight() - 1) / offence.weight();
            for n in 1..=times {
                assert_eq!(score.charge(offence, 0), n == times, "{offence:?} for the {n}th time");
            }
        }
    }

    #[test]
    fn a_score_is_forgiven_with_time_and_never_becomes_a_credit() {
        let mut score = Score::new(0, 0);
        score.charge(Offence::InvalidMessage, 1_000);
        assert_eq!(score.at(1_000), -20);
        assert_eq!(score.at(1_000 + FORGIVE_ONE_MS - 1), -20);
        assert_eq!(score.at(1_000 + FORGIVE_ONE_MS), -19);
        assert_eq!(score.at(u64::MAX), 0);
        score.charge(Offence::Flood, u64::MAX);
        assert_eq!(score.at(u64::MAX), -2, "what was forgiven does not count again");
    }

    #[test]
    fn offences_far_enough_apart_never_lead_to_a_ban() {
        let mut score = Score::new(0, 0);
        for n in 0..1_000 {
            assert!(!score.charge(Offence::BadResponse, n * 10 * FORGIVE_ONE_MS), "the {n}th");
        }
    }

    #[test]
    fn a_clock_that_goes_back_forgives_nothing() {
        let mut score = Score::new(-50, 1_000_000);
        assert_eq!(score.at(0), -50);
        score.charge(Offence::Flood, 0);
        assert_eq!(score.at(1_000_000), -52);
    }

    #[test]
    fn a_score_from_a_damaged_row_is_brought_within_bounds() {
        assert_eq!(Score::new(i64::MIN, 0).at(0), 10 * BAN_SCORE);
        assert_eq!(Score::new(i64::MAX, 0).at(0), 0);
    }
}
