//! Leads and says nothing.

use super::attack::{Attack, Attacker, Outgoing};
use lucid_node::consensus::bft::{Message, Recipient};

pub(super) struct SilentLeader;

impl Attacker for SilentLeader {
    fn sends(&mut self, _: &mut Attack<'_>, to: Recipient, message: Message) -> Outgoing {
        match message {
            Message::Body(_) => Vec::new(),
            Message::Vote(vote) if vote.is_proposal() => Vec::new(),
            message => vec![(to, message)],
        }
    }
}
