/// The division of time into slots: `slot = floor((time - origin) / duration)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotGrid {
    /// Start of slot 0, in Unix seconds.
    pub origin: u64,
    /// Length of a slot in seconds, never zero.
    pub duration_secs: u64,
}

impl SlotGrid {
    /// The slot that a Unix time (seconds) falls into; `None` before the origin.
    pub fn slot_at(&self, time: u64) -> Option<u64> {
        time.checked_sub(self.origin)?.checked_div(self.duration_secs)
    }

    /// The Unix time (seconds) at which a slot starts; `None` past the end of `u64`.
    pub fn start_of(&self, slot: u64) -> Option<u64> {
        slot.checked_mul(self.duration_secs)?.checked_add(self.origin)
    }

    /// Whether a Unix time (seconds) is exactly the start of a slot.
    pub fn is_slot_start(&self, time: u64) -> bool {
        self.slot_at(time).and_then(|slot| self.start_of(slot)) == Some(time)
    }
}

#[cfg(test)]
mod tests {
    use super::SlotGrid;

    #[test]
    fn a_day_of_two_minute_slots_has_720() {
        let grid = SlotGrid { origin: 1_704_067_200, duration_secs: 120 };
        assert_eq!(grid.slot_at(grid.origin - 1), None);
        assert_eq!(grid.slot_at(grid.origin + 119), Some(0));
        assert_eq!(grid.slot_at(grid.origin + 86_400), Some(720));
        assert_eq!(grid.start_of(720), Some(grid.origin + 86_400));
        assert!(grid.is_slot_start(grid.origin + 240) && !grid.is_slot_start(grid.origin + 241));
    }
}
