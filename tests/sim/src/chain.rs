//! The chain that is simulated: its validators, its slots, its timeouts, and the order of leaders of each height.

use crate::rng::Rng;
use alloy_primitives::{Address, B256};
use lucid_node::{consensus::bft::Timeouts, keys::SecretKey};
use lucid_types::{ConsensusKey, Preset, Validator, ValidatorSet, blake3};

/// What all nodes of a run agree on beforehand.
#[derive(Debug, Clone)]
pub struct SimChain {
    /// Hash of the genesis header.
    pub genesis_hash: B256,
    /// The consensus keys, in the order of the nodes.
    pub keys: Vec<SecretKey>,
    /// The addresses, in the order of the nodes, which is that of the set.
    pub addresses: Vec<Address>,
    /// Who votes at first.
    pub set: ValidatorSet,
    /// Length of a slot, in milliseconds.
    pub slot_ms: u64,
    /// How long the steps of a round last.
    pub timeouts: Timeouts,
}

impl SimChain {
    /// One with this many validators: half of the seeds have the slots and timeouts of the production chain, the others
    /// short ones.
    pub fn new(rng: &mut Rng, validators: usize) -> Result<Self, String> {
        let production = rng.in_thousand(500);
        let (preset, slot_ms) = if production { (Preset::Lucid, 120_000) } else { (Preset::Dev, 12_000) };
        let key = |i: usize| SecretKey::from_bytes(&[i as u8 + 1; 32]).map_err(|error| error.to_string());
        let keys = (0..validators).map(key).collect::<Result<Vec<_>, _>>()?;
        let addresses: Vec<Address> = (0..validators).map(|i| Address::repeat_byte(i as u8 + 1)).collect();
        let member = |(address, key): (&Address, &SecretKey)| {
            let consensus_key = ConsensusKey::from_bytes(key.public_key_compressed()).map_err(|e| e.to_string())?;
            Ok(Validator { address: *address, consensus_key })
        };
        let members = addresses.iter().zip(&keys).map(member).collect::<Result<Vec<_>, String>>()?;
        let set = ValidatorSet::new(members).map_err(|error| error.to_string())?;
        let genesis_hash = blake3([b"a simulated chain"]);
        let timeouts = Timeouts::of(&preset.params());
        Ok(Self { genesis_hash, keys, addresses, set, slot_ms, timeouts })
    }

    /// The order of leaders of a height: another for each, and the same on every node.
    pub fn order(&self, height: u64) -> Vec<Address> {
        let mut order = self.addresses.clone();
        order.sort_by_key(|address| blake3([address.as_slice(), &height.to_be_bytes()]));
        order
    }

    /// The slot of a time.
    pub fn slot_at(&self, ms: u64) -> u64 {
        ms / self.slot_ms
    }
}
