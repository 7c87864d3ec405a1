use super::{
    args::Args,
    database::{Collection, Database},
    report::Report,
    tally::Tally,
    target::Target,
};
use crate::{
    cli::{
        app::with_causes,
        db::Bar,
        exit_codes::{DATA, USAGE, coded},
        session::with_hint,
    },
    export::import::{ImportedDocument, read_document},
};
use lucid_storage::{Imported, SourceName};
use serde_json::json;

/// Documents that one commit takes in at most.
const MAX_PAGE_DOCUMENTS: usize = 1_000;

/// Bytes of documents after which a commit is made: over the wire they take about twice as many.
const MAX_PAGE_BYTES: usize = 1 << 20;

pub(in crate::cli) async fn run(args: Args) -> anyhow::Result<()> {
    import(&args).await.map_err(with_hint)
}

async fn import(args: &Args) -> anyhow::Result<()> {
    let database = Database::open(args).await?;
    let source = source_name(args, database.name())?;
    let target = if args.dry_run { Target::Nowhere } else { Target::open(&args.place)? };
    let mut import = Import { source, target, report: Report::begin(args.report.as_deref())?, bar: Bar::new() };
    let (mut tallies, mut faults) = (Vec::<Tally>::new(), Vec::new());
    for collection in database.collections().await? {
        let mut tally = Tally::new(collection.into);
        let read = import.collection(&database, &collection, &mut tally).await;
        tallies.push(tally);
        // What is damaged ends a file, and keeps nothing of the others.
        faults.extend(read.map_err(|error| import.with_written(error, &tallies))?.err());
    }
    let Import { source, report, bar, .. } = import;
    drop(bar);
    let finished = report.finish();
    say(args, &source, &tallies, database.others());
    finished?;
    for fault in faults.iter().skip(1) {
        eprintln!("error: {fault:#}");
    }
    let not_taken: u64 = tallies.iter().map(|tally| tally.not_taken).sum();
    match faults.into_iter().next() {
        Some(fault) => Err(fault),
        None if args.strict && not_taken > 0 => Err(coded(DATA, format!("{not_taken} documents were not taken"))),
        None => Ok(()),
    }
}

/// The name of the source: as it was given, or that of the database.
fn source_name(args: &Args, database: &str) -> anyhow::Result<SourceName> {
    match &args.source {
        Some(source) => Ok(source.clone()),
        None => database.parse().map_err(|error| {
            coded(USAGE, format!("{error}, and the database is called {database:?}: name the source with --source"))
        }),
    }
}

fn say(args: &Args, source: &SourceName, tallies: &[Tally], others: &[String]) {
    if args.json {
        let collections: Vec<_> = tallies.iter().map(|tally| tally.to_json(args.dry_run)).collect();
        let said = json!({
            "source": source.as_str(), "dry_run": args.dry_run, "collections": collections, "not_imported": others,
        });
        println!("{said}");
        return;
    }
    println!("source {source}");
    for tally in tallies {
        println!("{}", tally.to_line(args.dry_run));
    }
    if !others.is_empty() {
        println!("not imported: {}", others.join(", "));
    }
}

/// Documents that one commit takes in, each with the byte of its file at which it begins.
#[derive(Default)]
struct Page {
    documents: Vec<ImportedDocument>,
    offsets: Vec<Option<u64>>,
}

/// An import under way.
struct Import {
    source: SourceName,
    target: Target,
    report: Report,
    bar: Bar,
}

impl Import {
    /// The error that ends it early, with what was written before it: that stays.
    fn with_written(&self, error: anyhow::Error, tallies: &[Tally]) -> anyhow::Error {
        let written: u64 = tallies.iter().map(Tally::written).sum();
        let source = &self.source;
        let text = match &self.target {
            Target::Nowhere => return error,
            // One whose answer did not come may have been written too.
            Target::Node(_) => format!("At least {written}"),
            Target::File(_) => written.to_string(),
        };
        // The context holds the error's own text, which is then not said again.
        let text = format!(
            "{}\n{text} documents of {source} were written before that and are on disk; run again, it goes on from there",
            with_causes(&error)
        );
        error.context(text)
    }

    /// Takes a collection in. The inner error is that its documents cannot be read on: what came before is taken.
    async fn collection(
        &mut self,
        database: &Database,
        collection: &Collection,
        tally: &mut Tally,
    ) -> anyhow::Result<anyhow::Result<()>> {
        let mut documents = match database.documents(collection).await {
            Ok(documents) => documents,
            Err(fault) => return Ok(Err(fault)),
        };
        let (mut page, mut page_bytes) = (Page::default(), 0);
        let ended = loop {
            let (offset, document) = match documents.next().await {
                Ok(Some(next)) => next,
                Ok(None) => break Ok(()),
                Err(fault) => break Err(fault),
            };
            page_bytes += document.len();
            match read_document(collection.into, document) {
                Ok(document) => {
                    page.documents.push(document);
                    page.offsets.push(offset);
                }
                Err(refused) => {
                    tally.not_taken += 1;
                    self.report.not_taken(collection.into, refused.id.as_deref(), offset, &refused.reason)?;
                }
            }
            if page.documents.len() >= MAX_PAGE_DOCUMENTS || page_bytes >= MAX_PAGE_BYTES {
                self.page(&mut page, tally).await?;
                page_bytes = 0;
                self.bar.show(collection.into, documents.done(), collection.total.max(documents.done()));
            }
        };
        self.page(&mut page, tally).await?;
        Ok(ended)
    }

    /// Takes a page in, and then tells of it.
    async fn page(&mut self, page: &mut Page, tally: &mut Tally) -> anyhow::Result<()> {
        let Page { documents, offsets } = std::mem::take(page);
        if documents.is_empty() {
            return Ok(());
        }
        let collection = tally.collection;
        let imported = self.target.import(&self.source, collection, &documents).await?;
        if imported.is_empty() {
            tally.readable += documents.len() as u64;
            return documents.iter().try_for_each(|document| self.report.taken(collection, &document.id, "readable"));
        }
        // They are on disk, whether or not the report can be written.
        imported.iter().for_each(|imported| tally.count(*imported));
        for ((document, offset), imported) in documents.iter().zip(offsets).zip(imported) {
            match imported {
                Imported::KeyTaken => {
                    let reason = format!("another document of {} is known here as {}", self.source, document.row.id());
                    self.report.not_taken(collection, Some(&document.id), offset, &reason)?;
                }
                taken => self.report.taken(collection, &document.id, taken.as_str())?,
            }
        }
        Ok(())
    }
}
