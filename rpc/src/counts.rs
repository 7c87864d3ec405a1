//! How often each method was called, and how long that took: for the metrics.

use crate::{interface::METHODS, wire::CallsDocument};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Under what calls of methods that are not there are counted. What callers make up must not grow the list.
const UNKNOWN: &str = "unknown";

/// Counts of every method that is there, and one of all others.
#[derive(Debug)]
pub(crate) struct CallCounts {
    by_method: BTreeMap<&'static str, Count>,
}

#[derive(Debug, Default)]
struct Count {
    answered: AtomicU64,
    failed: AtomicU64,
    micros: AtomicU64,
}

impl CallCounts {
    pub(crate) fn new() -> Self {
        let names = METHODS.iter().map(|(name, _)| *name).chain([UNKNOWN]);
        Self { by_method: names.map(|name| (name, Count::default())).collect() }
    }

    /// Notes a call that has been answered.
    pub(crate) fn note(&self, method: &str, answered: bool, took: Duration) {
        let Some(count) = self.by_method.get(method).or_else(|| self.by_method.get(UNKNOWN)) else { return };
        let outcome = if answered { &count.answered } else { &count.failed };
        outcome.fetch_add(1, Relaxed);
        count.micros.fetch_add(took.as_micros() as u64, Relaxed);
    }

    /// Those of methods that were called.
    pub(crate) fn documents(&self) -> BTreeMap<String, CallsDocument> {
        let document = |count: &Count| CallsDocument {
            answered: count.answered.load(Relaxed),
            failed: count.failed.load(Relaxed),
            micros: count.micros.load(Relaxed),
        };
        let all = self.by_method.iter().map(|(name, count)| ((*name).to_owned(), document(count)));
        all.filter(|(_, calls)| calls.answered + calls.failed > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_callers_make_up_do_not_grow_the_list() {
        let counts = CallCounts::new();
        let took = Duration::from_micros(3);
        for number in 0..1_000 {
            counts.note(&format!("made_up{number}"), false, took);
        }
        counts.note("eth_chainId", true, took);
        counts.note("eth_chainId", false, took);
        let expected = BTreeMap::from([
            ("eth_chainId".to_owned(), CallsDocument { answered: 1, failed: 1, micros: 6 }),
            (UNKNOWN.to_owned(), CallsDocument { answered: 0, failed: 1_000, micros: 3_000 }),
        ]);
        assert_eq!(counts.documents(), expected);
    }
}
