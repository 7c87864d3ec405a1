//! The lines between real processes are cut, through proxies, and mended again: the smaller side makes no block, and in the
//! end all agree.

use super::net::{Net, SLOT};
use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

/// A line from one node to another: what the first dials instead of the second.
#[derive(Clone, Default)]
struct Line {
    is_cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Line {
    /// Carries bytes to `to` until the test ends; says where to dial.
    fn lay(to: SocketAddr) -> (Self, u16) {
        let (line, listener) = (Self::default(), TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let port = listener.local_addr().unwrap().port();
        let carrying = line.clone();
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if carrying.is_cut.load(SeqCst) {
                    continue;
                }
                let Ok(far) = TcpStream::connect(to) else { continue };
                let ends = [near, far].map(|end| (end.try_clone().unwrap(), end));
                let [(near, near_too), (far, far_too)] = ends;
                carrying.open.lock().unwrap().extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                thread::spawn(move || carry(near, far_too));
                thread::spawn(move || carry(far, near_too));
            }
        });
        (line, port)
    }

    fn cut(&self) {
        self.is_cut.store(true, SeqCst);
        for end in self.open.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    fn mend(&self) {
        self.is_cut.store(false, SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Four nodes that reach each other over lines alone: each listens on an address of its own, and connections come from
/// another, so that nobody learns where a node really is.
fn net_over_lines() -> (Net, Vec<Vec<Option<Line>>>) {
    let net = Net::make(4, 4, SLOT);
    let places: Vec<_> = net
        .infos
        .iter()
        .enumerate()
        .map(|(place, info)| {
            let mut parts = info.peer.split('/').skip(4);
            let (port, id) = (parts.next().unwrap().to_owned(), parts.nth(1).unwrap().to_owned());
            (format!("127.0.1.{}", place + 1), port, id)
        })
        .collect();
    let mut lines = vec![vec![None; 4]; 4];
    for (place, info) in net.infos.iter().enumerate() {
        let mut peers = Vec::new();
        for (other, (ip, port, id)) in places.iter().enumerate().filter(|(other, _)| *other != place) {
            let (line, dialled) = Line::lay(format!("{ip}:{port}").parse().unwrap());
            lines[place][other] = Some(line);
            peers.push(format!("\"/ip4/127.0.0.1/tcp/{dialled}/p2p/{id}\""));
        }
        let (ip, port, _) = &places[place];
        let config = format!("[network]\nlisten = [\"/ip4/{ip}/tcp/{port}\"]\npeers = [{}]\n", peers.join(", "));
        fs::write(info.datadir.join("lucid.toml"), config).unwrap();
    }
    (net, lines)
}

/// Cuts or mends all lines between two sides.
fn between(lines: &[Vec<Option<Line>>], side: &[usize], change: impl Fn(&Line)) {
    for (from, of_one) in lines.iter().enumerate() {
        for (to, line) in of_one.iter().enumerate() {
            if side.contains(&from) != side.contains(&to) {
                line.iter().for_each(&change);
            }
        }
    }
}

#[test]
fn the_smaller_side_makes_no_block_and_all_agree_once_the_lines_are_mended() {
    let (mut net, lines) = net_over_lines();
    (0..4).for_each(|place| net.restart(place));
    net.send();
    net.wait_for_all_sent();
    // Three against one.
    between(&lines, &[3], Line::cut);
    let alone = net.running[3].take().unwrap();
    let before = super::net::height_of(&alone);
    (0..3).for_each(|_| net.send());
    net.wait_for_all_sent();
    thread::sleep(SLOT * 2);
    assert_eq!(super::net::height_of(&alone), before, "one of four goes on by itself");
    net.running[3] = Some(alone);
    between(&lines, &[3], Line::mend);
    net.wait_for_all_sent();
    // Two against two: neither side is a majority.
    between(&lines, &[0, 1], Line::cut);
    let before = net.heights();
    net.send();
    thread::sleep(SLOT * 3);
    assert_eq!(net.heights(), before);
    between(&lines, &[0, 1], Line::mend);
    net.wait_for_all_sent();
    net.assert_same_rows();
}
