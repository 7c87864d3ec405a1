use super::signals::StopSignals;
use crate::node::RunningNode;

/// Serves until Ctrl-C, SIGTERM or a failure.
pub(super) async fn serve(mut running: RunningNode, mut stop: StopSignals) -> anyhow::Result<()> {
    tokio::select! {
        () = stop.received() => {
            running.stop().await;
            Ok(())
        }
        failure = running.failed() => {
            running.stop().await;
            Err(failure.into())
        }
    }
}
