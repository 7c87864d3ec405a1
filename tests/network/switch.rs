//! Network namespaces of Linux, one for each node, and a switch between them that can be parted. Needs root and iproute2.
//!
//! A proxy that cuts a line says so to both ends. Here packets vanish, and nobody is told: what a line does that breaks.

use super::{
    lines::Line,
    net::{Net, SLOT},
};
use crate::support::{DevNode, lucid_node};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::fd::AsFd,
    path::Path,
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// Where `ip` keeps the names of namespaces.
pub(super) const NAMESPACES: &str = "/run/netns";

/// A namespace with two bridges, `left` and `right`, and one for each node, with a wire from each to a bridge. All of it
/// goes when this is dropped, whatever became of the test.
pub(super) struct Switch {
    /// The switch's own namespace first. Names begin with that of the process, as other tests may run on this machine.
    names: Vec<String>,
}

/// Runs `ip`, and gives what it wrote or, where it failed, why.
fn ip(arguments: &str) -> Result<String, String> {
    let output = Command::new("ip").args(arguments.split(' ')).output().map_err(|error| format!("ip: {error}"))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let failed = || format!("ip {arguments}: {}", said(&output.stderr));
    output.status.success().then(|| said(&output.stdout)).ok_or_else(failed)
}

/// The address of a node on its wire, out of those that are for documentation: nothing outside has it.
fn address(place: usize) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, place as u8 + 1)
}

fn hardware_address(place: usize) -> String {
    format!("02:00:00:00:00:{:02x}", place + 1)
}

impl Switch {
    /// All on one bridge. What this machine does not let a test do is an error, with its reason; what fails after that is
    /// a fault of the test.
    pub(super) fn lay(nodes: usize) -> Result<Self, String> {
        static LAID: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("lucid-{}-{}", process::id(), LAID.fetch_add(1, Relaxed));
        // Filled one by one, so that all are removed again where a later one cannot be made.
        let mut switch = Self { names: Vec::new() };
        for end in ["switch".to_owned()].into_iter().chain((0..nodes).map(|place| place.to_string())) {
            let name = format!("{prefix}-{end}");
            ip(&format!("netns add {name}"))?;
            switch.names.push(name);
        }
        for bridge in ["left", "right"] {
            ip(&format!("-n {} link add {bridge} up type bridge", switch.names[0]))?;
        }
        for place in 0..nodes {
            let (hub, node, mac) = (&switch.names[0], &switch.names[place + 1], hardware_address(place));
            ip(&format!("-n {hub} link add to-{place} type veth peer name wire address {mac} netns {node}"))?;
            switch.plug(place, "left");
            for what in [
                format!("-n {hub} link set to-{place} up"),
                format!("-n {node} link set lo up"),
                format!("-n {node} link set wire up"),
                format!("-n {node} addr add {}/24 dev wire", address(place)),
            ] {
                ip(&what).unwrap();
            }
            // Who is next on the wire need not be asked for: that nobody answers would tell a node that the line is broken.
            for other in (0..nodes).filter(|other| *other != place) {
                let (at, mac) = (address(other), hardware_address(other));
                ip(&format!("-n {node} neigh add {at} lladdr {mac} dev wire nud permanent")).unwrap();
            }
        }
        Ok(switch)
    }

    fn plug(&self, place: usize, bridge: &str) {
        ip(&format!("-n {} link set to-{place} master {bridge}", self.names[0])).unwrap();
    }

    /// Nothing passes any longer between these nodes and the others. Their devices stay up.
    pub(super) fn part(&self, side: &[usize]) {
        side.iter().for_each(|place| self.plug(*place, "right"));
    }

    /// All reach each other again.
    pub(super) fn mend(&self) {
        (0..self.names.len() - 1).for_each(|place| self.plug(place, "left"));
    }

    /// The folders of a network whose nodes listen on their wires and name the others there. Nothing runs yet.
    pub(super) fn net(&self) -> Net {
        let nodes = self.names.len() - 1;
        let net = Net::make(nodes, nodes, SLOT);
        for place in 0..nodes {
            net.set_peers(place, address(place), |other, port| (address(other), port).into());
        }
        net
    }

    /// Runs a node in its namespace. `ip` becomes the node, so that its process is the node's.
    pub(super) fn run(&self, net: &mut Net, place: usize) {
        let namespace = self.names[place + 1].clone();
        let (node, mut command) = (lucid_node(), Command::new("ip"));
        command.args(["netns", "exec", &namespace]).arg(node.get_program()).args([
            "run",
            "--accept-clock",
            "--no-init",
        ]);
        // It answers at the same address inside as outside: one that it does not know of it would refuse.
        let (_, rpc) = Line::lay_with(move |rpc| connect_inside(&namespace, rpc));
        command.arg("--datadir").arg(&net.infos[place].datadir).args(["--http-port", &rpc.port().to_string()]);
        command.env_remove("RUST_LOG").stdin(Stdio::null());
        net.running[place] = Some(DevNode::spawn(command));
    }

    /// Names of all namespaces of this.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Processes in the namespace of a node.
    pub(super) fn processes(&self, place: usize) -> Vec<String> {
        let pids = ip(&format!("netns pids {}", self.names[place + 1])).unwrap();
        pids.split_whitespace().map(str::to_owned).collect()
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        // Wires go with their ends. Nothing here may panic: the test may be doing that already.
        for name in &self.names {
            if let Err(why) = ip(&format!("netns del {name}")) {
                eprintln!("{why}");
            }
        }
    }
}

/// Connects from within a namespace. The thread stays there, so it is to be one that has nothing else to do.
fn connect_inside(namespace: &str, to: SocketAddr) -> io::Result<TcpStream> {
    let name = File::open(Path::new(NAMESPACES).join(namespace))?;
    move_into_link_name_space(name.as_fd(), Some(LinkNameSpaceType::Network))?;
    TcpStream::connect(to)
}

/// Connections with peers that a process holds to be whole.
pub(super) fn connections_to_peers(pid: u32) -> usize {
    const ESTABLISHED: &str = "01";
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    let is_to_peer = |line: &&str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        // The four bytes as they lie in memory, read as one number of this machine.
        let far = u32::from_str_radix(fields[2].split(':').next().unwrap(), 16).unwrap();
        fields[3] == ESTABLISHED && Ipv4Addr::from(far.to_ne_bytes()).octets()[..3] == address(0).octets()[..3]
    };
    table.lines().skip(1).filter(is_to_peer).count()
}
