//! Proposes with a VRF proof of somebody else, or with a good one that was damaged on the way.

use super::attack::{Attack, Attacker, Outgoing};
use crate::ledger::Craft;
use lucid_node::consensus::bft::{Message, Recipient};

pub(super) struct BadVrf;

impl Attacker for BadVrf {
    fn craft(&mut self, attack: &mut Attack<'_>) -> Craft {
        if attack.rng.in_thousand(500) { Craft::ForeignVrf } else { Craft::Honest }
    }

    fn sends(&mut self, attack: &mut Attack<'_>, to: Recipient, message: Message) -> Outgoing {
        let Message::Body(mut body) = message else { return vec![(to, message)] };
        if let Some(proof) = body.vrf_proof.as_mut().filter(|_| attack.rng.in_thousand(500)) {
            proof[40] ^= 1;
        }
        vec![(to, Message::Body(body))]
    }
}
