//! JSON in which no object has two members of one name: which of them was meant nobody knows.

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value as Json};
use std::fmt;

/// Most letters of a name that an error repeats.
const MAX_NAME_CHARS: usize = 60;

/// A JSON value; one with a name twice in an object, however deep, is not read.
#[derive(Debug, Clone, PartialEq)]
pub struct UniqueJson(pub Json);

impl<'de> Deserialize<'de> for UniqueJson {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(AnyValue).map(Self)
    }
}

/// The error for a name that an object has twice.
pub(super) fn twice<E: Error>(name: &str) -> E {
    let name: String = name.chars().take(MAX_NAME_CHARS).collect();
    E::custom(format_args!("{name:?} is there twice, and which of them is meant is not known"))
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(UniqueJson(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Map::new();
        while let Some((name, UniqueJson(value))) = members.next_entry::<String, _>()? {
            if object.contains_key(&name) {
                return Err(twice(&name));
            }
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_there_twice_is_refused_however_deep() {
        for text in [
            r#"{"a": 1, "a": 2}"#,
            r#"{"a": 1, "b": 2, "\u0061": 1}"#,
            r#"{"height": {"$gt": 1, "$gt": 2}}"#,
            r#"{"$or": [{"a": 1}, {"b": 1, "b": 1}]}"#,
        ] {
            let refused = serde_json::from_str::<UniqueJson>(text).unwrap_err().to_string();
            assert!(refused.contains("is there twice"), "{refused}");
        }
        let long = "é".repeat(1_000_000);
        let refused = serde_json::from_str::<UniqueJson>(&format!(r#"{{"{long}": 1, "{long}": 2}}"#)).unwrap_err();
        assert!(refused.to_string().len() < 250, "{refused}");
    }

    #[test]
    fn any_other_value_is_what_it_is() {
        let text = r#"{"a": [null, true, -1, 18446744073709551615, 1.5, "x", {"a": {"a": []}}], "b": {}, "A": "é"}"#;
        let read: UniqueJson = serde_json::from_str(text).unwrap();
        assert_eq!(read.0, serde_json::from_str::<Json>(text).unwrap());
        // As deep as JSON is read at all.
        assert!(serde_json::from_str::<UniqueJson>(&"[".repeat(100_000)).is_err());
    }
}
