//! What a field of a document is.

/// What the values of a field are, and what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// Yes or no.
    Bool,
    /// An unsigned integer of one byte.
    U8,
    /// An unsigned integer of four bytes.
    U32,
    /// An unsigned integer of eight bytes.
    U64,
    /// A signed integer of eight bytes.
    I64,
    /// A time in Unix seconds.
    Date,
    /// An amount, of at most 256 bits.
    Amount,
    /// A text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An account or a contract: 20 bytes.
    Address,
    /// A hash: 32 bytes.
    Hash,
    /// Bytes of any number.
    Bytes,
    /// A UUID.
    Uuid,
    /// Values of one type, in an order.
    List(&'static FieldType),
    /// A document of its own.
    Document(&'static [Field]),
}

impl FieldType {
    /// What it is called where a value of another type came.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::U8 | Self::U32 | Self::U64 => "a whole number from 0 on",
            Self::I64 => "a whole number",
            Self::Date => "a time: Unix seconds, or a text such as 2026-01-31T12:00:00Z",
            Self::Amount => "a whole number, as a number or a text of digits",
            Self::Text => "a text",
            Self::Word(_) => "one of its words",
            Self::Address => "an address: 0x and 40 hex digits",
            Self::Hash => "a hash: 0x and 64 hex digits",
            Self::Bytes => "bytes: 0x and hex digits",
            Self::Uuid => "a UUID",
            Self::List(_) => "a list",
            Self::Document(_) => "a document",
        }
    }

    /// Whether keys made of its values sort as the values do. Those of words go by their places in the list of words.
    pub const fn sorts_as_key(&self) -> bool {
        !matches!(self, Self::Word(_))
    }
}

/// A field of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub kind: FieldType,
    /// Whether a document may be without it.
    pub optional: bool,
}

/// Says which fields a key or record has in documents, in order: its own names, another name with `= "name"`, another
/// meaning with `: Type`, another form with `: Type => function`.
macro_rules! fields {
    ($($record:ident {
        $($field:ident $(= $name:literal)? $(: $kind:ident $(=> $convert:expr)?)?),* $(,)?
    })*) => { $(
        impl $crate::schema::Fields for $record {
            const FIELDS: &'static [$crate::schema::Field] = &[$({
                let (kind, optional) = $crate::schema::field_kind!($record $field $($kind $(=> $convert)?)?);
                $crate::schema::Field { name: [$($name,)? stringify!($field)][0], kind, optional }
            }),*];

            fn append_values(&self, out: &mut Vec<lucid_types::Value>) {
                $(out.push($crate::schema::field_value!(&self.$field $($(=> $convert)?)?));)*
            }
        }
    )* };
}

/// The kind of a field, and whether it is optional.
macro_rules! field_kind {
    ($record:ident $field:ident $kind:ident => $convert:expr) => {
        ($crate::schema::FieldType::$kind, false)
    };
    ($record:ident $field:ident $kind:ident) => {{
        let (_, optional) = $crate::schema::field_kind!($record $field);
        ($crate::schema::FieldType::$kind, optional)
    }};
    ($record:ident $field:ident) => {{
        const fn kind_of<T: $crate::schema::FieldValue>(_: fn(&$record) -> &T) -> ($crate::schema::FieldType, bool) {
            (T::KIND, T::OPTIONAL)
        }
        kind_of(|record| &record.$field)
    }};
}

/// The value of a field.
macro_rules! field_value {
    ($value:expr => $convert:expr) => {
        $convert($value)
    };
    ($value:expr) => {
        $crate::schema::FieldValue::to_value($value)
    };
}

pub(crate) use {field_kind, field_value, fields};
