//! Filters: what clients that ask again and again have been told already. Blocks are final, so a filter of blocks or
//! logs is no more than the height from which it has not been told; the rest is read from the store when it asks.

use crate::{
    api::PendingTransaction,
    error::RpcError,
    ids::HexIds,
    limits::{FILTER_TIMEOUT_MS, MAX_FILTER_HASHES, MAX_FILTERS},
};
use alloy_primitives::B256;
use alloy_rpc_types_eth::Filter;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    task::AbortHandle,
};

/// What a filter is of, and how far its client has been told.
#[derive(Debug)]
pub(crate) enum Watch {
    /// New blocks, from a height on.
    Blocks {
        /// The first height that the client does not know of.
        next: u64,
    },
    /// Logs of new blocks, from a height on.
    Logs {
        /// Which.
        filter: Box<Filter>,
        /// The first height whose logs the client does not know of.
        next: u64,
    },
    /// Transactions that come into the pool.
    Pending {
        /// The last ones that came.
        recent: Arc<Recent>,
        /// The first that the client does not know of.
        next: u64,
    },
}

#[derive(Debug)]
struct Entry {
    /// Locked while the client is being told, so that two who ask at once are not told the same.
    watch: Arc<Mutex<Watch>>,
    asked: Instant,
}

/// The filters that there are, at most [`MAX_FILTERS`]; for one more, the one that was asked longest ago goes.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: HashMap<String, Entry>,
    recent: Weak<Recent>,
    sweeping: bool,
}

impl Filters {
    /// Enters a filter and gives its id.
    pub(crate) fn add(self: &Arc<Self>, watch: Watch) -> String {
        let id = HexIds.next();
        let mut state = self.state();
        state.forget_old();
        if state.open.len() >= MAX_FILTERS {
            let oldest = state.open.iter().min_by_key(|(_, entry)| entry.asked).map(|(id, _)| id.clone());
            oldest.and_then(|oldest| state.open.remove(&oldest));
        }
        state.open.insert(id.clone(), Entry { watch: Arc::new(Mutex::new(watch)), asked: Instant::now() });
        if !std::mem::replace(&mut state.sweeping, true) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
        id
    }

    /// The filter with this id, which counts as being asked.
    pub(crate) fn ask(&self, id: &str) -> Result<Arc<Mutex<Watch>>, RpcError> {
        let mut state = self.state();
        state.forget_old();
        let entry = state.open.get_mut(id).ok_or(RpcError::FilterNotFound)?;
        entry.asked = Instant::now();
        Ok(Arc::clone(&entry.watch))
    }

    /// Forgets a filter; false where there is none.
    pub(crate) fn remove(&self, id: &str) -> bool {
        let mut state = self.state();
        state.forget_old();
        state.open.remove(id).is_some()
    }

    /// The last transactions that came into the pool, kept for as long as a filter wants them.
    pub(crate) fn recent(&self, pooled: impl FnOnce() -> Receiver<Arc<PendingTransaction>>) -> Arc<Recent> {
        let mut state = self.state();
        if let Some(recent) = state.recent.upgrade() {
            return recent;
        }
        let recent = Recent::listen(pooled());
        state.recent = Arc::downgrade(&recent);
        recent
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget_old(&mut self) {
        self.open.retain(|_, entry| entry.asked.elapsed() < Duration::from_millis(FILTER_TIMEOUT_MS));
    }
}

/// Forgets filters that nobody asks, as long as there are any.
async fn sweep(filters: Weak<Filters>) {
    loop {
        tokio::time::sleep(Duration::from_millis(FILTER_TIMEOUT_MS)).await;
        let Some(filters) = filters.upgrade() else { return };
        let mut state = filters.state();
        state.forget_old();
        if state.open.is_empty() {
            state.open.shrink_to_fit();
            state.sweeping = false;
            return;
        }
    }
}

/// The hashes of the last transactions that came into the pool, at most [`MAX_FILTER_HASHES`].
#[derive(Debug)]
pub(crate) struct Recent {
    hashes: Mutex<Hashes>,
    listener: Mutex<Option<AbortHandle>>,
}

#[derive(Debug, Default)]
struct Hashes {
    /// How many came before those that are kept.
    first: u64,
    kept: VecDeque<B256>,
}

impl Recent {
    fn listen(mut pooled: Receiver<Arc<PendingTransaction>>) -> Arc<Self> {
        let recent = Arc::new(Self { hashes: Mutex::default(), listener: Mutex::default() });
        let weak = Arc::downgrade(&recent);
        let listener = tokio::spawn(async move {
            loop {
                let news = pooled.recv().await;
                let Some(recent) = weak.upgrade() else { return };
                match news {
                    Ok(transaction) => recent.hashes().push(*transaction.transaction.tx_hash()),
                    Err(RecvError::Lagged(missed)) => {
                        tracing::debug!(missed, "filters are not told of all that was sent");
                    }
                    Err(RecvError::Closed) => return,
                }
            }
        });
        *recent.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener.abort_handle());
        recent
    }

    /// How many have come so far.
    pub(crate) fn count(&self) -> u64 {
        let hashes = self.hashes();
        hashes.first + hashes.kept.len() as u64
    }

    /// Those from the one with number `next` on, and the number after them. An error where some of them are no
    /// longer kept: the client has to begin anew.
    pub(crate) fn since(&self, next: u64) -> Result<(Vec<B256>, u64), RpcError> {
        let hashes = self.hashes();
        let skip = next.checked_sub(hashes.first).ok_or(RpcError::FilterNotFound)?;
        let news: Vec<B256> = hashes.kept.iter().skip(skip as usize).copied().collect();
        let next = next + news.len() as u64;
        Ok((news, next))
    }

    fn hashes(&self) -> MutexGuard<'_, Hashes> {
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hashes {
    fn push(&mut self, hash: B256) {
        if self.kept.len() >= MAX_FILTER_HASHES {
            self.kept.pop_front();
            self.first += 1;
        }
        self.kept.push_back(hash);
    }
}

impl Drop for Recent {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.get_mut().unwrap_or_else(PoisonError::into_inner) {
            listener.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_told_once_and_those_that_are_gone_are_missed_aloud() {
        let recent = Recent { hashes: Mutex::default(), listener: Mutex::default() };
        let hash = |n: usize| B256::left_padding_from(&n.to_be_bytes());
        (0..MAX_FILTER_HASHES).for_each(|n| recent.hashes().push(hash(n)));
        let (news, next) = recent.since(MAX_FILTER_HASHES as u64 - 2).unwrap();
        assert_eq!(news, [hash(MAX_FILTER_HASHES - 2), hash(MAX_FILTER_HASHES - 1)]);
        assert_eq!(recent.since(next).unwrap(), (Vec::new(), next));
        recent.hashes().push(hash(7));
        assert_eq!(recent.since(next).unwrap(), (vec![hash(7)], next + 1));
        assert!(matches!(recent.since(0), Err(RpcError::FilterNotFound)));
        assert_eq!(recent.since(1).unwrap().0.len(), MAX_FILTER_HASHES);
        assert_eq!(recent.count(), MAX_FILTER_HASHES as u64 + 1);
    }

    #[tokio::test]
    async fn for_one_filter_too_many_the_one_asked_longest_ago_goes() {
        let filters = Arc::new(Filters::default());
        let ids: Vec<_> = (0..MAX_FILTERS).map(|_| filters.add(Watch::Blocks { next: 0 })).collect();
        filters.ask(&ids[0]).unwrap();
        let late = filters.add(Watch::Blocks { next: 0 });
        assert!(filters.ask(&ids[0]).is_ok() && filters.ask(&late).is_ok());
        assert!(matches!(filters.ask(&ids[1]), Err(RpcError::FilterNotFound)));
        assert!(filters.remove(&late) && !filters.remove(&late));
    }
}
