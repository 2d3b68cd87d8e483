//! Asking the agent over its unix socket.

use std::io;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use weir_api::local::ApiError;

/// The longest answer that is taken.
const LONGEST: usize = 256 << 20;

/// The way to one agent.
pub struct Client<'a> {
    socket: &'a Path,
    runtime: Runtime,
}

impl<'a> Client<'a> {
    /// Nothing is opened before the first question.
    pub fn new(socket: &'a Path) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
        Ok(Self { socket, runtime })
    }

    /// `GET`.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.ask(Method::GET, path, Bytes::new())
    }

    /// `GET` of what is no JSON.
    pub fn get_bytes(&self, path: &str) -> anyhow::Result<Bytes> {
        self.fetch(Method::GET, path, Bytes::new())
    }

    /// `DELETE`.
    pub fn delete<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.ask(Method::DELETE, path, Bytes::new())
    }

    /// `POST` with a JSON body.
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        self.ask(Method::POST, path, serde_json::to_vec(body)?.into())
    }

    /// Whether an agent is there at all.
    pub fn is_there(&self) -> bool {
        self.runtime.block_on(UnixStream::connect(self.socket)).is_ok()
    }

    fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<T> {
        let body = self.fetch(method, path, body)?;
        serde_json::from_slice(&body).context("the agent's answer is not understood: is it of another version?")
    }

    fn fetch(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<Bytes> {
        self.runtime.block_on(async {
            let stream = UnixStream::connect(self.socket).await.map_err(|e| self.unreachable(e))?;
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(header::HOST, "weir")
                .header(header::CONTENT_TYPE, "application/json")
                .body(Full::new(body))?;
            let response = sender.send_request(request).await.context("the agent did not answer; see its log")?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LONGEST).collect().await.map_err(|e| anyhow!(e))?.to_bytes();
            if !status.is_success() {
                match serde_json::from_slice::<ApiError>(&body) {
                    Ok(refusal) => bail!("{}", refusal.error),
                    Err(_) => bail!("the agent refused ({status}): {}", String::from_utf8_lossy(&body).trim()),
                }
            }
            Ok(body)
        })
    }

    fn unreachable(&self, error: io::Error) -> anyhow::Error {
        let socket = self.socket.display();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => anyhow!(
                "no agent answers at {socket}: start one with `weir run -i IFACE`, or name its socket with --socket"
            ),
            io::ErrorKind::PermissionDenied => {
                anyhow!("may not open {socket}: run this as root, for example with sudo")
            }
            _ => anyhow!("cannot reach the agent at {socket}: {error}"),
        }
    }
}
