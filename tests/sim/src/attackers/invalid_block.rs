//! Proposes blocks with a transaction that no block may have.

use super::attack::{Attack, Attacker};
use crate::ledger::Craft;

pub(super) struct InvalidBlock;

impl Attacker for InvalidBlock {
    fn craft(&mut self, attack: &mut Attack<'_>) -> Craft {
        if attack.rng.in_thousand(800) { Craft::Invalid } else { Craft::Honest }
    }
}
