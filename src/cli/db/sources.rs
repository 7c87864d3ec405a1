use super::{
    place::{Found, Place, glance},
    remove_source,
};
use lucid_rpc::ImportSourceDocument;
use lucid_storage::import_sources;

/// List the databases that documents were imported from, with how many each collection has of them.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    place: Place,
    /// Write one JSON list.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Remove(remove_source::Args),
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    if let Some(Command::Remove(args)) = args.command {
        return remove_source::run(args).await;
    }
    let sources: Vec<ImportSourceDocument> = match args.place.find()? {
        Found::Folder(datadir) => import_sources(&glance(&datadir)?)?.into_iter().map(Into::into).collect(),
        Found::Node(client) => client.import_sources().await?,
    };
    if args.json {
        println!("{}", serde_json::to_string(&sources)?);
    } else {
        sources.iter().for_each(print);
    }
    Ok(())
}

/// Prints a source, with documents that it has or had.
pub(super) fn print(source: &ImportSourceDocument) {
    println!("{}", source.source);
    for (collection, documents) in &source.documents {
        println!("  {collection:20} {documents:>12} documents");
    }
}
