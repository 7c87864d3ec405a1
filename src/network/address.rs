//! Who a peer is and where it is, without a type of libp2p to be seen.

use std::{fmt, net::IpAddr, str::FromStr};

use libp2p::{Multiaddr, multiaddr::Protocol};

use super::{error::NetworkError, limits::MAX_ADDRESS_BYTES};

/// A peer's name: the hash of the key that its connections are authenticated by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub(super) libp2p::PeerId);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PeerId {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        text.parse().map(Self).map_err(|_| NetworkError::PeerId { text: shown(text) })
    }
}

/// Where a peer is and who answers there: `/ip4/192.0.2.1/tcp/8547/p2p/12D3…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerAddress {
    /// Who must answer.
    pub peer: PeerId,
    /// Where.
    pub(super) address: Multiaddr,
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/p2p/{}", self.address, self.peer)
    }
}

impl FromStr for PeerAddress {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError::PeerAddress { text: shown(text) };
        let mut address = multiaddr(text).ok_or_else(wrong)?;
        let Some(Protocol::P2p(peer)) = address.pop() else { return Err(wrong()) };
        if tcp_port(&address).is_none_or(|port| port == 0) {
            return Err(wrong());
        }
        Ok(Self { peer: PeerId(peer), address })
    }
}

/// Reads an address to listen on or to be found under, without a peer's name: `/ip4/0.0.0.0/tcp/8547`.
pub(super) fn own_address(text: &str) -> Result<Multiaddr, NetworkError> {
    let wrong = || NetworkError::OwnAddress { text: shown(text) };
    multiaddr(text).filter(|address| tcp_port(address).is_some()).ok_or_else(wrong)
}

/// Whether somebody could be reached at an address: `/ip4/192.0.2.1/tcp/8547`, with a peer's name behind it or without.
///
/// # Errors
/// [`NetworkError::OwnAddress`]
pub fn check_endpoint(text: &str) -> Result<(), NetworkError> {
    let address = multiaddr(text).map(without_peer);
    let port = address.as_ref().and_then(tcp_port);
    if port.is_some_and(|port| port > 0) { Ok(()) } else { Err(NetworkError::OwnAddress { text: shown(text) }) }
}

fn multiaddr(text: &str) -> Option<Multiaddr> {
    Some(text).filter(|text| text.len() <= MAX_ADDRESS_BYTES)?.parse().ok()
}

/// The port, where an address is an IP address and a TCP port and nothing else: all that this node can dial.
pub(super) fn tcp_port(address: &Multiaddr) -> Option<u16> {
    let mut parts = address.iter();
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Protocol::Ip4(_) | Protocol::Ip6(_)), Some(Protocol::Tcp(port)), None) => Some(port),
        _ => None,
    }
}

/// The IP address that an address begins with. An IPv4 address in an IPv6 one is the IPv4 address.
pub(super) fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(IpAddr::V6(ip).to_canonical()),
        _ => None,
    }
}

/// The address without a peer's name at its end.
pub(super) fn without_peer(mut address: Multiaddr) -> Multiaddr {
    if let Some(Protocol::P2p(_)) = address.iter().last() {
        address.pop();
    }
    address
}

/// A text that somebody gave, short enough for a message.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWLJtG8fd2hkQzTn96MrLvThmnNQjTUFZwGEsLRz5EmSzc";

    #[test]
    fn an_address_says_where_and_who_and_is_written_as_it_was_read() {
        for place in ["/ip4/192.0.2.1/tcp/8547", "/ip6/2001:db8::1/tcp/1"] {
            let text = format!("{place}/p2p/{PEER}");
            let address: PeerAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(address.peer.to_string(), PEER);
        }
    }

    #[test]
    fn an_address_that_cannot_be_dialled_or_names_nobody_is_refused() {
        let with_peer = |place: &str| format!("{place}/p2p/{PEER}");
        for text in [
            "/ip4/192.0.2.1/tcp/8547".to_owned(),
            with_peer("/dns4/node.example/tcp/8547"),
            with_peer("/ip4/192.0.2.1/udp/8547/quic-v1"),
            with_peer("/ip4/192.0.2.1/tcp/0"),
            with_peer("/ip4/192.0.2.1"),
            with_peer("/ip4/192.0.2.1/tcp/8547/ws"),
            "192.0.2.1:8547".to_owned(),
            "x".repeat(1_000_000),
            String::new(),
        ] {
            assert!(text.parse::<PeerAddress>().is_err(), "{text:.100}");
        }
    }

    #[test]
    fn an_ipv4_address_counts_as_the_same_however_it_comes() {
        let mapped: Multiaddr = "/ip6/::ffff:192.0.2.1/tcp/1".parse().unwrap();
        let plain: Multiaddr = "/ip4/192.0.2.1/tcp/2".parse().unwrap();
        assert_eq!(ip_of(&mapped), ip_of(&plain));
    }
}
