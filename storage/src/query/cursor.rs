//! Where a page ended, as a token that goes out and comes back.
//!
//! It is the way that was taken, so that the next page takes it too whatever was written meanwhile, a fingerprint of the
//! query, and a place: an entry of the way or, for rows that were sorted in memory, what the last one was sorted by
//! and its key. It is not secret and not trusted: a made-up one leads to another page of the same query.

use super::spec::SortSpec;
use serde_json::Value as Json;

const VERSION: u8 = 1;
/// Bytes that tell one query from another. They keep slips apart, not attackers.
const FINGERPRINT_BYTES: usize = 8;
/// Most bytes of a token that are looked at.
const MAX_TOKEN_BYTES: usize = 64 << 10;

/// Where a page ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cursor {
    /// Number of the way.
    pub(super) way: u8,
    pub(super) fingerprint: [u8; FINGERPRINT_BYTES],
    pub(super) place: Place,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// After this entry of the way.
    Entry(Vec<u8>),
    /// After the row of this key, which was sorted by these values.
    Sorted(Vec<Json>, Vec<u8>),
}

/// The fingerprint of a query to the own documents, or to those of a source.
pub(super) fn fingerprint(
    source: Option<&str>,
    collection: &str,
    filter: &Json,
    sort: Option<&SortSpec>,
) -> [u8; FINGERPRINT_BYTES] {
    let text = format!("{collection} of {source:?}\n{filter}\n{:?}", sort.map(|sort| &sort.0));
    let hash = blake3::hash(text.as_bytes());
    let mut short = [0; FINGERPRINT_BYTES];
    short.copy_from_slice(&hash.as_bytes()[..FINGERPRINT_BYTES]);
    short
}

impl Cursor {
    pub(super) fn to_token(&self) -> Vec<u8> {
        let mut token = vec![VERSION, self.way];
        token.extend_from_slice(&self.fingerprint);
        match &self.place {
            Place::Entry(entry) => {
                token.push(0);
                token.extend_from_slice(entry);
            }
            Place::Sorted(values, key) => {
                token.push(1);
                token.extend_from_slice(&(key.len() as u32).to_be_bytes());
                token.extend_from_slice(key);
                token.extend_from_slice(Json::from(values.clone()).to_string().as_bytes());
            }
        }
        token
    }

    pub(super) fn from_token(token: &[u8]) -> Option<Self> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let (&[VERSION, way], rest) = token.split_first_chunk()? else { return None };
        let (fingerprint, rest) = rest.split_first_chunk()?;
        let place = match rest.split_first()? {
            (0, entry) => Place::Entry(entry.to_vec()),
            (1, rest) => {
                let (len, rest) = rest.split_first_chunk()?;
                let (key, values) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
                Place::Sorted(serde_json::from_slice(values).ok()?, key.to_vec())
            }
            _ => return None,
        };
        Some(Self { way, fingerprint: *fingerprint, place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_token_comes_back_and_any_other_bytes_are_refused_or_one(
            entry: Vec<u8>, way: u8, other in prop::collection::vec(any::<u8>(), 0..40)
        ) {
            let fingerprint = fingerprint(None, "chunks", &serde_json::json!({}), None);
            for place in [Place::Entry(entry.clone()), Place::Sorted(vec![1.into(), "a".into()], entry.clone())] {
                let cursor = Cursor { way, fingerprint, place };
                prop_assert_eq!(Cursor::from_token(&cursor.to_token()), Some(cursor));
            }
            if let Some(read) = Cursor::from_token(&other) {
                prop_assert_eq!(Cursor::from_token(&read.to_token()), Some(read));
            }
        }
    }
}
