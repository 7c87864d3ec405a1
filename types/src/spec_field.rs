//! Which field of a chain spec is wrong, in words. The decoder says what it expected and at which line; a person who
//! writes the file needs the field, what stands there, and what may stand there.

use crate::{
    params::{Bounds, Preset},
    spec::{MAX_JSON_INTEGER, parse_amount},
    validator::ConsensusKey,
};
use alloy_primitives::{Address, B256};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Characters of a value that a message shows.
const SHOWN_CHARS: usize = 80;

/// A field of a chain spec that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldFault {
    /// The field is not there.
    #[error("field {0} is missing")]
    Missing(String),
    /// There is no such field.
    #[error("field {0} is unknown")]
    Unknown(String),
    /// The field holds something else than it may.
    #[error("{field} is {value}, and must be {expected}")]
    Value {
        /// The field, with the way to it: `validators[0].node`.
        field: String,
        /// What stands there, as JSON.
        value: String,
        /// What may stand there.
        expected: String,
    },
}

const ADDRESS: &str = "an address: 0x and 40 hexadecimal digits";
const HASH: &str = "a hash: 0x and 64 hexadecimal digits";
const KEY: &str = "a compressed secp256k1 public key: 0x and 66 hexadecimal digits";
const AMOUNT: &str = "an amount in wei: decimal digits in quotes, below 2^256";

/// The first field that keeps `text` from being a chain spec; `None` where it is no JSON object, or nothing is wrong.
pub(crate) fn first_fault(text: &[u8]) -> Option<FieldFault> {
    let Value::Object(spec) = serde_json::from_slice(text).ok()? else { return None };
    check_spec(&spec).err()
}

fn check_spec(spec: &Map<String, Value>) -> Result<(), FieldFault> {
    let whole = format!("a whole number up to {MAX_JSON_INTEGER}");
    let names = [
        "chainId",
        "rules",
        "genesisTime",
        "slotOrigin",
        "parameters",
        "server",
        "validators",
        "allocations",
        "contracts",
    ];
    check_names("", spec, &names)?;
    for name in ["chainId", "genesisTime", "slotOrigin"] {
        check("", spec, name, &whole, Value::is_u64)?;
    }
    check("", spec, "rules", "\"poot\" or \"dev\"", |value| matches!(value.as_str(), Some("poot" | "dev")))?;
    check_parameters(object(spec, "parameters")?, spec["rules"] == "dev")?;
    check("", spec, "server", ADDRESS, is::<Address>)?;
    let validators = spec["validators"].as_array();
    let validators = validators.ok_or_else(|| fault("validators", &spec["validators"], "a list of objects"))?;
    for (index, validator) in validators.iter().enumerate() {
        let path = format!("validators[{index}]");
        let validator = validator.as_object().ok_or_else(|| fault(&path, validator, "an object"))?;
        let path = format!("{path}.");
        check_names(&path, validator, &["node", "operator", "consensusKey"])?;
        check(&path, validator, "node", ADDRESS, is::<Address>)?;
        check(&path, validator, "operator", ADDRESS, is::<Address>)?;
        check(&path, validator, "consensusKey", KEY, is::<ConsensusKey>)?;
    }
    check_by_address(spec, "allocations", AMOUNT, is_amount)?;
    check_by_address(spec, "contracts", HASH, is::<B256>)
}

fn check_parameters(parameters: &Map<String, Value>, dev: bool) -> Result<(), FieldFault> {
    let (preset, bounds) = if dev { (Preset::Dev, Bounds::Free) } else { (Preset::Lucid, Bounds::Production) };
    let ranges = preset.params().ranges(bounds);
    check_names("parameters.", parameters, &ranges.each_ref().map(|(name, ..)| *name))?;
    for (name, _, range) in ranges {
        let expected = format!("a whole number between {} and {}", range.start(), range.end());
        // Which numbers are in range is the matter of those who read them; here it is whether they can.
        check("parameters.", parameters, name, &expected, |value| {
            value.as_u64().is_some_and(|number| name != "validatorsNeeded" || u32::try_from(number).is_ok())
        })?;
    }
    Ok(())
}

/// A field whose names are addresses.
fn check_by_address(
    spec: &Map<String, Value>,
    field: &str,
    expected: &str,
    good: impl Fn(&Value) -> bool,
) -> Result<(), FieldFault> {
    for (name, value) in object(spec, field)? {
        let path = format!("{field}.{name}");
        if name.parse::<Address>().is_err() {
            return Err(fault(&path, &name.as_str().into(), ADDRESS));
        }
        if !good(value) {
            return Err(fault(&path, value, expected));
        }
    }
    Ok(())
}

fn check(
    path: &str,
    fields: &Map<String, Value>,
    name: &str,
    expected: &str,
    good: impl Fn(&Value) -> bool,
) -> Result<(), FieldFault> {
    let value = &fields[name];
    if good(value) { Ok(()) } else { Err(fault(&format!("{path}{name}"), value, expected)) }
}

/// Every name is there, and no other.
fn check_names(path: &str, fields: &Map<String, Value>, names: &[&str]) -> Result<(), FieldFault> {
    let known: BTreeSet<&str> = names.iter().copied().collect();
    if let Some(unknown) = fields.keys().find(|name| !known.contains(name.as_str())) {
        return Err(FieldFault::Unknown(format!("{path}{unknown}")));
    }
    match names.iter().find(|name| !fields.contains_key(**name)) {
        Some(missing) => Err(FieldFault::Missing(format!("{path}{missing}"))),
        None => Ok(()),
    }
}

fn object<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<&'a Map<String, Value>, FieldFault> {
    fields[name].as_object().ok_or_else(|| fault(name, &fields[name], "an object"))
}

fn fault(field: &str, value: &Value, expected: &str) -> FieldFault {
    let text = value.to_string();
    let shown = if text.chars().count() > SHOWN_CHARS {
        format!("{}…", text.chars().take(SHOWN_CHARS).collect::<String>())
    } else {
        text
    };
    FieldFault::Value { field: field.to_owned(), value: shown, expected: expected.to_owned() }
}

fn is<T: serde::de::DeserializeOwned>(value: &Value) -> bool {
    T::deserialize(value).is_ok()
}

fn is_amount(value: &Value) -> bool {
    value.as_str().and_then(parse_amount).is_some()
}

#[cfg(test)]
mod tests {
    use crate::spec::{ChainSpec, tests::spec};
    use serde_json::{Value, json};

    /// What is said of the spec with the value at a JSON pointer replaced.
    fn said(pointer: &str, value: Value) -> String {
        let mut document: Value = serde_json::from_slice(&spec().to_canonical_json()).unwrap();
        *document.pointer_mut(pointer).unwrap() = value;
        ChainSpec::from_json(document.to_string().as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_field_of_the_wrong_form_is_named_with_its_value_and_what_it_may_be() {
        for (pointer, value, field, shown, expected) in [
            ("/chainId", json!("7"), "chainId", "\"7\"", "9007199254740991"),
            ("/genesisTime", json!(1.5), "genesisTime", "1.5", "whole number"),
            ("/rules", json!("poet"), "rules", "\"poet\"", "\"dev\""),
            ("/parameters/cooldownSlots", json!(-3), "parameters.cooldownSlots", "-3", "between 8 and 64"),
            ("/parameters/validatorsNeeded", json!(u64::MAX), "validatorsNeeded", "18446744073709551615", "1 and 100"),
            ("/server", json!("0x12"), "server", "\"0x12\"", "an address"),
            ("/validators", json!({}), "validators", "{}", "a list"),
            ("/validators/0/consensusKey", json!("0x02"), "validators[0].consensusKey", "\"0x02\"", "secp256k1"),
            ("/allocations", json!({"0x1": "5"}), "allocations.0x1", "\"0x1\"", "an address"),
            ("/contracts", json!([]), "contracts", "[]", "an object"),
        ] {
            let text = said(pointer, value);
            for part in [field, shown, expected] {
                assert!(text.contains(part), "{text:?} does not say {part:?}");
            }
        }
    }

    #[test]
    fn a_number_out_of_range_is_named_with_its_range() {
        for (pointer, value, words) in [
            ("/chainId", json!(0), "chainId is 0, and must lie between 1 and 9007199254740991"),
            ("/parameters/cooldownSlots", json!(65), "cooldownSlots is 65, and must lie between 8 and 64"),
            ("/parameters/slotDurationSecs", json!(0), "slotDurationSecs is 0, and must lie between 1 and 86400"),
        ] {
            let text = said(pointer, value);
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn missing_and_unknown_fields_are_named() {
        let mut document: Value = serde_json::from_slice(&spec().to_canonical_json()).unwrap();
        document["parameters"].as_object_mut().unwrap().remove("epochSlots");
        let text = ChainSpec::from_json(document.to_string().as_bytes()).unwrap_err().to_string();
        assert!(text.contains("field parameters.epochSlots is missing"), "{text}");
        document["parameters"]["epochSlot"] = json!(1);
        let text = ChainSpec::from_json(document.to_string().as_bytes()).unwrap_err().to_string();
        assert!(text.contains("field parameters.epochSlot is unknown"), "{text}");
    }
}
