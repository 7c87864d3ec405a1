//! Lets some hear its votes and others not, and bodies hardly anybody.

use super::attack::{Attack, Attacker, Outgoing};
use lucid_node::consensus::bft::{Message, Recipient};

pub(super) struct Withholder;

impl Attacker for Withholder {
    fn sends(&mut self, attack: &mut Attack<'_>, to: Recipient, message: Message) -> Outgoing {
        let heard = match &message {
            Message::Body(_) | Message::Block { .. } => 200,
            _ => 500,
        };
        let all: Vec<Recipient> = match to {
            Recipient::All => attack.others().collect(),
            one => vec![one],
        };
        let hears: Vec<Recipient> = all.into_iter().filter(|_| attack.rng.in_thousand(heard)).collect();
        hears.into_iter().map(|to| (to, message.clone())).collect()
    }
}
