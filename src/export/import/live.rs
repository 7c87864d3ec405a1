//! A database of a live server, read with the official driver.

use super::dump::collection_of;
use crate::export::mongo::{MongoError, MongoServer};
use bson::{RawDocumentBuf, doc};
use lucid_storage::COLLECTIONS;
use mongodb::Cursor;
use std::sync::Arc;

/// Documents that the server sends at once.
const BATCH_DOCUMENTS: u32 = 1_000;

/// A database of a server.
pub struct LiveDatabase {
    server: Arc<MongoServer>,
    name: String,
    /// Its collections that are imported, each with the one that its documents go into.
    collections: Vec<(String, &'static str)>,
    /// Names of its other ones.
    others: Vec<String>,
}

impl LiveDatabase {
    /// Looks which collections there are.
    ///
    /// # Errors
    ///
    /// The server does not answer, or refuses.
    pub async fn open(server: MongoServer, name: String) -> Result<Self, MongoError> {
        let names = server.client().database(&name).list_collection_names().await;
        let mut names = names.map_err(|error| server.error("listCollections", &error))?;
        names.retain(|name| !name.starts_with("system."));
        names.sort();
        let (mut collections, mut others) = (Vec::new(), Vec::new());
        for name in names {
            match collection_of(&name) {
                Some(def) => collections.push((name, def.name)),
                None => others.push(name),
            }
        }
        collections.sort_by_key(|(_, into)| COLLECTIONS.iter().position(|def| def.name == *into));
        Ok(Self { server: Arc::new(server), name, collections, others })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its collections that are imported, each with the one that its documents go into.
    pub fn collections(&self) -> &[(String, &'static str)] {
        &self.collections
    }

    /// Names of its other ones.
    pub fn others(&self) -> &[String] {
        &self.others
    }

    /// How many documents a collection has, about.
    ///
    /// # Errors
    ///
    /// The server does not answer, or refuses.
    pub async fn count(&self, collection: &str) -> Result<u64, MongoError> {
        let documents = self.server.client().database(&self.name).collection::<RawDocumentBuf>(collection);
        documents.estimated_document_count().await.map_err(|error| self.server.error("count", &error))
    }

    /// Its documents.
    ///
    /// # Errors
    ///
    /// The server does not answer, or refuses.
    pub async fn documents(&self, collection: &str) -> Result<LiveDocuments, MongoError> {
        let documents = self.server.client().database(&self.name).collection::<RawDocumentBuf>(collection);
        let cursor = documents.find(doc! {}).batch_size(BATCH_DOCUMENTS).await;
        let cursor = cursor.map_err(|error| self.server.error("find", &error))?;
        Ok(LiveDocuments { server: self.server.clone(), cursor, read: 0 })
    }
}

/// Documents of a collection, one after the other.
pub struct LiveDocuments {
    server: Arc<MongoServer>,
    cursor: Cursor<RawDocumentBuf>,
    read: u64,
}

impl LiveDocuments {
    /// How many were read.
    pub const fn read(&self) -> u64 {
        self.read
    }

    /// The next one; `None` at the end.
    ///
    /// # Errors
    ///
    /// The server does not answer, or refuses.
    pub async fn next(&mut self) -> Result<Option<&[u8]>, MongoError> {
        match self.cursor.advance().await {
            Ok(true) => {
                self.read += 1;
                Ok(Some(self.cursor.current().as_bytes()))
            }
            Ok(false) => Ok(None),
            Err(error) => Err(self.server.error("getMore", &error)),
        }
    }
}
