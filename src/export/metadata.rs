//! What `mongorestore` is told of a collection beside its documents: its indexes.

use lucid_storage::Schema;
use serde_json::{Map, Value as Json, json};

/// The content of `COLLECTION.metadata.json`, in MongoDB's extended JSON. The key of a collection is an index of its own,
/// since `_id` is its text.
pub(super) fn metadata(schema: &Schema) -> Json {
    let mut indexes = vec![index("_id_".to_owned(), &["_id"], false)];
    let named = |fields: &[&str]| fields.iter().map(|field| format!("{field}_1")).collect::<Vec<_>>().join("_");
    let key = schema.def.key_fields;
    indexes.push(index(named(key), key, true));
    for of in schema.indexes() {
        let fields: Vec<&str> = of.fields().collect();
        indexes.push(index(named(&fields), &fields, false));
    }
    json!({ "indexes": indexes, "options": {}, "collectionName": schema.def.name, "type": "collection" })
}

fn index(name: String, fields: &[&str], unique: bool) -> Json {
    let number = |number: u32| json!({ "$numberInt": number.to_string() });
    let key: Map<String, Json> = fields.iter().map(|field| ((*field).to_owned(), number(1))).collect();
    let mut index = json!({ "v": number(2), "key": key, "name": name });
    if let Some(members) = index.as_object_mut().filter(|_| unique) {
        members.insert("unique".to_owned(), true.into());
    }
    index
}
