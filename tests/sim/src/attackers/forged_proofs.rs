//! Sends batches of task proofs that count nothing: signed by nobody, for another chain, for more than can be.

use super::attack::{Attack, Attacker};

pub(super) struct ForgedProofs;

impl Attacker for ForgedProofs {
    fn forges_proofs(&mut self, attack: &mut Attack<'_>) -> bool {
        attack.rng.in_thousand(200)
    }
}
