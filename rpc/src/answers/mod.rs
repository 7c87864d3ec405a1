//! How the methods of [`interface`](crate::interface) are answered, one file or folder per namespace.

mod eth;
mod lucid;
mod net;
mod txpool;
mod web3;

use crate::{
    api::NodeApi,
    backend::Backend,
    interface::{
        EthFiltersServer, EthServer, EthSubscriptionsServer, LucidServer, NetServer, TxpoolServer, Web3Server,
    },
};
use jsonrpsee::{Methods, core::RegisterMethodError};
use std::sync::Arc;

/// Every method of the interface, answered from `api`.
pub(crate) fn methods<A: NodeApi>(api: Arc<A>) -> Result<Methods, RegisterMethodError> {
    let backend = Backend::new(api);
    let mut methods = Methods::new();
    methods.merge(EthServer::into_rpc(backend.clone()))?;
    methods.merge(EthFiltersServer::into_rpc(backend.clone()))?;
    methods.merge(EthSubscriptionsServer::into_rpc(backend.clone()))?;
    methods.merge(NetServer::into_rpc(backend.clone()))?;
    methods.merge(TxpoolServer::into_rpc(backend.clone()))?;
    methods.merge(Web3Server::into_rpc(backend.clone()))?;
    methods.merge(LucidServer::into_rpc(backend))?;
    Ok(methods)
}
