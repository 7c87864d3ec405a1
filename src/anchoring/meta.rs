//! The optional JSON file in which a recorder says what it knows of a session; it fills the manifest.
//!
//! A field that the file does not have is absent from the manifest and never made up. A field that nobody knows is
//! refused, because a misspelt one would be lost without a word.

use alloy_primitives::{B256, Bytes};
use lucid_types::{Manifest, ManifestError, SessionId};
use serde::Deserialize;

/// Most bytes of the file: every list of a manifest at its longest, written as hex, with room to spare.
pub const MAX_META_BYTES: usize = 1 << 20;

/// The last second of the year 9999: what lies beyond is a time in milliseconds, and would be anchored for ever.
const MAX_TIME_SECS: u64 = 253_402_300_799;

/// Changes of single letters up to which a known field counts as near to an unknown one.
const NEAR_EDITS: usize = 3;

/// Every field, as the file writes it.
const FIELDS: [&str; 8] = [
    "participants",
    "codec",
    "recorderVersion",
    "deviceFingerprint",
    "policyHash",
    "observers",
    "createdAt",
    "startedAt",
];

/// Why a file is no description of a session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetaError {
    /// The file is too large.
    #[error("the session's description has {0} bytes, and at most {MAX_META_BYTES} are read")]
    TooLarge(usize),
    /// Not a JSON object. Nothing of it is repeated: it may be a key.
    #[error("the session's description is not a JSON object, such as {{\"codec\": \"h264\"}}")]
    NotAnObject,
    /// Not JSON, or a field of the wrong form or standing twice.
    #[error("the session's description cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A field with a name of no meaning here, close to one that has one.
    #[error("the session's description has no field `{unknown}`; did you mean `{nearest}`?")]
    Misspelt {
        /// The name in the file.
        unknown: String,
        /// The known name nearest to it.
        nearest: &'static str,
    },
    /// A field with a name of no meaning here.
    #[error("the session's description has no field `{0}`; it has {known}", known = FIELDS.join(", "))]
    Unknown(String),
    /// A time in milliseconds, most likely, or beyond what JSON readers carry.
    #[error("`{name}` is {value}; times are Unix seconds, at most 2^53 - 1")]
    Time {
        /// The field.
        name: &'static str,
        /// What it says.
        value: u64,
    },
    /// The manifest that results is none.
    #[error("{0}")]
    Manifest(#[from] ManifestError),
}

/// What a recorder knows of a session beside its chunks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionMeta {
    /// Public keys of those who took part, as 0x hex.
    pub participants: Option<Vec<Bytes>>,
    /// Codec of the recording.
    pub codec: Option<String>,
    /// Version of the recorder.
    pub recorder_version: Option<String>,
    /// Fingerprint of the recording device.
    pub device_fingerprint: Option<String>,
    /// Hash of the policy that the session was recorded under.
    pub policy_hash: Option<B256>,
    /// Public keys of those who watched, as 0x hex.
    pub observers: Option<Vec<Bytes>>,
    /// When the manifest was made, in Unix seconds.
    pub created_at: Option<u64>,
    /// When the recording began, in Unix seconds. It is anchored beside the manifest and not in it.
    pub started_at: Option<u64>,
}

/// What the chunks themselves say of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkFacts {
    /// Number of encrypted chunks.
    pub chunk_count: u32,
    /// Bytes of all encrypted chunks.
    pub total_size: u64,
    /// Root of the BLAKE3 tree over them.
    pub merkle_root: B256,
}

impl SessionMeta {
    /// Reads the file's bytes.
    pub fn from_json(text: &[u8]) -> Result<Self, MetaError> {
        if text.len() > MAX_META_BYTES {
            return Err(MetaError::TooLarge(text.len()));
        }
        if !begins_an_object(text) {
            return Err(MetaError::NotAnObject);
        }
        let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(text)?;
        if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            return Err(unknown_field(unknown));
        }
        // From the text once more, because the map has already dropped a field that stands twice.
        let meta: Self = serde_json::from_slice(text)?;
        for (name, value) in [("createdAt", meta.created_at), ("startedAt", meta.started_at)] {
            if let Some(value) = value.filter(|value| *value > MAX_TIME_SECS) {
                return Err(MetaError::Time { name, value });
            }
        }
        Ok(meta)
    }

    /// The manifest of a session; `now` (Unix seconds) is when it was made unless the file says otherwise.
    pub fn into_manifest(self, session_id: SessionId, chunks: ChunkFacts, now: u64) -> Result<Manifest, MetaError> {
        let manifest = Manifest {
            session_id,
            chunk_count: chunks.chunk_count,
            total_size: chunks.total_size,
            merkle_root: chunks.merkle_root,
            created_at: self.created_at.unwrap_or(now),
            participants: self.participants,
            codec: self.codec,
            recorder_version: self.recorder_version,
            device_fingerprint: self.device_fingerprint,
            policy_hash: self.policy_hash,
            observers: self.observers,
        };
        manifest.check()?;
        Ok(manifest)
    }
}

/// Whether a text could be a JSON object: what else it is shall not come into an error.
pub(super) fn begins_an_object(text: &[u8]) -> bool {
    text.trim_ascii_start().first() == Some(&b'{')
}

fn unknown_field(unknown: &str) -> MetaError {
    // Bounds the comparison below and the message; no known name is nearly as long.
    let unknown: String = unknown.chars().take(64).collect();
    let distance = |known: &'static str| (edits(&unknown.to_lowercase(), &known.to_lowercase()), known);
    match FIELDS.into_iter().map(distance).min() {
        Some((edits, nearest)) if edits <= NEAR_EDITS => MetaError::Misspelt { unknown, nearest },
        _ => MetaError::Unknown(unknown),
    }
}

/// How many letters have to be put in, taken out or replaced to make `a` into `b` (Levenshtein), underscores apart.
fn edits(a: &str, b: &str) -> usize {
    let letters = |text: &str| text.chars().filter(|c| *c != '_' && *c != '-').collect::<Vec<_>>();
    let (a, b) = (letters(a), letters(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKS: ChunkFacts = ChunkFacts { chunk_count: 2, total_size: 20, merkle_root: B256::repeat_byte(3) };

    fn error(text: &str) -> String {
        SessionMeta::from_json(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn every_field_reaches_the_manifest() {
        let text = format!(
            r#"{{"participants":["0x02aa"],"codec":"h264","recorderVersion":"1.2","deviceFingerprint":"pi",
                "policyHash":"{}","observers":["0x03bb"],"createdAt":7,"startedAt":5}}"#,
            B256::repeat_byte(9)
        );
        let meta = SessionMeta::from_json(text.as_bytes()).unwrap();
        assert_eq!(meta.started_at, Some(5));
        let id = SessionId::from_random([1; 16]);
        let manifest = meta.into_manifest(id, CHUNKS, 100).unwrap();
        let expected = Manifest {
            session_id: id,
            chunk_count: 2,
            total_size: 20,
            merkle_root: B256::repeat_byte(3),
            created_at: 7,
            participants: Some(vec![vec![2, 0xaa].into()]),
            codec: Some("h264".into()),
            recorder_version: Some("1.2".into()),
            device_fingerprint: Some("pi".into()),
            policy_hash: Some(B256::repeat_byte(9)),
            observers: Some(vec![vec![3, 0xbb].into()]),
        };
        assert_eq!(manifest, expected);
    }

    #[test]
    fn what_the_file_does_not_say_is_absent() {
        let meta = SessionMeta::from_json(b"{}").unwrap();
        assert_eq!(meta, SessionMeta::default());
        let manifest = meta.into_manifest(SessionId::from_random([1; 16]), CHUNKS, 100).unwrap();
        assert_eq!((manifest.created_at, manifest.codec, manifest.participants), (100, None, None));
    }

    #[test]
    fn an_unknown_field_is_named_with_the_nearest_known() {
        assert!(error(r#"{"recorder_version":"1"}"#).contains("`recorder_version`; did you mean `recorderVersion`?"));
        assert!(error(r#"{"partecipants":[]}"#).contains("did you mean `participants`?"));
        assert!(error(r#"{"colour":"red"}"#).contains("no field `colour`; it has participants, codec"));
        assert!(error(&format!("{{\"{}\":1}}", "x".repeat(500_000))).len() < 300);
    }

    #[test]
    fn nothing_of_a_file_that_is_a_key_comes_into_the_error() {
        let key = "1234567890".repeat(6) + "1234";
        let said = error(&key);
        assert!(said.contains("is not a JSON object") && !said.contains("1234"), "{said}");
    }

    #[test]
    fn a_field_that_stands_twice_or_has_another_form_is_refused() {
        assert!(error(r#"{"codec":"a","codec":"b"}"#).contains("duplicate field `codec`"));
        assert!(error(r#"{"codec":7}"#).contains("expected a string"));
        assert!(error(r#"{"policyHash":"0x12"}"#).contains("cannot be read"));
        assert!(error("{\n\"codec\": \"h264\",\n}").contains("at line 3 column 1"));
        assert!(error("[]").contains("is not a JSON object"));
        assert!(error(r#"{"createdAt":9007199254740992}"#).contains("`createdAt` is 9007199254740992"));
        assert!(error(&" ".repeat(MAX_META_BYTES + 1)).contains("1048577 bytes"));
    }

    #[test]
    fn a_manifest_that_is_none_is_refused() {
        let long = SessionMeta { codec: Some("x".repeat(300)), ..SessionMeta::default() };
        let error = long.into_manifest(SessionId::from_random([1; 16]), CHUNKS, 1).unwrap_err();
        assert!(error.to_string().contains("codec is too long"));
    }

    #[test]
    fn distance_counts_single_letters() {
        for (a, b, distance) in [("", "abc", 3), ("kitten", "sitting", 3), ("same", "same", 0), ("abc", "", 3)] {
            assert_eq!(edits(a, b), distance, "{a} {b}");
        }
    }
}
