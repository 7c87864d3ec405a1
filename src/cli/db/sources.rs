use super::place::{Found, Place, glance};
use lucid_rpc::ImportSourceDocument;
use lucid_storage::import_sources;

/// List the databases that documents were imported from, with how many each collection has of them.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    place: Place,
    /// Write one JSON list.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let sources: Vec<ImportSourceDocument> = match args.place.find()? {
        Found::Folder(datadir) => import_sources(&glance(&datadir)?)?.into_iter().map(Into::into).collect(),
        Found::Node(client) => client.import_sources().await?,
    };
    if args.json {
        println!("{}", serde_json::to_string(&sources)?);
    } else {
        for source in sources {
            println!("{}", source.source);
            for (collection, documents) in source.documents {
                println!("  {collection:20} {documents:>12} documents");
            }
        }
    }
    Ok(())
}
