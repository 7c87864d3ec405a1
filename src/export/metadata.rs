//! The indexes of a collection as MongoDB has them: what `mongorestore` and a live server are told beside the documents.

use lucid_storage::Schema;
use lucid_types::{Document, Value};
use std::{borrow::Cow, iter};

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
    iter::once(key).chain(others).collect()
}

/// The content of `COLLECTION.metadata.json`, in MongoDB's extended JSON. The fields of an index stay in their order, which a
/// map of JSON values would lose.
pub(super) fn metadata(schema: &'static Schema) -> Document {
    let of_id = IndexModel { name: "_id_".to_owned(), fields: vec!["_id"], unique: false };
    let indexes: Vec<_> =
        iter::once(of_id).chain(indexes(schema)).map(|index| Value::Document(index_document(index))).collect();
    document([
        ("indexes", Value::List(indexes)),
        ("options", Value::Document(document([]))),
        ("collectionName", schema.def.name.into()),
        ("type", "collection".into()),
    ])
}

fn index_document(IndexModel { name, fields, unique }: IndexModel) -> Document {
    let number = |number: &'static str| Value::Document(document([("$numberInt", number.into())]));
    let key = Document(fields.into_iter().map(|field| (Cow::Borrowed(field), number("1"))).collect());
    let mut index = document([("v", number("2")), ("key", Value::Document(key)), ("name", name.into())]);
    if unique {
        index.0.push((Cow::Borrowed("unique"), Value::Bool(true)));
    }
    index
}

fn document<const N: usize>(fields: [(&'static str, Value); N]) -> Document {
    Document(fields.map(|(name, value)| (Cow::Borrowed(name), value)).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lucid_storage::schema_of;

    #[test]
    fn the_fields_of_an_index_are_in_the_order_of_the_key() {
        let text = serde_json::to_string(&metadata(schema_of("sessions").unwrap())).unwrap();
        let key = r#""key":{"session_id":{"$numberInt":"1"},"account":{"$numberInt":"1"}},"name":"session_id_1_account_1","unique":true"#;
        assert!(text.contains(key), "{text}");
    }
}
