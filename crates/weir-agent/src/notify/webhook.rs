//! Every step of every incident as a POST of one JSON object, in order, tried again for some minutes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hyper::{StatusCode, Uri};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, RootCertStore};
use weir_api::local::IncidentEvent;

use super::{Stats, http};

/// How often and how long it is tried.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// An attempt's end.
    timeout: Duration,
    /// The rest after the first failure; doubled after each.
    first: Duration,
    /// The longest rest.
    longest: Duration,
    attempts: u32,
}

/// About four minutes without an answer: then the next event has its turn.
const PACE: Pace = Pace {
    timeout: Duration::from_secs(10),
    first: Duration::from_secs(1),
    longest: Duration::from_secs(60),
    attempts: 8,
};

/// An address that events are posted to. It may hold a secret: only its host is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Uri);

/// Why it cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WebhookError {
    /// It is no address.
    #[error("not an address to post to: write something like https://alerts.example.org/weir")]
    Address,
    /// It has a user's name in it.
    #[error("a user's name and password in the address are not supported: put a token into its path")]
    User,
    /// The host trusts nobody.
    #[error(
        "this host has no certificates to trust, so that https cannot be checked: install ca-certificates, or set SSL_CERT_FILE"
    )]
    NoRoots,
    /// TLS cannot be had.
    #[error("cannot use TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl FromStr for WebhookUrl {
    type Err = WebhookError;

    fn from_str(text: &str) -> Result<Self, WebhookError> {
        let uri: Uri = text.parse().map_err(|_| WebhookError::Address)?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || http::host(&uri).is_empty() {
            return Err(WebhookError::Address);
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(WebhookError::User);
        }
        Ok(Self(uri))
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/…", self.0.scheme_str().unwrap_or_default(), http::host(&self.0))
    }
}

/// The webhook.
pub(super) struct Webhook {
    url: WebhookUrl,
    tls: Option<TlsConnector>,
    pace: Pace,
}

impl Webhook {
    /// With what the system trusts.
    pub fn new(url: WebhookUrl) -> Result<Self, WebhookError> {
        let roots = if url.0.scheme_str() == Some("https") { http::system_roots() } else { RootCertStore::empty() };
        Self::trusting(url, roots, PACE)
    }

    fn trusting(url: WebhookUrl, roots: RootCertStore, pace: Pace) -> Result<Self, WebhookError> {
        let tls = match url.0.scheme_str() {
            Some("https") if roots.is_empty() => return Err(WebhookError::NoRoots),
            Some("https") => Some(http::tls(roots)?),
            _ => None,
        };
        Ok(Self { url, tls, pace })
    }

    /// Delivers events, one after the other, until nobody has more.
    pub async fn deliver(self, mut events: mpsc::Receiver<Arc<IncidentEvent>>, stats: &Stats) {
        let mut failing = false;
        while let Some(event) = events.recv().await {
            match self.one(&event).await {
                Ok(()) => {
                    Stats::count(&stats.sent);
                    failing = false;
                }
                Err(why) => {
                    Stats::count(&stats.failed);
                    if !failing {
                        tracing::warn!(webhook = ?self.url, why, step = event.step, "a step of an incident could not be told");
                    }
                    failing = true;
                }
            }
        }
    }

    /// One event, until it is taken or given up.
    async fn one(&self, event: &IncidentEvent) -> Result<(), String> {
        let body = serde_json::to_vec(event).map_err(|e| e.to_string())?;
        let mut rest = self.pace.first;
        for attempt in 1.. {
            let answer =
                timeout(self.pace.timeout, http::post(&self.url.0, self.tls.as_ref(), body.clone().into())).await;
            let (why, again) = match answer {
                Ok(Ok(status)) if status.is_success() => return Ok(()),
                Ok(Ok(status)) => (format!("the answer was {status}"), is_passing(status)),
                Ok(Err(e)) => (e.to_string(), true),
                Err(_) => (format!("no answer within {} s", self.pace.timeout.as_secs_f64()), true),
            };
            if !again || attempt >= self.pace.attempts {
                return Err(why);
            }
            sleep(rest).await;
            rest = (2 * rest).min(self.pace.longest);
        }
        Ok(())
    }
}

/// Whether a refusal may be another one later.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

#[cfg(test)]
mod tests {
    //! Against a server on loopback.
    use super::super::syslog::tests::event;
    use super::*;
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

    const QUICK: Pace = Pace {
        timeout: Duration::from_secs(5),
        first: Duration::from_millis(1),
        longest: Duration::from_millis(2),
        attempts: 3,
    };

    /// Reads one request and answers; its first line and its event.
    async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, status: &str) -> (String, IncidentEvent) {
        let mut text = String::new();
        let (head, body) = loop {
            let mut piece = [0; 4096];
            let n = stream.read(&mut piece).await.unwrap();
            assert!(n > 0, "cut off: {text}");
            text.push_str(std::str::from_utf8(&piece[..n]).unwrap());
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() >= length.parse().unwrap() {
                break (head.to_owned(), body.to_owned());
            }
        };
        assert!(head.contains("content-type: application/json"), "{head}");
        stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await.unwrap();
        let _ = stream.shutdown().await;
        (head.lines().next().unwrap().to_owned(), serde_json::from_str(&body).unwrap())
    }

    /// A webhook and the queue to it; `count` of its outcomes.
    fn webhook(
        url: &str,
        roots: RootCertStore,
    ) -> (mpsc::Sender<Arc<IncidentEvent>>, tokio::task::JoinHandle<[u64; 2]>) {
        let webhook = Webhook::trusting(url.parse().unwrap(), roots, QUICK).unwrap();
        let (queue, events) = mpsc::channel(8);
        let delivered = tokio::spawn(async move {
            let stats = Stats::default();
            webhook.deliver(events, &stats).await;
            let [(_, sent), (_, failed), _] = stats.outcomes();
            [sent, failed]
        });
        (queue, delivered)
    }

    #[tokio::test]
    async fn events_arrive_in_order_and_are_tried_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?token=secret", listener.local_addr().unwrap());
        let (queue, delivered) = webhook(&url, RootCertStore::empty());
        for (id, step) in [(1, "began"), (1, "rules"), (2, "began"), (3, "ended")] {
            queue.send(Arc::new(event(id, step))).await.unwrap();
        }
        drop(queue);
        let mut seen = Vec::new();
        // The second is refused twice, the third for good.
        for status in ["200 OK", "503 Busy", "429 Slowly", "204 Fine", "400 No", "200 OK"] {
            let (stream, _) = listener.accept().await.unwrap();
            let (line, event) = answer(stream, status).await;
            assert_eq!(line, "POST /hook?token=secret HTTP/1.1");
            seen.push((event.incident.id, event.step));
        }
        let step = |id, step: &str| (id, step.to_owned());
        let rules = || step(1, "rules");
        assert_eq!(seen, [step(1, "began"), rules(), rules(), rules(), step(2, "began"), step(3, "ended")]);
        assert_eq!(delivered.await.unwrap(), [3, 1]);
    }

    #[tokio::test]
    async fn a_server_that_is_gone_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let (queue, delivered) = webhook(&url, RootCertStore::empty());
        queue.send(Arc::new(event(1, "began"))).await.unwrap();
        drop(queue);
        assert_eq!(delivered.await.unwrap(), [0, 1]);
    }

    #[tokio::test]
    async fn https_is_checked_against_what_is_trusted() {
        let file = |name: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name);
        let certificate = CertificateDer::from_pem_file(file("localhost.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(file("localhost.key")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/hook", listener.local_addr().unwrap().port());
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let (queue, delivered) = webhook(&url, roots);
        queue.send(Arc::new(event(1, "began"))).await.unwrap();
        drop(queue);
        let (stream, _) = listener.accept().await.unwrap();
        let (_, told) = answer(acceptor.accept(stream).await.unwrap(), "200 OK").await;
        assert_eq!((told, delivered.await.unwrap()), (event(1, "began"), [1, 0]));

        // What nobody vouches for gets nothing.
        let other = http::system_roots();
        if other.is_empty() {
            let url = url.parse().unwrap();
            assert!(matches!(Webhook::trusting(url, other, QUICK), Err(WebhookError::NoRoots)));
            return;
        }
        let (queue, delivered) = webhook(&url, other);
        queue.send(Arc::new(event(1, "began"))).await.unwrap();
        drop(queue);
        for _ in 0..QUICK.attempts {
            let (stream, _) = listener.accept().await.unwrap();
            assert!(acceptor.accept(stream).await.is_err());
        }
        assert_eq!(delivered.await.unwrap(), [0, 1]);
    }

    #[test]
    fn addresses_are_checked_and_their_secrets_not_shown() {
        let url = |text: &str| text.parse::<WebhookUrl>();
        assert_eq!(format!("{:?}", url("https://[::1]:8443/T0/secret").unwrap()), "https://::1/…");
        for wrong in ["", "localhost", "/hook", "ftp://localhost/", "https://"] {
            assert_eq!(url(wrong), Err(WebhookError::Address), "{wrong}");
        }
        assert_eq!(url("http://me:word@localhost/"), Err(WebhookError::User));
    }
}
