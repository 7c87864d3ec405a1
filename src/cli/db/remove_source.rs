use super::{
    find::refused,
    place::{Found, Place, open_to_write},
    progress::Bar,
    sources::print,
};
use crate::cli::exit_codes::{USAGE, coded};
use anyhow::bail;
use lucid_rpc::{Client, ImportSourceDocument, RemovedDocument};
use lucid_storage::{QueryError, SourceName, Store, import_sources};
use std::collections::BTreeMap;

/// Remove all documents that were imported from a source. The node's own stay, and so do those of other sources.
///
/// They go in small batches, between which a running node (--rpc) goes on. Ended at any moment, this can be run again. The
/// file gets no smaller by it, but its pages are used again; `db compact` makes it smaller. Nothing brings the documents back
/// but an import, or a backup of before.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The source, as `db sources` lists it.
    #[arg(value_name = "NAME")]
    source: SourceName,
    #[command(flatten)]
    place: Place,
    /// Remove them; without it they are only counted.
    #[arg(long)]
    force: bool,
    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

/// Who removes them.
enum Owner {
    File(Store),
    Node(Client),
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let owner = match args.place.find()? {
        Found::Folder(datadir) => Owner::File(open_to_write(datadir)?),
        Found::Node(client) => Owner::Node(client),
    };
    let listed = owner.listed(&args.source).await?;
    if !args.force {
        let documents = listed.documents.iter().map(|(collection, documents)| format!("{documents} {collection}"));
        let text = format!(
            "the source {} has {}; --force removes them, and nothing but an import or a backup brings them back",
            args.source,
            documents.collect::<Vec<_>>().join(", ")
        );
        return Err(coded(USAGE, text));
    }
    let total = listed.documents.values().fold(0_u64, |sum, documents| sum.saturating_add(*documents));
    let removed = remove(&owner, &args.source, total).await?;
    if args.json {
        println!("{}", serde_json::to_string(&removed)?);
    } else {
        println!("removed");
        print(&removed);
    }
    Ok(())
}

impl Owner {
    /// The source as it is listed.
    async fn listed(&self, source: &SourceName) -> anyhow::Result<ImportSourceDocument> {
        let sources: Vec<ImportSourceDocument> = match self {
            Self::File(store) => import_sources(&store.snapshot()?)?.into_iter().map(Into::into).collect(),
            Self::Node(client) => client.import_sources().await?,
        };
        let names = sources.iter().map(|of| of.source.clone()).collect();
        let found = sources.into_iter().find(|of| of.source == source.as_str());
        found.ok_or_else(|| refused(QueryError::UnknownSource { name: source.to_string(), sources: names }))
    }

    /// One batch; nothing where there is nothing of the source.
    async fn remove_some(&self, source: &SourceName) -> anyhow::Result<Option<RemovedDocument>> {
        match self {
            Self::File(store) => {
                let mut batch = store.begin()?;
                let step = batch.remove_source(source)?;
                store.commit(batch)?;
                Ok(step.map(Into::into))
            }
            Self::Node(client) => Ok(Some(client.remove_source(source.as_str()).await?)),
        }
    }
}

/// Removes batch after batch, of which there are `total` documents, and says what it removed.
async fn remove(owner: &Owner, source: &SourceName, total: u64) -> anyhow::Result<ImportSourceDocument> {
    let (mut removed, mut done) = (BTreeMap::<String, u64>::new(), 0);
    let mut bar = Bar::new();
    while let Some(step) = owner.remove_some(source).await? {
        for (collection, documents) in step.documents {
            done += documents;
            *removed.entry(collection).or_default() += documents;
        }
        bar.show("documents", done, total.max(done));
        if !step.more {
            break;
        }
        // Nobody else writes to a file.
        if done > total && matches!(owner, Owner::Node(_)) {
            bail!("documents of {source} come in while they are removed: end that import, and run this again");
        }
    }
    Ok(ImportSourceDocument { source: source.to_string(), documents: removed })
}
