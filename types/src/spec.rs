//! The chain spec: the one file that says what a chain is.

use crate::{
    canonical::canonical_json,
    hash::blake3,
    params::{Bounds, ParamError, Params},
    slot::SlotGrid,
    spec_field::{FieldFault, first_fault},
    validator::{ConsensusKey, Validator, ValidatorSet, ValidatorSetError},
};
use alloy_primitives::{Address, B256, U256};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, ops::RangeInclusive};

/// By which rules blocks are made and judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rules {
    /// PoOT: leaders by work, VRF randomness, no block without a transaction.
    Poot,
    /// One process for developers: hash-chain randomness, empty blocks allowed, nothing minted.
    Dev,
}

/// A validator that a chain begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenesisValidator {
    /// Address of the node's account.
    pub node: Address,
    /// Account of the person who runs it.
    pub operator: Address,
    /// The key it votes with.
    pub consensus_key: ConsensusKey,
}

/// Why a chain spec describes no chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// Not JSON, or a field occurs twice.
    #[error("the chain spec cannot be read: {0}")]
    Json(serde_json::Error),
    /// A field is missing, unknown or of the wrong form.
    #[error("the chain spec's {0}")]
    Field(#[from] FieldFault),
    /// A parameter is out of its range.
    #[error("the chain spec's parameter {0}")]
    Param(#[from] ParamError),
    /// The validators are not a set.
    #[error("the chain spec's validators: {0}")]
    Validators(#[from] ValidatorSetError),
    /// Genesis does not lie on the slot grid.
    #[error("genesisTime {genesis_time} is not the start of a slot (origin {origin}, {duration_secs} s each)")]
    GenesisTime {
        /// What the spec says, in Unix seconds.
        genesis_time: u64,
        /// Start of slot 0, in Unix seconds.
        origin: u64,
        /// Length of a slot.
        duration_secs: u64,
    },
    /// Fewer validators than the chain says it needs.
    #[error("the chain spec has {found} validators and needs {needed}")]
    TooFewValidators {
        /// Validators listed.
        found: usize,
        /// Validators needed.
        needed: u32,
    },
    /// The server is not one of the validators.
    #[error("the server {0} is not among the chain spec's validators")]
    ServerNotAValidator(Address),
    /// A number out of its range: from 1 for a chain id, else from 0, up to what JSON readers carry exactly.
    #[error("the chain spec's {0}")]
    Number(ParamError),
    /// The allocations add up to more than an account could ever hold.
    #[error("the chain spec's allocations add up to more than 2^256 - 1 wei")]
    Allocations,
}

/// What a chain is: fixed at genesis, whose header carries the BLAKE3 hash of this in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChainSpec {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// By which rules blocks are made and judged.
    pub rules: Rules,
    /// Start of the slot of the genesis block, in Unix seconds.
    pub genesis_time: u64,
    /// Start of slot 0, in Unix seconds.
    pub slot_origin: u64,
    /// What is the same on every node.
    pub parameters: Params,
    /// The node with registration number 0: one of the validators.
    pub server: Address,
    /// The first validators, in the order of their registration numbers after the server's.
    pub validators: Vec<GenesisValidator>,
    /// Balances at genesis, in wei.
    #[serde(with = "decimal_amounts")]
    pub allocations: BTreeMap<Address, U256>,
    /// Keccak-256 of the code of each contract that genesis holds for Lucid.
    pub contracts: BTreeMap<Address, B256>,
}

/// Chain id of the chain `lucid`.
pub const LUCID_CHAIN_ID: u64 = 58_243;

/// Chain id of its test network.
pub const LUCID_TESTNET_CHAIN_ID: u64 = 582_430;

/// Chain ids of solo chains: the id of the test network, and seven digits.
pub const SOLO_CHAIN_IDS: RangeInclusive<u64> = 582_430_000..=592_429_999;

/// Largest integer that every JSON reader carries exactly.
pub(crate) const MAX_JSON_INTEGER: u64 = (1 << 53) - 1;

impl ChainSpec {
    /// Reads a chain spec and checks it.
    pub fn from_json(text: &[u8]) -> Result<Self, SpecError> {
        // Told before it is read: whoever names a key file by mistake must not find its digits in the message.
        if text.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err(SpecError::Json(serde::de::Error::custom("it is no JSON object")));
        }
        let read = serde_json::from_slice(text);
        let spec: Self = read.map_err(|error| match first_fault(text) {
            Some(fault) => SpecError::Field(fault),
            None => SpecError::Json(error),
        })?;
        spec.check()?;
        Ok(spec)
    }

    /// The canonical JSON (RFC 8785) that is stored and hashed.
    pub fn to_canonical_json(&self) -> Vec<u8> {
        #[expect(clippy::expect_used, reason = "every key is text and every number is an integer")]
        canonical_json(self).expect("a chain spec has a JSON form")
    }

    /// BLAKE3 of the canonical JSON: extraData and mixHash of genesis.
    pub fn hash(&self) -> B256 {
        blake3([&self.to_canonical_json()])
    }

    /// The division of time into slots.
    pub const fn slots(&self) -> SlotGrid {
        SlotGrid { origin: self.slot_origin, duration_secs: self.parameters.slot_duration_secs }
    }

    /// The validators that vote on block 1.
    pub fn genesis_set(&self) -> Result<ValidatorSet, ValidatorSetError> {
        let member = |v: &GenesisValidator| Validator { address: v.node, consensus_key: v.consensus_key };
        ValidatorSet::new(self.validators.iter().map(member).collect())
    }

    /// The genesis validators by registration number: the server, then the others in the spec's order.
    pub fn by_registration_number(&self) -> Vec<&GenesisValidator> {
        let (server, others): (Vec<_>, Vec<_>) = self.validators.iter().partition(|v| v.node == self.server);
        server.into_iter().chain(others).collect()
    }

    /// How strictly the parameters are bounded: the chains of production keep its ranges, and a chain of somebody's own, by
    /// its id, may have what he likes.
    pub fn bounds(&self) -> Bounds {
        let of_production =
            matches!(self.chain_id, LUCID_CHAIN_ID | LUCID_TESTNET_CHAIN_ID) || SOLO_CHAIN_IDS.contains(&self.chain_id);
        match self.rules {
            Rules::Poot if of_production => Bounds::Production,
            Rules::Poot | Rules::Dev => Bounds::Free,
        }
    }

    /// Checks everything that can be wrong in a spec by itself.
    pub fn check(&self) -> Result<(), SpecError> {
        let numbers =
            [("chainId", self.chain_id, 1), ("genesisTime", self.genesis_time, 0), ("slotOrigin", self.slot_origin, 0)];
        for (name, value, least) in numbers {
            let bounds = least..=MAX_JSON_INTEGER;
            if !bounds.contains(&value) {
                return Err(SpecError::Number(ParamError { name, value, bounds }));
            }
        }
        let total = self.allocations.values().try_fold(U256::ZERO, |sum, amount| sum.checked_add(*amount));
        total.ok_or(SpecError::Allocations)?;
        self.parameters.check(self.bounds())?;
        let slots = self.slots();
        if !slots.is_slot_start(self.genesis_time) {
            return Err(SpecError::GenesisTime {
                genesis_time: self.genesis_time,
                origin: slots.origin,
                duration_secs: slots.duration_secs,
            });
        }
        let set = self.genesis_set()?;
        let (found, needed) = (set.members().len(), self.parameters.validators_needed);
        if found < needed as usize {
            return Err(SpecError::TooFewValidators { found, needed });
        }
        if set.get(&self.server).is_none() {
            return Err(SpecError::ServerNotAValidator(self.server));
        }
        Ok(())
    }
}

/// An amount as it is written in a spec: decimal digits, in the one way that each number has.
pub(crate) fn parse_amount(text: &str) -> Option<U256> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (text == "0" || !text.starts_with('0'));
    U256::from_str_radix(text, 10).ok().filter(|_| canonical)
}

/// Amounts as decimal strings: they pass 2^53, and people write them.
mod decimal_amounts {
    use alloy_primitives::{Address, U256};
    use serde::{Deserialize, Deserializer, Serializer, de::Error, ser::SerializeMap};
    use std::collections::BTreeMap;

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<Address, U256>, out: S) -> Result<S::Ok, S::Error> {
        let mut entries = out.serialize_map(Some(map.len()))?;
        for (address, amount) in map {
            entries.serialize_entry(address, &amount.to_string())?;
        }
        entries.end()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeMap<Address, U256>, D::Error> {
        let texts = BTreeMap::<Address, String>::deserialize(input)?;
        let amount = |(address, text): (Address, String)| match super::parse_amount(&text) {
            Some(amount) => Ok((address, amount)),
            None => Err(D::Error::custom(format!("allocation of {address}: `{text}` is no amount in wei"))),
        };
        texts.into_iter().map(amount).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{params::Preset, validator::tests::validator};

    pub(crate) fn spec() -> ChainSpec {
        let member = validator(1).1;
        let server = GenesisValidator {
            node: member.address,
            operator: Address::repeat_byte(7),
            consensus_key: member.consensus_key,
        };
        ChainSpec {
            chain_id: 58_243,
            rules: Rules::Poot,
            genesis_time: 1_704_067_200 + 240,
            slot_origin: 1_704_067_200,
            parameters: Params { validators_needed: 1, ..Preset::Lucid.params() },
            server: member.address,
            validators: vec![server],
            allocations: BTreeMap::from([(member.address, U256::from(10).pow(U256::from(24)))]),
            contracts: BTreeMap::new(),
        }
    }

    #[test]
    fn a_spec_round_trips_and_keeps_its_hash() {
        let text = spec().to_canonical_json();
        let again = ChainSpec::from_json(&text).unwrap();
        assert_eq!(again, spec());
        assert_eq!(again.hash(), spec().hash());
        assert!(String::from_utf8(text).unwrap().contains("\"1000000000000000000000000\""));
    }

    #[test]
    fn the_chains_of_production_keep_its_bounds_and_others_need_not() {
        let with = |chain_id| {
            let parameters = Params { cooldown_slots: 0, ..spec().parameters };
            ChainSpec { chain_id, parameters, ..spec() }.check()
        };
        for chain_id in [LUCID_CHAIN_ID, LUCID_TESTNET_CHAIN_ID, 582_430_000, 592_429_999] {
            assert!(matches!(with(chain_id), Err(SpecError::Param(_))), "{chain_id}");
        }
        for chain_id in [1, 31_337, 582_429_999, 592_430_000] {
            assert!(with(chain_id).is_ok(), "{chain_id}");
        }
    }

    #[test]
    fn the_hash_covers_parameters_and_allocations() {
        let mut other = spec();
        other.parameters.epoch_slots += 1;
        assert_ne!(other.hash(), spec().hash());
        let mut other = spec();
        other.allocations.clear();
        assert_ne!(other.hash(), spec().hash());
    }

    #[test]
    fn a_bad_field_is_named() {
        let check = |change: fn(&mut ChainSpec)| {
            let mut spec = spec();
            change(&mut spec);
            ChainSpec::from_json(&spec.to_canonical_json()).unwrap_err().to_string()
        };
        assert!(check(|s| s.genesis_time += 1).contains("genesisTime"));
        assert!(check(|s| s.parameters.cooldown_slots = 99).contains("cooldownSlots"));
        assert!(check(|s| s.parameters.validators_needed = 3).contains("needs 3"));
        assert!(check(|s| s.server = Address::ZERO).contains("server"));
        let too_large = ChainSpec { chain_id: u64::MAX, ..spec() };
        assert!(too_large.check().unwrap_err().to_string().contains("chainId"));
        assert!(check(|s| s.validators.clear()).contains("empty"));
        let text = String::from_utf8(spec().to_canonical_json()).unwrap();
        let unknown = text.replacen('{', "{\"colour\":1,", 1);
        assert!(ChainSpec::from_json(unknown.as_bytes()).unwrap_err().to_string().contains("colour"));
        let amount = text.replace("\"1000000000000000000000000\"", "\"0x10\"");
        assert!(ChainSpec::from_json(amount.as_bytes()).unwrap_err().to_string().contains("0x10"));
    }
}
