//! Taking part: the network is set up, and the tasks and the thread that belong to it.

use super::{
    driver::{Driver, drive},
    inbox::{Inbox, Told, inbox},
    link::{Link, follow_network, spread_transactions},
    part::Part,
    wire::Wire,
};
use crate::{
    config::NetworkSettings,
    keys::NetworkKey,
    network::{Network, NetworkConfig},
    node::{
        error::NodeError,
        state::Node,
        sync::{Server, catch_up, repeat_what_waits},
    },
};
use lucid_storage::{Direction, Peers, Reader as _};
use std::{ops::Bound, path::Path, sync::Arc};
use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
    task::{JoinSet, spawn_blocking},
};

/// Starts all that a node needs to take part in the consensus of several. `keys` is the folder of its keys.
///
/// # Errors
/// The network cannot be set up as it was asked for; the key's file or the store cannot be read.
pub(in crate::node) fn take_part(
    node: &Arc<Node>,
    settings: &NetworkSettings,
    keys: &Path,
    tasks: &mut JoinSet<Result<(), NodeError>>,
    stop: &watch::Receiver<bool>,
) -> Result<(), NodeError> {
    let key = NetworkKey::load_or_create(keys)?;
    let snapshot = node.snapshot();
    let known = snapshot.range::<Peers>(Bound::Unbounded, Bound::Unbounded, Direction::Forward)?;
    let known = known.collect::<Result<Vec<_>, _>>()?;
    let (network, handle, events) = Network::new(&network_config(settings)?, node.genesis_hash.0, &key.seed(), &known)?;
    let (inbox, told) = inbox();
    let wire = Wire::new(handle.clone(), Handle::current(), inbox.clone());
    // Nobody else sets it.
    let part = Part::new(handle.clone());
    let (progress, far_behind) = (Arc::clone(&part.progress), Arc::new(Notify::new()));
    let _ = node.part.set(part);
    let driver = Driver::new(Arc::clone(node), wire, Arc::clone(&far_behind))?;
    let server = Server::new(Arc::clone(node), handle.clone());
    let link = Link { network: handle.clone(), inbox: inbox.clone(), server };
    tasks.spawn(async move {
        network.run().await;
        Ok(())
    });
    tasks.spawn(follow_network(Arc::clone(node), link.clone(), events, stop.clone()));
    tasks.spawn(spread_transactions(Arc::clone(node), link, stop.clone()));
    tasks.spawn(repeat_what_waits(Arc::clone(node), handle.clone(), stop.clone()));
    tasks.spawn(catch_up(Arc::clone(node), handle, inbox.clone(), far_behind, progress, stop.clone()));
    tasks.spawn(stop_driver(inbox, stop.clone()));
    tasks.spawn(async move {
        let driven = spawn_blocking(move || drive(driver, &told)).await;
        driven.map_err(|error| NodeError::Task(error.to_string()))?
    });
    Ok(())
}

/// Tells the thread that drives consensus when the node stops.
async fn stop_driver(inbox: Inbox, mut stop: watch::Receiver<bool>) -> Result<(), NodeError> {
    // Whoever would say so is gone: that is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
    let told = spawn_blocking(move || inbox.tell_surely(Told::Stop)).await;
    told.map_err(|error| NodeError::Task(error.to_string()))
}

/// The settings as the network takes them.
///
/// # Errors
/// An address is none, or a number is out of its bounds.
pub(in crate::node) fn network_config(settings: &NetworkSettings) -> Result<NetworkConfig, NodeError> {
    let NetworkSettings { listen, peers, external_addresses, mdns, max_peers } = settings;
    let mut config = NetworkConfig::new().mdns(*mdns).max_peers(*max_peers)?;
    for address in listen {
        config = config.listen(address)?;
    }
    for address in peers {
        config = config.peer(address)?;
    }
    for address in external_addresses {
        config = config.external_address(address)?;
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{
        anchorings::tests::node,
        datadir::DataDir,
        guards::{Guards, Signing},
    };
    use std::time::{Duration, Instant};

    /// Longer than the thread waits for anything, and how long a busy machine may take beyond that.
    const LONG: Duration = Duration::from_secs(2);
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Whether the thread that drives consensus goes round while nothing happens, on a disk with so many bytes asked for.
    async fn goes_round(min_free_bytes: u64) {
        let datadir = DataDir::temporary().unwrap();
        let mut node = node(&datadir);
        node.guards = Guards::new(&datadir, None, Signing::Unrecorded, 0).with_min_free_bytes(min_free_bytes);
        let node = Arc::new(node);
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let (listen, peers, external_addresses) = (Vec::new(), Vec::new(), Vec::new());
        let settings = NetworkSettings { listen, peers, external_addresses, mdns: false, max_peers: 8 };
        let keys = tempfile::tempdir().unwrap();
        take_part(&node, &settings, keys.path(), &mut tasks, &stopped).unwrap();
        let (part, began) = (node.part.get().unwrap(), Instant::now());
        tokio::time::sleep(LONG).await;
        while part.silent_for() >= LONG {
            assert!(began.elapsed() < PATIENCE, "silent for {:?}", part.silent_for());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.send(true).unwrap();
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap().unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_thread_of_consensus_shows_signs_of_life_while_nothing_happens() {
        goes_round(0).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_disk_is_no_death_of_it() {
        goes_round(u64::MAX).await;
    }
}
