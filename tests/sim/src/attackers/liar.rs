//! Says that its chain goes further than any, and sends nothing when asked for it.

use super::attack::{Attack, Attacker, Outgoing};
use alloy_primitives::B256;
use lucid_node::consensus::bft::{Message, Recipient};

pub(super) struct Liar;

impl Attacker for Liar {
    fn sends(&mut self, _: &mut Attack<'_>, to: Recipient, message: Message) -> Outgoing {
        if matches!(message, Message::Block { .. }) { Vec::new() } else { vec![(to, message)] }
    }

    fn acts(&mut self, attack: &mut Attack<'_>) -> Outgoing {
        let height = attack.height.saturating_add(attack.rng.bits() >> 2);
        vec![(attack.somebody(), Message::Head { height, block_hash: B256::repeat_byte(1) })]
    }
}
