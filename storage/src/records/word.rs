//! Enums that stand for one word each: what a status or a reason is.

/// Declares an enum whose values are words. It is stored as the place of the word in the list, so words are only
/// ever added at the end; as a key it is one byte.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[repr(u8)]
        pub enum $name { $($(#[$word_doc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value, in stored order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::key::KeyError;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
                    .ok_or($crate::key::KeyError::Value(stringify!($name)))
            }
        }

        impl $crate::schema::FieldValue for $name {
            const KIND: $crate::schema::FieldType = $crate::schema::FieldType::Word(Self::WORDS);

            fn to_value(&self) -> lucid_types::Value {
                self.as_str().into()
            }
        }

        impl $crate::key::StoreKey for $name {
            fn encode_into(&self, out: &mut Vec<u8>) {
                out.push(*self as u8);
            }

            fn decode_from(input: &mut &[u8]) -> Result<Self, $crate::key::KeyError> {
                let byte = u8::decode_from(input)?;
                Self::ALL.get(usize::from(byte)).copied().ok_or($crate::key::KeyError::Value(stringify!($name)))
            }
        }
    };
}

pub(super) use words;
