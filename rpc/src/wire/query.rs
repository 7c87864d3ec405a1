use alloy_primitives::Bytes;
use lucid_storage::{
    COLLECTIONS, CollectionDef, FindOptions, Found, ImportSource, QueryError, Reader, ShardRange, SortSpec, UniqueJson,
    shard_fields, shard_key_document, shard_ranges,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// What `lucid_find` is asked beside a filter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindQuery {
    /// Fields to keep, each with 1, or to leave out, each with 0.
    #[serde(default, deserialize_with = "unique", skip_serializing_if = "Option::is_none")]
    pub projection: Option<Json>,
    /// Fields to sort by, each with 1 or -1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<SortSpec>,
    /// Most documents of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Where the page before ended: its `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Bytes>,
    /// Whether the answer says how it was found.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub explain: bool,
    /// Name of the source whose imported documents are asked for; the own ones without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

fn unique<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Json>, D::Error> {
    Ok(Option::<UniqueJson>::deserialize(input)?.map(|UniqueJson(json)| json))
}

/// What the other questions are asked beside their own parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceQuery {
    /// Name of the source whose imported documents are asked for; the own ones without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A source that documents were imported from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportSourceDocument {
    /// Its name.
    pub source: String,
    /// How many documents of it each collection has, without collections that have none.
    pub documents: BTreeMap<String, u64>,
}

impl From<ImportSource> for ImportSourceDocument {
    fn from(source: ImportSource) -> Self {
        let documents = source.documents.into_iter().map(|(name, documents)| (name.to_owned(), documents));
        Self { source: source.name.to_string(), documents: documents.collect() }
    }
}

/// A page of documents. `D` is what a document is: the server writes its own, a client reads JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundDocument<D> {
    /// The documents.
    pub documents: Vec<D>,
    /// Where the next page begins; null after the last.
    pub cursor: Option<Bytes>,
    /// How they were found, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<Json>,
}

impl From<FindQuery> for FindOptions {
    fn from(query: FindQuery) -> Self {
        let FindQuery { projection, sort, limit, cursor, explain, source: _ } = query;
        Self { projection, sort, limit, cursor: cursor.map(Into::into), explain }
    }
}

impl From<Found> for FoundDocument<lucid_types::Document> {
    fn from(found: Found) -> Self {
        Self {
            documents: found.documents,
            cursor: found.cursor.map(Into::into),
            // Counts and names always have a JSON form.
            explain: found.explained.and_then(|explained| serde_json::to_value(explained).ok()),
        }
    }
}

/// The shard index of one collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShardMapDocument {
    /// The collection.
    pub collection: String,
    /// What it is sharded by.
    pub shard_key: Vec<String>,
    /// Its ranges, in order; none where it has had no document.
    pub ranges: Vec<ShardRangeDocument>,
}

/// A range of shard keys, up to the first one of the next range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShardRangeDocument {
    /// Its first shard key; null for the first range, which has whatever is lowest.
    pub from: Option<Json>,
    /// Documents in it.
    pub documents: u64,
    /// Bytes of their keys and rows.
    pub bytes: u64,
}

/// The shard index of every sharded collection, or of the named one, for the rows of the reader's space.
///
/// # Errors
///
/// The named one is none; the store cannot be read.
pub fn shard_maps(reader: &dyn Reader, collection: Option<&str>) -> Result<Vec<ShardMapDocument>, QueryError> {
    let named = collection.map(lucid_storage::schema_of).transpose()?.map(|schema| schema.def.name);
    let is_asked = |def: &&CollectionDef| named.is_none_or(|name| def.name == name) && !shard_fields(def).is_empty();
    let mut maps = Vec::new();
    for def in COLLECTIONS.iter().filter(is_asked) {
        let range = |range: ShardRange| ShardRangeDocument {
            from: shard_key_document(def, &range.start).and_then(|key| serde_json::to_value(key).ok()),
            documents: range.documents,
            bytes: range.bytes,
        };
        let ranges = shard_ranges(reader, def)?.into_iter().map(range).collect();
        let shard_key = shard_fields(def).iter().map(|field| (*field).to_owned()).collect();
        maps.push(ShardMapDocument { collection: def.name.to_owned(), shard_key, ranges });
    }
    Ok(maps)
}
