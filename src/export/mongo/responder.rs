//! A server for tests that answers as the router of a sharded cluster would, and keeps what it was told: what no server that
//! tests can start does. It is not one, so what is tested with it are the commands.

use bson::{Document, RawDocumentBuf, doc};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// Code of a message (OP_MSG).
const OP_MSG: i32 = 2013;

/// What it answers to a command.
type Answer = dyn Fn(&Document) -> Document + Send + Sync;

pub(super) struct Responder {
    address: SocketAddr,
    told: Arc<Mutex<Vec<Document>>>,
}

impl Responder {
    /// Starts one; `answer` says what is answered to all but the greeting.
    pub(super) fn start(answer: impl Fn(&Document) -> Document + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, told) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<Document>>>::default());
        let (kept, answer): (_, Arc<Answer>) = (Arc::clone(&told), Arc::new(answer));
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                thread::spawn(move || serve(connection, &kept, &*answer));
            }
        });
        Self { address, told }
    }

    pub(super) fn uri(&self) -> String {
        format!("mongodb://{}/", self.address)
    }

    /// What it was told, without the greetings.
    pub(super) fn told(&self) -> Vec<Document> {
        self.told.lock().unwrap().clone()
    }
}

/// Answers until the client hangs up.
fn serve(mut connection: TcpStream, told: &Mutex<Vec<Document>>, answer: &Answer) -> io::Result<()> {
    loop {
        let mut header = [0; 16];
        connection.read_exact(&mut header)?;
        let number = |at: usize| i32::from_le_bytes(header[at..at + 4].try_into().unwrap());
        let (length, request, code) = (number(0), number(4), number(12));
        assert_eq!(code, OP_MSG);
        let mut body = vec![0; length as usize - header.len()];
        connection.read_exact(&mut body)?;
        // Flags, the kind of the one section, the command.
        assert_eq!(body[4], 0, "a section that is no command");
        let command: Document = RawDocumentBuf::from_bytes(body[5..].to_vec()).unwrap().try_into().unwrap();
        let reply = match command.keys().next().unwrap().as_str() {
            "hello" | "ismaster" | "isMaster" => greeting(),
            "endSessions" => doc! { "ok": 1 },
            _ => {
                told.lock().unwrap().push(command.clone());
                answer(&command)
            }
        };
        let reply = reply.to_vec().unwrap();
        let mut message = Vec::new();
        for number in [21 + reply.len() as i32, request, request, OP_MSG, 0] {
            message.extend(number.to_le_bytes());
        }
        message.push(0);
        message.extend(reply);
        connection.write_all(&message)?;
    }
}

fn greeting() -> Document {
    doc! {
        "ok": 1, "msg": "isdbgrid", "isWritablePrimary": true, "ismaster": true, "helloOk": true,
        "minWireVersion": 0, "maxWireVersion": 21, "maxBsonObjectSize": 16 << 20, "maxMessageSizeBytes": 48_000_000,
        "maxWriteBatchSize": 100_000,
    }
}
