//! How the methods of [`interface`](crate::interface) are answered, one file or folder per namespace.

mod admin;
mod eth;
mod lucid;
mod net;
mod news;
mod poot;
mod query;
mod subscriber;
mod txpool;
mod web3;

use crate::{
    api::NodeApi,
    backend::Backend,
    interface::{
        AdminServer, EthFiltersServer, EthServer, EthSubscriptionsServer, LucidServer, LucidSubscriptionsServer,
        METHODS, NetServer, PootServer, QueryServer, TxpoolServer, Web3Server,
    },
};
use jsonrpsee::{Methods, core::RegisterMethodError};
use std::{collections::BTreeSet, sync::Arc};

/// Why the methods cannot be put together: a fault of the program, which no server starts with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MethodsError {
    /// Two have one name.
    #[error(transparent)]
    Register(#[from] RegisterMethodError),
    /// The table of what callers need and the methods that there are differ in these.
    #[error("not both answered and in the table of methods: {}", .0.join(", "))]
    Table(Vec<&'static str>),
}

/// Every method of the interface, answered from `api`.
pub(crate) fn methods<A: NodeApi>(api: Arc<A>) -> Result<Methods, MethodsError> {
    let backend = Backend::new(api);
    let mut methods = Methods::new();
    methods.merge(AdminServer::into_rpc(backend.clone()))?;
    methods.merge(EthServer::into_rpc(backend.clone()))?;
    methods.merge(EthFiltersServer::into_rpc(backend.clone()))?;
    methods.merge(EthSubscriptionsServer::into_rpc(backend.clone()))?;
    methods.merge(NetServer::into_rpc(backend.clone()))?;
    methods.merge(PootServer::into_rpc(backend.clone()))?;
    methods.merge(QueryServer::into_rpc(backend.clone()))?;
    methods.merge(TxpoolServer::into_rpc(backend.clone()))?;
    methods.merge(Web3Server::into_rpc(backend.clone()))?;
    methods.merge(LucidSubscriptionsServer::into_rpc(backend.clone()))?;
    methods.merge(LucidServer::into_rpc(backend))?;
    let (named, there) = (METHODS.iter().map(|(name, _)| *name).collect(), methods.method_names().collect());
    let differ: Vec<_> = BTreeSet::symmetric_difference(&named, &there).copied().collect();
    if differ.is_empty() { Ok(methods) } else { Err(MethodsError::Table(differ)) }
}
