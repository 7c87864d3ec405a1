//! Where documents come from: the files of a database, or a live server.

use super::args::Args;
#[cfg(feature = "mongo")]
use crate::export::{
    import::{LiveDatabase, LiveDocuments},
    mongo::{MongoError, MongoServer, MongoUri},
};
use crate::{
    cli::exit_codes::{USAGE, coded},
    export::import::{BsonFile, Dump, DumpFile},
};
use std::path::Path;
#[cfg(feature = "mongo")]
use {
    crate::cli::exit_codes::{NO_INPUT, UNAVAILABLE},
    std::time::Duration,
};

/// How long a server may take for an answer.
#[cfg(feature = "mongo")]
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);

/// A database that documents are read from.
pub(super) enum Database {
    Files(Dump),
    #[cfg(feature = "mongo")]
    Server(LiveDatabase),
}

/// A collection of it.
pub(super) struct Collection {
    /// The one that its documents go into.
    pub(super) into: &'static str,
    /// How much there is to read: bytes, or of a server documents.
    pub(super) total: u64,
    from: Origin,
}

enum Origin {
    File(DumpFile),
    #[cfg(feature = "mongo")]
    Server(String),
}

/// The documents of a collection, one after the other.
pub(super) enum Documents {
    File(BsonFile),
    #[cfg(feature = "mongo")]
    Server(Box<LiveDocuments>),
}

impl Database {
    pub(super) async fn open(args: &Args) -> anyhow::Result<Self> {
        #[cfg(feature = "mongo")]
        if let Some(file) = &args.from_uri_file {
            return Self::connect(&MongoUri::read(file, args.login_file.as_deref())?, args).await;
        }
        let from = args.from.as_deref().unwrap_or_default();
        let is_uri = from.starts_with("mongodb://") || from.starts_with("mongodb+srv://");
        if !is_uri && from.contains("://") {
            // What looks like a URI may have a password in it, so nothing of it is said.
            return Err(coded(USAGE, "the URI of a server begins with mongodb:// or mongodb+srv://"));
        }
        if !is_uri {
            return Ok(Self::Files(Dump::open(Path::new(from), args.database.as_deref())?));
        }
        // Whatever is before it may be a password, so nothing of it is said.
        if from.contains('@') {
            let text = "a URI with a login belongs in a file that only its owner can read: --from-uri-file FILE";
            return Err(coded(USAGE, text));
        }
        Self::connect_without_login(from, args).await
    }

    #[cfg(feature = "mongo")]
    async fn connect_without_login(uri: &str, args: &Args) -> anyhow::Result<Self> {
        Self::connect(&MongoUri::without_login(uri)?, args).await
    }

    #[cfg(not(feature = "mongo"))]
    async fn connect_without_login(_: &str, _: &Args) -> anyhow::Result<Self> {
        Err(coded(USAGE, "this program was built without the feature mongo, and reads files only"))
    }

    #[cfg(feature = "mongo")]
    async fn connect(uri: &MongoUri, args: &Args) -> anyhow::Result<Self> {
        let server = MongoServer::new(uri).await?;
        if server.is_readable_on_the_way() {
            let shown = server.shown();
            eprintln!("warning: what comes from {shown} can be read on the way; add tls=true to the URI");
        }
        let database = args.database.as_deref().or(server.named_database()).unwrap_or("lucid").to_owned();
        let shown = server.shown().to_owned();
        let found = within(LiveDatabase::open(server, database.clone())).await?;
        if found.collections().is_empty() {
            let text = format!("{shown} has no sessions, chunks, task_proofs or payouts in the database {database}");
            return Err(coded(NO_INPUT, text));
        }
        Ok(Self::Server(found))
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Files(dump) => &dump.database,
            #[cfg(feature = "mongo")]
            Self::Server(database) => database.name(),
        }
    }

    /// Names of the collections that are not imported.
    pub(super) fn others(&self) -> &[String] {
        match self {
            Self::Files(dump) => &dump.others,
            #[cfg(feature = "mongo")]
            Self::Server(database) => database.others(),
        }
    }

    /// The collections that are imported.
    pub(super) async fn collections(&self) -> anyhow::Result<Vec<Collection>> {
        match self {
            Self::Files(dump) => {
                let of = |file: &DumpFile| Collection {
                    into: file.collection,
                    total: file.bytes,
                    from: Origin::File(file.clone()),
                };
                Ok(dump.files.iter().map(of).collect())
            }
            #[cfg(feature = "mongo")]
            Self::Server(database) => {
                let mut collections = Vec::new();
                for (name, into) in database.collections() {
                    let total = within(database.count(name)).await?;
                    collections.push(Collection { into, total, from: Origin::Server(name.clone()) });
                }
                Ok(collections)
            }
        }
    }

    /// Begins to read a collection.
    pub(super) async fn documents(&self, collection: &Collection) -> anyhow::Result<Documents> {
        match (self, &collection.from) {
            (_, Origin::File(file)) => Ok(Documents::File(BsonFile::open(&file.path)?)),
            #[cfg(feature = "mongo")]
            (Self::Server(database), Origin::Server(name)) => {
                Ok(Documents::Server(Box::new(within(database.documents(name)).await?)))
            }
            #[cfg(feature = "mongo")]
            (Self::Files(_), Origin::Server(name)) => anyhow::bail!("{name} is no file"),
        }
    }
}

/// Waits for a server's answer, and not for ever.
#[cfg(feature = "mongo")]
async fn within<T>(answer: impl Future<Output = Result<T, MongoError>>) -> anyhow::Result<T> {
    match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(coded(UNAVAILABLE, format!("the server did not answer within {} s", ANSWER_TIMEOUT.as_secs()))),
    }
}

impl Documents {
    /// The next document; of a file with the byte at which it begins.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<(Option<u64>, &[u8])>> {
        match self {
            Self::File(file) => Ok(file.next_document()?.map(|(offset, document)| (Some(offset), document))),
            #[cfg(feature = "mongo")]
            Self::Server(documents) => Ok(within(documents.next()).await?.map(|document| (None, document))),
        }
    }

    /// How much was read.
    pub(super) fn done(&self) -> u64 {
        match self {
            Self::File(file) => file.read_bytes(),
            #[cfg(feature = "mongo")]
            Self::Server(documents) => documents.read(),
        }
    }
}
