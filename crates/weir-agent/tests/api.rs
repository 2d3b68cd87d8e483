//! The whole daemon over a packet path in memory, asked over its real sockets.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use weir_abi::{Counter, Feature, Reason};
use weir_agent::api::ListenError;
use weir_agent::datapath::LostSamples;
use weir_agent::engine::Settings;
use weir_agent::fake::Fake;
use weir_agent::notify::Audience;
use weir_agent::run::{Ended, Options, RunError, run_until};

struct World {
    dir: TempDir,
    kernel: Fake,
}

/// A daemon that runs until it is told to stop.
struct Daemon {
    socket: PathBuf,
    tcp: SocketAddr,
    stop: oneshot::Sender<()>,
    done: tokio::task::JoinHandle<Result<Ended, RunError>>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("policy")).unwrap();
        Self { dir, kernel: Fake::default() }
    }

    fn options(&self) -> Options {
        Options {
            settings: Settings {
                policy: Some(self.dir.path().join("policy")),
                mode: None,
                never_block: Vec::new(),
                failsafe: None,
                state_dir: self.dir.path().join("state"),
                learn: None,
            },
            socket: self.dir.path().join("run/weir.sock"),
            listen: Some("127.0.0.1:0".parse().unwrap()),
            audience: Audience::default(),
            detach_on_exit: false,
        }
    }

    async fn start(&self) -> Daemon {
        let (stop, stopped) = oneshot::channel::<()>();
        let (started, running) = oneshot::channel();
        let (options, kernel) = (self.options(), self.kernel.clone());
        let socket = options.socket.clone();
        let done = tokio::spawn(run_until(
            options,
            move || Ok(Box::new(kernel)),
            |running| started.send(running.listening.unwrap()).unwrap(),
            async { drop(stopped.await) },
        ));
        Daemon { socket, tcp: running.await.unwrap(), stop, done }
    }
}

/// Status and body.
async fn ask(
    mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin,
    host: &str,
    line: &str,
    body: &str,
) -> (u16, String) {
    let request = format!(
        "{line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

impl Daemon {
    async fn unix(&self, line: &str, body: &str) -> (u16, String) {
        ask(UnixStream::connect(&self.socket).await.unwrap(), "weir", line, body).await
    }

    async fn json(&self, line: &str, body: &str) -> Value {
        let (status, text) = self.unix(line, body).await;
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{status} {text}: {e}"));
        json!({ "code": status, "body": value })
    }

    /// Waits for the first reading of the counters: it comes by itself, within a second or so.
    async fn has_read_counters(&self) {
        let start = Instant::now();
        while !self.tcp("[::1]:80", "GET /metrics").await.1.contains("weir_packets_total{") {
            assert!(start.elapsed() < Duration::from_secs(20), "no reading of the counters");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn tcp(&self, host: &str, line: &str) -> (u16, String) {
        ask(TcpStream::connect(self.tcp).await.unwrap(), host, line, "").await
    }

    async fn stop(self) -> Ended {
        self.stop.send(()).unwrap();
        self.done.await.unwrap().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_over_the_socket_and_over_a_restart() {
    let world = World::new();
    let daemon = world.start().await;
    assert_eq!(fs::metadata(&daemon.socket).unwrap().permissions().mode() & 0o777, 0o600);

    let made = daemon.json("POST /api/v1/blocks", r#"{"cidr": "203.0.113.7", "for": "1h", "reason": "scanner"}"#).await;
    assert_eq!((&made["code"], &made["body"]["entry"]["cidr"]), (&json!(200), &json!("203.0.113.7/32")));
    assert_eq!(made["body"]["enforced"], json!(false));
    assert!(made["body"]["effect_ms"].as_f64().unwrap() < 1000.0);

    let wrong = daemon.json("POST /api/v1/blocks", r#"{"cidr": "203.0.113.7/24"}"#).await;
    assert_eq!(wrong["code"], json!(400));
    assert!(wrong["body"]["error"].as_str().unwrap().contains("203.0.113.0/24 for the whole block"), "{wrong}");
    let unknown = daemon.json("POST /api/v1/blocks", r#"{"cidr": "203.0.113.7", "fro": "1h"}"#).await;
    assert!(unknown["body"]["error"].as_str().unwrap().contains("unknown field `fro`"), "{unknown}");
    assert_eq!(daemon.json("DELETE /api/v1/blocks?cidr=198.18.0.1", "").await["code"], json!(404));
    assert_eq!(daemon.json("GET /api/v1/nothing", "").await["code"], json!(404));

    let socket = daemon.socket.clone();
    assert_eq!(daemon.stop().await, Ended::StillEnforcing);
    assert!(!socket.exists());
    assert!(!world.kernel.state().detached);

    let daemon = world.start().await;
    let blocks = daemon.json("GET /api/v1/blocks", "").await;
    assert_eq!(blocks["body"][0]["reason"], json!("scanner"));
    assert_eq!(blocks["body"][0]["origin"], json!("runtime"));
    let explained = daemon.json("GET /api/v1/explain/203.0.113.7", "").await;
    assert_eq!(explained["body"]["outcome"], json!("would_drop"));
    assert_eq!(daemon.json("DELETE /api/v1/blocks?cidr=203.0.113.7/32", "").await["code"], json!(200));
    assert_eq!(daemon.json("GET /api/v1/blocks", "").await["body"], json!([]));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loopback_reads_and_changes_nothing() {
    let world = World::new();
    world.kernel.state().counters = vec![
        (0, false, Reason::Blocked, Counter { packets: 7, bytes: 420 }),
        (0, true, Reason::DenyListed, Counter { packets: 3, bytes: 180 }),
    ];
    world.kernel.state().features = vec![(0, Feature::Syn, 5)];
    world.kernel.state().lost_samples = LostSamples { over_budget: 11, ring_full: 2 };
    let daemon = world.start().await;
    daemon.has_read_counters().await;
    assert_eq!(daemon.tcp("127.0.0.1", "GET /livez").await, (200, "ok\n".into()));
    assert_eq!(daemon.tcp("localhost:9", "GET /readyz").await, (200, "ok\n".into()));
    let (status, metrics) = daemon.tcp("[::1]:80", "GET /metrics").await;
    assert_eq!(status, 200);
    for line in [
        "weir_packets_total{target=\"node\",reason=\"block\",verdict=\"drop\"} 7",
        "weir_packets_total{target=\"node\",reason=\"deny_list\",verdict=\"would_drop\"} 3",
        "weir_bytes_total{target=\"node\",reason=\"block\",verdict=\"drop\"} 420",
        "weir_feature_packets_total{target=\"node\",feature=\"syn\"} 5",
        "weir_samples_lost_total{why=\"over_budget\"} 11",
        "weir_samples_lost_total{why=\"ring_full\"} 2",
        "weir_attachment{interface=\"eth0\",hook=\"native_xdp\"} 1.0",
        "weir_map_capacity{map=\"PREFIXES\"} 1024.0",
        "weir_policy_generation 1.0",
        "# EOF",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line}\n{metrics}");
    }
    let (status, counters) = daemon.tcp("127.0.0.1:80", "GET /api/v1/counters").await;
    let counters: Value = serde_json::from_str(&counters).unwrap();
    assert_eq!((status, &counters[1]["verdict"]), (200, &json!("drop")), "{counters}");
    assert_eq!(counters[1]["text"], json!(Reason::Blocked.text()));

    assert_eq!(daemon.tcp("127.0.0.1", "POST /api/v1/blocks").await.0, 405);
    assert_eq!(daemon.tcp("127.0.0.1", "GET /api/v1/samples").await.0, 404);
    assert_eq!(daemon.tcp("127.0.0.1", "POST /api/v1/detach").await.0, 404);
    for foreign in ["evil.example", "127.0.0.1.evil.example", ""] {
        assert_eq!(daemon.tcp(foreign, "GET /api/v1/status").await.0, 403, "{foreign:?}");
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policy_files_are_followed() {
    let world = World::new();
    let daemon = world.start().await;
    let file = world.dir.path().join("policy/a.yaml");
    let object =
        "apiVersion: weir.dev/v1alpha1\nkind: ClusterProtection\nmetadata: {name: host}\nspec: {mode: Enforce}\n";
    fs::write(&file, object).unwrap();
    let status = wait(&daemon, |s| s["mode"] == json!("enforce")).await;
    assert_eq!((&status["policy"]["generation"], &status["policy"]["objects"]), (&json!(2), &json!(1)));
    fs::write(&file, object.replace("Enforce", "Enforced")).unwrap();
    let status = wait(&daemon, |s| s["policy"]["stale"] == json!(true)).await;
    assert_eq!(status["mode"], json!("enforce"));
    assert_eq!(status["policy"]["errors"][0]["line"], json!(4));
    assert_eq!(
        status["policy"]["errors"][0]["message"],
        json!("`Enforced` is not allowed here: did you mean `Enforce`?")
    );
    daemon.stop().await;
}

async fn wait(daemon: &Daemon, done: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..100 {
        let status = daemon.json("GET /api/v1/status", "").await["body"].take();
        if done(&status) {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it did not happen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn detach_removes_everything_and_ends_the_daemon() {
    let world = World::new();
    let daemon = world.start().await;
    let answer = daemon.json("POST /api/v1/detach", "").await;
    assert_eq!(answer["body"]["removed"], json!(["program on eth0"]));
    assert_eq!(daemon.done.await.unwrap().unwrap(), Ended::Detached);
    assert!(world.kernel.state().detached);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_daemons_do_not_share_a_socket_and_nobody_listens_to_the_world() {
    let world = World::new();
    let daemon = world.start().await;
    let second = run_until(world.options(), || unreachable!(), |_| (), std::future::pending::<()>()).await;
    assert!(matches!(second, Err(RunError::Listen(ListenError::Running(_)))));
    daemon.stop().await;
    let options = Options { listen: Some("192.0.2.1:80".parse().unwrap()), ..world.options() };
    let wide = run_until(options, || unreachable!(), |_| (), std::future::pending::<()>()).await;
    assert!(matches!(wide, Err(RunError::Listen(ListenError::NotLoopback(_)))));
}
