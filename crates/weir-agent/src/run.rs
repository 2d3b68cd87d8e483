//! The daemon as a whole: listen, open the packet path, put the policy in force, watch, serve, stop.
//!
//! Stopping leaves the kernel enforcing its last good tables; that is what makes a restart or an upgrade safe. Only
//! `detach` (by the API, or at the end if asked for) removes anything.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::api::{self, Api, ListenError, Listener};
use crate::datapath::{Datapath, DatapathError};
use crate::engine::{self, Engine, Handle, Now, Settings, StartError};
use crate::host::Host;
use crate::notify::{Audience, Notifier, WebhookError};
use crate::policy;
use crate::view::View;

/// How often the host's addresses are looked at.
const HOST: Duration = Duration::from_secs(15);
/// How long requests in progress may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Policy, mode, state.
    pub settings: Settings,
    /// The unix socket of the API.
    pub socket: PathBuf,
    /// A loopback address for metrics and reading.
    pub listen: Option<SocketAddr>,
    /// Whom to tell what happens.
    pub audience: Audience,
    /// Remove everything at the end.
    pub detach_on_exit: bool,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The kernel goes on enforcing.
    StillEnforcing,
    /// Everything was removed.
    Detached,
}

/// Why it could not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The API cannot be offered.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Nobody can be told.
    #[error("--webhook: {0}")]
    Webhook(#[from] WebhookError),
    /// The packet path cannot be opened.
    #[error(transparent)]
    Datapath(#[from] DatapathError),
    /// No policy can be put in force.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The system refuses something else.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// The system's word.
        source: io::Error,
    },
    /// Removing everything failed.
    #[error("cannot detach: {0}")]
    Detach(String),
}

/// What runs, for whoever wants to say so.
#[derive(Clone)]
pub struct Running {
    /// What readers see.
    pub view: Arc<View>,
    /// The way to the engine.
    pub engine: Handle,
    /// The loopback address in use, its port chosen if 0 was asked for.
    pub listening: Option<SocketAddr>,
}

/// Runs until SIGTERM or SIGINT, or until everything is detached by the API.
pub async fn run(
    options: Options,
    open: impl FnOnce() -> Result<Box<dyn Datapath>, DatapathError> + Send + 'static,
    started: impl FnOnce(&Running),
) -> Result<Ended, RunError> {
    let system = |what: &str| {
        let what = what.to_owned();
        move |source| RunError::System { what, source }
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(system("listen to signals"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system("listen to signals"))?;
    let stop = async {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    };
    run_until(options, open, started, stop).await
}

/// The same, until `stop` comes.
pub async fn run_until(
    options: Options,
    open: impl FnOnce() -> Result<Box<dyn Datapath>, DatapathError> + Send + 'static,
    started: impl FnOnce(&Running),
    stop: impl Future<Output = ()>,
) -> Result<Ended, RunError> {
    let Options { settings, socket, listen, audience, detach_on_exit } = options;
    let state_dir = settings.state_dir.clone();
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&state_dir).map_err(|source| RunError::System {
        what: format!("make the state directory {} (--state-dir names another)", state_dir.display()),
        source,
    })?;
    // The listeners come first: two agents on one packet path must not even start.
    let unix = Listener::unix(&socket).await?;
    let tcp = match listen {
        Some(address) => Some(Listener::tcp(address).await?),
        None => None,
    };
    let listening = tcp.as_ref().and_then(Listener::address);

    let (notifier, mut telling) = Notifier::start(audience)?;

    // Watched before it is read: a change in between must not be missed.
    let files = settings.policy.clone().map(policy::Watch::new);
    let opening = tokio::task::spawn_blocking(move || -> Result<Engine, RunError> {
        let now = Now::read();
        let host =
            Host::read().map_err(|source| RunError::System { what: "read this host's addresses".into(), source })?;
        let mut engine = Engine::new(open()?, settings, host, now)?;
        engine.notify(notifier);
        engine.load(now)?;
        Ok(engine)
    });
    let engine =
        opening.await.map_err(|e| RunError::System { what: "open the packet path".into(), source: e.into() })??;
    let view = engine.view();
    let (handle, thread) =
        engine::run(engine).map_err(|source| RunError::System { what: "start the engine".into(), source })?;
    let running = Running { view: Arc::clone(&view), engine: handle.clone(), listening };
    started(&running);

    let (ending, ended) = watch::channel(());
    let api = Api { view, engine: handle.clone() };
    let mut served = vec![serve(unix, api::full(api.clone()), &ended)];
    if let Some(tcp) = tcp {
        served.push(serve(tcp, api::read_only(api), &ended));
    }
    let mut work = tokio::task::spawn_blocking(move || thread.join());
    let watching = async {
        let followed = async {
            match files {
                Some(watch) => follow_files(watch, &running).await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(followed, follow_host(&handle), follow_hangup(&running));
    };
    let mut gone = false;
    tokio::select! {
        () = stop => info!("stopping"),
        () = watching => {}
        _ = &mut work => gone = true,
    }
    let outcome = if gone {
        Ok(Ended::Detached)
    } else if detach_on_exit {
        handle.detach().await.map(|_| Ended::Detached).map_err(|e| RunError::Detach(e.to_string()))
    } else {
        handle.stop();
        Ok(Ended::StillEnforcing)
    };
    drop(ending);
    for server in served {
        if timeout(GRACE, server).await.is_err() {
            warn!("a request did not end in time");
        }
    }
    if !gone {
        let _ = work.await;
    }
    // The engine is gone, and with it the queues: what waits in them is told, if somebody listens.
    let all = async { while telling.join_next().await.is_some() {} };
    if timeout(GRACE, all).await.is_err() {
        warn!("not everything could be told to others");
    }
    outcome
}

fn serve(listener: Listener, router: axum::Router, ended: &watch::Receiver<()>) -> tokio::task::JoinHandle<()> {
    let mut ended = ended.clone();
    tokio::spawn(async move {
        // The sender says nothing: it is gone when it is time.
        let stop = async move { while ended.changed().await.is_ok() {} };
        if let Err(e) = listener.serve(router, stop).await {
            error!(error = %e, "the API stopped");
        }
    })
}

/// Reads the policy again when its files change.
async fn follow_files(mut watch: policy::Watch, running: &Running) {
    let base = watch.base();
    // List files may lie elsewhere; those of the policy in force are looked at, too.
    let lists = || running.view.policy().files.iter().map(|file| base.join(file)).collect();
    loop {
        watch.changed(lists).await;
        reload(running).await;
    }
}

async fn reload(running: &Running) {
    let Some(path) = running.view.policy().directory.clone() else { return };
    match tokio::task::spawn_blocking(move || policy::load(&path)).await {
        Ok(loaded) => running.engine.policy(loaded),
        Err(e) => error!(error = %e, "reading the policy failed"),
    }
}

/// Reads the policy again on SIGHUP, as daemons do.
async fn follow_hangup(running: &Running) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        info!("reading the policy again (SIGHUP)");
        reload(running).await;
    }
}

/// Tells the engine when the host's addresses change.
async fn follow_host(engine: &Handle) {
    loop {
        tokio::time::sleep(HOST).await;
        match tokio::task::spawn_blocking(Host::read).await {
            Ok(Ok(host)) => engine.host(host),
            Ok(Err(e)) => warn!(error = %e, "cannot read this host's addresses"),
            Err(e) => error!(error = %e, "reading this host's addresses failed"),
        }
    }
}
