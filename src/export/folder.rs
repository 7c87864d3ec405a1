//! An export into a folder: a file for each collection. The folder has its name once all of it is whole and on disk.

use super::{
    document::{BytesAs, document_of},
    error::ExportError,
    metadata::metadata,
    unfinished::{Unfinished, io_error, make, sync},
};
use lucid_storage::Schema;
use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 256 << 10;

/// The form of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// A folder named after a database, with `NAME.bson` and `NAME.metadata.json` for each collection, as `mongorestore`
    /// reads it.
    Bson {
        /// Name of the database.
        database: String,
        /// Whether addresses and hashes are hex text, and not binary data.
        hex: bool,
    },
    /// `NAME.jsonl` for each collection: a document a line, as queries answer it.
    Jsonl,
}

/// An export that is being made. Dropped before it is finished, nothing of it stays.
#[derive(Debug)]
pub struct FolderExport {
    unfinished: Unfinished,
    folder: PathBuf,
    format: Format,
}

impl FolderExport {
    /// Begins one that will be `folder`, which is empty or not there. Only its owner may look into it: payouts are in it.
    ///
    /// # Errors
    ///
    /// Something is there, or where it is made; another process makes it at this time; the file system refuses.
    pub fn begin(folder: &Path, format: Format) -> Result<Self, ExportError> {
        let unfinished = Unfinished::begin(folder)?;
        let folder = match &format {
            Format::Bson { database, .. } => unfinished.content().join(database),
            Format::Jsonl => unfinished.content(),
        };
        make(&folder)?;
        Ok(Self { unfinished, folder, format })
    }

    /// Begins a collection.
    ///
    /// # Errors
    ///
    /// The file system refuses.
    pub fn collection(&self, schema: &'static Schema) -> Result<CollectionWriter, ExportError> {
        let extension = match self.format {
            Format::Bson { .. } => "bson",
            Format::Jsonl => "jsonl",
        };
        let path = self.folder.join(format!("{}.{extension}", schema.def.name));
        let out = BufWriter::with_capacity(BUFFER_BYTES, create(&path)?);
        Ok(CollectionWriter { schema, format: self.format.clone(), path, out, documents: 0, bytes: 0 })
    }

    /// Gives the folder its name, durably, once its collections are finished.
    ///
    /// # Errors
    ///
    /// Something has come to its place meanwhile; the file system refuses.
    pub fn finish(self) -> Result<(), ExportError> {
        sync(&self.folder)?;
        self.unfinished.finish()
    }
}

/// A collection that is being written.
#[derive(Debug)]
pub struct CollectionWriter {
    schema: &'static Schema,
    format: Format,
    path: PathBuf,
    out: BufWriter<File>,
    documents: u64,
    bytes: u64,
}

impl CollectionWriter {
    /// Writes a row, given as it lies in its table.
    ///
    /// # Errors
    ///
    /// It is no row of the collection, or is too large; the file system refuses.
    pub fn write(&mut self, row_key: &[u8], row: &[u8]) -> Result<(), ExportError> {
        let bytes = match &self.format {
            Format::Bson { hex, .. } => document_of(self.schema, row_key, row, BytesAs::hex(*hex))?.into_bytes(),
            Format::Jsonl => {
                let values = self.schema.values(row_key, row)?;
                let (collection, id) = (self.schema.def.name, self.schema.id_of(&values));
                let mut line = serde_json::to_vec(&self.schema.document(values))
                    .map_err(|error| ExportError::Document { collection, id, what: error.to_string() })?;
                line.push(b'\n');
                line
            }
        };
        self.out.write_all(&bytes).map_err(|source| self.io(source))?;
        self.documents += 1;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Has all of it on disk. Answers with the documents and bytes in it.
    ///
    /// # Errors
    ///
    /// The file system refuses.
    pub fn finish(mut self) -> Result<(u64, u64), ExportError> {
        if matches!(self.format, Format::Bson { .. }) {
            let path = self.path.with_extension("metadata.json");
            let io = |source| io_error(&path, source);
            let mut file = create(&path)?;
            let metadata = serde_json::to_vec(&metadata(self.schema)).map_err(|error| io(error.into()))?;
            file.write_all(&metadata).map_err(io)?;
            file.sync_all().map_err(io)?;
        }
        let finished = self.out.flush().and_then(|()| self.out.get_ref().sync_all());
        finished.map_err(|source| self.io(source))?;
        Ok((self.documents, self.bytes))
    }

    fn io(&self, source: io::Error) -> ExportError {
        io_error(&self.path, source)
    }
}

fn create(path: &Path) -> Result<File, ExportError> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    created.map_err(|source| io_error(path, source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, B256};
    use bson::{Bson, RawDocumentBuf, spec::BinarySubtype};
    use lucid_storage::{
        AnchoringStatus, ChunkKey, ChunkRecord, ChunkStatus, Chunks, Meta, SessionKey, SessionRecord, Sessions, Store,
        row_page, schema_of,
    };
    use lucid_types::SessionId;
    use std::fs;

    fn store(folder: &Path) -> Store {
        let meta = Meta::new(Vec::new(), B256::ZERO);
        let store = Store::create(folder.join("s"), &meta, &lucid_storage::Options::default()).unwrap();
        let mut batch = store.begin().unwrap();
        let session_id = SessionId::from_bytes([7; 16]).unwrap();
        let account = Address::repeat_byte(2);
        let record = SessionRecord {
            owner_addr: Address::repeat_byte(3),
            started_at: 1_767_225_600,
            ended_at: None,
            manifest_hash: B256::repeat_byte(4),
            merkle_root: B256::repeat_byte(5),
            chunk_count: 3,
            anchor_txid: Some(B256::repeat_byte(6)),
            block_number: Some(9),
            gas_used: None,
            status: AnchoringStatus::Confirmed,
        };
        batch.put::<Sessions>(&SessionKey { session_id, account }, &record).unwrap();
        for idx in 0..5_000 {
            let record = ChunkRecord {
                local_path: None,
                ciphertext_sha256: B256::repeat_byte(1),
                size_bytes: idx.into(),
                status: ChunkStatus::Stored,
            };
            batch.append::<Chunks>(&ChunkKey { session_id, idx, account }, &record).unwrap();
        }
        store.commit(batch).unwrap();
        store
    }

    /// Exports one collection, page after page, and gives the file.
    fn exported(store: &Store, out: &Path, format: Format, collection: &str) -> Vec<u8> {
        let schema = schema_of(collection).unwrap();
        let export = FolderExport::begin(out, format).unwrap();
        let mut writer = export.collection(schema).unwrap();
        let name = writer.path.strip_prefix(export.unfinished.content()).unwrap().to_owned();
        let (snapshot, mut after) = (store.snapshot().unwrap(), None::<Vec<u8>>);
        loop {
            let page = row_page(&snapshot, schema, after.as_deref()).unwrap();
            for (key, row) in &page.rows {
                writer.write(key, row).unwrap();
            }
            assert!(!out.exists(), "it has its name before it is whole");
            match page.rows.into_iter().next_back() {
                Some((key, _)) if page.more => after = Some(key),
                _ => break,
            }
        }
        let (_, bytes) = writer.finish().unwrap();
        export.finish().unwrap();
        let file = fs::read(out.join(name)).unwrap();
        assert_eq!(file.len() as u64, bytes);
        file
    }

    fn documents(mut bytes: &[u8]) -> Vec<bson::Document> {
        let mut documents = Vec::new();
        while !bytes.is_empty() {
            let (document, rest) = bytes.split_at(u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize);
            documents.push(RawDocumentBuf::from_bytes(document.to_vec()).unwrap().try_into().unwrap());
            bytes = rest;
        }
        documents
    }

    fn bson_format(hex: bool) -> Format {
        Format::Bson { database: "lucid".to_owned(), hex }
    }

    #[test]
    fn documents_have_the_types_that_users_of_mongodb_expect() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let file = exported(&store, &folder.path().join("a"), bson_format(false), "sessions");
        let [session] = &documents(&file)[..] else { panic!("one session") };
        let binary = |name: &str| match session.get(name) {
            Some(Bson::Binary(binary)) => (binary.subtype, binary.bytes.clone()),
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(binary("session_id"), (BinarySubtype::Uuid, vec![7; 16]));
        assert_eq!(binary("merkle_root"), (BinarySubtype::Generic, vec![5; 32]));
        assert_eq!(session.get_datetime("started_at").unwrap().timestamp_millis(), 1_767_225_600_000);
        assert_eq!(session.get_i64("chunk_count").unwrap(), 3);
        assert_eq!(session.get_str("status").unwrap(), "confirmed");
        assert!(session.get("ended_at").is_none() && session.get("gas_used").is_none(), "what is absent is left out");
        let id = format!("07070707-0707-0707-0707-070707070707:{:#x}", Address::repeat_byte(2));
        assert_eq!(session.get_str("_id").unwrap(), id);
        assert_eq!(session.keys().next().unwrap(), "_id");

        let hex = exported(&store, &folder.path().join("b"), bson_format(true), "sessions");
        assert_eq!(documents(&hex)[0].get_str("owner_addr").unwrap(), format!("{:#x}", Address::repeat_byte(3)));
        let metadata = fs::read_to_string(folder.path().join("a/lucid/sessions.metadata.json")).unwrap();
        let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
        assert_eq!(metadata["indexes"][1]["key"]["session_id"]["$numberInt"], "1");
        assert_eq!(
            (&metadata["indexes"][1]["unique"], &metadata["collectionName"]),
            (&true.into(), &"sessions".into())
        );
    }

    #[test]
    fn every_document_is_there_once_and_in_order_over_many_pages() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let chunks = documents(&exported(&store, &folder.path().join("a"), bson_format(false), "chunks"));
        let indexes: Vec<_> = chunks.iter().map(|chunk| chunk.get_i64("idx").unwrap()).collect();
        assert_eq!(indexes, (0..5_000).collect::<Vec<_>>());
        let lines = exported(&store, &folder.path().join("b"), Format::Jsonl, "chunks");
        assert_eq!(lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count(), 5_000);
    }

    #[test]
    fn nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mine"), "x").unwrap();
        let refused = FolderExport::begin(folder.path(), Format::Jsonl).unwrap_err();
        assert!(matches!(refused, ExportError::NotEmpty { .. }) && refused.to_string().contains("mine"), "{refused}");
    }
}
