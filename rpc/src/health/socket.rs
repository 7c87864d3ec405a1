//! The status socket: whoever connects gets one JSON document and the end of the stream. Who may connect is a matter
//! of the file's mode and group.

use super::{Look, accept::accept_each};
use crate::{
    limits::{MAX_STATUS_CONNECTIONS, STATUS_TIMEOUT_MS, STATUS_WRITE_TIMEOUT_MS},
    wire::StatusDocument,
};
use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::UnixStream as BlockingStream,
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    net::{UnixListener, UnixStream},
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

/// Owner and group: operators are made members of the group.
const MODE: u32 = 0o660;

/// A socket that answers; it goes when this is dropped.
#[derive(Debug)]
pub struct StatusSocket {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl StatusSocket {
    /// Listens at `path`, in place of a socket that a killed node has left there.
    ///
    /// # Errors
    ///
    /// Another process answers there, something that is no socket is there, or the folder takes none.
    pub fn start(path: &Path, look: Look) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(there) if !there.file_type().is_socket() => {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is no socket is there"));
            }
            Ok(_) if BlockingStream::connect(path).is_ok() => return Err(io::ErrorKind::AddrInUse.into()),
            Ok(_) => fs::remove_file(path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(path)?;
        // The mask of a service gives its group nothing.
        fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
        Ok(Self { path: path.to_owned(), task: tokio::spawn(accept(listener, look)) })
    }
}

impl Drop for StatusSocket {
    fn drop(&mut self) {
        self.task.abort();
        // A folder that is gone has taken it along.
        let _ = fs::remove_file(&self.path);
    }
}

async fn accept(listener: UnixListener, look: Look) {
    let next = || async { Ok(listener.accept().await?.0) };
    accept_each("the status socket", MAX_STATUS_CONNECTIONS, next, |stream| serve(stream, Arc::clone(&look))).await;
}

async fn serve(stream: UnixStream, look: Look) {
    let looked = timeout(Duration::from_millis(STATUS_TIMEOUT_MS), spawn_blocking(move || look())).await;
    let Ok(Ok(status)) = looked else {
        tracing::debug!("somebody asked for the status, and the node did not say how it is");
        return;
    };
    if !matches!(timeout(Duration::from_millis(STATUS_WRITE_TIMEOUT_MS), write(stream, &status)).await, Ok(Ok(()))) {
        tracing::debug!("somebody asked for the status and did not read it");
    }
}

async fn write(mut stream: UnixStream, status: &StatusDocument) -> io::Result<()> {
    stream.write_all(&serde_json::to_vec(status)?).await?;
    stream.shutdown().await
}

#[cfg(feature = "client")]
mod client {
    use super::*;
    use crate::limits::MAX_STATUS_BYTES;
    use std::io::Read;

    /// Why no status could be had.
    #[derive(Debug, thiserror::Error)]
    #[non_exhaustive]
    pub enum StatusError {
        /// Nobody listens.
        #[error("no node answers at {0}")]
        NotRunning(PathBuf),
        /// The socket is somebody else's.
        #[error("{0} is not for this user")]
        NotAllowed(PathBuf),
        /// The connection failed.
        #[error("cannot read from {path}: {source}")]
        Io {
            /// The socket.
            path: PathBuf,
            /// What the system said.
            source: io::Error,
        },
        /// What came is no status.
        #[error("what {path} says is no status of a node: {source}")]
        Content {
            /// The socket.
            path: PathBuf,
            /// What is wrong with it.
            source: serde_json::Error,
        },
    }

    /// Asks the node that listens at `path` how it is.
    ///
    /// # Errors
    ///
    /// No node listens there, this user may not ask, or what comes is no status.
    pub fn read_status(path: &Path) -> Result<StatusDocument, StatusError> {
        let fault = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => StatusError::NotRunning(path.to_owned()),
            io::ErrorKind::PermissionDenied => StatusError::NotAllowed(path.to_owned()),
            _ => StatusError::Io { path: path.to_owned(), source },
        };
        let stream = BlockingStream::connect(path).map_err(fault)?;
        stream.set_read_timeout(Some(Duration::from_millis(STATUS_TIMEOUT_MS))).map_err(fault)?;
        let mut document = Vec::new();
        stream.take(MAX_STATUS_BYTES).read_to_end(&mut document).map_err(fault)?;
        serde_json::from_slice(&document).map_err(|source| StatusError::Content { path: path.to_owned(), source })
    }
}

#[cfg(feature = "client")]
pub use client::{StatusError, read_status};

#[cfg(all(test, feature = "client"))]
mod tests {
    use super::{super::metrics::tests::status, *};

    fn ask(path: &Path) -> JoinHandle<Result<StatusDocument, StatusError>> {
        let path = path.to_owned();
        spawn_blocking(move || read_status(&path))
    }

    #[tokio::test]
    async fn whoever_connects_gets_the_status_and_a_killed_nodes_socket_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.sock");
        assert!(matches!(ask(&path).await.unwrap(), Err(StatusError::NotRunning(_))));
        drop(BlockingStream::connect(&path));
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "as a kill leaves it");
        assert!(matches!(ask(&path).await.unwrap(), Err(StatusError::NotRunning(_))));
        let socket = StatusSocket::start(&path, Arc::new(status)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        for _ in 0..MAX_STATUS_CONNECTIONS * 3 {
            assert_eq!(ask(&path).await.unwrap().unwrap(), status());
        }
        assert_eq!(StatusSocket::start(&path, Arc::new(status)).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        fs::write(&path, "mine").unwrap();
        StatusSocket::start(&path, Arc::new(status)).unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[tokio::test]
    async fn those_who_connect_and_never_read_keep_nobody_out_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.sock");
        // More than the kernel takes for a client that does not read.
        let long = || StatusDocument { version: "v".repeat(900_000), ..status() };
        let _socket = StatusSocket::start(&path, Arc::new(long)).unwrap();
        let idle: Vec<_> = (0..MAX_STATUS_CONNECTIONS).map(|_| BlockingStream::connect(&path).unwrap()).collect();
        assert_eq!(ask(&path).await.unwrap().unwrap(), long());
        drop(idle);
    }
}
