//! A collection as queries and exports see it.

use super::{Field, FieldType, FieldValue, Fields, key_part_bytes, take_key_part};
use crate::{
    collection::{Collection, CollectionDef},
    error::StoreError,
    key::{ChunkKey, Current, SessionKey, StoreKey, TallyKey, TaskProofKey, TransactionKey},
    reader::{decode_key, decode_row},
    space::{RowSpace, split_prefix},
    tables::TableId,
};
use alloy_primitives::{Address, B256};
use lucid_types::{AnchoringId, Document, Value};
use std::{borrow::Cow, fmt::Write};

/// A key as fields of a document. What they are called the page `tables.rs` says.
pub trait KeyFields: StoreKey {
    /// What its parts are.
    const KINDS: &'static [FieldType];

    /// Appends the value of each part.
    fn append_parts(&self, out: &mut Vec<Value>);
}

macro_rules! single_part_keys {
    ($($key:ty)*) => { $(
        impl KeyFields for $key {
            const KINDS: &'static [FieldType] = &[<$key as FieldValue>::KIND];

            fn append_parts(&self, out: &mut Vec<Value>) {
                out.push(self.to_value());
            }
        }
    )* };
}

single_part_keys!(u64 String Address B256 AnchoringId);

macro_rules! compound_keys {
    ($($key:ty)*) => { $(
        impl KeyFields for $key {
            const KINDS: &'static [FieldType] = &{
                let mut kinds = [FieldType::Bool; Self::FIELDS.len()];
                let mut i = 0;
                while i < kinds.len() {
                    kinds[i] = Self::FIELDS[i].kind;
                    i += 1;
                }
                kinds
            };

            fn append_parts(&self, out: &mut Vec<Value>) {
                self.append_values(out);
            }
        }
    )* };
}

compound_keys!(SessionKey ChunkKey TaskProofKey TallyKey TransactionKey);

impl KeyFields for Current {
    const KINDS: &'static [FieldType] = &[FieldType::Text];

    fn append_parts(&self, out: &mut Vec<Value>) {
        out.push(Self::TEXT.into());
    }
}

/// An index as queries see it.
#[derive(Debug, Clone, Copy)]
pub struct IndexSchema {
    /// Its table.
    pub table: TableId,
    /// Its fields with `+` between them, as it is named.
    pub name: &'static str,
}

impl IndexSchema {
    /// Paths of its fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = &'static str> {
        self.name.split('+')
    }
}

/// All that a query needs to know of a collection.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The collection.
    pub def: CollectionDef,
    /// What the parts of its key are; [`CollectionDef::key_fields`] has their names.
    key_kinds: &'static [FieldType],
    /// The fields of its record.
    record_fields: &'static [Field],
    values: ReadValues,
}

/// Reads a row, given its key and its value as they lie in the table.
type ReadValues = fn(&[u8], &[u8]) -> Result<Vec<Value>, StoreError>;

impl Schema {
    /// That of a collection.
    pub(crate) const fn of<C>() -> Self
    where
        C: Collection<Key: KeyFields, Record: Fields>,
    {
        Self { def: C::DEF, key_kinds: C::Key::KINDS, record_fields: C::Record::FIELDS, values: values_of::<C> }
    }

    /// Number of a document's fields.
    pub const fn len(&self) -> usize {
        self.key_kinds.len() + self.record_fields.len()
    }

    /// Whether documents have no field, which no collection's are.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A field by its place: first those of the key, then those of the record.
    pub fn field(&self, place: usize) -> Option<Field> {
        match place.checked_sub(self.key_kinds.len()) {
            Some(place) => self.record_fields.get(place).copied(),
            None => {
                let name = self.def.key_fields.get(place)?;
                Some(Field { name, kind: *self.key_kinds.get(place)?, optional: false })
            }
        }
    }

    /// All fields, in the order in which documents have them.
    pub fn fields(&self) -> impl Iterator<Item = Field> + '_ {
        (0..self.len()).filter_map(|place| self.field(place))
    }

    /// Its indexes.
    pub fn indexes(&self) -> impl Iterator<Item = IndexSchema> + '_ {
        self.def.indexes.iter().map(|(table, name)| IndexSchema { table: *table, name })
    }

    /// A row as it lies in its table, as the values of its fields in their order.
    pub fn values(&self, row_key: &[u8], row: &[u8]) -> Result<Vec<Value>, StoreError> {
        (self.values)(row_key, row)
    }

    /// The text by which a document is known: the parts of its key with `:` between them.
    pub fn id_of(&self, values: &[Value]) -> String {
        let mut id = String::new();
        for (place, value) in values.iter().take(self.key_kinds.len()).enumerate() {
            if place > 0 {
                id.push(':');
            }
            append_part(&mut id, value);
        }
        id
    }

    /// The whole document, `_id` first; what is absent is left out.
    pub fn document(&self, values: Vec<Value>) -> Document {
        let mut document = vec![(Cow::Borrowed("_id"), self.id_of(&values).into())];
        let named = self.fields().map(|field| Cow::Borrowed(field.name)).zip(values);
        document.extend(named.filter(|(_, value)| !value.is_null()));
        Document(document)
    }

    /// The row's key, as it lies in its table, with which `bytes` begin.
    pub(crate) fn first_row_key<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (_, mut rest) = split_prefix(bytes)?;
        for kind in self.key_kinds {
            take_key_part(kind, &mut rest)?;
        }
        bytes.get(..bytes.len() - rest.len())
    }

    /// The key of a row of this space as it lies in its table, from values of its parts; `None` where one is no such part.
    pub(crate) fn row_key(&self, space: &RowSpace, parts: &[Value]) -> Option<Vec<u8>> {
        let mut key = space.prefix().to_vec();
        for (kind, part) in self.key_kinds.iter().zip(parts) {
            key.extend(key_part_bytes(kind, part)?);
        }
        (parts.len() == self.key_kinds.len()).then_some(key)
    }
}

fn append_part(out: &mut String, value: &Value) {
    // A text takes everything.
    let _ = match value {
        Value::Text(text) => write!(out, "{text}"),
        Value::Int(value) => write!(out, "{value}"),
        Value::Bytes(bytes) => write!(out, "{}", alloy_primitives::hex::encode_prefixed(bytes)),
        Value::Uuid(bytes) => match lucid_types::SessionId::from_bytes(*bytes) {
            Ok(id) => write!(out, "{id}"),
            Err(_) => Ok(()),
        },
        _ => Ok(()),
    };
}

fn values_of<C>(row_key: &[u8], row: &[u8]) -> Result<Vec<Value>, StoreError>
where
    C: Collection<Key: KeyFields, Record: Fields>,
{
    let mut values = Vec::with_capacity(C::Key::KINDS.len() + C::Record::FIELDS.len());
    decode_key::<C>(row_key)?.append_parts(&mut values);
    decode_row::<C>(row)?.record.append_values(&mut values);
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Batch, Direction, Meta, Options, Reader, Store,
        samples::{Sample, address, anchoring, hash, session},
        schema::{append_key_part, take_key_part},
        tables::*,
    };
    use std::collections::BTreeSet;

    fn put<C: Collection<Record: Sample>>(batch: &mut Batch, key: C::Key) {
        batch.put::<C>(&key, &C::Record::sample()).unwrap();
    }

    /// One document in each collection.
    fn samples() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
        let mut batch = store.begin().unwrap();
        let batch_ = &mut batch;
        put::<Sessions>(batch_, SessionKey { session_id: session(1), account: address(2) });
        put::<Chunks>(batch_, ChunkKey { session_id: session(1), idx: 7, account: address(2) });
        let kind = crate::TaskProofType::StorageAvailability;
        put::<TaskProofs>(batch_, TaskProofKey { slot: 9, node_id: address(3), kind });
        put::<WorkTally>(batch_, TallyKey { epoch: 4, entity_id: address(3) });
        put::<LeaderSchedule>(batch_, 9);
        put::<Payouts>(batch_, "a:b".to_owned());
        put::<Blocks>(batch_, 70_000);
        put::<Transactions>(batch_, TransactionKey { block: 70_000, index: 1 });
        put::<Receipts>(batch_, TransactionKey { block: 70_000, index: 1 });
        put::<SessionAnchorings>(batch_, anchoring(5));
        put::<ConsensusEvents>(batch_, 3);
        put::<MerkleTrees>(batch_, hash(6));
        put::<BlockchainState>(batch_, Current);
        put::<Accounts>(batch_, address(7));
        put::<Peers>(batch_, "peer".to_owned());
        put::<ChainParams>(batch_, "slotDurationSecs".to_owned());
        store.commit(batch).unwrap();
        (folder, store)
    }

    #[test]
    fn every_row_is_a_document_and_every_index_entry_can_be_made_from_it() {
        let (_folder, store) = samples();
        let snapshot = store.snapshot().unwrap();
        for schema in SCHEMAS {
            let name = schema.def.name;
            let mut rows = snapshot.raw_prefix(schema.def.table, &[], Direction::Forward).unwrap();
            let (key, row) = rows.next().unwrap().unwrap();
            let values = schema.values(&key, &row).unwrap();
            assert_eq!(values.len(), schema.len(), "{name}");
            let parts = &values[..schema.def.key_fields.len()];
            assert_eq!(schema.row_key(RowSpace::own(), parts), Some(key.clone()), "{name}");
            for index in schema.indexes() {
                let entry = snapshot.raw_prefix(index.table, &[], Direction::Forward).unwrap().next();
                let entry = entry.unwrap_or_else(|| panic!("the sample of {name} has no {}", index.name)).unwrap().0;
                let mut made = vec![key[0]];
                let document = schema.document(values.clone());
                let mut rest = &entry[1..];
                for path in index.fields() {
                    let mut steps = path.split('.');
                    let outer = steps.next().unwrap();
                    let field = schema.fields().find(|field| field.name == outer).unwrap();
                    let (mut kind, mut value) = (field.kind, document.get(outer).unwrap().clone());
                    for step in steps {
                        let (FieldType::Document(fields), Value::Document(inner)) = (kind, value) else {
                            panic!("{path}")
                        };
                        kind = fields.iter().find(|field| field.name == step).unwrap().kind;
                        value = inner.get(step).unwrap().clone();
                    }
                    assert!(append_key_part(&kind, &value, &mut made), "{name}: {path} cannot be in a key");
                    assert_eq!(take_key_part(&kind, &mut rest), Some(value), "{name}: {path}");
                }
                assert_eq!(rest, &key[1..], "{name}, {}", index.name);
                made.extend_from_slice(&key[1..]);
                assert_eq!(made, entry, "{name}, {}", index.name);
            }
        }
    }

    /// A type as the page of queries has it.
    fn in_words(kind: &FieldType) -> String {
        match kind {
            FieldType::Bool => "bool".into(),
            FieldType::U8 | FieldType::U32 | FieldType::U64 | FieldType::I64 => "integer".into(),
            FieldType::Word(words) => words.join(" / "),
            FieldType::List(items) => format!("list of {}", in_words(items)),
            FieldType::Document(fields) => format!("{{{}}}", fields_in_words(fields.iter().copied())),
            plain => format!("{plain:?}").to_lowercase(),
        }
    }

    fn fields_in_words(fields: impl Iterator<Item = Field>) -> String {
        let field = |field: Field| {
            let mark = if field.optional { "?" } else { "" };
            format!("`{}`{mark} {}", field.name, in_words(&field.kind))
        };
        fields.map(field).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn the_page_of_queries_has_every_field() {
        let mut table = String::from("| collection | fields | indexes |\n|---|---|---|\n");
        for schema in SCHEMAS {
            let indexes = schema.indexes().map(|index| index.name).collect::<Vec<_>>().join(", ");
            let (name, key) = (schema.def.name, schema.def.key_fields.join("+"));
            let fields = fields_in_words(schema.fields());
            let indexes = if indexes.is_empty() { key } else { format!("{key}; {indexes}") };
            writeln!(table, "| {name} | {fields} | {indexes} |").unwrap();
        }
        let page = include_str!("../../../docs/queries.md");
        assert!(page.ends_with(&table), "docs/queries.md should end with this table:\n\n{table}");
    }

    #[test]
    fn documents_are_known_by_their_keys_and_have_each_name_once() {
        let (_folder, store) = samples();
        let snapshot = store.snapshot().unwrap();
        let mut ids = Vec::new();
        for schema in SCHEMAS {
            let names: BTreeSet<_> = schema.fields().map(|field| field.name).collect();
            assert_eq!(names.len(), schema.len(), "{}", schema.def.name);
            let row = snapshot.raw_prefix(schema.def.table, &[], Direction::Forward).unwrap().next().unwrap().unwrap();
            ids.push(schema.id_of(&schema.values(&row.0, &row.1).unwrap()));
        }
        assert_eq!(ids[0], format!("{}:{:#x}", session(1), address(2)));
        assert_eq!(ids[1], format!("{}:7:{:#x}", session(1), address(2)));
        assert_eq!(ids[2], format!("9:{:#x}:storage_availability", address(3)));
        assert_eq!(ids[5..7], ["a:b", "70000"]);
    }
}
