//! How much may come in a time: a bucket that fills steadily and holds no more than a burst. Integers, time as an argument.

/// A bucket of tokens. One is taken for each thing that comes; an empty bucket means that it is one too many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    /// Tokens times [`PARTS`].
    parts: u64,
    burst: u64,
    per_minute: u64,
    at_ms: u64,
}

/// Parts of a token: one for each millisecond of a minute, so that filling leaves no rest.
const PARTS: u64 = 60_000;

impl Bucket {
    /// A full bucket.
    pub(super) fn new(burst: u64, per_minute: u64, now_ms: u64) -> Self {
        Self { parts: burst.saturating_mul(PARTS), burst, per_minute, at_ms: now_ms }
    }

    /// Takes `tokens`, or none where there are fewer.
    pub(super) fn take(&mut self, tokens: u64, now_ms: u64) -> bool {
        self.fill(now_ms);
        let wanted = tokens.saturating_mul(PARTS);
        let enough = self.parts >= wanted;
        if enough {
            self.parts -= wanted;
        }
        enough
    }

    /// Whether nothing was taken for long enough that it is full again.
    pub(super) fn is_full(&mut self, now_ms: u64) -> bool {
        self.fill(now_ms);
        self.parts == self.burst.saturating_mul(PARTS)
    }

    fn fill(&mut self, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.at_ms);
        self.at_ms = self.at_ms.max(now_ms);
        let filled = self.parts.saturating_add(passed.saturating_mul(self.per_minute));
        self.parts = filled.min(self.burst.saturating_mul(PARTS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_after_it_no_more_than_the_rate() {
        let mut bucket = Bucket::new(5, 60, 0);
        assert_eq!((0..20).filter(|_| bucket.take(1, 0)).count(), 5);
        assert_eq!((0..1_000).filter(|n| bucket.take(1, n * 10)).count(), 9, "one a second over ten seconds");
    }

    #[test]
    fn a_bucket_never_holds_more_than_its_burst() {
        let mut bucket = Bucket::new(5, u64::MAX, 0);
        assert!(bucket.take(5, u64::MAX / 2));
        assert!(!bucket.take(1, u64::MAX / 2));
        assert!(bucket.is_full(u64::MAX));
        assert!(!bucket.take(6, u64::MAX));
    }

    #[test]
    fn a_clock_that_goes_back_fills_nothing_twice() {
        let mut bucket = Bucket::new(1, 60, 10_000);
        assert!(bucket.take(1, 10_000));
        assert!(!bucket.take(1, 0));
        assert!(!bucket.take(1, 10_500));
        assert!(bucket.take(1, 11_000));
    }
}
