//! One POST over HTTP or HTTPS, on a connection of its own. Redirects are not followed, proxies not asked.

use std::sync::Arc;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// The longest answer that is read.
const LONGEST: usize = 64 << 10;

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error("cannot connect: {0}")]
    Connect(std::io::Error),
    #[error("no TLS: {0}")]
    Tls(std::io::Error),
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    #[error("the request cannot be made: {0}")]
    Request(#[from] hyper::http::Error),
}

/// TLS with these roots; the system's are [`system_roots`].
pub(super) fn tls(roots: RootCertStore) -> Result<TlsConnector, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}

/// What this host trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others).
pub(super) fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// The host of an address, without the brackets of IPv6.
pub(super) fn host(uri: &Uri) -> &str {
    uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}

/// Posts JSON; the answer's status.
pub(super) async fn post(uri: &Uri, tls: Option<&TlsConnector>, body: Bytes) -> Result<StatusCode, PostError> {
    let port = uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
    let stream = TcpStream::connect((host(uri), port)).await.map_err(PostError::Connect)?;
    match tls {
        None => send(uri, stream, body).await,
        Some(tls) => {
            let wrong = |e: rustls::pki_types::InvalidDnsNameError| PostError::Tls(std::io::Error::other(e));
            let name = ServerName::try_from(host(uri).to_owned()).map_err(wrong)?;
            let stream = tls.connect(name, stream).await.map_err(PostError::Tls)?;
            send(uri, stream, body).await
        }
    }
}

async fn send(
    uri: &Uri,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    body: Bytes,
) -> Result<StatusCode, PostError> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::post(path)
        .header(header::HOST, uri.authority().map_or_else(String::new, ToString::to_string))
        .header(header::USER_AGENT, concat!("weir/", env!("CARGO_PKG_VERSION")))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .body(Full::new(body))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    // What it says matters to nobody; unread, some servers take it for a request that was given up.
    let _ = Limited::new(response.into_body(), LONGEST).collect().await;
    driver.abort();
    Ok(status)
}
