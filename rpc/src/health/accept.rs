use std::{io, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// How long is waited when the system gives no connection (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Takes connections without end, at most `places` at once, and has each served on a task of its own. `what` is what the
/// log calls whoever listens.
pub(super) async fn accept_each<S, A, F>(
    what: &'static str,
    places: usize,
    mut accept: impl FnMut() -> A,
    serve: impl Fn(S) -> F,
) where
    A: Future<Output = io::Result<S>>,
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(places));
    // The places are never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match accept().await {
            Ok(stream) => {
                let served = serve(stream);
                tokio::spawn(async move {
                    served.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "{what} takes nobody");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
