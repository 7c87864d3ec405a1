//! What every answer stands on: the node, and how much of it may be in use at once.

use crate::{
    api::{NodeApi, NodeError},
    error::RpcError,
    filters::Filters,
    limits::{MAX_CONCURRENT_EXECUTIONS, MAX_CONCURRENT_READS, MAX_SUBSCRIPTIONS, QUEUE_TIMEOUT_MS},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};

/// The node and the two queues before it.
#[derive(Debug)]
pub(crate) struct Backend<A> {
    api: Arc<A>,
    reads: Arc<Semaphore>,
    executions: Arc<Semaphore>,
    subscriptions: Arc<Semaphore>,
    filters: Arc<Filters>,
}

impl<A> Clone for Backend<A> {
    fn clone(&self) -> Self {
        Self {
            api: self.api.clone(),
            reads: self.reads.clone(),
            executions: self.executions.clone(),
            subscriptions: self.subscriptions.clone(),
            filters: self.filters.clone(),
        }
    }
}

impl<A: NodeApi> Backend<A> {
    pub(crate) fn new(api: Arc<A>) -> Self {
        Self {
            api,
            reads: Arc::new(Semaphore::new(MAX_CONCURRENT_READS)),
            executions: Arc::new(Semaphore::new(MAX_CONCURRENT_EXECUTIONS)),
            subscriptions: Arc::new(Semaphore::new(MAX_SUBSCRIPTIONS)),
            filters: Arc::default(),
        }
    }

    /// The node, for what neither reads the disk nor takes long.
    pub(crate) fn api(&self) -> &A {
        &self.api
    }

    /// The filters that clients have made.
    pub(crate) fn filters(&self) -> &Arc<Filters> {
        &self.filters
    }

    /// A place among the subscriptions; `None` where all are taken.
    pub(crate) fn subscription_place(&self) -> Option<OwnedSemaphorePermit> {
        self.subscriptions.clone().try_acquire_owned().ok()
    }

    /// Runs `work` to its end, whether or not the caller hangs up meanwhile: what writes must not stop half-way.
    pub(crate) async fn write<T, F>(&self, work: impl FnOnce(Arc<A>) -> F) -> Result<T, RpcError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, RpcError>> + Send + 'static,
    {
        tokio::spawn(work(self.api.clone())).await.unwrap_or_else(|_| Err(NodeError::Stopping.into()))
    }

    /// Runs `work`, which reads the store, on a thread that may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&A) -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        self.run(&self.reads, work).await
    }

    /// Runs `work`, which takes a processor for a while, on a thread that may block.
    pub(crate) async fn execute<T: Send + 'static>(
        &self,
        work: impl FnOnce(&A) -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        self.run(&self.executions, work).await
    }

    async fn run<T: Send + 'static>(
        &self,
        queue: &Arc<Semaphore>,
        work: impl FnOnce(&A) -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        let turn = timeout(Duration::from_millis(QUEUE_TIMEOUT_MS), queue.clone().acquire_owned()).await;
        let Ok(Ok(permit)) = turn else {
            return Err(RpcError::Busy);
        };
        let api = self.api.clone();
        // The permit goes along: a caller that hangs up does not end the work, so it must not free its place.
        let task = spawn_blocking(move || {
            let result = work(&api);
            drop(permit);
            result
        });
        task.await.unwrap_or_else(|_| Err(NodeError::Stopping.into()))
    }
}
