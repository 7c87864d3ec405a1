//! Parts of a query in which the order of an object's members says something, which other JSON values do not keep.

use super::{
    limits::MAX_NAMED_FIELDS,
    unique::{UniqueJson, twice},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::Value as Json;
use std::fmt;

/// What to sort by, the first first: names, each with 1 or -1. As JSON `{"slot": -1, "nodeId": 1}`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SortSpec(pub Vec<(String, Json)>);

/// The stages of an aggregate, in their order. As JSON `[{"$match": {…}}, {"$group": {…}}, {"$sort": {…}}, {"$limit": 10}]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Pipeline(pub Vec<Stage>);

/// A stage of an aggregate.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// `$sort`.
    Sort(SortSpec),
    /// Any other one, by its word.
    Other(String, Json),
}

impl Serialize for SortSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, direction)| (name, direction)))
    }
}

impl<'de> Deserialize<'de> for SortSpec {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = SortSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of fields with 1 or -1, such as {\"started_at\": -1}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<SortSpec, A::Error> {
                let mut spec = Vec::<(String, Json)>::new();
                while let Some((name, direction)) = members.next_entry::<String, _>()? {
                    // Beyond so many it is too large whatever they are, and need not be looked through.
                    let read = &spec[..spec.len().min(MAX_NAMED_FIELDS)];
                    if read.iter().any(|(known, _)| *known == name) {
                        return Err(twice(&name));
                    }
                    spec.push((name, direction));
                }
                Ok(SortSpec(spec))
            }
        }
        input.deserialize_map(Members)
    }
}

impl<'de> Deserialize<'de> for Stage {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Member;
        impl<'de> Visitor<'de> for Member {
            type Value = Stage;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a stage: an object with one member, such as {\"$limit\": 10}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Stage, A::Error> {
                let word: String = members.next_key()?.ok_or_else(|| A::Error::custom("a stage has no member"))?;
                let stage = match word.as_str() {
                    "$sort" => Stage::Sort(members.next_value()?),
                    _ => Stage::Other(word, members.next_value::<UniqueJson>()?.0),
                };
                match members.next_key::<String>()? {
                    Some(_) => Err(A::Error::custom("a stage has one member")),
                    None => Ok(stage),
                }
            }
        }
        input.deserialize_map(Member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_first_stays_first() {
        let spec: SortSpec = serde_json::from_str(r#"{"z": 1, "a": -1}"#).unwrap();
        assert_eq!(spec.0[0].0, "z");
        let pipeline: Pipeline = serde_json::from_str(r#"[{"$match": {}}, {"$sort": {"z": 1, "a": 1}}]"#).unwrap();
        assert!(matches!(&pipeline.0[1], Stage::Sort(spec) if spec.0[1].0 == "a"));
        assert!(serde_json::from_str::<SortSpec>(r#"{"z": 1, "a": 1, "z": -1}"#).is_err());
        let twice = r#"[{"$match": {"z": 1, "z": 2}}]"#;
        for bad in [twice, "{}", "[{}]", "[1]", r#"[{"$sort": 1}]"#, r#"[{"$limit": 1, "$match": {}}]"#] {
            assert!(serde_json::from_str::<Pipeline>(bad).is_err(), "{bad}");
        }
    }
}
