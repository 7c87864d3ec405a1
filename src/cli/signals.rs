use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, and the SIGTERM that a service manager sends. From [`StopSignals::listen`] on neither ends the program by
/// itself, so what it has begun (a temporary folder) is cleaned up whenever they come.
pub(super) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Listens from now on.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the first of them since [`StopSignals::listen`].
    pub(super) async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
