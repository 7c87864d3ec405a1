//! What a client sent, as JSON-RPC 2.0 has it: a call, a notification, a batch of these, or none of it.

use crate::limits::MAX_BATCH_CALLS;
use jsonrpsee::types::{ErrorCode, Id, params::TwoPointZero};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// One message.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    /// One object.
    Single(Entry<'a>),
    /// A list, never empty and never above [`MAX_BATCH_CALLS`].
    Batch(Vec<Entry<'a>>),
    /// A list of more than that.
    TooMany,
    /// Neither, and why.
    Malformed(ErrorCode),
}

/// One object.
#[derive(Debug)]
pub(crate) enum Entry<'a> {
    /// Is to be answered.
    Call(Call<'a>),
    /// Has no id, and so no answer.
    Notification,
    /// Is no request. The id is null where it has none that could be read.
    Invalid(Id<'a>),
}

/// A call of a method.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) id: Id<'a>,
    pub(crate) method: Cow<'a, str>,
    pub(crate) params: Option<&'a RawValue>,
}

/// The fields of a request.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(rename = "jsonrpc")]
    _version: TwoPointZero,
    /// An id that is null is one: the field is there.
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

/// The one field that is looked for in what is no request.
#[derive(Deserialize)]
struct IdField<'a> {
    #[serde(borrow)]
    id: Id<'a>,
}

fn present<'de, D: Deserializer<'de>>(input: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(input).map(Some)
}

impl<'a> Message<'a> {
    /// Reads a message.
    pub(crate) fn read(bytes: &'a [u8]) -> Self {
        let Ok(text) = std::str::from_utf8(bytes) else { return Self::Malformed(ErrorCode::ParseError) };
        let text = text.trim_ascii_start();
        if text.starts_with('[') {
            return match serde_json::from_str(text) {
                Ok(List { count: 0, .. }) => Self::Malformed(ErrorCode::InvalidRequest),
                Ok(List { count, .. }) if count > MAX_BATCH_CALLS as usize => Self::TooMany,
                Ok(List { entries, .. }) => {
                    Self::Batch(entries.into_iter().map(|raw| Entry::read(raw.get())).collect())
                }
                Err(_) => Self::Malformed(ErrorCode::ParseError),
            };
        }
        match Entry::read(text) {
            Entry::Invalid(Id::Null) if serde_json::from_str::<IgnoredAny>(text).is_err() => {
                Self::Malformed(ErrorCode::ParseError)
            }
            entry => Self::Single(entry),
        }
    }
}

impl<'a> Entry<'a> {
    fn read(text: &'a str) -> Self {
        // A list could be read as the fields in their order.
        if !text.starts_with('{') {
            return Self::Invalid(Id::Null);
        }
        let Ok(Fields { id, method, params, .. }) = serde_json::from_str(text) else {
            return Self::Invalid(serde_json::from_str(text).map_or(Id::Null, |field: IdField<'_>| field.id));
        };
        match id.map(|id| serde_json::from_str(id.get())) {
            None => Self::Notification,
            Some(Ok(id)) => Self::Call(Call { id, method, params }),
            Some(Err(_)) => Self::Invalid(Id::Null),
        }
    }
}

/// The elements of a list, of which no more are kept than a batch may have.
struct List<'a> {
    entries: Vec<&'a RawValue>,
    count: usize,
}

impl<'de: 'a, 'a> Deserialize<'de> for List<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Elements;
        impl<'de> Visitor<'de> for Elements {
            type Value = List<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<List<'de>, A::Error> {
                let mut entries = Vec::new();
                while entries.len() < MAX_BATCH_CALLS as usize {
                    let Some(entry) = list.next_element()? else { break };
                    entries.push(entry);
                }
                let mut count = entries.len();
                while list.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(List { entries, count })
            }
        }
        input.deserialize_seq(Elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(text: &str) -> Entry<'_> {
        match Message::read(text.as_bytes()) {
            Message::Single(entry) => entry,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn malformed(text: &[u8]) -> i32 {
        match Message::read(text) {
            Message::Malformed(code) => code.code(),
            other => panic!("{}: {other:?}", String::from_utf8_lossy(text)),
        }
    }

    #[test]
    fn a_call_has_an_id_and_a_notification_has_none() {
        for (text, expected) in [
            (r#"{"jsonrpc":"2.0","id":7,"method":"m","params":[1]}"#, Id::Number(7)),
            (r#" {"method":"m","id":"a\"b","jsonrpc":"2.0","other":1} "#, Id::Str("a\"b".into())),
            (r#"{"jsonrpc":"2.0","id":null,"method":"\u006d"}"#, Id::Null),
            (r#"{"jsonrpc":"2.0","id":18446744073709551615,"method":"m","params":null}"#, Id::Number(u64::MAX)),
        ] {
            let Entry::Call(call) = single(text) else { panic!("{text}") };
            assert_eq!((call.id, &*call.method), (expected, "m"), "{text}");
        }
        assert!(matches!(single(r#"{"jsonrpc":"2.0","method":"m"}"#), Entry::Notification));
    }

    /// It would be taken for a notification, and its sender would wait for ever.
    #[test]
    fn an_odd_id_is_no_missing_one() {
        for id in ["-1", "1.5", "1.0", "1e3", "18446744073709551616", "true", "[1]", "{}", "[]"] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"eth_chainId"}}"#);
            assert!(matches!(single(&text), Entry::Invalid(Id::Null)), "{id}");
        }
    }

    #[test]
    fn what_is_no_request_is_told_from_what_is_no_json() {
        for text in
            ["1", "null", "true", r#""text""#, "{}", r#"{"jsonrpc":"1.0","method":"m"}"#, r#"{"jsonrpc":"2.0"}"#]
        {
            assert!(matches!(single(text), Entry::Invalid(Id::Null)), "{text}");
        }
        assert!(matches!(single(r#"{"jsonrpc":"2.0","id":3}"#), Entry::Invalid(Id::Number(3))));
        assert!(matches!(single(r#"{"jsonrpc":"2.0","id":3,"method":1}"#), Entry::Invalid(Id::Number(3))));
        for text in
            [&b""[..], b" ", b"x", b"{", b"[1,", b"[1]x", b"{}x", b"1 2", b"\xff", b"[\"\xff\"]", b"{\"a\":\"\xff\"}"]
        {
            assert_eq!(malformed(text), -32700, "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(malformed(b"[]"), -32600);
    }

    #[test]
    fn a_batch_is_read_entry_by_entry_and_not_beyond_its_bound() {
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#;
        let text = format!(r#"[1, {call}, [{call}], ["2.0", 1, "m", null], {{"jsonrpc":"2.0","method":"m"}}]"#);
        let Message::Batch(entries) = Message::read(text.as_bytes()) else { panic!("{text}") };
        use Entry::{Call, Invalid, Notification};
        assert!(matches!(entries[..], [Invalid(_), Call(_), Invalid(_), Invalid(_), Notification]), "{entries:?}");
        for (count, fits) in [(MAX_BATCH_CALLS, true), (MAX_BATCH_CALLS + 1, false), (100_000, false)] {
            let text = format!("[{}]", vec!["1"; count as usize].join(","));
            assert_eq!(matches!(Message::read(text.as_bytes()), Message::Batch(_)), fits, "{count}");
            assert_eq!(matches!(Message::read(text.as_bytes()), Message::TooMany), !fits, "{count}");
        }
    }
}
