//! How often one place in the program may write to the log.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tracing::callsite::Identifier;

/// Most lines of one place in one window. A chain of two-second blocks stays far below it.
const MAX_LINES: u32 = 50;
const WINDOW: Duration = Duration::from_secs(10);

/// Counts lines by the place that wrote them, of which a program has so many as its source has.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    places: Mutex<HashMap<Identifier, Place>>,
}

#[derive(Debug)]
struct Place {
    since: Instant,
    lines: u32,
}

impl Limiter {
    /// Whether a line of this place is written now; then with how many were left out before it.
    pub(super) fn take(&self, place: Identifier, now: Instant) -> Option<u32> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.entry(place).or_insert(Place { since: now, lines: 0 });
        let mut left_out = 0;
        if now.duration_since(place.since) >= WINDOW {
            left_out = place.lines.saturating_sub(MAX_LINES);
            *place = Place { since: now, lines: 0 };
        }
        place.lines = place.lines.saturating_add(1);
        (place.lines <= MAX_LINES).then_some(left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::{Callsite, callsite::DefaultCallsite, metadata};

    static PLACE: DefaultCallsite = {
        static META: tracing::Metadata<'static> = metadata! {
            name: "place", target: "limit", level: tracing::Level::INFO, fields: &[],
            callsite: &PLACE, kind: tracing::metadata::Kind::EVENT
        };
        DefaultCallsite::new(&META)
    };

    #[test]
    fn a_place_that_writes_without_end_is_cut_short_and_says_so_later() {
        let limiter = Limiter::default();
        let began = Instant::now();
        let place = || PLACE.metadata().callsite();
        for _ in 0..MAX_LINES {
            assert_eq!(limiter.take(place(), began), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(limiter.take(place(), began), None);
        }
        assert_eq!(limiter.take(place(), began + WINDOW), Some(7));
        assert_eq!(limiter.take(place(), began + WINDOW * 3), Some(0));
    }
}
