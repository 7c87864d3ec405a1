//! Collections of another program that are to be written to: whether they bear the indexes of an export is found out before
//! anything else is written to their database.

use super::{
    error::MongoError,
    target::{DUPLICATE_KEY, MongoTarget, create_indexes, first_batch},
};
use crate::export::metadata::indexes;
use bson::doc;
use lucid_storage::Schema;
use std::collections::BTreeSet;

/// What it says of a collection without indexes, for there is no collection.
const NAMESPACE_NOT_FOUND: i32 = 26;

/// What was made in the collections of another program so far.
#[derive(Debug, Default)]
pub struct Adoption {
    /// Each with its collection.
    made: Vec<(&'static str, String)>,
}

impl MongoTarget {
    /// Makes the indexes of an export in collections that another program has made. Where one of them cannot be, those that
    /// were made before are dropped again.
    ///
    /// `adoption` is where they are noted: after an error that may pass, give the same again.
    ///
    /// # Errors
    ///
    /// The server fails; the documents that are there do not bear an index, or another is in its place.
    pub async fn adopt(&self, schemas: &[&'static Schema], adoption: &mut Adoption) -> Result<(), MongoError> {
        for schema in schemas {
            let collection = schema.def.name;
            let mut there = self.index_names(collection).await?;
            for index in indexes(schema) {
                let name = index.name.clone();
                let is_new = there.insert(name.clone());
                // Noted before it is made: whether a command that is not answered was carried out nobody knows.
                let is_noted = adoption.made.iter().any(|(of, made)| *of == collection && *made == name);
                if is_new && !is_noted {
                    adoption.made.push((collection, name.clone()));
                }
                let fields = index.fields.join(", ");
                let made =
                    self.server().command(&self.database, "createIndexes", &create_indexes(schema, [index])).await;
                match made {
                    Ok(_) => {}
                    Err(error) if error.is_passing() => return Err(error),
                    Err(error) => {
                        if is_new {
                            adoption.made.retain(|(of, made)| *of != collection || *made != name);
                        }
                        return Err(self.refused(collection, &name, &fields, error, adoption).await);
                    }
                }
            }
        }
        Ok(())
    }

    /// Names of the indexes that a collection has.
    async fn index_names(&self, collection: &str) -> Result<BTreeSet<String>, MongoError> {
        let command = doc! { "listIndexes": collection };
        match self.server().command(&self.database, "listIndexes", &command).await {
            Ok(answer) => {
                Ok(first_batch(&answer).filter_map(|index| Some(index.get_str("name").ok()?.to_owned())).collect())
            }
            Err(error) if error.code() == Some(NAMESPACE_NOT_FOUND) => Ok(BTreeSet::new()),
            Err(error) => Err(error),
        }
    }

    /// Drops what was made, and says why the index could not be.
    async fn refused(
        &self,
        collection: &'static str,
        index: &str,
        fields: &str,
        error: MongoError,
        adoption: &mut Adoption,
    ) -> MongoError {
        let mut left = Vec::new();
        for (of, name) in std::mem::take(&mut adoption.made) {
            let command = doc! { "dropIndexes": of, "index": name.as_str() };
            if self.server().command(&self.database, "dropIndexes", &command).await.is_err() {
                left.push(format!("{name} of {of}"));
            }
        }
        let advice = match error.code() {
            Some(DUPLICATE_KEY) => format!(
                "documents in it have the same {fields}, or lack them; take them over with `lucid-node import-mongo` and export \
                 into another database (--database), or change them so that no two have the same"
            ),
            _ => format!(
                "drop or change what is in the place of this index on {fields}, or export into another database (--database)"
            ),
        };
        MongoError::NotAdopted {
            namespace: format!("{}.{collection}", self.database),
            index: index.to_owned(),
            advice,
            left: left.join(", "),
            what: error.to_string(),
        }
    }
}
