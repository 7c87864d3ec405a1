//! Who can reach the node's port.

use super::{Finding, Machine, Problem, Subject};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The state of a socket that listens, in the kernel's table.
const LISTEN: &str = "0A";

pub(super) fn port(machine: &Machine, subject: &Subject) -> Finding {
    let port = subject.http_addr.port();
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let listening = tables
        .iter()
        .filter_map(|table| machine.read(table))
        .flat_map(|table| table.lines().skip(1).filter_map(|line| listener(line, port)).collect::<Vec<_>>());
    let mut open: Vec<IpAddr> = listening.filter(|address| !is_loopback(*address)).collect();
    if !is_loopback(subject.http_addr.ip()) {
        open.push(subject.http_addr.ip());
    }
    open.sort();
    open.dedup();
    if open.is_empty() {
        return Finding::good("port", format!("{port} is for this machine alone"));
    }
    let open: Vec<String> = open.iter().map(IpAddr::to_string).collect();
    Finding::problem(
        "port",
        Problem::PortExposed,
        format!("{port} can be reached from elsewhere, at {}", open.join(", ")),
    )
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// The address of a line of the kernel's table, where that listens on the port.
fn listener(line: &str, port: u16) -> Option<IpAddr> {
    let mut words = line.split_whitespace().skip(1);
    let (address, at) = words.next()?.split_once(':')?;
    if words.nth(1)? != LISTEN || u16::from_str_radix(at, 16).ok()? != port {
        return None;
    }
    // In words of the machine's own order, which is that of the little end wherever the node runs.
    let word = |from: usize| u32::from_str_radix(address.get(from..from + 8)?, 16).ok().map(u32::to_le_bytes);
    match address.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for (place, bytes) in bytes.chunks_exact_mut(4).enumerate() {
                bytes.copy_from_slice(&word(place * 8)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{machine::tests::machine, running::tests::subject},
        *,
    };

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue\n";

    fn judged(line: &str, table: &str) -> Option<&'static str> {
        let (_root, machine) = machine(&[(table, &format!("{HEAD}{line}\n"))]);
        port(&machine, &subject(None)).problem
    }

    #[test]
    fn a_port_that_others_reach_is_found_in_the_kernels_table_whatever_was_configured() {
        let exposed = Some("port-exposed");
        assert_eq!(judged("   0: 0100007F:2161 00000000:0000 0A 00000000", "/proc/net/tcp"), None);
        assert_eq!(judged("   0: 00000000:2161 00000000:0000 0A 00000000", "/proc/net/tcp"), exposed);
        assert_eq!(judged("   0: 00000000:2162 00000000:0000 0A 00000000", "/proc/net/tcp"), None, "another port");
        assert_eq!(judged("   0: 0501A8C0:2161 0601A8C0:9999 01 00000000", "/proc/net/tcp"), None, "no listener");
        let v6 = |address: &str| judged(&format!(" 0: {address}:2161 {}:0000 0A 0", "0".repeat(32)), "/proc/net/tcp6");
        assert_eq!(v6("00000000000000000000000001000000"), None, "::1");
        assert_eq!(v6("0000000000000000FFFF00000100007F"), None, "127.0.0.1 as IPv6");
        assert_eq!(v6("00000000000000000000000000000000"), exposed);
    }

    #[test]
    fn what_is_configured_counts_where_no_node_runs() {
        let (_root, machine) = machine(&[]);
        let mut subject = subject(None);
        assert_eq!(port(&machine, &subject).problem, None);
        subject.http_addr = ([0, 0, 0, 0], 8545).into();
        assert_eq!(port(&machine, &subject).problem, Some("port-exposed"));
    }
}
