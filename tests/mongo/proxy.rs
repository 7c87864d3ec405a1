//! Stands between a client and the server, and keeps the names of the commands that come by.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// Bytes of a message before its command: the header, the flags, the kind of the section, the document's length and the type of
/// its first element.
const COMMAND_AT: usize = 16 + 4 + 1 + 4 + 1;

type Counts = Arc<Mutex<BTreeMap<String, u64>>>;

pub(super) struct Proxy {
    address: SocketAddr,
    counts: Counts,
}

impl Proxy {
    /// Starts one before the server on `port`.
    pub(super) fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, counts) = (listener.local_addr().unwrap(), Counts::default());
        let kept = Arc::clone(&counts);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let (mut answers, mut reader) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let kept = Arc::clone(&kept);
                thread::spawn(move || {
                    let _ = io::copy(&mut answers, &mut reader);
                    let _ = reader.shutdown(Shutdown::Both);
                });
                thread::spawn(move || {
                    let _ = forward(client, &server, &kept);
                    let _ = server.shutdown(Shutdown::Both);
                });
            }
        });
        Self { address, counts }
    }

    pub(super) fn uri(&self) -> String {
        format!("mongodb://{}/?directConnection=true", self.address)
    }

    /// How often each command came by.
    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.lock().unwrap().clone()
    }
}

fn forward(mut client: TcpStream, mut server: &TcpStream, counts: &Mutex<BTreeMap<String, u64>>) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let mut message = length.to_vec();
        message.resize(i32::from_le_bytes(length) as usize, 0);
        client.read_exact(&mut message[4..])?;
        let name = message[COMMAND_AT..].split(|byte| *byte == 0).next().unwrap_or_default();
        *counts.lock().unwrap().entry(String::from_utf8_lossy(name).into_owned()).or_default() += 1;
        server.write_all(&message)?;
    }
}
