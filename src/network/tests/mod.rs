//! Nodes over real sockets of this machine, each test named by what could go wrong.

mod attackers;
mod connections;
mod floods;
mod gossip;
mod idle;
mod requests;
mod support;
