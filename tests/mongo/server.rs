//! SecantusDB, a server of MongoDB's protocol over WiredTiger, in a process of its own on loopback.

use crate::support::{python, said};
use serde_json::Value;
use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long it may take to listen: it is Python, and the machine may be busy.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How long it may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// A running server, killed when dropped.
pub(super) struct Server {
    python: PathBuf,
    folder: PathBuf,
    port: u16,
    arguments: Vec<String>,
    child: Child,
}

impl Server {
    /// Installs it and starts one that keeps its data in `folder`. `None` where the test has to be skipped.
    pub(super) fn start(test: &str, folder: &Path) -> Option<Self> {
        let python = python(test, "secantus", &scripts().join("requirements.txt"))?;
        // Free at this moment; nobody else asks for one that was just given out.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = spawn(&python, folder, port, &[]);
        let server = Self { python, folder: folder.to_owned(), port, arguments: Vec::new(), child };
        server.wait(&server.uri());
        Some(server)
    }

    /// Pulls the plug: SIGKILL.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again over its data, after [`Server::kill`].
    pub(super) fn start_again(&mut self) {
        self.child = spawn(&self.python, &self.folder, self.port, &self.arguments);
    }

    /// Starts it again with other arguments, and waits until it answers under `uri`. It is stopped in order before: what it
    /// was told last, such as a user, need not be on its disk yet.
    pub(super) fn start_with(&mut self, arguments: &[&str], uri: &str) {
        let stopped = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        let begun = Instant::now();
        while stopped.success() && begun.elapsed() < STOP_TIMEOUT && self.child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(50));
        }
        self.kill();
        self.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        self.start_again();
        self.wait(uri);
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/", self.port)
    }

    /// What it says to pymongo.
    pub(super) fn ask(&self, what: &str, arguments: &[&str]) -> Value {
        self.ask_as(&self.uri(), what, arguments)
    }

    pub(super) fn ask_as(&self, uri: &str, what: &str, arguments: &[&str]) -> Value {
        serde_json::from_str(&said(self.command(uri, what).args(arguments))).unwrap()
    }

    fn command(&self, uri: &str, what: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(scripts().join("ask.py")).args([uri, what]);
        command
    }

    fn wait(&self, uri: &str) {
        let begun = Instant::now();
        while !self.command(uri, "ping").stderr(Stdio::null()).output().unwrap().status.success() {
            assert!(
                begun.elapsed() < START_TIMEOUT,
                "the server does not answer: {:?}",
                self.folder.with_extension("log")
            );
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Where it was killed already, both fail, and that is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(python: &Path, folder: &Path, port: u16, arguments: &[String]) -> Child {
    let log = File::create(folder.with_extension("log")).unwrap();
    let mut command = Command::new(python.with_file_name("secantusd-py"));
    command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--log-level", "WARNING"]);
    command.arg("--storage-path").arg(folder).args(arguments);
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

pub(super) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mongo")
}
