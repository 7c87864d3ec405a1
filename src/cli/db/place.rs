use super::progress::Bar;
use crate::{
    cli::{
        app::with_causes,
        exit_codes::{DATA, USAGE, coded, is_damage},
        session::connect,
    },
    config::CLIENT_RPC_VARIABLE,
    node::{DataDir, NodeError},
};
use lucid_rpc::{Client, DbJobDocument};
use lucid_storage::{Meta, Options, Snapshot, Store, StoreError};
use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// How often the node is asked how its work stands.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Whose store: that of a folder on which no node runs, or that of a running node.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Place {
    /// The node's folder; no node may run on it.
    #[arg(long, value_name = "DIR", conflicts_with = "rpc")]
    datadir: Option<PathBuf>,
    /// Address of the running node, which then does it itself. Without a folder and an address, the one that the
    /// environment names as ON_SYSTEM_CHAIN_RPC.
    #[arg(long, value_name = "URL")]
    rpc: Option<String>,
    /// The file with the node's admin token: tokens/admin in its folder. A development node asks for none.
    #[arg(long, value_name = "FILE", conflicts_with = "datadir")]
    token_file: Option<PathBuf>,
}

/// A [`Place`] that was looked up.
pub(in crate::cli) enum Found {
    /// A folder.
    Folder(DataDir),
    /// A node.
    Node(Client),
}

impl Place {
    /// Whether it is that of a folder.
    pub(super) const fn is_folder(&self) -> bool {
        self.datadir.is_some()
    }

    pub(in crate::cli) fn find(&self) -> anyhow::Result<Found> {
        if let Some(datadir) = &self.datadir {
            return Ok(Found::Folder(DataDir::at_existing(datadir)?));
        }
        // Read here and not by the parser, for which it would stand beside a folder that was named.
        let named = self.rpc.clone().or_else(|| env::var(CLIENT_RPC_VARIABLE).ok().filter(|url| !url.is_empty()));
        let Some(url) = named else {
            let text = format!(
                "name the node's folder with --datadir DIR, where no node runs on it; or the running node with --rpc URL \
                 (or {CLIENT_RPC_VARIABLE} in the environment) and its token with --token-file DIR/tokens/admin"
            );
            return Err(coded(USAGE, text));
        };
        Ok(Found::Node(connect(&url, self.token_file.as_deref())?))
    }
}

/// The store of a folder, read and not written.
pub(in crate::cli) struct Look {
    pub(super) meta: Meta,
    pub(in crate::cli) snapshot: Snapshot,
    pub(super) file_bytes: u64,
}

/// Looks at the store of a folder: at every page before any is believed.
pub(in crate::cli) fn look(datadir: &DataDir) -> anyhow::Result<Look> {
    look_at(&datadir.store()).map_err(|error| with_store_advice(error.into(), datadir.path()))
}

/// The store of a folder for who reads a few rows. Each has a checksum, which is looked at when it is read.
pub(super) fn glance(datadir: &DataDir) -> anyhow::Result<Snapshot> {
    match Store::inspect(datadir.store(), &Options::default(), false) {
        Ok((_, snapshot)) => Ok(snapshot),
        Err(error) => Err(with_store_advice(error.into(), datadir.path())),
    }
}

/// The store of a folder on which no node runs, to be written to.
pub(in crate::cli) fn open_to_write(datadir: DataDir) -> anyhow::Result<Store> {
    // What is written may become a file of whose this process is.
    let datadir = datadir.to_write()?;
    let store = Store::open(datadir.store(), &Options::default());
    store.map_err(|error| with_store_advice(error.into(), datadir.path()))
}

/// As [`look`], at the file of a backup.
pub(super) fn look_at_backup(path: &Path) -> anyhow::Result<Look> {
    if path.is_dir() {
        let shown = path.display();
        return Err(coded(
            USAGE,
            format!("{shown} is a folder; a node's is named with --datadir {shown}, a backup as a file"),
        ));
    }
    Ok(look_at(path)?)
}

fn look_at(path: &Path) -> Result<Look, StoreError> {
    let bar = Bar::spinner("reading every page");
    let opened = Store::inspect(path, &Options::default(), true);
    drop(bar);
    let (meta, snapshot) = opened?;
    let fault = |source| StoreError::Io { path: path.to_owned(), source };
    Ok(Look { meta, snapshot, file_bytes: fs::metadata(path).map_err(fault)?.len() })
}

/// The error; where it is that the store in `datadir` is damaged or another process has it, with what to do about that.
pub(in crate::cli) fn with_store_advice(error: anyhow::Error, datadir: &Path) -> anyhow::Error {
    let advice = if is_damage(&error) {
        damage_advice(Some(datadir))
    } else if is_locked(&error) {
        let how = if DataDir::is_installed(datadir) { " (`sudo systemctl stop lucid-node`)" } else { "" };
        format!(
            "A node runs on this folder, or another command does: ask the node with --rpc URL (most of `db`, `session`, \
             `export` and `import-mongo` take that), or stop it first{how}"
        )
    } else {
        return error;
    };
    // The context holds the error's own text, which is then not said again.
    let text = format!("{}\n{advice}", with_causes(&error));
    error.context(text)
}

/// Whether the error is that another process has the store.
fn is_locked(error: &anyhow::Error) -> bool {
    let of_store = |cause: &(dyn std::error::Error + 'static)| {
        let of_node = cause.downcast_ref::<NodeError>().and_then(NodeError::of_store);
        matches!(of_node.or_else(|| cause.downcast_ref()), Some(StoreError::Locked(_)))
    };
    error.chain().any(of_store)
}

/// How to make sure that the store of a folder is damaged, and what to do then. `None` where it is not known whose.
pub(in crate::cli) fn damage_advice(datadir: Option<&Path>) -> String {
    let datadir = datadir.unwrap_or(Path::new("DIR"));
    let (dir, program) = (datadir.display(), DataDir::program(datadir));
    format!(
        "To check all of it, while no node runs:\n  {program} db verify --datadir {dir}\n{}",
        restore_advice(datadir)
    )
}

/// What to do about a store in which something is not as it has to be.
pub(super) fn repair_advice(datadir: &Path) -> String {
    let (dir, program) = (datadir.display(), DataDir::program(datadir));
    format!(
        "Where that is about indexes, shard ranges or counts of imported documents, these are made anew from the rows, and \
         nothing is lost:\n  {program} db reindex --datadir {dir}\nThen check again. {}",
        restore_advice(datadir)
    )
}

/// What to do about a damaged store.
pub(super) fn restore_advice(datadir: &Path) -> String {
    let (dir, program) = (datadir.display(), DataDir::program(datadir));
    let away = match DataDir::is_installed(datadir) {
        true => format!("  sudo systemctl stop lucid-node\n  sudo mv {dir}/lucid.redb {dir}-damaged.redb\n"),
        false => String::new(),
    };
    format!(
        "Nothing repairs a damaged store. Move the file away and put the last backup in its place:\n{away}  \
         {program} db restore --datadir {dir} BACKUP\n\
         Lost is what came after that backup: blocks, and sessions that were anchored since. Keys, recordings and proof \
         files are not in the store, so they are not lost; sessions can be anchored again.\n\
         Where this keeps happening, the disk is worn: replace it"
    )
}

/// Waits until work that a node has begun is over.
pub(super) async fn wait(client: &Client, begun: DbJobDocument) -> anyhow::Result<DbJobDocument> {
    let mut bar = Bar::new();
    let id = begun.id;
    let mut job = begun;
    while !job.has_ended() {
        bar.show(&job.step, job.done, job.total);
        tokio::time::sleep(POLL_INTERVAL).await;
        job = match client.db_job().await? {
            Some(job) if job.id == id => job,
            _ => anyhow::bail!("the node was restarted, or does other work by now: how this one ended is not known"),
        };
    }
    drop(bar);
    match job.error {
        Some(error) => {
            let text = format!("the node's {} failed: {error}", job.kind.name());
            // The code is that of the same work on the file.
            Err(if job.damaged { coded(DATA, text) } else { anyhow::anyhow!(text) })
        }
        None => Ok(job),
    }
}
