//! How the address of a node is written: as a multiaddress, of an IP address and a TCP port. Whether a peer's name is the hash
//! of a key is the network's matter.

use std::net::{Ipv4Addr, Ipv6Addr};

/// What an entry of `network.listen` and `network.external-address` must be.
pub(super) const OWN: &str = "an IP address and a port: /ip4/0.0.0.0/tcp/8547 or /ip6/::/tcp/8547";

/// What an entry of `network.peers` must be.
pub(super) const PEER: &str = "an IP address, a port and the name that the node there says it has: \
                               /ip4/192.0.2.1/tcp/8547/p2p/12D3...; names of hosts are not looked up";

/// Shortest and longest name of a peer: a hash of 32 bytes, or a key with its kind, in base 58.
const PEER_NAME_CHARS: (usize, usize) = (44, 60);

/// The digits of base 58: no two of them look alike.
const BASE_58: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Whether `text` says where this node is: an IP address and a port.
pub(super) fn is_own(text: &str) -> bool {
    place(text).is_some_and(|(_, rest)| rest.is_empty())
}

/// Whether `text` says where another node is and what it is called.
pub(super) fn is_peer(text: &str) -> bool {
    let Some((port, rest)) = place(text) else { return false };
    let (shortest, longest) = PEER_NAME_CHARS;
    matches!(rest[..], ["p2p", name] if port > 0
        && (shortest..=longest).contains(&name.len())
        && name.chars().all(|digit| BASE_58.contains(digit)))
}

/// The port of an address, and what follows it.
fn place(text: &str) -> Option<(u16, Vec<&str>)> {
    let mut parts = text.split('/');
    let is_good = match (parts.next()?, parts.next()?, parts.next()?) {
        ("", "ip4", ip) => ip.parse::<Ipv4Addr>().is_ok(),
        ("", "ip6", ip) => ip.parse::<Ipv6Addr>().is_ok(),
        _ => false,
    };
    let port = match (parts.next()?, parts.next()?) {
        ("tcp", port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok()?,
        _ => return None,
    };
    is_good.then(|| (port, parts.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_address_is_an_ip_address_and_a_port() {
        for text in ["/ip4/0.0.0.0/tcp/8547", "/ip6/::/tcp/0", "/ip6/2001:db8::1/tcp/65535"] {
            assert!(is_own(text), "{text}");
        }
        for text in [
            "",
            "0.0.0.0:8547",
            "/ip4/0.0.0.0",
            "/ip4/0.0.0.0/tcp/",
            "/ip4/0.0.0.0/tcp/+1",
            "/ip4/0.0.0.0/tcp/65536",
            "/ip4/::/tcp/1",
            "/ip4/0.0.0.0/udp/1",
            "/ip4/0.0.0.0/tcp/1/",
            "/dns4/node.example/tcp/1",
            "ip4/0.0.0.0/tcp/1",
        ] {
            assert!(!is_own(text), "{text}");
        }
    }

    #[test]
    fn a_peers_address_has_its_name_too() {
        let name = "12D3KooWLJtG8fd2hkQzTn96MrLvThmnNQjTUFZwGEsLRz5EmSzc";
        assert!(is_peer(&format!("/ip4/192.0.2.1/tcp/8547/p2p/{name}")));
        for text in [
            "/ip4/192.0.2.1/tcp/8547".to_owned(),
            "/ip4/192.0.2.1/tcp/8547/p2p/".to_owned(),
            format!("/ip4/192.0.2.1/tcp/0/p2p/{name}"),
            format!("/ip4/192.0.2.1/tcp/8547/p2p/{name}/x"),
            format!("/ip4/192.0.2.1/tcp/8547/p2p/0{}", &name[1..]),
            format!("/ip4/192.0.2.1/tcp/8547/p2p/{}", &name[20..]),
            format!("/dns4/node.example/tcp/8547/p2p/{name}"),
        ] {
            assert!(!is_peer(&text), "{text}");
        }
    }
}
