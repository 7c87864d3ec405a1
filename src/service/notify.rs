//! What systemd is told: `sd_notify(3)` in the few words that a node needs. Without systemd nobody is told anything.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

/// A line to the service manager that started this process.
#[derive(Debug)]
pub struct Notifier {
    line: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// The line that the environment names: `NOTIFY_SOCKET`, and `WATCHDOG_USEC` where a sign of life is asked for.
    pub fn from_env() -> Self {
        let watchdog = watchdog(
            env::var("WATCHDOG_USEC").ok().as_deref(),
            env::var("WATCHDOG_PID").ok().as_deref(),
            std::process::id(),
        );
        Self::new(env::var_os("NOTIFY_SOCKET"), watchdog)
    }

    /// A line to the socket of this name; with no name, or one that cannot be one, nobody is told.
    pub fn new(socket: Option<OsString>, watchdog: Option<Duration>) -> Self {
        let line = socket.and_then(|name| {
            let line = address(&name).and_then(|address| Ok((UnixDatagram::unbound()?, address)));
            // The manager would wait for a word that cannot reach it, so at least the log has the reason.
            line.inspect_err(|error| tracing::warn!(%error, "NOTIFY_SOCKET cannot be used")).ok()
        });
        Self { watchdog: watchdog.filter(|_| line.is_some()), line }
    }

    /// How long the manager waits for a sign of life before it ends this process; `None` where it asks for none.
    pub const fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The node answers.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// One line for `systemctl status`.
    pub fn status(&self, text: &str) {
        // Each line is an assignment of its own.
        self.tell(&format!("STATUS={}", text.replace('\n', " ")));
    }

    /// Starting or stopping goes on, and takes at most this long from now.
    pub fn extend_timeout(&self, by: Duration) {
        self.tell(&format!("EXTEND_TIMEOUT_USEC={}", by.as_micros()));
    }

    /// The node still makes progress.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// The node stops because it was asked to.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// A manager that does not listen is no reason to fail: it sees that by itself.
    fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.line
            && let Err(error) = socket.send_to_addr(state.as_bytes(), address)
        {
            tracing::debug!(%error, state, "the service manager was not told");
        }
    }
}

/// A path, or with `@` in front a name that is in no file system.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(name),
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor an abstract name")),
    }
}

/// The time of the watchdog, where it is meant for the process `pid`.
fn watchdog(microseconds: Option<&str>, meant_for: Option<&str>, pid: u32) -> Option<Duration> {
    if meant_for.is_some_and(|meant_for| meant_for.parse() != Ok(pid)) {
        return None;
    }
    let time = Duration::from_micros(microseconds?.parse().ok()?);
    (!time.is_zero()).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_hears_each_state_as_a_datagram_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::new(Some(path.into()), Some(Duration::from_secs(3)));
        notifier.ready();
        notifier.status("block 7\nREADY=0");
        notifier.extend_timeout(Duration::from_secs(30));
        notifier.alive();
        notifier.stopping();
        let mut heard = Vec::new();
        let mut buffer = [0; 256];
        for _ in 0..5 {
            let len = manager.recv(&mut buffer).unwrap();
            heard.push(String::from_utf8(buffer[..len].to_vec()).unwrap());
        }
        let expected =
            ["READY=1", "STATUS=block 7 READY=0", "EXTEND_TIMEOUT_USEC=30000000", "WATCHDOG=1", "STOPPING=1"];
        assert_eq!(heard, expected);
        assert_eq!(notifier.watchdog(), Some(Duration::from_secs(3)));
    }

    #[test]
    fn an_abstract_name_is_reached_too() {
        let name = format!("lucid-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        Notifier::new(Some(format!("@{name}").into()), None).ready();
        let mut buffer = [0; 16];
        assert_eq!(manager.recv(&mut buffer).unwrap(), "READY=1".len());
    }

    #[test]
    fn without_a_manager_nobody_is_told_and_nothing_fails() {
        for name in [None, Some("relative".into()), Some("/nobody/listens/here".into())] {
            Notifier::new(name, None).ready();
        }
        assert_eq!(Notifier::new(None, Some(Duration::from_secs(1))).watchdog(), None, "nobody to be told of life");
    }

    #[test]
    fn the_watchdog_is_for_the_process_that_it_names() {
        assert_eq!(watchdog(Some("3000000"), None, 7), Some(Duration::from_secs(3)));
        assert_eq!(watchdog(Some("3000000"), Some("7"), 7), Some(Duration::from_secs(3)));
        assert_eq!(watchdog(Some("3000000"), Some("8"), 7), None);
        assert_eq!(watchdog(Some("0"), None, 7), None);
        assert_eq!(watchdog(Some("soon"), None, 7), None);
        assert_eq!(watchdog(None, None, 7), None);
    }
}
