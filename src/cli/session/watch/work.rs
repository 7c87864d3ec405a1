//! The loop: look, work, rest.

use super::{
    super::{
        client::{NodeArgs, with_hint},
        wait::no_blocks,
    },
    finished::Evenness,
    follow::UnderWay,
    life::Pulse,
    look::{Found, Rules, look},
    memory::Memory,
    notes::Notes,
    read::Ready,
    tell::{News, Teller},
    trouble::{Backoff, Trouble},
};
use crate::{
    cli::{
        app::with_causes,
        exit_codes::{DATA, coded},
    },
    service::Notifier,
};
use alloy_primitives::{Address, B256};
use anyhow::Context;
use lucid_rpc::Client;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// Recordings that the node may have at once from one watch: a quarter of what it takes, so that others can anchor too.
pub(super) const MAX_UNDER_WAY: usize = 64;

/// How soon the node is asked how a recording stands, and how late at most.
const FIRST_FOLLOW: Duration = Duration::from_millis(200);
const MOST_FOLLOW: Duration = Duration::from_secs(5);

/// Looks after which a watch with nothing to do asks where the node stands: one that was put back to an earlier day has
/// lost recordings.
const LOOKS_PER_QUESTION: u32 = 6;

/// How soon a node that could not be asked is asked again, and how late at most.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const MOST_RETRY: Duration = Duration::from_secs(60);

/// What the operator has said.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) dir: PathBuf,
    pub(super) notes: Notes,
    /// None where only `.done` counts.
    pub(super) quiet: Option<Duration>,
    pub(super) interval: Duration,
    /// Whether to end when nothing finished is left.
    pub(super) once: bool,
    pub(super) node: NodeArgs,
}

/// The node's chain, as it was when it was last asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain {
    pub(super) genesis_hash: B256,
    /// The account that registers sessions.
    pub(super) account: Address,
}

/// A watch at work.
pub(super) struct Watch {
    pub(super) settings: Arc<Settings>,
    pub(super) client: Client,
    pub(super) teller: Teller,
    pub(super) pulse: Pulse,
    pub(super) memory: Memory,
    pub(super) under_way: Vec<UnderWay>,
    /// A recording that was read and that the node could not take yet.
    pub(super) ready: Option<Box<Ready>>,
    pub(super) follow_backoff: Backoff,
    /// Whether a recording was met that cannot be anchored as it is.
    pub(super) has_refused: bool,
    /// Whether it was told that some were anchored on another chain.
    pub(super) told_other_chain: bool,
    chain: Option<Chain>,
    /// Where the node stood when it was asked last, and when that was.
    head: Option<u64>,
    asked: Instant,
    notifier: Arc<Notifier>,
    status: String,
    evenness: Evenness,
    trouble: Trouble,
    backoff: Backoff,
    /// Before this moment nothing is tried again.
    not_before: Instant,
}

impl Watch {
    pub(super) fn new(
        settings: Settings,
        teller: Teller,
        pulse: Pulse,
        notifier: Arc<Notifier>,
    ) -> anyhow::Result<Self> {
        let now = Instant::now();
        Ok(Self {
            client: settings.node.client()?,
            settings: Arc::new(settings),
            teller,
            pulse,
            memory: Memory::default(),
            under_way: Vec::new(),
            ready: None,
            follow_backoff: Backoff::new(FIRST_FOLLOW, MOST_FOLLOW),
            has_refused: false,
            told_other_chain: false,
            chain: None,
            head: None,
            asked: now,
            notifier,
            status: String::new(),
            evenness: Evenness::new(SystemTime::now(), now),
            trouble: Trouble::default(),
            backoff: Backoff::new(FIRST_RETRY, MOST_RETRY),
            not_before: now,
        })
    }

    /// Works until it is dropped; with `once` until nothing finished is left, or something fails.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        loop {
            let (more, idle) = match self.look().await {
                Ok(found) => {
                    let (more, nothing) = (found.more, found.finished.is_empty());
                    self.work(found).await?;
                    (more, nothing)
                }
                Err(error) => {
                    self.in_trouble(error)?;
                    (false, false)
                }
            };
            if self.settings.once && idle && self.under_way.is_empty() {
                return self.verdict();
            }
            self.rest(more).await?;
        }
    }

    fn verdict(&self) -> anyhow::Result<()> {
        if self.has_refused {
            return Err(coded(DATA, "some recordings cannot be anchored as they are; see above"));
        }
        Ok(())
    }

    async fn look(&mut self) -> anyhow::Result<Found> {
        let (wall, now) = (SystemTime::now(), Instant::now());
        let even = self.evenness.lasts(wall, now);
        // Who looks only once has nothing but the clock to go by.
        let quiet = self.settings.quiet.filter(|quiet| self.settings.once || even >= *quiet);
        let (settings, pulse) = (Arc::clone(&self.settings), self.pulse.clone());
        let mut memory = std::mem::take(&mut self.memory);
        let looked = tokio::task::spawn_blocking(move || {
            let rules = Rules { quiet, wall, now };
            let found = look(&settings.dir, &settings.notes, rules, &mut memory, || pulse.beat());
            (memory, found)
        });
        let (memory, found) = looked.await?;
        self.memory = memory;
        found.with_context(|| format!("cannot read {}", self.settings.dir.display()))
    }

    /// Does what there is to do, as far as the node lets it.
    async fn work(&mut self, found: Found) -> anyhow::Result<()> {
        let line = summary(&found, self.trouble.text());
        if self.status != line {
            self.notifier.status(&line);
            self.status = line;
        }
        if Instant::now() < self.not_before {
            return Ok(());
        }
        match self.try_work(found).await {
            Ok(stop) => {
                if self.backoff.is_begun() {
                    // It may have been put back to an earlier day meanwhile.
                    self.memory.begin_round();
                    self.backoff.reset();
                }
                self.note(stop);
            }
            Err(error) => self.in_trouble(error)?,
        }
        Ok(())
    }

    /// Gives why the node makes no blocks, where it makes none.
    async fn try_work(&mut self, found: Found) -> anyhow::Result<Option<String>> {
        let is_idle = found.finished.is_empty() && found.rechecks.is_empty() && self.under_way.is_empty();
        if is_idle && (found.anchored == 0 || self.asked.elapsed() < self.settings.interval * LOOKS_PER_QUESTION) {
            return Ok(None);
        }
        self.asked = Instant::now();
        if self.backoff.is_begun() {
            // The token may have been renewed meanwhile.
            self.client = self.settings.node.client()?;
        }
        let info = match self.client.chain_info().await {
            // With nothing to do nothing is in the way.
            Err(_) if is_idle => return Ok(None),
            info => info?,
        };
        self.pulse.beat();
        if self.head.replace(info.head.number).is_some_and(|before| info.head.number < before) {
            self.memory.begin_round();
        }
        let chain = Chain { genesis_hash: info.genesis_hash, account: info.node_address };
        self.chain = Some(chain);
        self.follow(chain).await?;
        for name in found.rechecks {
            self.recheck(name, chain).await?;
        }
        for name in found.finished {
            if self.under_way.len() >= MAX_UNDER_WAY {
                break;
            }
            self.anchor(name, chain).await?;
        }
        Ok(info.sealing_stop.filter(|_| !self.under_way.is_empty()))
    }

    /// Something is in the way. A watch that works once ends with it; any other tells it and tries again later.
    fn in_trouble(&mut self, error: anyhow::Error) -> anyhow::Result<()> {
        if self.settings.once {
            return Err(error);
        }
        self.not_before = Instant::now() + self.backoff.take();
        if let Some(news) = self.trouble.note(Some(with_causes(&with_hint(error))), Instant::now()) {
            self.teller.tell(&news);
        }
        Ok(())
    }

    fn note(&mut self, stop: Option<String>) {
        if let Some(news) = self.trouble.note(stop.map(|stop| no_blocks(&stop)), Instant::now()) {
            self.teller.tell(&news);
        }
    }

    /// Waits until it is time for the next look, and meanwhile follows what the node has.
    async fn rest(&mut self, more: bool) -> anyhow::Result<()> {
        let now = Instant::now();
        let until = if self.not_before > now { self.not_before } else { now + self.settings.interval };
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let in_trouble = self.not_before > Instant::now();
            let has_room = more && self.under_way.len() < MAX_UNDER_WAY;
            let is_through = self.settings.once && self.under_way.is_empty();
            if left.is_zero() || (!in_trouble && (has_room || is_through)) {
                return Ok(());
            }
            let follows = !in_trouble && !self.under_way.is_empty();
            let pause = if follows { left.min(self.follow_backoff.take()) } else { left };
            self.pulse.rests(true);
            tokio::time::sleep(pause).await;
            self.pulse.rests(false);
            if follows
                && let Some(chain) = self.chain
                && let Err(error) = self.follow(chain).await
            {
                self.in_trouble(error)?;
                return Ok(());
            }
        }
    }

    /// A recording's folder.
    pub(super) fn folder(&self, name: impl AsRef<Path>) -> PathBuf {
        self.settings.dir.join(name)
    }

    /// Says it.
    pub(super) fn tell(&self, news: &News) {
        self.teller.tell(news);
    }
}

/// One line for the service manager.
fn summary(found: &Found, trouble: Option<&str>) -> String {
    let more = if found.more { " or more" } else { "" };
    let Found { anchored, under_way, unfinished, refused, .. } = found;
    let waits = found.finished.len();
    let counts = format!(
        "{anchored} anchored, {under_way} with the node, {waits}{more} to be anchored, {unfinished} not finished, {refused} refused"
    );
    trouble.map_or_else(|| counts.clone(), |trouble| format!("{counts}; waiting: {trouble}"))
}
