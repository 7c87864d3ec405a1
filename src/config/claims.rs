//! What somebody says of the chain: accepted where it is so, refused by name where it is not.
//!
//! The services that this program replaces had the chain's parameters in their environments. A host that still has them
//! there goes on as it is while they are the chain's, and is told where they are not.

use super::{decimal::Decimal, error::ConfigError, load::Source};
use alloy_primitives::Address;
use lucid_types::{
    Bounds, ChainSpec,
    contracts::{LUCID_ANCHORS_ADDRESS, LUCID_CHUNK_STORE_ADDRESS},
    nearest,
};

/// Which fact of a chain is meant, and in which unit it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    /// A number of the spec, by its name there.
    Number(&'static str),
    /// A number of parts per million, as a fraction.
    Fraction(&'static str),
    /// A number of slots, in days.
    Days(&'static str),
    /// Where a genesis contract is.
    Contract(Address),
}

/// The names in the environment of the services that this program replaces.
const LEGACY: [(&str, Fact); 8] = [
    ("SLOT_DURATION_SEC", Fact::Number("slotDurationSecs")),
    ("SLOT_TIMEOUT_MS", Fact::Number("slotTimeoutMs")),
    ("COOLDOWN_SLOTS", Fact::Number("cooldownSlots")),
    ("LEADER_WINDOW_DAYS", Fact::Days("leaderWindowSlots")),
    ("D_MIN", Fact::Fraction("dMinPpm")),
    ("BASE_MB_PER_SESSION", Fact::Number("baseMbPerSession")),
    ("LUCID_ANCHORS_ADDRESS", Fact::Contract(LUCID_ANCHORS_ADDRESS)),
    ("LUCID_CHUNK_STORE_ADDRESS", Fact::Contract(LUCID_CHUNK_STORE_ADDRESS)),
];

/// The numbers of a chain by their names in the file, and in its spec.
const NUMBERS: [(&str, &str); 15] = [
    ("chain.id", "chainId"),
    ("chain.slot-duration-secs", "slotDurationSecs"),
    ("chain.epoch-slots", "epochSlots"),
    ("chain.slot-timeout-ms", "slotTimeoutMs"),
    ("chain.prevote-timeout-ms", "prevoteTimeoutMs"),
    ("chain.precommit-timeout-ms", "precommitTimeoutMs"),
    ("chain.cooldown-slots", "cooldownSlots"),
    ("chain.leader-window-slots", "leaderWindowSlots"),
    ("chain.d-min-ppm", "dMinPpm"),
    ("chain.base-mb-per-session", "baseMbPerSession"),
    ("chain.validators-needed", "validatorsNeeded"),
    ("chain.block-transactions-max", "blockTransactionsMax"),
    ("chain.block-bytes-max", "blockBytesMax"),
    ("chain.block-gas-limit", "blockGasLimit"),
    ("chain.initial-base-fee", "initialBaseFee"),
];

/// Something that was said of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    /// The name by which it was said.
    pub(super) name: String,
    pub(super) value: String,
    pub(super) source: Source,
    fact: Fact,
}

/// Whether the services that this program replaces were told something by this name.
pub(super) fn is_legacy(name: &str) -> bool {
    LEGACY.iter().any(|(known, _)| *known == name)
}

impl Claim {
    /// A name of the file's section `chain`, or of the spec.
    pub(super) fn of_parameter(name: &str, value: String, source: Source) -> Result<Self, ConfigError> {
        let known = NUMBERS.iter().find(|(key, in_spec)| *key == name || *in_spec == name || short(key) == name);
        let Some((key, in_spec)) = known else {
            let nearest = nearest(name, NUMBERS.iter().flat_map(|(key, in_spec)| [*key, *in_spec, short(key)]));
            return Err(ConfigError::UnknownParameter { name: name.to_owned(), nearest });
        };
        Ok(Self { name: (*key).to_owned(), value, source, fact: Fact::Number(in_spec) })
    }

    /// A name of the replaced services' environment.
    pub(super) fn of_legacy(name: &str, value: &str) -> Option<Self> {
        let (known, fact) = LEGACY.iter().find(|(known, _)| *known == name)?;
        let source = Source::Environment((*known).to_owned());
        Some(Self { name: (*known).to_owned(), value: value.trim().to_owned(), source, fact: *fact })
    }

    /// Refuses what is not so.
    pub(super) fn check(&self, spec: &ChainSpec) -> Result<(), ConfigError> {
        let number = self.value.parse::<Decimal>();
        let is = |factor: u64, other: u64| number.is_ok_and(|number| number.times_is(factor, other));
        let (holds, own) = match self.fact {
            Fact::Number(name) => {
                let own = number_of(spec, name);
                (is(1, own), own.to_string())
            }
            Fact::Fraction(name) => {
                let own = number_of(spec, name);
                (is(1_000_000, own), fraction(own))
            }
            Fact::Days(name) => {
                let seconds = number_of(spec, name).saturating_mul(spec.parameters.slot_duration_secs);
                (
                    is(86_400, seconds),
                    format!("{} slots of {} s", number_of(spec, name), spec.parameters.slot_duration_secs),
                )
            }
            Fact::Contract(own) => (self.value.parse() == Ok(own), own.to_string()),
        };
        if holds {
            return Ok(());
        }
        Err(ConfigError::OtherThanChain {
            name: self.name.clone(),
            value: self.value.clone(),
            source_of: self.source.clone(),
            own,
        })
    }
}

/// The keys that the section has in the file.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    NUMBERS.iter().map(|(key, _)| *key)
}

/// A key without its section.
fn short(key: &'static str) -> &'static str {
    key.split_once('.').map_or(key, |(_, name)| name)
}

fn number_of(spec: &ChainSpec, name: &str) -> u64 {
    let parameters = spec.parameters.ranges(Bounds::Free);
    let found = parameters.iter().find(|(known, ..)| *known == name);
    // The one number that is not a parameter.
    found.map_or(spec.chain_id, |(_, value, _)| *value)
}

/// Parts per million as a fraction without trailing zeros.
fn fraction(ppm: u64) -> String {
    let text = format!("{}.{:06}", ppm / 1_000_000, ppm % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::spec;
    use lucid_types::{Preset, Rules};

    fn said(name: &str, value: &str) -> Result<(), String> {
        let claim = Claim::of_legacy(name, value).unwrap();
        claim.check(&spec(Rules::Poot)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_replaced_services_were_told_is_accepted_where_it_is_the_chains_own() {
        for (name, value) in [
            ("SLOT_DURATION_SEC", "120"),
            ("SLOT_DURATION_SEC", " 120.0 "),
            ("SLOT_TIMEOUT_MS", "5000"),
            ("COOLDOWN_SLOTS", "16"),
            ("LEADER_WINDOW_DAYS", "7"),
            ("D_MIN", "0.2"),
            ("D_MIN", "0.20"),
            ("BASE_MB_PER_SESSION", "5"),
            ("LUCID_ANCHORS_ADDRESS", "0x4C55434944000000000000000000000000000001"),
            ("LUCID_CHUNK_STORE_ADDRESS", "0x4c55434944000000000000000000000000000002"),
        ] {
            assert_eq!(said(name, value), Ok(()), "{name}={value}");
        }
    }

    #[test]
    fn another_value_is_refused_by_name_with_the_chains() {
        for (name, value, own) in [
            ("SLOT_DURATION_SEC", "60", "120"),
            ("SLOT_TIMEOUT_MS", "soon", "5000"),
            ("LEADER_WINDOW_DAYS", "6", "5040 slots of 120 s"),
            ("D_MIN", "0.21", "0.2:"),
            (
                "LUCID_ANCHORS_ADDRESS",
                "0x4c55434944000000000000000000000000000002",
                "0x4c55434944000000000000000000000000000001",
            ),
        ] {
            let text = said(name, value).unwrap_err();
            assert!(text.contains(name) && text.contains(value) && text.contains(own), "{text}");
        }
    }

    #[test]
    fn every_number_of_a_chain_can_be_said() {
        let spec = spec(Rules::Poot);
        let claim = |name: &str, value: u64| Claim::of_parameter(name, value.to_string(), Source::Default);
        assert_eq!(NUMBERS.len(), Preset::Lucid.params().ranges(Bounds::Free).len() + 1);
        for (name, value, _) in spec.parameters.ranges(Bounds::Free) {
            claim(name, value).unwrap().check(&spec).unwrap();
            assert!(claim(name, value + 1).unwrap().check(&spec).is_err(), "{name}");
        }
        claim("id", spec.chain_id).unwrap().check(&spec).unwrap();
        assert!(claim("chain.id", 1).unwrap().check(&spec).is_err());
        let unknown = claim("cooldown-slot", 1).unwrap_err().to_string();
        assert!(unknown.contains("did you mean cooldown-slots?"), "{unknown}");
    }

    #[test]
    fn fractions_are_written_as_people_write_them() {
        for (ppm, text) in [(200_000, "0.2"), (1_000_000, "1"), (0, "0"), (1, "0.000001")] {
            assert_eq!(fraction(ppm), text);
        }
    }
}
