//! How a host and the origin of a page are written. What is written otherwise would never be met by a request, or, as
//! `*` elsewhere, would let everybody in: neither is taken in silence.

/// What a name of `http.allowed-hosts` must be.
pub(super) const HOST: &str = "a name or address as clients write it, with a port where only one is meant: \
                               node.example, node.example:8545 or [fd00::1]; there is no name for all hosts";

/// What an entry of `http.allowed-origins` must be.
pub(super) const ORIGIN: &str = "the origin of a page, https://app.example or http://localhost:3000, without a path; \
                                 there is none for all pages, and null stands for any that hides its own";

/// Most characters of a name (RFC 1035).
const MAX_NAME_CHARS: usize = 253;

/// Whether `text` is what a Host header can hold: a name, an IPv4 address or an IPv6 address in brackets, and a port.
pub(super) fn is_host(text: &str) -> bool {
    // The last colon of an address without a port is within its brackets.
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (text, None),
    };
    let port_is_good = port.is_none_or(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    port_is_good
        && match literal {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => is_name(name),
        }
}

/// Labels of letters, digits, `-` and `_` with dots between them; an IPv4 address is such a name.
fn is_name(name: &str) -> bool {
    let of_a_label = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    name.len() <= MAX_NAME_CHARS && name.split('.').all(|label| !label.is_empty() && label.bytes().all(of_a_label))
}

/// Whether `text` is an origin (RFC 6454) that names a page's place: scheme, host, and port where it is not the scheme's.
pub(super) fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let of_a_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let scheme_is_good = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(of_a_scheme);
    // People copy the address bar, which ends in a slash.
    scheme_is_good && is_host(host.strip_suffix('/').unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_and_addresses_with_a_port_at_most() {
        for host in ["node.example", "Node_1.example:8545", "localhost", "192.168.1.5:1", "[fd00::1]", "[::1]:8545"] {
            assert!(is_host(host), "{host}");
        }
        for host in [
            "",
            "*",
            "*.example",
            "http://node.example",
            "node.example/",
            "node.example:",
            "node.example:0",
            ":8545",
            "node.example:99999",
            "node.example:+1",
            "a b",
            "a..b",
            "fd00::1",
            "[fd00::1",
            "[x]",
            "u@h",
            "[::1]8545",
        ] {
            assert!(!is_host(host), "{host}");
        }
        assert!(!is_host(&"a".repeat(254)));
    }

    #[test]
    fn origins_are_pages_and_neither_all_of_them_nor_a_hidden_one() {
        for origin in ["https://app.example", "http://localhost:3000/", "https://[::1]:8443", "chrome-extension://abc"]
        {
            assert!(is_origin(origin), "{origin}");
        }
        for origin in
            ["*", "null", "app.example", "https://", "https://*", "https://app.example/page", "://a", "file://"]
        {
            assert!(!is_origin(origin), "{origin}");
        }
    }
}
