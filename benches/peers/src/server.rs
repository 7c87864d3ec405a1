//! A server that speaks MongoDB's protocol, started here as a process of its own, and the official driver.

use crate::{
    documents::Chunk,
    peer::{Peer, folder_bytes},
};
use anyhow::{Context, Result, bail};
use mongodb::{
    IndexModel,
    bson::{Binary, RawDocumentBuf, doc, rawdoc, spec::BinarySubtype},
    options::{IndexOptions, ReadConcern, WriteConcern},
    sync::{Client, Collection},
};
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long the server may take until it answers.
const START: Duration = Duration::from_secs(30);

pub struct Server {
    folder: PathBuf,
    child: Child,
    chunks: Collection<RawDocumentBuf>,
}

impl Server {
    /// Starts `program` on an empty folder, with a sync for every commit.
    pub fn new(folder: &Path, program: &str) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--log-level", "ERROR", "--sync-on-commit"])
            .arg("--storage-path")
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{program} cannot be started"))?;
        let uri = format!("mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=1000&maxPoolSize=32");
        let client = Client::with_uri_str(uri)?;
        let database = client.database("peers");
        let began = Instant::now();
        while let Err(error) = database.run_command(doc! { "ping": 1 }).run() {
            if began.elapsed() > START {
                bail!("{program} does not answer: {error}");
            }
            thread::sleep(Duration::from_millis(100));
        }
        let concern = WriteConcern::builder().journal(true).build();
        let options = mongodb::options::CollectionOptions::builder()
            .write_concern(concern)
            .read_concern(ReadConcern::local())
            .build();
        let chunks = database.collection_with_options("chunks", options);
        let key = IndexOptions::builder().unique(true).build();
        let key = IndexModel::builder().keys(doc! { "session_id": 1, "idx": 1, "account": 1 }).options(key).build();
        let hash = IndexModel::builder().keys(doc! { "ciphertext_sha256": 1 }).build();
        chunks.create_indexes([key, hash]).run()?;
        Ok(Self { folder: folder.to_owned(), child, chunks })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bytes(bytes: &[u8]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }
}

fn uuid(bytes: &[u8; 16]) -> Binary {
    Binary { subtype: BinarySubtype::Uuid, bytes: bytes.to_vec() }
}

fn id(chunk: &Chunk) -> String {
    let session_id = alloy_primitives::hex::encode(chunk.session_id);
    format!("{session_id}:{}:{}", chunk.idx, alloy_primitives::hex::encode(chunk.account))
}

fn document(chunk: &Chunk) -> RawDocumentBuf {
    rawdoc! {
        "_id": id(chunk),
        "session_id": uuid(&chunk.session_id),
        "idx": i64::from(chunk.idx),
        "account": bytes(&chunk.account),
        "local_path": chunk.local_path.as_str(),
        "ciphertext_sha256": bytes(&chunk.ciphertext_sha256),
        "size_bytes": chunk.size_bytes as i64,
        "status": "stored",
    }
}

fn plain(document: RawDocumentBuf) -> Result<Chunk> {
    Ok(Chunk {
        session_id: document.get_binary("session_id")?.bytes.try_into()?,
        idx: document.get_i64("idx")?.try_into()?,
        account: document.get_binary("account")?.bytes.try_into()?,
        local_path: document.get_str("local_path")?.to_owned(),
        ciphertext_sha256: document.get_binary("ciphertext_sha256")?.bytes.try_into()?,
        size_bytes: document.get_i64("size_bytes")?.try_into()?,
    })
}

impl Peer for Server {
    fn insert(&self, chunks: &[Chunk]) -> Result<()> {
        self.chunks.insert_many(chunks.iter().map(document)).run()?;
        Ok(())
    }

    fn get(&self, chunk: &Chunk) -> Result<Option<Chunk>> {
        self.chunks.find_one(doc! { "_id": id(chunk) }).run()?.map(plain).transpose()
    }

    fn range(&self, session_id: &[u8; 16], first: u32, count: u32) -> Result<Vec<Chunk>> {
        let (first, end) = (i64::from(first), i64::from(first + count));
        let filter = doc! { "session_id": uuid(session_id), "idx": { "$gte": first, "$lt": end } };
        let found = self.chunks.find(filter).sort(doc! { "session_id": 1, "idx": 1 }).batch_size(1_000).run()?;
        found.map(|document| plain(document?)).collect()
    }

    fn by_hash(&self, hash: &[u8; 32]) -> Result<Option<Chunk>> {
        self.chunks.find_one(doc! { "ciphertext_sha256": bytes(hash) }).run()?.map(plain).transpose()
    }

    fn settle(self: Box<Self>) -> Result<u64> {
        folder_bytes(&self.folder)
    }

    fn process(&self) -> Option<u32> {
        Some(self.child.id())
    }
}
