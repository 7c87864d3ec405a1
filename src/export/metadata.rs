//! The indexes of a collection as MongoDB has them: what `mongorestore` and a live server are told beside the documents.

use lucid_storage::Schema;
use serde_json::{Map, Value as Json, json};

/// An index, every field of it in ascending order.
pub(super) struct IndexModel {
    /// Its name, as MongoDB makes one.
    pub(super) name: String,
    /// Its fields.
    pub(super) fields: Vec<&'static str>,
    /// Whether two documents may not have the same values.
    pub(super) unique: bool,
}

/// The indexes of a collection, but for that of `_id`. Its key is an index of its own, since `_id` is its text.
pub(super) fn indexes(schema: &'static Schema) -> Vec<IndexModel> {
    let named = |fields: &[&str]| fields.iter().map(|field| format!("{field}_1")).collect::<Vec<_>>().join("_");
    let index = |fields: Vec<&'static str>, unique: bool| IndexModel { name: named(&fields), fields, unique };
    let key = index(schema.def.key_fields.to_vec(), true);
    let others = schema.indexes().map(|of| index(of.fields().collect(), false));
    std::iter::once(key).chain(others).collect()
}

/// The content of `COLLECTION.metadata.json`, in MongoDB's extended JSON.
pub(super) fn metadata(schema: &'static Schema) -> Json {
    let of_id = IndexModel { name: "_id_".to_owned(), fields: vec!["_id"], unique: false };
    let indexes: Vec<_> = std::iter::once(of_id).chain(indexes(schema)).map(index).collect();
    json!({ "indexes": indexes, "options": {}, "collectionName": schema.def.name, "type": "collection" })
}

fn index(IndexModel { name, fields, unique }: IndexModel) -> Json {
    let number = |number: u32| json!({ "$numberInt": number.to_string() });
    let key: Map<String, Json> = fields.iter().map(|field| ((*field).to_owned(), number(1))).collect();
    let mut index = json!({ "v": number(2), "key": key, "name": name });
    if let Some(members) = index.as_object_mut().filter(|_| unique) {
        members.insert("unique".to_owned(), true.into());
    }
    index
}
