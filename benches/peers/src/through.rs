//! A running node that has many documents: what a question takes for a program that asks it.

use crate::{
    documents::{Chunk, SESSION_CHUNKS, random},
    measure::median,
};
use alloy_primitives::{Address, B256};
use anyhow::{Context, Result, ensure};
use lucid_types::SessionId;
use mongodb::bson::{Binary, doc, spec::BinarySubtype};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Read, Write},
    net::TcpStream,
    path::Path,
    time::Instant,
};

/// Name of the source whose documents are asked for.
pub const SOURCE: &str = "lucid";

/// Most bytes of a line of an answer's head.
const MAX_LINE_BYTES: u64 = 8 << 10;

/// Questions that are asked first, and not counted.
const WARM_UP: u64 = 100;

/// Writes so many chunks into a folder, as `mongodump` writes them.
pub fn dump(out: &Path, documents: u64) -> Result<()> {
    let folder = out.join(SOURCE);
    fs::create_dir_all(&folder)?;
    let mut file = BufWriter::new(File::create(folder.join("chunks.bson"))?);
    let binary = |subtype, bytes: &[u8]| Binary { subtype, bytes: bytes.to_vec() };
    for number in 0..documents {
        let chunk = Chunk::nth(number);
        let account = Address::from(chunk.account);
        let document = doc! {
            "_id": format!("{}:{}:{account:#x}", shown(&chunk)?, chunk.idx),
            "session_id": binary(BinarySubtype::Uuid, &chunk.session_id),
            "idx": i64::from(chunk.idx),
            "account": binary(BinarySubtype::Generic, &chunk.account),
            "local_path": chunk.local_path,
            "ciphertext_sha256": binary(BinarySubtype::Generic, &chunk.ciphertext_sha256),
            "size_bytes": i64::try_from(chunk.size_bytes)?,
            "status": "stored",
        };
        file.write_all(&document.to_vec()?)?;
    }
    Ok(file.into_inner()?.sync_all()?)
}

/// Asks a node that has imported so many of these, over one connection, and prints the median times.
pub fn ask(address: &str, documents: u64, reads: u64) -> Result<()> {
    let mut node = Node::connect(address)?;
    let options = json!({ "source": SOURCE });
    let head = node.times(reads, |_| Ok(("eth_blockNumber", json!([]), String::new())))?;
    let get = node.times(reads, |seed| {
        let chunk = Chunk::nth(random(seed, documents));
        let filter = json!({ "session_id": shown(&chunk)?, "idx": chunk.idx });
        Ok(("lucid_findOne", json!(["chunks", filter, options]), chunk.local_path))
    })?;
    let hash = node.times(reads, |seed| {
        let chunk = Chunk::nth(random(seed + reads, documents));
        let filter = json!({ "ciphertext_sha256": B256::from(chunk.ciphertext_sha256) });
        Ok(("lucid_findOne", json!(["chunks", filter, options]), chunk.local_path))
    })?;
    let range = node.times(reads / 10, |seed| {
        let first = random(seed, SESSION_CHUNKS - 100);
        let session = random(seed, documents / SESSION_CHUNKS);
        let chunk = Chunk::nth(session * SESSION_CHUNKS + first);
        let filter = json!({ "session_id": shown(&chunk)?, "idx": { "$gte": first, "$lt": first + 100 } });
        Ok(("lucid_find", json!(["chunks", filter, options]), chunk.local_path))
    })?;
    println!("documents,head_us,get_us,by_hash_us,range_us");
    println!("{documents},{head:.0},{get:.0},{hash:.0},{range:.0}");
    Ok(())
}

fn shown(chunk: &Chunk) -> Result<String> {
    Ok(SessionId::from_bytes(chunk.session_id)?.to_string())
}

/// A connection to a node.
struct Node {
    address: String,
    stream: BufReader<TcpStream>,
}

impl Node {
    fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("no node at {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { address: address.to_owned(), stream: BufReader::new(stream) })
    }

    /// The median time of a question, in microseconds. Each answer has to have a text in it.
    fn times(&mut self, count: u64, question: impl Fn(u64) -> Result<(&'static str, Value, String)>) -> Result<f64> {
        let mut times = Vec::new();
        for seed in 0..count + WARM_UP {
            let (method, params, expected) = question(seed)?;
            let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
            let began = Instant::now();
            let answer = self.post(&body)?;
            let took = began.elapsed();
            ensure!(answer.contains("\"result\"") && answer.contains(&expected), "{method}: {answer}");
            if seed >= WARM_UP {
                times.push(took);
            }
        }
        Ok(median(times).as_secs_f64() * 1e6)
    }

    fn post(&mut self, body: &str) -> Result<String> {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut length = None;
        loop {
            let mut line = String::new();
            (&mut self.stream).take(MAX_LINE_BYTES).read_line(&mut line)?;
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = Some(value.trim().parse()?);
            }
            if line.is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length.context("an answer without a length")?];
        self.stream.read_exact(&mut answer)?;
        Ok(String::from_utf8(answer)?)
    }
}
