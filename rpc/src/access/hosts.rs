use std::net::{IpAddr, SocketAddr};

/// Names of this machine's loopback.
pub(super) const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The Host headers that are answered. A web page whose own name was made to resolve to this machine (DNS rebinding)
/// sends that name, and no token is asked of it on loopback.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    /// Name and, where only one is meant, port.
    names: Vec<(String, Option<u16>)>,
    /// Whether any literal address is answered: it cannot be rebound, and a machine may have many.
    literals: bool,
}

impl Hosts {
    /// The names of loopback and of the address that is listened on, with its port, and what is allowed besides.
    pub(crate) fn new(address: SocketAddr, allowed: &[String]) -> Self {
        let port = address.port();
        let mut names: Vec<_> = LOOPBACK_NAMES.map(|name| (name.to_owned(), Some(port))).into();
        names.push((literal(address.ip()), Some(port)));
        names.extend(allowed.iter().map(|host| {
            let (name, port) = split(host);
            (name.to_ascii_lowercase(), port)
        }));
        Self { names, literals: !address.ip().is_loopback() }
    }

    /// Whether a request with this Host is answered.
    pub(crate) fn allow(&self, host: &str) -> bool {
        let (name, port) = split(host);
        // Clients leave out the default port of HTTP.
        let port = port.unwrap_or(80);
        let named = |(allowed, only): &(String, Option<u16>)| {
            allowed.eq_ignore_ascii_case(name) && only.is_none_or(|only| only == port)
        };
        self.names.iter().any(named) || (self.literals && is_literal(name))
    }
}

/// An address as it stands in a Host header.
fn literal(ip: IpAddr) -> String {
    if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() }
}

fn is_literal(name: &str) -> bool {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    bare.parse::<IpAddr>().is_ok()
}

/// Name and port of `name`, `name:port`, `[address]` or `[address]:port`.
pub(super) fn split(host: &str) -> (&str, Option<u16>) {
    // The last colon of a literal address without a port is within its brackets.
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && name.starts_with('[') == name.ends_with(']') => (name, port),
        _ => return (host, None),
    };
    // A sign before the digits would be read as a number too.
    match port.parse() {
        Ok(number) if port.starts_with(|first: char| first.is_ascii_digit()) => (name, Some(number)),
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_loopback_only_its_names_with_the_port_are_answered() {
        let hosts = Hosts::new(([127, 0, 0, 1], 8545).into(), &[]);
        for host in ["localhost:8545", "LOCALHOST:8545", "127.0.0.1:8545", "[::1]:8545"] {
            assert!(hosts.allow(host), "{host}");
        }
        let strangers = [
            "evil.com",
            "evil.com:8545",
            "localhost",
            "localhost:1",
            "127.0.0.1.evil.com:8545",
            "",
            "192.168.1.5:8545",
            "[::1",
            ":8545",
            "localhost:8545:8545",
            "localhost:x",
            "localhost:",
            "127.0.0.1:+8545",
        ];
        for host in strangers {
            assert!(!hosts.allow(host), "{host}");
        }
        assert!(Hosts::new(([127, 0, 0, 1], 80).into(), &[]).allow("localhost"));
    }

    #[test]
    fn beyond_loopback_any_literal_address_is_and_a_name_only_where_it_is_allowed() {
        let allowed = ["node.example".to_owned(), "Other.example:443".to_owned()];
        let hosts = Hosts::new(([0, 0, 0, 0], 8545).into(), &allowed);
        for host in
            ["192.168.1.5:8545", "10.0.0.1", "[fe80::1]:9000", "node.example", "node.example:9", "other.example:443"]
        {
            assert!(hosts.allow(host), "{host}");
        }
        for host in ["evil.com", "other.example", "other.example:444", "node.example.evil.com"] {
            assert!(!hosts.allow(host), "{host}");
        }
    }
}
