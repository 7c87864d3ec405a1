//! Starting a node and stopping it in order.

use super::{
    access::check_config,
    anchorings,
    backend::Backend,
    blocks::{Sealing, make_blocks, watch_conditions},
    care::{BackupSchedule, make_backups},
    clock::{self, unix_now},
    datadir::{DataDir, no_store},
    dev::dev_chain_spec,
    error::NodeError,
    init::refuse_foreign_files,
    pool_saver::save_pool,
    state::{Node, OpenOptions},
    status::{Observer, RunFacts, machine_bytes},
    supervise::{starting, supervise},
    tokens::create_tokens,
    voting::take_part,
};
use crate::{
    config::{Config, NetworkSettings},
    consensus::ClockPolicy,
    keys::{NodeKeys, clear_unfinished},
    mempool::PoolLimits,
    service::Notifier,
};
use lucid_rpc::{Access, HealthServer, Look, MemoryShare, RpcServer, StatusSocket};
use lucid_storage::Options;
use lucid_types::Rules;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{sync::watch, task::JoinSet};
use tracing::{error, info, warn};

/// How a development node is started.
#[derive(Debug)]
pub struct LaunchOptions {
    /// Where everything lies.
    pub datadir: DataDir,
    /// Where the RPC server listens: a loopback address.
    pub http_addr: SocketAddr,
    /// When blocks are made.
    pub sealing: Sealing,
}

/// How the node of a chain is started.
#[derive(Debug)]
pub struct RunOptions {
    /// Where everything lies: it holds a chain.
    pub datadir: DataDir,
    /// What was configured.
    pub config: Config,
    /// To seal by the clock as it is.
    pub accept_clock: bool,
    /// To sign on from the store's head, whatever the keys have signed.
    pub accept_restored: bool,
    /// Who is told that the node is ready, and that it lives.
    pub notifier: Notifier,
    /// What is known of this run and those before.
    pub facts: RunFacts,
}

/// How a node comes by blocks.
enum Making {
    /// It makes them final alone.
    Alone(Sealing),
    /// As the chain's validators decide, over this network.
    Voted(NetworkSettings),
}

/// Who watches a node, and from where.
struct Watch {
    notifier: Notifier,
    facts: RunFacts,
    memory: MemoryShare,
    health_port: Option<u16>,
    status_socket: Option<PathBuf>,
}

/// What answers those who watch, for as long as it is kept.
#[derive(Default)]
struct Answering {
    _health: Option<HealthServer>,
    _status: Option<StatusSocket>,
}

/// A node that serves.
pub struct RunningNode {
    node: Arc<Node>,
    server: RpcServer,
    stop: watch::Sender<bool>,
    tasks: JoinSet<Result<(), NodeError>>,
    answering: Answering,
    /// Dropped last: a temporary folder goes with it.
    datadir: DataDir,
}

/// Opens or makes the dev chain in the data folder, starts its tasks, and serves.
pub async fn launch(options: LaunchOptions) -> Result<RunningNode, NodeError> {
    let LaunchOptions { datadir, http_addr, sealing } = options;
    if !http_addr.ip().is_loopback() {
        return Err(NodeError::NotLoopback(http_addr));
    }
    let folder = datadir.clone();
    let node = open_blocking(move || open_dev(&folder)).await?;
    serve(node, datadir, (http_addr, Access::default()), Making::Alone(sealing), None).await
}

/// Opens the chain in the data folder, holds the configuration against it, starts its tasks, and serves.
pub async fn run(options: RunOptions) -> Result<RunningNode, NodeError> {
    let RunOptions { datadir, config, accept_clock, accept_restored, notifier, facts } = options;
    let http_addr = config.http_addr();
    let budget = config.budget(machine_bytes());
    info!(memory_mib = budget.total_bytes >> 20, cache_mib = budget.cache_bytes >> 20, "memory is shared out");
    let (health_port, status_socket) = (config.health_port(), config.status_socket().map(Path::to_owned));
    let network = config.network().clone();
    let has_network = !network.listen.is_empty() || !network.peers.is_empty() || network.mdns;
    let schedule = config.backup_interval().map(|interval| BackupSchedule { interval, keep: config.backups_kept() });
    let open = OpenOptions {
        store: Options {
            cache_bytes: budget.cache_bytes,
            max_file_bytes: config.max_store_bytes(),
            ..Options::default()
        },
        history_blocks: config.history_blocks(),
        pool: PoolLimits { bytes: budget.pool_bytes, ..PoolLimits::default() },
        clock: Some(ClockPolicy { accept: accept_clock, trust_local: config.trust_local_clock() }),
        accept_restored,
        takes_part: has_network,
    };
    let folder = datadir.clone();
    let opening = open_blocking(move || {
        let node = open_chain(&folder, &open)?;
        // Before the tokens that are missing are made, so that what is refused leaves nothing behind.
        check_config(&folder, &config, Some(node.spec()))?;
        if node.spec().rules == Rules::Poot {
            create_tokens(&folder.tokens())?;
        }
        let access = check_config(&folder, &config, Some(node.spec()))?;
        Ok((node, access))
    });
    let (node, access) = starting(&notifier, opening).await?;
    let making = match node.spec().rules {
        Rules::Dev => {
            if has_network {
                warn!("a chain by the rules of `dev` is one of one node: [network] is of no effect");
            }
            Making::Alone(Sealing::Instant)
        }
        // The only validator too: others get the chain from it, and may come to vote.
        Rules::Poot if has_network => Making::Voted(network),
        Rules::Poot if node.is_alone()? => Making::Alone(Sealing::Slots),
        Rules::Poot => return Err(node.not_alone()?),
    };
    let memory = MemoryShare { unread_answer_bytes: budget.unread_answer_bytes, large_requests: budget.large_requests };
    let watch = Watch { notifier, facts, memory, health_port, status_socket };
    let mut running = serve(node, datadir, (http_addr, access), making, Some(watch)).await?;
    if let Some(schedule) = schedule {
        running.tasks.spawn(make_backups(Arc::clone(&running.node), schedule, running.stop.subscribe()));
    }
    Ok(running)
}

async fn open_blocking<T: Send + 'static>(
    open: impl FnOnce() -> Result<T, NodeError> + Send + 'static,
) -> Result<T, NodeError> {
    let opened = tokio::task::spawn_blocking(open).await;
    opened.map_err(|error| NodeError::Task(error.to_string()))?
}

async fn serve(
    node: Node,
    datadir: DataDir,
    (http_addr, access): (SocketAddr, Access),
    making: Making,
    watch: Option<Watch>,
) -> Result<RunningNode, NodeError> {
    let node = Arc::new(node);
    let memory = watch.as_ref().map_or_else(MemoryShare::default, |watch| watch.memory);
    let server = RpcServer::start(http_addr, access, memory, Arc::new(Backend::new(Arc::clone(&node)))).await?;
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    match making {
        Making::Voted(network) => take_part(&node, &network, &datadir.keys(), &mut tasks, &stopped)?,
        Making::Alone(sealing) => {
            tasks.spawn(make_blocks(Arc::clone(&node), sealing, stopped.clone()));
        }
    }
    tasks.spawn(save_pool(Arc::clone(&node), stopped.clone()));
    tasks.spawn(watch_conditions(Arc::clone(&node), stopped.clone()));
    tasks.spawn(anchorings::run(Arc::clone(&node), stopped.clone()));
    let mut answering = Answering::default();
    if let Some(watch) = watch {
        answering = answer_watchers(&node, &datadir, &server, &watch).await?;
        watch.notifier.ready();
        tasks.spawn(supervise(Arc::clone(&node), watch.notifier, stopped));
    }
    info!(chain_id = node.spec().chain_id, genesis = %node.genesis_hash(), address = %server.local_addr(), "started");
    Ok(RunningNode { node, server, stop, tasks, answering, datadir })
}

/// Opens the health port and the status socket, where they are wanted.
async fn answer_watchers(
    node: &Arc<Node>,
    datadir: &DataDir,
    server: &RpcServer,
    watch: &Watch,
) -> Result<Answering, NodeError> {
    let observer = Observer::new(Arc::clone(node), datadir.clone(), server.local_addr(), watch.facts.clone());
    let calls = server.calls();
    let look: Look = Arc::new(move || observer.look(calls()));
    let mut answering = Answering::default();
    if let Some(port) = watch.health_port {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let health = HealthServer::start(address, Arc::clone(&look)).await;
        let health = health.map_err(|source| NodeError::Health { address, source })?;
        info!(address = %health.local_addr(), "health is told");
        answering._health = Some(health);
    }
    if let Some(path) = &watch.status_socket {
        let fault = |source| NodeError::StatusSocket { path: path.clone(), source };
        answering._status = Some(StatusSocket::start(path, look).map_err(fault)?);
    }
    Ok(answering)
}

/// Opens what `init` has made, and holds it against the chain spec that lies beside it.
fn open_chain(datadir: &DataDir, options: &OpenOptions) -> Result<Node, NodeError> {
    if !datadir.store().exists() {
        return Err(no_store(datadir.path()));
    }
    let keys = match NodeKeys::load_credentials()? {
        Some(keys) => keys,
        None => NodeKeys::load(&datadir.keys())?,
    };
    let node = Node::open_existing(datadir, keys, options)?;
    // The store is held by now, so no other process makes keys here. What cannot be cleared hinders nobody.
    match clear_unfinished(&datadir.keys()) {
        Ok(0) => {}
        Ok(files) => info!(files, "removed what a kill left of keys that were being made"),
        Err(failure) => warn!(%failure, "what a kill left of keys could not be removed"),
    }
    // It is for people, who may have moved it; the store has its own.
    if let Some(spec) = datadir.read_chain_spec()?.filter(|spec| spec != node.spec()) {
        let (expected, found) = (spec.chain_id, node.spec().chain_id);
        return Err(NodeError::OtherChain { path: datadir.store(), found, expected });
    }
    Ok(node)
}

fn open_dev(datadir: &DataDir) -> Result<Node, NodeError> {
    // Beside a chain a missing key is never made anew: it would stand in the way of the right one.
    let keys = if datadir.store().exists() {
        NodeKeys::load(&datadir.keys())?
    } else {
        refuse_foreign_files(datadir)?;
        NodeKeys::load_or_create(&datadir.keys())?
    };
    let node = Node::open(datadir, keys, &Options::default(), |keys| {
        dev_chain_spec(keys, unix_now()).map_err(|_| NodeError::Genesis)
    })?;
    if node.spec().rules != Rules::Dev {
        return Err(NodeError::NotADevChain { path: datadir.store(), chain_id: node.spec().chain_id });
    }
    Ok(node)
}

impl RunningNode {
    /// The node.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Where the RPC server listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Waits until a task of the node fails; its tasks do not end otherwise.
    pub async fn failed(&mut self) -> NodeError {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => return error,
                Some(Err(error)) => return NodeError::Task(error.to_string()),
                None => std::future::pending().await,
            }
        }
    }

    /// Stops serving, lets the tasks finish what they are at, and closes the store.
    pub async fn stop(mut self) {
        self.server.stop().await;
        drop(self.answering);
        self.node.db_jobs.stop();
        // Without a receiver every task has ended already.
        let _ = self.stop.send(true);
        while let Some(ended) = self.tasks.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => error!(%failure, "a task failed while stopping"),
                Err(failure) => error!(%failure, "a task failed while stopping"),
            }
        }
        let saver = Arc::clone(&self.node);
        match tokio::task::spawn_blocking(move || saver.save_pool()).await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => error!(%failure, "what waits could not be saved"),
            Err(failure) => error!(%failure, "what waits could not be saved"),
        }
        // Only a clock without doubt is worth remembering.
        if self.node.records_time()
            && let Err(failure) = clock::record(&self.datadir)
        {
            warn!(%failure, "the time could not be recorded");
        }
        info!("stopped");
    }
}
