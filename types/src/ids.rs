use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// A text or word is not an id of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The text is not a hyphenated UUID.
    #[error("`{0}` is not a UUID")]
    NotAUuid(String),
    /// On chain a session id is the UUID's 16 bytes and then 16 zero bytes.
    #[error("the session id {0} does not end in 16 zero bytes")]
    TrailingBytes(B256),
    /// The UUID with all bits zero names nothing.
    #[error("the nil UUID is not an id")]
    Nil,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 16]);

        impl $name {
            /// Takes the UUID's bytes in network order; the nil UUID is refused.
            pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, IdError> {
                if bytes == [0; 16] { Err(IdError::Nil) } else { Ok(Self(bytes)) }
            }

            /// A version 4 UUID from 16 random bytes (RFC 9562, section 5.4).
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(uuid::Builder::from_random_bytes(bytes).into_uuid().into_bytes())
            }

            /// The UUID's bytes in network order.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Uuid::from_bytes(self.0).hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let uuid = Uuid::try_parse(text).map_err(|_| IdError::NotAUuid(text.chars().take(64).collect()))?;
                Self::from_bytes(uuid.into_bytes())
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

uuid_id! {
    /// A recorded session: a UUID.
    SessionId
}

uuid_id! {
    /// One anchoring of a session that a node was asked for: a UUID of the node's own making.
    AnchoringId
}

impl SessionId {
    /// The `bytes32` that the contracts use: the UUID, then 16 zero bytes.
    pub fn to_word(&self) -> B256 {
        let mut word = B256::ZERO;
        word[..16].copy_from_slice(&self.0);
        word
    }

    /// The id behind a contract's `bytes32`.
    pub fn from_word(word: B256) -> Result<Self, IdError> {
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&word[..16]);
        if word[16..] != [0; 16] {
            return Err(IdError::TrailingBytes(word));
        }
        Self::from_bytes(uuid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_round_trips_through_its_word() {
        let id = SessionId::from_random([7; 16]);
        assert_eq!(SessionId::from_word(id.to_word()), Ok(id));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().as_bytes()[14], b'4');
    }

    #[test]
    fn what_is_not_a_session_id_is_refused() {
        assert_eq!("x".parse::<SessionId>(), Err(IdError::NotAUuid("x".into())));
        assert_eq!(SessionId::from_bytes([0; 16]), Err(IdError::Nil));
        let word = B256::repeat_byte(1);
        assert_eq!(SessionId::from_word(word), Err(IdError::TrailingBytes(word)));
    }
}
