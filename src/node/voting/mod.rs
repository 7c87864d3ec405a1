//! A node among others: it follows what the validators decide, and where it is one of them, proposes and votes.
//!
//! The machine of `consensus::bft` says what is to be done, one effect after the other; here it is done. All of that happens
//! on one thread (`driver`): the machine, its log, blocks that are built, judged and committed. Others hand in what happens
//! through a bounded `inbox` and wait for nothing. The network is on the other side of a `wire`.

mod bodies;
mod clockwork;
mod driver;
mod heard;
mod inbox;
mod link;
mod log;
mod notes;
mod open_height;
mod part;
mod passed_on;
mod peers;
mod start;
mod wire;

pub(super) use inbox::{Inbox, Told};
pub(super) use log::{read_log, settle_height};
#[cfg(feature = "testing")]
pub(super) use open_height::OpenHeight;
pub(super) use part::{Part, Standing};
pub(super) use start::{network_config, take_part};
