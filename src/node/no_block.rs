//! Why a slot has no block, as far as this node knows.

use super::{state::Node, voting::Standing};
use crate::consensus::poot::Schedule;

/// What is known of the height after the head.
#[derive(Debug, Clone, Copy)]
struct View {
    /// The slot of now.
    now: u64,
    /// Whether something waits here that a block could take.
    waits: bool,
    /// Whether something keeps this node from making blocks.
    stopped: bool,
    /// How many lead, one after the other.
    leaders: usize,
    /// How the height stands; nothing where this node decides alone.
    standing: Option<Standing>,
}

impl View {
    /// The reason of a slot that has begun, in the words that there are for it; none where its block may still come, and where
    /// no word fits.
    fn reason(&self, slot: u64) -> Option<&'static str> {
        let is_over = slot < self.now;
        let Some(standing) = self.standing else { return self.reason_alone(is_over) };
        match standing.opened_in {
            // Nothing had waited long enough by then, or the height would have been open.
            Some(opened_in) if slot < opened_in => Some("no_pending"),
            Some(_) if standing.lacks_voters => Some("insufficient_validators"),
            Some(_) => {
                // Of a slot that goes on somebody may still make the block whose turn has not come; in one that is over
                // nobody has whose turn it was.
                let failed = if is_over { 1 } else { self.leaders };
                (standing.round as usize >= failed).then_some("all_failed")
            }
            None if !self.waits => Some("no_pending"),
            None => (is_over && !self.stopped).then_some("no_pending"),
        }
    }

    /// The same where this node is the only leader: what waits comes into the slot's block, if nothing stops the node.
    fn reason_alone(&self, is_over: bool) -> Option<&'static str> {
        match (self.waits, self.stopped) {
            (false, _) => Some("no_pending"),
            (true, true) => Some("all_failed"),
            (true, false) => is_over.then_some("no_pending"),
        }
    }
}

impl Node {
    /// Why there is no block in a slot after the head's that has begun, as far as this node knows; nothing where there may
    /// still be one, or where it knows no reason. `schedule` is that of the height after the head.
    pub(super) fn reason_without_block(&self, schedule: &Schedule, slot: u64) -> Option<&'static str> {
        let standing = self.part.get().map(|part| {
            let standing = part.standing();
            // What is of another height than the caller has read says nothing of this one.
            if standing.height == schedule.height { standing } else { Standing::default() }
        });
        let view = View {
            now: self.slot_now(),
            waits: self.has_ready(),
            stopped: !self.sealing_stops().is_empty(),
            leaders: schedule.order.places().len(),
            standing,
        };
        view.reason(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: View = View { now: 50, waits: false, stopped: false, leaders: 4, standing: None };

    #[test]
    fn a_node_that_is_alone_fails_only_where_something_stops_it() {
        assert_eq!([49, 50].map(|slot| NOTHING.reason(slot)), [Some("no_pending"); 2]);
        let waits = View { waits: true, ..NOTHING };
        // It makes the block two seconds after the transaction came.
        assert_eq!([49, 50].map(|slot| waits.reason(slot)), [Some("no_pending"), None]);
        let stopped = View { stopped: true, ..waits };
        assert_eq!([49, 50].map(|slot| stopped.reason(slot)), [Some("all_failed"); 2]);
        let idle = View { stopped: true, ..NOTHING };
        assert_eq!(idle.reason(50), Some("no_pending"), "nobody would have made a block");
    }

    fn voted(waits: bool, standing: Standing) -> View {
        View { waits, standing: Some(standing), ..NOTHING }
    }

    #[test]
    fn a_height_that_is_not_open_waits_for_its_slot_or_for_those_sent_together() {
        let closed = Standing::default();
        assert_eq!([48, 50].map(|slot| voted(false, closed).reason(slot)), [Some("no_pending"); 2]);
        assert_eq!([48, 50].map(|slot| voted(true, closed).reason(slot)), [Some("no_pending"), None]);
        let stopped = View { stopped: true, ..voted(true, closed) };
        assert_eq!([48, 50].map(|slot| stopped.reason(slot)), [None; 2], "no word says that this node has no room");
    }

    #[test]
    fn leaders_have_all_failed_once_the_turn_of_each_has_passed_or_the_slot_has() {
        let in_round = |round| voted(true, Standing { opened_in: Some(49), round, ..Standing::default() });
        // It was not open before, so nothing waited.
        assert_eq!(in_round(3).reason(48), Some("no_pending"));
        assert_eq!([49, 50].map(|slot| in_round(0).reason(slot)), [None; 2], "the first leader's turn");
        assert_eq!([49, 50].map(|slot| in_round(1).reason(slot)), [Some("all_failed"), None]);
        assert_eq!([49, 50].map(|slot| in_round(4).reason(slot)), [Some("all_failed"); 2]);
        // It is another node that something waits at.
        let elsewhere = voted(false, Standing { opened_in: Some(49), ..Standing::default() });
        assert_eq!(elsewhere.reason(50), None);
    }

    #[test]
    fn too_few_validators_are_the_reason_whatever_round_it_is() {
        for round in [0, 1, 9] {
            let standing = Standing { opened_in: Some(49), round, lacks_voters: true, ..Standing::default() };
            let reasons = [48, 49, 50].map(|slot| voted(true, standing).reason(slot));
            assert_eq!(reasons, [Some("no_pending"), Some("insufficient_validators"), Some("insufficient_validators")]);
        }
    }
}
