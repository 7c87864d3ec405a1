use super::{
    args::Args,
    source::Source,
    step::{Export, Form},
    tell::Teller,
    work::{Mode, work},
};
use crate::{
    cli::{
        exit_codes::{USAGE, coded},
        export::command::{database_name, named_schemas},
        signals::StopSignals,
    },
    export::mongo::{MongoServer, MongoTarget, MongoUri},
};
use anyhow::Context;
use std::time::Duration;

pub(in crate::cli::export) async fn run(args: Args) -> anyhow::Result<()> {
    let schemas = named_schemas(&args.collections)?;
    let uri = MongoUri::read(&args.uri_file, args.login_file.as_deref())?;
    let source = Source::open(&args.place)?;
    // Whether there is a node that lets it be asked is no matter of trying again.
    source.status(None).await?;
    let server = MongoServer::new(&uri).await?;
    let named = server.named_database().map(database_name).transpose();
    let named = named.map_err(|what| coded(USAGE, format!("{what}; name one with --database")))?;
    let database = args.database.or(named).unwrap_or_else(|| "lucid".to_owned());
    let mut teller = Teller::new(args.json, server.shown().to_owned(), database.clone());
    if server.is_readable_on_the_way() {
        let shown = server.shown();
        teller.say(&format!(
            "warning: what goes to {shown} can be read on the way; add tls=true to the connection string"
        ));
    }
    let target = MongoTarget::new(server, database, args.hex);
    let mut export = Export::new(source, target, schemas, Form { hex: args.hex, adopt: args.adopt });
    if !args.follow {
        return work(&mut export, Mode::Once, &mut teller).await;
    }
    let mut stop = StopSignals::listen().context("cannot wait for signals")?;
    teller.say(&format!("following to {}", export.shown()));
    let follow = Mode::Follow(Duration::from_secs(args.interval_secs));
    tokio::select! {
        ended = work(&mut export, follow, &mut teller) => ended,
        // What was under way is written again by the next one.
        () = stop.received() => Ok(()),
    }
}
