use serde::Serialize;

/// A value has no canonical JSON form: a map key that is not text, or a number that JSON cannot carry.
#[derive(Debug, thiserror::Error)]
#[error("no canonical JSON form: {0}")]
pub struct CanonicalError(#[from] serde_json::Error);

/// The one JSON text of a value by RFC 8785: keys sorted, no white space, shortest escapes.
///
/// Whatever is hashed as JSON (chain spec, manifest) is hashed in this form. Numbers that may pass 2^53 are
/// written as decimal strings by the types themselves, because RFC 8785 numbers are IEEE doubles.
pub fn canonical_json<T: Serialize>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    Ok(serde_json_canonicalizer::to_vec(value)?)
}

#[cfg(test)]
mod tests {
    use super::canonical_json;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_and_white_space_is_gone() {
        let value = json!({ "b": [1, 2], "a": { "d": "\u{20ac}\n", "c": true } });
        let text = String::from_utf8(canonical_json(&value).unwrap()).unwrap();
        assert_eq!(text, "{\"a\":{\"c\":true,\"d\":\"\u{20ac}\\n\"},\"b\":[1,2]}");
    }
}
