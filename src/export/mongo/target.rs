//! A database that collections are exported into: documents, indexes, and the document that says whose export it is.

use super::{
    connect::{MongoServer, is_passing},
    error::MongoError,
    marker::{MARKER_COLLECTION, Marker},
};
use crate::export::{
    ExportError,
    document::{BytesAs, append, document_of},
    metadata::{IndexModel, indexes},
};
use bson::{Bson, Document, RawArrayBuf, RawBson, RawDocumentBuf, doc, rawdoc};
use lucid_storage::{Schema, shard_fields};

/// Most documents of one command. A server takes 100,000; so few are acknowledged in a moment and are little to send again.
pub const MAX_BATCH_DOCUMENTS: usize = 1_000;

/// Bytes from which a command takes no other document. A server takes 16 MiB, and one document alone may have as many.
const MAX_BATCH_BYTES: usize = 8 << 20;

/// How long a server may wait for a majority of its set before it says that there is none.
const WRITE_CONCERN_TIMEOUT_MS: i32 = 60_000;

/// What a server says of a document, or an index, of whose values there may be one alone, and there is another.
pub(super) const DUPLICATE_KEY: i32 = 11000;

/// A database of a server.
pub struct MongoTarget {
    pub(super) server: MongoServer,
    pub(super) database: String,
    pub(super) bytes: BytesAs,
    /// Whether the server is asked to shard collections.
    pub(super) shards: bool,
}

impl MongoTarget {
    /// One into which addresses and hashes are written as binary data, or as `hex` text.
    pub fn new(server: MongoServer, database: String, hex: bool) -> Self {
        Self { server, database, bytes: BytesAs::hex(hex), shards: false }
    }

    /// The server.
    pub const fn server(&self) -> &MongoServer {
        &self.server
    }

    /// Whether collections are sharded, as far as is known.
    pub const fn shards(&self) -> bool {
        self.shards
    }

    /// Asks the server what it is, and whether it takes the login.
    ///
    /// # Errors
    ///
    /// It does not answer, does not take the login, or is too old.
    pub async fn greet(&mut self) -> Result<(), MongoError> {
        self.shards = self.server.hello().await?.is_sharded;
        Ok(())
    }

    /// What the database says whose export it has.
    ///
    /// # Errors
    ///
    /// The server fails; what it has is of somebody else.
    pub async fn marker(&self) -> Result<Option<Marker>, MongoError> {
        let find = doc! { "find": MARKER_COLLECTION, "filter": { "_id": Marker::ID }, "limit": 1, "singleBatch": true };
        let answer = self.server.command(&self.database, "find", &find).await?;
        let Some(found) = first_batch(&answer).next() else { return Ok(None) };
        let foreign = || MongoError::Other {
            server: self.server.shown().to_owned(),
            what: format!(
                "{MARKER_COLLECTION} in {} is not of this program; export into another database",
                self.database
            ),
        };
        Marker::read(found).map(Some).ok_or_else(foreign)
    }

    /// Writes whose export the database has.
    ///
    /// # Errors
    ///
    /// The server fails.
    pub async fn put_marker(&self, marker: &Marker) -> Result<(), MongoError> {
        let update = doc! { "q": { "_id": Marker::ID }, "u": marker.to_document(), "upsert": true };
        let command =
            doc! { "update": MARKER_COLLECTION, "updates": [update], "writeConcern": write_concern_document() };
        let answer = self.server.command(&self.database, "update", &command).await?;
        self.check_written(MARKER_COLLECTION, &answer, |_| Marker::ID.to_owned())
    }

    /// Which of these collections the database has.
    ///
    /// # Errors
    ///
    /// The server fails.
    pub async fn existing(&self, names: &[&str]) -> Result<Vec<String>, MongoError> {
        let names: Vec<Bson> = names.iter().map(|name| (*name).into()).collect();
        let command = doc! { "listCollections": 1, "filter": { "name": { "$in": names } }, "nameOnly": true };
        let answer = self.server.command(&self.database, "listCollections", &command).await?;
        Ok(first_batch(&answer).filter_map(|found| found.get_str("name").ok().map(str::to_owned)).collect())
    }

    /// Makes the indexes of a collection, and the collection with them. Those that are there stay.
    ///
    /// # Errors
    ///
    /// The server fails, or has others of the same names.
    pub async fn create_indexes(&self, schema: &'static Schema) -> Result<(), MongoError> {
        let command = create_indexes(schema, indexes(schema));
        self.server.command(&self.database, "createIndexes", &command).await.map(drop)
    }

    /// Writes rows, given as they lie in their table: documents that are new, and in the place of those with the same `_id`.
    /// When this returns a majority of the server's set has them on disk. Gives the documents' bytes.
    ///
    /// # Errors
    ///
    /// A row is none of the collection or too large; the server fails or does not take a document. Some may be written then.
    pub async fn upsert(&self, schema: &'static Schema, rows: &[(Vec<u8>, Vec<u8>)]) -> Result<u64, ExportError> {
        let mut written = 0;
        let mut batch = Batch::default();
        for (key, row) in rows {
            let document = document_of(schema, key, row, self.bytes)?;
            let bytes = document.as_bytes().len();
            if batch.documents > 0 && batch.bytes + bytes > MAX_BATCH_BYTES {
                self.send(schema, &mut batch).await?;
            }
            batch.push(&document, if self.shards { shard_fields(&schema.def) } else { &[] }).map_err(|what| {
                let id = id_of(&document);
                ExportError::Document { collection: schema.def.name, id, what }
            })?;
            written += bytes as u64;
            if batch.documents >= MAX_BATCH_DOCUMENTS {
                self.send(schema, &mut batch).await?;
            }
        }
        if batch.documents > 0 {
            self.send(schema, &mut batch).await?;
        }
        Ok(written)
    }

    async fn send(&self, schema: &'static Schema, batch: &mut Batch) -> Result<(), MongoError> {
        let Batch { updates, ids, documents, .. } = std::mem::take(batch);
        let command = rawdoc! {
            "update": schema.def.name,
            "updates": updates,
            "ordered": false,
            "writeConcern": { "w": "majority", "j": true, "wtimeout": WRITE_CONCERN_TIMEOUT_MS },
        };
        let answer = self.server.raw_command(&self.database, "update", command).await?;
        self.check_written(schema.def.name, &answer, |place| ids.get(place).cloned().unwrap_or_default())?;
        match answer.get("n").and_then(|n| n.as_i64().or(n.as_i32().map(Into::into))) {
            Some(written) if u64::try_from(written) != Ok(documents as u64) => {
                let what = format!("it says that it has written {written} documents of {documents}");
                Err(MongoError::Other { server: self.server.shown().to_owned(), what })
            }
            _ => Ok(()),
        }
    }

    /// That everything was written, and acknowledged as was asked.
    fn check_written(
        &self,
        collection: &str,
        answer: &Document,
        id_of: impl Fn(usize) -> String,
    ) -> Result<(), MongoError> {
        let (server, text) = (self.server.shown().to_owned(), |of: &Document| {
            self.server.redact(of.get_str("errmsg").unwrap_or("it does not say why"))
        });
        if let Some(Bson::Document(error)) = answer.get_array("writeErrors").ok().and_then(|errors| errors.first()) {
            let code = error.get_i32("code").unwrap_or_default();
            let id = id_of(error.get_i32("index").ok().and_then(|place| place.try_into().ok()).unwrap_or_default());
            let (collection, passing) = (collection.to_owned(), is_passing(code));
            let mut what = text(error);
            if code == DUPLICATE_KEY {
                // Only where documents of another program are among them, whose ids are made in another way.
                what.push_str("; another document has the same values under another _id: remove it, or export into another database");
            }
            return Err(MongoError::Document { server, collection, id, code, what, passing });
        }
        if let Ok(error) = answer.get_document("writeConcernError") {
            let (code, name) = (error.get_i32("code").unwrap_or_default(), "write concern".to_owned());
            let (command, passing) = ("update".to_owned(), is_passing(code));
            return Err(MongoError::Command { server, command, code, name, what: text(error), passing });
        }
        Ok(())
    }
}

/// Replacements that go to the server in one command.
#[derive(Default)]
struct Batch {
    updates: RawArrayBuf,
    ids: Vec<String>,
    documents: usize,
    bytes: usize,
}

impl Batch {
    /// Takes one more. On a sharded server it is found by its shard key, which an upsert there has to name.
    fn push(&mut self, document: &RawDocumentBuf, shard_fields: &[&str]) -> Result<(), String> {
        let mut query = RawDocumentBuf::new();
        for name in std::iter::once(&"_id").chain(shard_fields) {
            let value = document.get(*name).map_err(|error| error.to_string())?;
            append(&mut query, name, value.ok_or_else(|| format!("it has no {name}"))?.into())?;
        }
        self.bytes += document.as_bytes().len();
        self.documents += 1;
        self.ids.push(id_of(document));
        self.updates.push(rawdoc! { "q": query, "u": RawBson::Document(document.clone()), "upsert": true });
        Ok(())
    }
}

fn id_of(document: &RawDocumentBuf) -> String {
    document.get_str("_id").unwrap_or_default().to_owned()
}

/// A majority of the set has it on disk.
fn write_concern_document() -> Document {
    doc! { "w": "majority", "j": true, "wtimeout": WRITE_CONCERN_TIMEOUT_MS }
}

/// The command that makes indexes of a collection.
pub(super) fn create_indexes(schema: &Schema, indexes: impl IntoIterator<Item = IndexModel>) -> Document {
    let index = |index: IndexModel| {
        let key: Document = index.fields.iter().map(|field| ((*field).to_owned(), Bson::Int32(1))).collect();
        let mut model = doc! { "key": key, "name": index.name };
        if index.unique {
            model.insert("unique", true);
        }
        Bson::Document(model)
    };
    let indexes: Vec<Bson> = indexes.into_iter().map(index).collect();
    doc! { "createIndexes": schema.def.name, "indexes": indexes, "writeConcern": write_concern_document() }
}

/// The documents of an answer with a cursor.
pub(super) fn first_batch(answer: &Document) -> impl Iterator<Item = &Document> {
    let cursor = answer.get_document("cursor").ok();
    let batch = cursor.and_then(|cursor| cursor.get_array("firstBatch").ok());
    batch.into_iter().flatten().filter_map(Bson::as_document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::mongo::{MongoUri, responder::Responder};
    use alloy_primitives::{Address, B256};
    use lucid_storage::{
        ChunkKey, ChunkRecord, ChunkStatus, Chunks, Meta, Options, RowPage, Store, row_page, schema_of,
    };
    use lucid_types::SessionId;
    use std::{fs, os::unix::fs::PermissionsExt};

    fn chunks(count: u32) -> RowPage {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::new(Vec::new(), B256::ZERO);
        let store = Store::create(folder.path().join("s"), &meta, &Options::default()).unwrap();
        let mut batch = store.begin().unwrap();
        for idx in 0..count {
            let session_id = SessionId::from_bytes([7; 16]).unwrap();
            let (ciphertext_sha256, status) = (B256::repeat_byte(1), ChunkStatus::Stored);
            let record = ChunkRecord { local_path: None, ciphertext_sha256, size_bytes: 1, status };
            batch.append::<Chunks>(&ChunkKey { session_id, idx, account: Address::ZERO }, &record).unwrap();
        }
        store.commit(batch).unwrap();
        row_page(&store.snapshot().unwrap(), schema_of("chunks").unwrap(), None).unwrap()
    }

    async fn target(responder: &Responder) -> MongoTarget {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), responder.uri()).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).unwrap();
        let uri = MongoUri::read(file.path(), None).unwrap();
        let mut target = MongoTarget::new(MongoServer::new(&uri).await.unwrap(), "lucid".to_owned(), false);
        target.greet().await.unwrap();
        target
    }

    #[tokio::test]
    async fn a_server_that_has_not_written_everything_is_not_believed() {
        let responder = Responder::start(|_| doc! { "ok": 1, "n": 0, "nModified": 0 });
        let target = target(&responder).await;
        let said = target.upsert(schema_of("chunks").unwrap(), &chunks(3).rows).await.unwrap_err().to_string();
        assert!(said.contains("has written 0 documents of 3"), "{said}");
    }

    #[tokio::test]
    async fn rows_go_in_bounded_commands_that_a_majority_acknowledges() {
        let of = |command: &Document| command.get_array("updates").map_or(0, Vec::len) as i32;
        let responder = Responder::start(move |command| doc! { "ok": 1, "n": of(command) });
        let target = target(&responder).await;
        let page = chunks(2_500);
        let bytes = target.upsert(schema_of("chunks").unwrap(), &page.rows).await.unwrap();
        let told = responder.told();
        let sizes: Vec<_> = told.iter().map(|command| command.get_array("updates").unwrap().len()).collect();
        assert_eq!(sizes, [1_000, 1_000, 500]);
        let mut sent = 0;
        for command in &told {
            assert_eq!(command.get_str("update").unwrap(), "chunks");
            assert_eq!(command.get_document("writeConcern").unwrap(), &write_concern_document());
            assert!(!command.get_bool("ordered").unwrap());
            for update in command.get_array("updates").unwrap() {
                let update = update.as_document().unwrap();
                let (query, document) = (update.get_document("q").unwrap(), update.get_document("u").unwrap());
                // It says that it is the router of a cluster.
                assert_eq!(query.keys().collect::<Vec<_>>(), ["_id", "session_id", "idx"]);
                assert!(query.iter().all(|(name, value)| document.get(name) == Some(value)));
                sent += document.to_vec().unwrap().len() as u64;
            }
        }
        assert_eq!(sent, bytes);
    }

    #[tokio::test]
    async fn what_a_server_does_not_take_is_named_and_is_no_success() {
        let answer = |of: Document| {
            let responder = Responder::start(move |_| of.clone());
            async move { target(&responder).await.upsert(schema_of("chunks").unwrap(), &chunks(3).rows).await.unwrap_err() }
        };
        let refused = doc! { "ok": 1, "n": 2, "writeErrors": [{ "index": 1, "code": 121, "errmsg": "not valid" }] };
        let ExportError::Server(refused) = answer(refused).await else { panic!("another error") };
        assert!(
            !refused.is_passing() && refused.to_string().contains("07070707-0707-0707-0707-070707070707:1:0x"),
            "{refused}"
        );
        let second =
            doc! { "ok": 1, "n": 2, "writeErrors": [{ "index": 0, "code": 11000, "errmsg": "E11000 duplicate" }] };
        let said = answer(second).await.to_string();
        assert!(said.contains("E11000 duplicate") && said.contains("under another _id"), "{said}");
        let unsure = doc! { "ok": 1, "n": 3, "writeConcernError": { "code": 64, "errmsg": "waiting timed out" } };
        let ExportError::Server(unsure) = answer(unsure).await else { panic!("another error") };
        assert!(unsure.is_passing(), "{unsure}");
    }

    #[test]
    fn a_collection_is_told_its_indexes_and_its_key_is_unique() {
        let chunks = doc! { "session_id": 1, "idx": 1, "account": 1 };
        let expected = doc! {
            "createIndexes": "chunks",
            "indexes": [
                { "key": chunks, "name": "session_id_1_idx_1_account_1", "unique": true },
                { "key": { "ciphertext_sha256": 1 }, "name": "ciphertext_sha256_1" },
            ],
            "writeConcern": { "w": "majority", "j": true, "wtimeout": 60_000 },
        };
        let schema = schema_of("chunks").unwrap();
        assert_eq!(create_indexes(schema, indexes(schema)), expected);
    }

    #[test]
    fn a_document_is_replaced_by_its_id_and_where_it_is_sharded_by_its_shard_key_too() {
        let document = rawdoc! { "_id": "a", "slot": 7_i64, "nodeId": "n", "value": 1 };
        let mut batch = Batch::default();
        batch.push(&document, &[]).unwrap();
        batch.push(&document, &["slot", "nodeId"]).unwrap();
        let updates: Vec<RawDocumentBuf> =
            batch.updates.into_iter().map(|update| update.unwrap().as_document().unwrap().to_owned()).collect();
        assert_eq!(updates[0], rawdoc! { "q": { "_id": "a" }, "u": document.clone(), "upsert": true });
        let query = rawdoc! { "_id": "a", "slot": 7_i64, "nodeId": "n" };
        assert_eq!(updates[1], rawdoc! { "q": query, "u": document.clone(), "upsert": true });
        assert!(Batch::default().push(&document, &["idx"]).is_err());
    }
}
