//! What clients can call, one file per namespace. How it is answered is in [`answers`](crate::answers).

mod admin;
mod eth;
mod filters;
mod lucid;
mod methods;
mod net;
mod param;
mod poot;
mod query;
mod subscriptions;
mod txpool;
mod web3;

pub(crate) use admin::AdminServer;
pub(crate) use eth::EthServer;
pub(crate) use filters::EthFiltersServer;
pub(crate) use lucid::{LucidServer, refused_params};
pub(crate) use methods::{METHODS, Need, SUBSCRIPTION_METHODS, need_of};
pub(crate) use net::NetServer;
pub(crate) use param::{Param, Unread};
pub(crate) use poot::PootServer;
pub(crate) use query::QueryServer;
pub(crate) use subscriptions::{EthSubscriptionsServer, LucidSubscriptionsServer};
pub(crate) use txpool::TxpoolServer;
pub(crate) use web3::Web3Server;
