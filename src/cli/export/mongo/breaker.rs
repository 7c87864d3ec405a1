//! When what failed is tried again: after a while that grows, and after many failures in a row after a long one.

use std::time::Duration;

/// How long is waited after the first failure.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The longest wait between two tries of a row. A server that starts again is met in its first half minute.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Failures in a row after which the circuit is open: nothing is tried for a while. With the waits this takes a minute.
const MAX_FAILURES: u32 = 8;

/// How long an open circuit stays so. Then one try decides whether it is closed again.
pub(super) const PAUSE: Duration = Duration::from_secs(120);

/// After so many pauses in a row an export that is not to follow gives up; a timer begins another one.
const MAX_PAUSES: u32 = 3;

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Try again after so long.
    Wait(Duration),
    /// Leave the server alone for so long, and then try once.
    Pause(Duration),
    /// End.
    GiveUp,
}

/// Counts failures.
#[derive(Debug)]
pub(super) struct Breaker {
    failures: u32,
    pauses: u32,
    /// Whether it ever gives up.
    follows: bool,
}

impl Breaker {
    pub(super) const fn new(follows: bool) -> Self {
        Self { failures: 0, pauses: 0, follows }
    }

    pub(super) const fn succeeded(&mut self) {
        (self.failures, self.pauses) = (0, 0);
    }

    /// Failures in a row.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    /// Notes a failure; `random` is any number, by which those who failed together do not come back together.
    pub(super) fn failed(&mut self, random: u32) -> Next {
        self.failures = self.failures.saturating_add(1);
        if self.failures < MAX_FAILURES {
            let doubled = FIRST_WAIT.saturating_mul(1 << (self.failures - 1)).min(MAX_WAIT);
            // Between half of it and all of it.
            return Next::Wait(doubled / 2 + (doubled / 2).mul_f64(f64::from(random) / f64::from(u32::MAX)));
        }
        if self.pauses == MAX_PAUSES && !self.follows {
            return Next::GiveUp;
        }
        self.pauses = self.pauses.saturating_add(1);
        Next::Pause(PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_differ_by_at_most_half() {
        let waits = |random| {
            let mut breaker = Breaker::new(true);
            (1..MAX_FAILURES)
                .map(|_| match breaker.failed(random) {
                    Next::Wait(wait) => wait,
                    other => panic!("{other:?}"),
                })
                .collect::<Vec<_>>()
        };
        let (short, long) = (waits(0), waits(u32::MAX));
        assert_eq!((short[0], long[0]), (FIRST_WAIT / 2, FIRST_WAIT));
        assert!(long.is_sorted() && long.iter().all(|wait| *wait <= MAX_WAIT));
        assert!(short.iter().zip(&long).all(|(short, long)| *short * 2 == *long));
        assert_eq!(long.last(), Some(&MAX_WAIT));
    }

    #[test]
    fn after_many_failures_one_try_in_a_pause_and_in_the_end_none() {
        let mut breaker = Breaker::new(false);
        let fail_until_open = |breaker: &mut Breaker| {
            for _ in 1..MAX_FAILURES {
                assert!(matches!(breaker.failed(0), Next::Wait(_)));
            }
        };
        fail_until_open(&mut breaker);
        for _ in 0..MAX_PAUSES {
            assert_eq!(breaker.failed(0), Next::Pause(PAUSE), "the one try failed: open again at once");
        }
        assert_eq!(breaker.failed(0), Next::GiveUp);
        breaker.succeeded();
        fail_until_open(&mut breaker);
        let mut following = Breaker::new(true);
        for _ in 0..1_000 {
            assert_ne!(following.failed(9), Next::GiveUp);
        }
    }
}
