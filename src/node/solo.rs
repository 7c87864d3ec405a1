//! The chain of a host by itself: the rules of `lucid` with one validator.

use crate::{chain::genesis_contract_hashes, keys::NodeKeys};
use alloy_primitives::U256;
use lucid_types::{
    ChainSpec, ConsensusKey, ConsensusKeyError, GenesisValidator, Params, Preset, Rules, SOLO_CHAIN_IDS, SlotGrid,
    blake3,
};

/// Start of slot 0 of every chain with the parameters of `lucid`: 2024-01-01T00:00:00Z, in Unix seconds.
const SLOT_ORIGIN: u64 = 1_704_067_200;

/// LUCID on the server's account.
const SERVER_BALANCE_LUCID: u64 = 1_000_000;

/// Why no solo chain can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SoloSpecError {
    /// The clock shows a time before the slots of the chain begin.
    #[error("the clock shows {now} (Unix seconds), which is before 2024: set it, then try again")]
    Clock {
        /// The wall clock, in Unix seconds.
        now: u64,
    },
    /// The consensus key is no point of the curve.
    #[error(transparent)]
    Key(#[from] ConsensusKeyError),
}

/// A new solo chain: this node the server and only validator, and all the money on its account.
///
/// `now` is in Unix seconds. Genesis takes the slot before the one of now, so that the first block need not wait for the
/// next one.
pub fn solo_chain_spec(keys: &NodeKeys, now: u64) -> Result<ChainSpec, SoloSpecError> {
    let parameters = Params { validators_needed: 1, ..Preset::Lucid.params() };
    let slots = SlotGrid { origin: SLOT_ORIGIN, duration_secs: parameters.slot_duration_secs };
    let slot = slots.slot_at(now).and_then(|slot| slot.checked_sub(1));
    let genesis_time = slot.and_then(|slot| slots.start_of(slot)).ok_or(SoloSpecError::Clock { now })?;
    let node = keys.account().address();
    let consensus_key = keys.consensus().public_key_compressed();
    Ok(ChainSpec {
        chain_id: chain_id(genesis_seed(node.as_slice(), &consensus_key, genesis_time)),
        rules: Rules::Poot,
        genesis_time,
        slot_origin: SLOT_ORIGIN,
        parameters,
        server: node,
        validators: vec![GenesisValidator {
            node,
            operator: node,
            consensus_key: ConsensusKey::from_bytes(consensus_key)?,
        }],
        allocations: [(node, U256::from(SERVER_BALANCE_LUCID) * U256::from(10).pow(U256::from(18)))].into(),
        contracts: genesis_contract_hashes(),
    })
}

/// The id of the solo chain with this seed: its last seven digits are the seed's.
const fn chain_id(seed: u64) -> u64 {
    let (first, last) = (*SOLO_CHAIN_IDS.start(), *SOLO_CHAIN_IDS.end());
    first + seed % (last - first + 1)
}

/// A number that follows from what is new in a solo chain: the first 8 bytes, big-endian, of BLAKE3 of node address,
/// consensus key and genesis time (8 bytes, big-endian).
fn genesis_seed(node: &[u8], consensus_key: &[u8], genesis_time: u64) -> u64 {
    let digest = blake3([node, consensus_key, &genesis_time.to_be_bytes()]);
    u64::from_be_bytes(std::array::from_fn(|i| digest[i]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::key;

    const NOW: u64 = SLOT_ORIGIN + 86_400 + 17;

    fn keys(account: u8) -> NodeKeys {
        NodeKeys::new(key(account), key(101)).unwrap()
    }

    #[test]
    fn a_solo_chain_is_lucid_with_one_validator_and_an_id_of_its_own() {
        let spec = solo_chain_spec(&keys(1), NOW).unwrap();
        spec.check().unwrap();
        assert_eq!(spec.parameters, Params { validators_needed: 1, ..Preset::Lucid.params() });
        assert!((582_430_000..592_430_000).contains(&spec.chain_id));
        assert_eq!((spec.server, spec.validators.len()), (key(1).address(), 1));
        assert_eq!(spec.allocations[&spec.server].to_string(), "1000000000000000000000000");
        let slots = spec.slots();
        assert_eq!(slots.slot_at(spec.genesis_time).map(|slot| slot + 1), slots.slot_at(NOW));
        let others = [solo_chain_spec(&keys(2), NOW), solo_chain_spec(&keys(1), NOW + 120)];
        assert!(others.iter().flatten().all(|other| other.chain_id != spec.chain_id));
    }

    /// A machine without a clock battery boots in 1970.
    #[test]
    fn a_clock_before_the_first_slot_makes_no_chain() {
        for now in [0, SLOT_ORIGIN, SLOT_ORIGIN + 119] {
            assert_eq!(solo_chain_spec(&keys(1), now), Err(SoloSpecError::Clock { now }));
        }
    }
}
