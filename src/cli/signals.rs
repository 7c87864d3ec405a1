use tokio::signal::unix::{SignalKind, signal};

/// Waits for Ctrl-C, or for the SIGTERM that a service manager sends.
pub(super) async fn stop_requested() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}
