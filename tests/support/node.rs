//! Runs the real program as a user does: over its command line, its output and its port.

use lucid_rpc::Client;
use serde::Serialize;
use serde_json::Value;
use std::{
    env,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

/// How long a node may take until it listens. A debug build on a busy Raspberry Pi takes some of it.
const START_TIMEOUT_SECS: u64 = 60;

/// How long a node may take to stop once it was asked to.
const STOP_TIMEOUT_SECS: u64 = 30;

/// The program that cargo built for these tests, or the one that `LUCID_NODE_BIN` names: that of a release.
pub(crate) fn lucid_node() -> Command {
    let program = env::var_os("LUCID_NODE_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_lucid-node").into());
    let mut command = Command::new(program);
    // What the caller logs is not what the tests are about.
    command.env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// A running `lucid-node dev` or `demo`. It is killed when dropped.
pub(crate) struct DevNode {
    child: Child,
    url: String,
    banner: Vec<String>,
    /// Its temporary folder: a node that is killed removes nothing, and this goes with the test.
    _temporary: tempfile::TempDir,
}

impl DevNode {
    /// Starts one in a temporary folder of its own making.
    pub(crate) fn start() -> Self {
        Self::start_with("dev", &[])
    }

    /// Starts the demo, and waits until its story is told.
    pub(crate) fn start_demo() -> Self {
        Self::start_with("demo", &[])
    }

    /// Starts one that keeps its chain in `datadir`.
    pub(crate) fn start_in(datadir: &Path) -> Self {
        Self::start_in_with(datadir, &[])
    }

    /// Starts one that keeps its chain in `datadir`, with more arguments.
    pub(crate) fn start_in_with(datadir: &Path, more: &[&str]) -> Self {
        Self::start_with("dev", &[&["--datadir", datadir.to_str().unwrap()], more].concat())
    }

    /// Runs the chain in `datadir` as a service would, whatever the clock of this machine is like.
    pub(crate) fn run_in(datadir: &Path, more: &[&str]) -> Self {
        let mut command = lucid_node();
        command.args(["run", "--datadir", datadir.to_str().unwrap(), "--http-port", "0"]).args(more);
        Self::spawn(command)
    }

    fn start_with(subcommand: &str, arguments: &[&str]) -> Self {
        let mut command = lucid_node();
        command.args([subcommand, "--port", "0"]).args(arguments);
        Self::spawn(command)
    }

    /// Starts a node and waits until it listens.
    pub(crate) fn spawn(mut command: Command) -> Self {
        // Below cargo's target folder, so that a test that is killed itself leaves nothing in the system's.
        let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        command.env("TMPDIR", temporary.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Both pipes are read to their ends, or the node would wait for a reader once one is full.
        let errors = child.stderr.take().unwrap();
        let errors = thread::spawn(move || BufReader::new(errors).lines().map_while(Result::ok).collect::<Vec<_>>());
        let lines = lines_of(child.stdout.take().unwrap());
        let mut banner = Vec::new();
        let until = Instant::now() + Duration::from_secs(START_TIMEOUT_SECS);
        loop {
            match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let url = ["Listening on ", "Serving on "].iter().find_map(|words| line.strip_prefix(words));
                    let url = url.and_then(|rest| rest.split(' ').next()).map(str::to_owned);
                    banner.push(line);
                    if let Some(url) = url {
                        return Self { child, url, banner, _temporary: temporary };
                    }
                }
                Err(why) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    let ended = if why == RecvTimeoutError::Timeout { "did not listen in time" } else { "ended" };
                    panic!("the node {ended}: {banner:#?} {:#?}", errors.join().unwrap());
                }
            }
        }
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What it printed until it listened, that line included.
    pub(crate) fn banner(&self) -> &[String] {
        &self.banner
    }

    /// The address that it listens on.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.url.strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url).unwrap()
    }

    /// The result of a JSON-RPC call.
    pub(crate) fn request(&self, method: &str, params: impl Serialize) -> Value {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = self.client();
        runtime.block_on(client.request(method, params)).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Pulls the plug: SIGKILL, which no program can answer.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends what Ctrl-C sends and waits for the end.
    pub(crate) fn interrupt(self) -> ExitStatus {
        self.stop_by("INT")
    }

    /// Sends what a service manager sends and waits for the end.
    pub(crate) fn terminate(self) -> ExitStatus {
        self.stop_by("TERM")
    }

    fn stop_by(mut self, signal: &str) -> ExitStatus {
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
        let until = Instant::now() + Duration::from_secs(STOP_TIMEOUT_SECS);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "the node did not stop on SIG{signal}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for DevNode {
    fn drop(&mut self) {
        // Where it has ended already, both fail, and that is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines as they come, until the writer closes its end.
fn lines_of(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Nobody listens any longer, but the node must be able to write on.
            let _ = sender.send(line);
        }
    });
    receiver
}
