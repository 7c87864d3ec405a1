//! One step of an export: what is new up to a batch of the store goes to the target, and what the target has acknowledged is
//! noted.

use super::{
    judge::{Begin, judge},
    source::Source,
    tell::Teller,
};
use crate::{
    cli::exit_codes::{DATA, UNAVAILABLE, coded},
    export::mongo::{Adoption, MAX_BATCH_DOCUMENTS, Marker, MongoError, MongoTarget, Sharding},
};
use lucid_storage::{ExportPosition, ExportStateRecord, Schema, WriteOrder};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long a server may take for a command: as long as it may wait for a majority, and some. One that is stopped in its midst
/// would be waited for for ever.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(90);

/// How long it may take to make the indexes in collections of another program, which may be large: some forty of them.
const ADOPT_TIMEOUT: Duration = Duration::from_secs(3_600);

/// How often is noted how far a step has come: so much is written twice after a kill, and a card is not worn by it.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(2);

/// What a step has written of one collection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) collection: &'static str,
    pub(super) documents: u64,
    pub(super) bytes: u64,
}

/// How is exported.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// Addresses and hashes as hex text.
    pub(super) hex: bool,
    /// Into collections that no export has made.
    pub(super) adopt: bool,
}

/// An export to one target.
pub(super) struct Export {
    source: Source,
    target: MongoTarget,
    /// In the order in which they are written.
    schemas: Vec<&'static Schema>,
    form: Form,
    session: Option<Session>,
    /// Sequence of the store up to which there is nothing new.
    seen: Option<u64>,
    /// What was made in collections of another program.
    adoption: Adoption,
}

/// What is known of the target since it was last looked at.
struct Session {
    export_id: [u8; 16],
    record: ExportStateRecord,
    /// The step that the store has; nothing where it does not know the target.
    in_store: Option<u64>,
    /// The step that the target has.
    at_target: Option<u64>,
    /// Whether the record has more than the store.
    unsaved: bool,
    saved_at: Instant,
}

impl Export {
    pub(super) fn new(source: Source, target: MongoTarget, mut schemas: Vec<&'static Schema>, form: Form) -> Self {
        // A row that changes with every block is read while it is of the step.
        schemas.sort_by_key(|schema| schema.def.order != WriteOrder::SingleRow);
        Self { source, target, schemas, form, session: None, seen: None, adoption: Adoption::default() }
    }

    /// The server's hosts.
    pub(super) fn shown(&self) -> &str {
        self.target.server().shown()
    }

    /// Writes what is new. Empty where nothing is.
    pub(super) async fn round(&mut self, teller: &mut Teller) -> anyhow::Result<Vec<Written>> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.look_at_target(teller).await?,
        };
        let up_to = self.source.status(None).await?.sequence;
        let mut written = Vec::new();
        if self.seen != Some(up_to) {
            for schema in self.schemas.clone() {
                let collection = schema.def.name;
                let mut of = Written { collection, documents: 0, bytes: 0 };
                let is_there = |of: &ExportPosition| collection_of(&of.collection) == collection;
                let mut is_new = !session.record.positions.iter().any(is_there);
                // What was imported comes after what is the node's own, which stands for it where both have an `_id`.
                let sources = self.source.sources(schema).await?;
                for imported_from in std::iter::once(None).chain(sources.iter().map(|name| Some(name.as_str()))) {
                    let rows = Rows { schema, imported_from };
                    self.write(&mut session, rows, up_to, &mut is_new, &mut of, teller).await?;
                }
                written.extend((of.documents > 0).then_some(of));
            }
            if session.unsaved {
                self.save(&mut session).await?;
            }
            self.seen = Some(up_to);
        }
        self.session = Some(session);
        Ok(written)
    }

    /// Forgets what is known of the target: after a failure it may be another one.
    pub(super) fn forget(&mut self) {
        (self.session, self.seen) = (None, None);
    }

    /// Greets the server, and decides where to go on.
    async fn look_at_target(&mut self, teller: &Teller) -> anyhow::Result<Session> {
        within(self.target.greet(), &"the server").await?;
        let marker = within(self.target.marker(), &"the server").await?;
        let known = marker.as_ref().map(Marker::target);
        let status = self.source.status(known.as_deref()).await?;
        let begin =
            judge(marker.as_ref(), &status, self.form.hex).map_err(|refused| coded(DATA, refused.to_string()))?;
        match (begin, marker) {
            (Begin::Resume(mut record), Some(marker)) => {
                self.forget_lost(&mut record, teller).await?;
                let (in_store, at_target) = (Some(record.step), Some(marker.step));
                let export_id = marker.export_id;
                Ok(Session { export_id, record, in_store, at_target, unsaved: false, saved_at: Instant::now() })
            }
            (begin, _) => {
                match begin {
                    Begin::Anew(Some(reason)) => teller.say(&format!("{reason}; everything is written again")),
                    _ => self.check_empty().await?,
                }
                let mut export_id = [0; 16];
                draw(&mut export_id)?;
                let record = ExportStateRecord {
                    hex: self.form.hex,
                    step: 0,
                    previous_step: 0,
                    sequence: 0,
                    positions: Vec::new(),
                };
                let (in_store, at_target) = (None, None);
                Ok(Session { export_id, record, in_store, at_target, unsaved: false, saved_at: Instant::now() })
            }
        }
    }

    /// That a database which says of no export has none of the collections, for they may be those of another program; or that
    /// these bear the indexes, before anything is written to it.
    async fn check_empty(&mut self) -> anyhow::Result<()> {
        let names: Vec<_> = self.schemas.iter().map(|schema| schema.def.name).collect();
        let found = within(self.target.existing(&names), &self.shown()).await?;
        if found.is_empty() {
            return Ok(());
        }
        if self.form.adopt {
            let is_there = |schema: &&Schema| found.iter().any(|name| name == schema.def.name);
            let adopted: Vec<_> = self.schemas.iter().copied().filter(is_there).collect();
            let adopt = self.target.adopt(&adopted, &mut self.adoption);
            return Ok(timeout(ADOPT_TIMEOUT, adopt)
                .await
                .unwrap_or_else(|_| Err(stalled(&self.target.server().shown())))?);
        }
        let text = format!(
            "the database has {} and nothing that says of an export, so they may be another program's; name another database with \
             --database, or have documents of the same _id replaced with --adopt",
            found.join(", ")
        );
        Err(coded(DATA, text))
    }

    /// Collections that were written to the target and are gone are written again.
    async fn forget_lost(&self, record: &mut ExportStateRecord, teller: &Teller) -> anyhow::Result<()> {
        let mut names: Vec<_> = record.positions.iter().map(|of| collection_of(&of.collection)).collect();
        names.dedup();
        let existing = within(self.target.existing(&names), &"the server").await?;
        let is_there = |name: &str| existing.iter().any(|known| known == name);
        for lost in names.iter().filter(|name| !is_there(name)) {
            teller.say(&format!("{lost} is gone from the server, and is written again"));
        }
        record.positions.retain(|of| is_there(collection_of(&of.collection)));
        Ok(())
    }

    /// Writes what is new of some rows, and adds it to what was written of their collection; `is_new` where that is not at the
    /// target yet.
    async fn write(
        &mut self,
        session: &mut Session,
        rows: Rows<'_>,
        up_to: u64,
        is_new: &mut bool,
        written: &mut Written,
        teller: &mut Teller,
    ) -> anyhow::Result<()> {
        let Rows { schema, imported_from } = rows;
        let (collection, noted_as) = (schema.def.name, rows.noted_as());
        let known = session.record.positions.iter().find(|of| of.collection == noted_as);
        let mut position = known.map(|of| of.position.clone());
        let mut total = 0;
        loop {
            let page = self.source.changes(schema, imported_from, position.as_deref(), up_to).await?;
            if !page.rows.is_empty() {
                // The step is noted in the store, and then at the target, before the first document of it is written.
                if session.record.sequence != up_to || session.at_target != session.in_store {
                    self.open_step(session, up_to).await?;
                }
                if std::mem::take(is_new) {
                    self.prepare(schema, teller).await?;
                    // For the estimate alone; not every caller may ask.
                    total = self.source.count(schema).await.unwrap_or_default();
                }
                for rows in page.rows.chunks(MAX_BATCH_DOCUMENTS) {
                    let sent = timeout(COMMAND_TIMEOUT, self.target.upsert(schema, rows)).await;
                    written.bytes += sent.map_err(|_| stalled(&self.shown()))??;
                    written.documents += rows.len() as u64;
                    teller.show(collection, written.documents, total.max(written.documents));
                }
                session.unsaved = true;
            }
            position = page.position;
            if let Some(position) = &position {
                note(&mut session.record, &noted_as, position);
            }
            if session.unsaved && session.saved_at.elapsed() >= CHECKPOINT_INTERVAL {
                self.save(session).await?;
            }
            if !page.more {
                return Ok(());
            }
        }
    }

    async fn open_step(&self, session: &mut Session, up_to: u64) -> anyhow::Result<()> {
        let mut step = [0; 8];
        draw(&mut step)?;
        let record = &mut session.record;
        record.previous_step = session.at_target.unwrap_or_default();
        record.step = u64::from_be_bytes(step);
        record.sequence = up_to;
        self.save(session).await?;
        let status = self.source.status(None).await?;
        let marker = Marker {
            export_id: session.export_id,
            genesis_hash: status.genesis_hash,
            chain_id: status.chain_id,
            hex: self.form.hex,
            step: session.record.step,
            sequence: up_to,
        };
        within(self.target.put_marker(&marker), &self.shown()).await?;
        session.at_target = Some(session.record.step);
        Ok(())
    }

    /// Notes in the store how far the target is.
    async fn save(&self, session: &mut Session) -> anyhow::Result<()> {
        let target = alloy_primitives::hex::encode(session.export_id);
        if !self.source.put_state(&target, &session.record, session.in_store).await? {
            let text = "another export to the same database has begun meanwhile, and goes on in the place of this one";
            return Err(coded(UNAVAILABLE, text));
        }
        (session.in_store, session.unsaved, session.saved_at) = (Some(session.record.step), false, Instant::now());
        Ok(())
    }

    /// Makes a collection's indexes, and has it sharded where the server can.
    async fn prepare(&mut self, schema: &'static Schema, teller: &Teller) -> anyhow::Result<()> {
        let shown = self.shown().to_owned();
        if self.target.shards() {
            let points = self.source.split_points(schema).await?;
            let name = schema.def.name;
            match within(self.target.shard(schema, &points), &shown).await? {
                Sharding::None => {}
                Sharding::Sharded { split, points } => {
                    teller.say(&format!("{name} is sharded, with {split} of {points} points where it was split"));
                }
                Sharding::Refused(why) => teller.say(&format!("{name} is not sharded: {why}")),
            }
        }
        within(self.target.create_indexes(schema), &shown).await?;
        Ok(())
    }
}

/// Rows of a collection that are followed by themselves: the own ones, or those of a source.
#[derive(Debug, Clone, Copy)]
struct Rows<'a> {
    schema: &'static Schema,
    imported_from: Option<&'a str>,
}

impl Rows<'_> {
    /// The name under which is noted how far they were written. There is no slash in that of a source.
    fn noted_as(&self) -> String {
        let collection = self.schema.def.name;
        self.imported_from.map_or_else(|| collection.to_owned(), |source| format!("{collection}/{source}"))
    }
}

/// The collection in such a name.
fn collection_of(noted_as: &str) -> &str {
    noted_as.split_once('/').map_or(noted_as, |(collection, _)| collection)
}

/// Notes where the next page of some rows begins.
fn note(record: &mut ExportStateRecord, noted_as: &str, position: &[u8]) {
    match record.positions.iter_mut().find(|of| of.collection == noted_as) {
        Some(of) => of.position = position.to_vec(),
        None => record.positions.push(ExportPosition { collection: noted_as.to_owned(), position: position.to_vec() }),
    }
}

fn stalled(server: &impl ToString) -> MongoError {
    let what = format!("a command was not answered within {} s", COMMAND_TIMEOUT.as_secs());
    MongoError::Unreachable { server: server.to_string(), what }
}

/// Waits for a command's answer, and not for ever.
async fn within<T>(
    command: impl Future<Output = Result<T, MongoError>>,
    server: &impl ToString,
) -> Result<T, MongoError> {
    timeout(COMMAND_TIMEOUT, command).await.unwrap_or_else(|_| Err(stalled(server)))
}

/// Fills in random bytes.
pub(super) fn draw(bytes: &mut [u8]) -> anyhow::Result<()> {
    getrandom::fill(bytes).map_err(|error| anyhow::anyhow!("the system gives no random bytes: {error}"))
}
