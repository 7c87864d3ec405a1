//! Lines between real processes: what one node dials instead of another. They are cut and mended, and count what they carry.

use super::net::{Net, SLOT};
use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread,
};

/// A line to a node.
#[derive(Clone, Default)]
pub(super) struct Line {
    is_cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    carried: Arc<AtomicU64>,
}

impl Line {
    /// Carries bytes to `to` until the test ends; says where to dial.
    pub(super) fn lay(to: SocketAddr) -> (Self, SocketAddr) {
        Self::lay_with(move |_| TcpStream::connect(to))
    }

    /// As [`Line::lay`], to whatever `dial` reaches, which is told where the line begins. Each connection is dialled in
    /// a thread of its own, which ends with it.
    pub(super) fn lay_with(
        dial: impl Fn(SocketAddr) -> io::Result<TcpStream> + Send + Sync + 'static,
    ) -> (Self, SocketAddr) {
        let (line, listener) = (Self::default(), TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let dialled = listener.local_addr().unwrap();
        let (carrying, dial) = (line.clone(), Arc::new(dial));
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let (line, dial) = (carrying.clone(), Arc::clone(&dial));
                thread::spawn(move || {
                    if let Some(far) = dial(dialled).ok().filter(|far| line.takes(&near, far)) {
                        line.connect(near, far);
                    }
                });
            }
        });
        (line, dialled)
    }

    /// Takes a connection on unless the line is cut. Under the lock, or one that came while it was cut would outlive that.
    fn takes(&self, near: &TcpStream, far: &TcpStream) -> bool {
        let mut open = self.open.lock().unwrap();
        let is_whole = !self.is_cut.load(SeqCst);
        if is_whole {
            open.extend([near, far].map(|end| end.try_clone().unwrap()));
        }
        is_whole
    }

    fn connect(self, near: TcpStream, far: TcpStream) {
        let [near_too, far_too] = [&near, &far].map(|end| end.try_clone().unwrap());
        let there = self.clone();
        let back = thread::spawn(move || self.carry(far, near_too));
        there.carry(near, far_too);
        back.join().unwrap();
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = [0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            self.carried.fetch_add(count as u64, Relaxed);
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }

    pub(super) fn cut(&self) {
        let mut open = self.open.lock().unwrap();
        self.is_cut.store(true, SeqCst);
        for end in open.drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    pub(super) fn mend(&self) {
        self.is_cut.store(false, SeqCst);
    }

    /// Bytes that it has carried, both ways together.
    fn carried(&self) -> u64 {
        self.carried.load(Relaxed)
    }
}

/// The lines of a network, by who dials and who is dialled.
pub(super) struct Lines(Vec<Vec<Option<Line>>>);

/// Four nodes that reach each other over lines alone: each listens on an address of its own, and connections come from
/// another, so that nobody learns where a node really is.
pub(super) fn net_over_lines() -> (Net, Lines) {
    let net = Net::make(4, 4, SLOT);
    let ip = |place: usize| Ipv4Addr::new(127, 0, 1, place as u8 + 1);
    let mut lines = Lines(vec![vec![None; 4]; 4]);
    for place in 0..4 {
        net.set_peers(place, ip(place), |other, port| {
            let (line, dialled) = Line::lay((ip(other), port).into());
            lines.0[place][other] = Some(line);
            dialled
        });
    }
    (net, lines)
}

impl Lines {
    /// Cuts or mends all lines between two sides.
    pub(super) fn between(&self, side: &[usize], change: impl Fn(&Line)) {
        for (from, of_one) in self.0.iter().enumerate() {
            for (to, line) in of_one.iter().enumerate() {
                if side.contains(&from) != side.contains(&to) {
                    line.iter().for_each(&change);
                }
            }
        }
    }

    /// Bytes that all of them have carried, both ways together.
    pub(super) fn carried(&self) -> u64 {
        self.0.iter().flatten().flatten().map(Line::carried).sum()
    }
}
