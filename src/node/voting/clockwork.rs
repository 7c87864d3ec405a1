//! Timers that run, by a clock that only goes forward, and when the next slot begins.

use crate::consensus::bft::{Now, Timer, TimerKind};
use crate::node::clock::since_epoch;
use lucid_types::SlotGrid;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long is waited at most: the wall clock may be set meanwhile.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// The clocks and timers of one driver.
#[derive(Debug)]
pub(super) struct Clockwork {
    began: Instant,
    slots: SlotGrid,
    timers: BTreeMap<Timer, Instant>,
    /// The slot that was told last.
    slot: u64,
}

impl Clockwork {
    pub(super) fn new(slots: SlotGrid) -> Self {
        let mut clockwork = Self { began: Instant::now(), slots, timers: BTreeMap::new(), slot: 0 };
        clockwork.slot = clockwork.slot_now();
        clockwork
    }

    /// What the clocks show.
    pub(super) fn now(&self) -> Now {
        Now { ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX), slot: self.slot_now() }
    }

    /// The slot of the wall clock; the first one before there are any.
    pub(super) fn slot_now(&self) -> u64 {
        self.slots.slot_at(since_epoch().as_secs()).unwrap_or_default()
    }

    pub(super) fn set(&mut self, timer: Timer, after_ms: u64) {
        self.timers.insert(timer, Instant::now() + Duration::from_millis(after_ms));
    }

    pub(super) fn cancel(&mut self, timer: &Timer) {
        self.timers.remove(timer);
    }

    /// Stops the timers of a height's steps.
    pub(super) fn cancel_rounds(&mut self, height: u64) {
        let of_height = |kind| matches!(kind, TimerKind::Body | TimerKind::Sync);
        self.timers.retain(|timer, _| timer.height != height || of_height(timer.kind));
    }

    /// The timer that elapsed longest ago; it runs no longer.
    pub(super) fn take_elapsed(&mut self) -> Option<Timer> {
        let now = Instant::now();
        let (timer, _) = self.timers.iter().filter(|(_, at)| **at <= now).min_by_key(|(_, at)| **at)?;
        let timer = *timer;
        self.timers.remove(&timer);
        Some(timer)
    }

    /// Whether another slot has begun since this was asked.
    pub(super) fn take_slot(&mut self) -> bool {
        let slot = self.slot_now();
        std::mem::replace(&mut self.slot, slot) != slot
    }

    /// How long it is until a timer elapses or a slot begins.
    pub(super) fn wait(&self) -> Duration {
        let next_slot = self.slots.start_of(self.slot + 1).map(Duration::from_secs).unwrap_or(Duration::MAX);
        let to_slot = next_slot.saturating_sub(since_epoch());
        let to_timer = self.timers.values().min().map(|at| at.saturating_duration_since(Instant::now()));
        to_timer.unwrap_or(MAX_WAIT).min(to_slot).min(MAX_WAIT)
    }
}
