//! Listening: a unix socket that only its owner can open, and loopback.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::extract::Request;
use axum::extract::connect_info::Connected;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use tokio::net::{TcpListener, UnixListener, UnixStream};

use super::error::Refused;

/// Why the agent cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another agent answers there.
    #[error("another agent is listening on {0}: stop it first, or give this one another --socket and --pin-dir")]
    Running(PathBuf),
    /// The socket cannot be made.
    #[error("cannot listen on {path}: {source}; check the directory and its rights, or choose another with --socket")]
    Socket {
        /// The path.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// The address is not loopback.
    #[error(
        "will not listen on {0}: the API has neither TLS nor a password, so only loopback addresses such as 127.0.0.1 are possible"
    )]
    NotLoopback(SocketAddr),
    /// The port cannot be had.
    #[error("cannot listen on {address}: {source}; choose another port with --listen")]
    Port {
        /// The address.
        address: SocketAddr,
        /// The system's word.
        source: io::Error,
    },
}

/// Who asks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peer {
    /// The user id of the process at the other end of the unix socket.
    pub uid: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self { uid: stream.io().peer_cred().ok().map(|peer| peer.uid()) }
    }
}

/// A place to listen on, taken before the packet path is touched.
pub enum Listener {
    /// The unix socket.
    Unix(UnixListener, SocketFile),
    /// Loopback.
    Tcp(TcpListener),
}

/// The socket's place in the file system; it goes when this goes.
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Listener {
    /// The unix socket, mode 0600. One that nobody answers on is replaced; it appears with its mode set.
    pub async fn unix(path: &Path) -> Result<Self, ListenError> {
        if UnixStream::connect(path).await.is_ok() {
            return Err(ListenError::Running(path.to_path_buf()));
        }
        let bind = || -> io::Result<UnixListener> {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(format!(".{}", std::process::id()));
            let fresh = path.with_file_name(name);
            let _ = fs::remove_file(&fresh);
            let listener = UnixListener::bind(&fresh)?;
            fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600))?;
            fs::rename(&fresh, path)?;
            Ok(listener)
        };
        let listener = bind().map_err(|source| ListenError::Socket { path: path.to_path_buf(), source })?;
        Ok(Listener::Unix(listener, SocketFile(path.to_path_buf())))
    }

    /// A loopback address.
    pub async fn tcp(address: SocketAddr) -> Result<Self, ListenError> {
        if !address.ip().is_loopback() {
            return Err(ListenError::NotLoopback(address));
        }
        let listener = TcpListener::bind(address).await.map_err(|source| ListenError::Port { address, source })?;
        Ok(Listener::Tcp(listener))
    }

    /// The loopback address, its port chosen.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Listener::Unix(..) => None,
            Listener::Tcp(listener) => listener.local_addr().ok(),
        }
    }

    /// Serves until `stop` comes.
    pub async fn serve(self, router: Router, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        match self {
            Listener::Unix(listener, _file) => {
                let service = router.into_make_service_with_connect_info::<Peer>();
                axum::serve(listener, service).with_graceful_shutdown(stop).await
            }
            Listener::Tcp(listener) => axum::serve(listener, router).with_graceful_shutdown(stop).await,
        }
    }
}

/// Refuses requests that a browser was led to by a foreign name (DNS rebinding).
pub(super) async fn local_host_only(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if name == "localhost" || address.is_ok_and(|ip| ip.is_loopback()) {
        return next.run(request).await;
    }
    let message = format!("`{host}` is not this host's own name for itself: use 127.0.0.1 or localhost");
    Refused(StatusCode::FORBIDDEN, message).into_response()
}
