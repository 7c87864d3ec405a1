//! Starting a node and stopping it in order.

use super::{
    anchorings,
    backend::Backend,
    blocks::{Sealing, make_blocks},
    clock::unix_now,
    datadir::DataDir,
    dev::dev_chain_spec,
    error::NodeError,
    state::Node,
};
use crate::keys::NodeKeys;
use lucid_rpc::{Access, RpcServer};
use lucid_storage::Options;
use lucid_types::Rules;
use std::{net::SocketAddr, sync::Arc};
use tokio::{sync::watch, task::JoinSet};
use tracing::{error, info};

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

/// A node that serves.
pub struct RunningNode {
    node: Arc<Node>,
    server: RpcServer,
    stop: watch::Sender<bool>,
    tasks: JoinSet<Result<(), NodeError>>,
    /// Dropped last: a temporary folder goes with it.
    _datadir: DataDir,
}

/// Opens or makes the dev chain in the data folder, starts its tasks, and serves.
pub async fn launch(options: LaunchOptions) -> Result<RunningNode, NodeError> {
    let LaunchOptions { datadir, http_addr, sealing } = options;
    if !http_addr.ip().is_loopback() {
        return Err(NodeError::NotLoopback(http_addr));
    }
    let folder = datadir.clone();
    let node = tokio::task::spawn_blocking(move || open_dev(&folder)).await;
    let node = Arc::new(node.map_err(|error| NodeError::Task(error.to_string()))??);
    let server = RpcServer::start(http_addr, Access::default(), Arc::new(Backend::new(Arc::clone(&node)))).await?;
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    tasks.spawn(make_blocks(Arc::clone(&node), sealing, stopped.clone()));
    tasks.spawn(anchorings::run(Arc::clone(&node), stopped));
    info!(chain_id = node.spec().chain_id, genesis = %node.genesis_hash(), address = %server.local_addr(), "started");
    Ok(RunningNode { node, server, stop, tasks, _datadir: datadir })
}

fn open_dev(datadir: &DataDir) -> Result<Node, NodeError> {
    // Beside a chain a missing key is never made anew: it would stand in the way of the right one.
    let keys = if datadir.store().exists() {
        NodeKeys::load(&datadir.keys())?
    } else {
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
        // Without a receiver every task has ended already.
        let _ = self.stop.send(true);
        while let Some(ended) = self.tasks.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => error!(%failure, "a task failed while stopping"),
                Err(failure) => error!(%failure, "a task failed while stopping"),
            }
        }
        info!("stopped");
    }
}
