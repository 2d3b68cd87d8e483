//! The agent as people run it: `weir run` on the bench's interface. Its memory, its share of the cores under an attack, and
//! how long a block takes from the API call to the kernel.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use weir_datapath::traffic::{Flood, Generator, LabInterface, Source, Stream};
use weir_datapath::{Object, Sizes};

use super::block::{self, XDP_DROP};
use super::lists::Parsed;
use super::row::{Row, Series};
use super::settings::{SERVICE_V4, SERVICE_V6, WEB};
use super::stage::RECEIVER;
use super::{Bench, frames};
use crate::child::Program;
use crate::{stop, weir};

/// The attack.
const PPS: u64 = 1_000_000;
const READY_IN: Duration = Duration::from_secs(60);

const IDLE: &str = "agent_rss_idle_mib";
const ATTACK: &str = "agent_rss_attack_mib";
const CORES: &str = "agent_cpu_attack_cores";
const WITH_LIST: &str = "agent_rss_1m_prefixes_mib";
const BLOCK: &str = "block_to_effect_ms";
const ROWS: [(&str, &str, &str); 5] = [
    (IDLE, "the agent's memory beside maps, idle", "MiB"),
    (ATTACK, "the same under an attack of 1 Mpps", "MiB"),
    (CORES, "cores that the agent uses under an attack of 1 Mpps", "cores"),
    (WITH_LIST, "the agent's memory beside maps with 1,000,000 prefixes", "MiB"),
    (BLOCK, "one block with 1,000,000 prefixes, from the API call to the kernel: p99", "ms"),
];

/// All rows of the agent; where there is none, rows that say so.
pub fn run(bench: &Bench, list: &[Parsed]) -> Result<Vec<Row>> {
    if !ROWS.iter().any(|(id, ..)| bench.wants(id)) {
        return Ok(Vec::new());
    }
    match weir::find().and_then(|binary| measure(bench, &binary, list)) {
        Ok(rows) => Ok(rows),
        Err(error) if error.is::<stop::Interrupted>() => Err(error),
        Err(error) => Ok(ROWS.map(|(id, about, unit)| Row::missing(id, about, unit, &format!("{error:#}"))).into()),
    }
}

fn measure(bench: &Bench, binary: &Path, list: &[Parsed]) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut row = |id: &str, value: f64, note: String| {
        let (_, about, unit) = ROWS.iter().find(|(name, ..)| *name == id).expect("a known row");
        rows.push(Row::new(id, *about, unit, value).note(note));
    };
    if [IDLE, ATTACK, CORES].iter().any(|id| bench.wants(id)) {
        bench.say("the agent under an attack");
        let agent = Agent::start(bench, binary, "plain", &[])?;
        stop::pass(Duration::from_secs(2))?;
        row(IDLE, agent.memory()?, "one protected service, no list".to_owned());
        let (cores, sent) = agent.attacked(bench)?;
        row(ATTACK, agent.memory()?, format!("random sources, {:.2} Mpps", sent / 1e6));
        row(CORES, cores, format!("random sources, {:.2} Mpps", sent / 1e6));
        agent.end()?;
    }
    if [WITH_LIST, BLOCK].iter().any(|id| bench.wants(id)) {
        bench.say("the agent with 1,000,000 prefixes");
        let agent = Agent::start(bench, binary, "list", list)?;
        row(WITH_LIST, agent.memory()?, String::new());
        let series = agent.block(bench)?;
        agent.end()?;
        rows.push(block::row(BLOCK, ROWS[4].1, &series).note("by POST /api/v1/blocks on the agent's socket"));
    }
    Ok(rows)
}

/// A running agent.
struct Agent {
    program: Program,
    socket: PathBuf,
    pins: PathBuf,
}

impl Agent {
    fn start(bench: &Bench, binary: &Path, name: &str, list: &[Parsed]) -> Result<Agent> {
        let dir = bench.stage.dir().join(name);
        fs::create_dir_all(dir.join("policy"))?;
        fs::write(dir.join("policy/bench.yaml"), yaml(!list.is_empty()))?;
        if !list.is_empty() {
            let lines = list.iter().fold(String::new(), |mut text, (address, len)| {
                let _ = writeln!(text, "{address}/{len}");
                text
            });
            fs::write(dir.join("policy/list.txt"), lines)?;
        }
        let path = |part: &str| dir.join(part).display().to_string();
        let (policy, socket, state) = (path("policy"), path("weir.sock"), path("state"));
        let pins = bench.stage.pins().join(name);
        let pin_dir = pins.display().to_string();
        let arguments = [
            "run",
            "-i",
            RECEIVER,
            "-f",
            &policy,
            "--mode",
            "enforce",
            "--socket",
            &socket,
            "--pin-dir",
            &pin_dir,
            "--state-dir",
            &state,
        ];
        let log = dir.join("weir.log");
        let program = Program::start(&bench.stage.place().ns, binary, &arguments, &log)?;
        let mut agent = Agent { program, socket: PathBuf::from(&socket), pins };
        let ready = || Connection::open(Path::new(&socket)).and_then(|mut c| c.ask("GET", "/readyz", "")).is_ok();
        agent.program.wait_until(READY_IN, ready).context("the agent")?;
        Ok(agent)
    }

    fn proc(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.program.pid());
        fs::read_to_string(&path)
            .with_context(|| format!("{path}: the agent is gone; it said:\n{}", self.program.last_words()))
    }

    fn memory(&self) -> Result<f64> {
        Ok(beside_maps(&self.proc("smaps")?) / 1024.0)
    }

    /// Cores in use while a flood runs, and the flood's packets a second.
    fn attacked(&self, bench: &Bench) -> Result<(f64, f64)> {
        let mut generator = Generator::load(&LabInterface::open(&bench.stage.place().sender)?, 7)?;
        let stream = Stream { name: "attack".to_owned(), frame: frames::flood(Source::any_v4()), weight: 1 };
        let time = Duration::from_secs(if bench.quick { 3 } else { 8 });
        let flood = Flood { streams: vec![stream], pps: PPS, packets: PPS * 2 * time.as_secs(), time };
        let before = weir::cpu_seconds(&self.proc("stat")?).context("/proc/…/stat")?;
        let start = Instant::now();
        let sent = flood.run(&mut generator, &AtomicBool::new(false))?;
        stop::check()?;
        let used = weir::cpu_seconds(&self.proc("stat")?).context("/proc/…/stat")? - before;
        Ok((used / start.elapsed().as_secs_f64(), sent.pps()))
    }

    /// Blocks hosts by the API; milliseconds until the kernel drops them.
    fn block(&self, bench: &Bench) -> Result<Series> {
        // A second copy of the programs over the agent's own maps: what it says is what the agent's says.
        let mut object = Object::load(&Sizes::for_machine(), Some(&self.pins.join("maps")))?;
        let _registered = object.register()?;
        let mut connection = Connection::open(&self.socket)?;
        let mut series = Series::default();
        for host in block::hosts().take(10 * block::trials(bench)) {
            stop::check()?;
            // To an address that nobody protects: there is no limit that could drop it instead.
            let frame = frames::elsewhere(frames::syn(host)?);
            if object.run_xdp(&frame, 1)?.returned == XDP_DROP {
                continue;
            }
            let start = Instant::now();
            connection.send("POST", "/api/v1/blocks", &wish(host))?;
            while object.run_xdp(&frame, 1)?.returned != XDP_DROP {
                ensure!(start.elapsed() < Duration::from_secs(5), "{host} is not blocked after 5 s");
                // Asking without a pause would keep from its core the agent that is waited for.
                std::thread::sleep(Duration::from_micros(50));
            }
            series.0.push(start.elapsed().as_secs_f64() * 1e3);
            connection.answer()?;
            if series.0.len() == block::trials(bench) {
                break;
            }
        }
        Ok(series)
    }

    fn end(self) -> Result<()> {
        self.program.stop()?;
        weir_datapath::detach(&self.pins)?;
        Ok(())
    }
}

fn wish(host: IpAddr) -> String {
    format!(r#"{{"cidr":"{host}","for":"1h","reason":"bench"}}"#)
}

/// The policy's objects, as files.
fn yaml(list: bool) -> String {
    let deny = if list {
        "  deny: [{sourceSet: bench}]\n---\napiVersion: weir.dev/v1alpha1\nkind: SourceSet\nmetadata: {name: bench}\nspec: {file: list.txt}\n"
    } else {
        ""
    };
    format!(
        "apiVersion: weir.dev/v1alpha1
kind: Protection
metadata: {{name: service, namespace: bench}}
spec:
  target:
    addresses:
      - {{ip: \"{SERVICE_V4}\", port: {WEB}, protocol: TCP}}
      - {{ip: \"{SERVICE_V6}\", port: {WEB}, protocol: TCP}}
  mode: Enforce
  limits:
    perSource: {{packets: {{average: 2000, burst: 4000}}}}
    perTarget: {{packets: {{average: 1000, burst: 1000}}}}
---
apiVersion: weir.dev/v1alpha1
kind: ClusterProtection
metadata: {{name: node}}
spec:
  mode: Enforce
{deny}"
    )
}

/// Resident memory in KiB, without the kernel's maps that are mapped into the process.
fn beside_maps(smaps: &str) -> f64 {
    let (mut counts, mut sum) = (true, 0.0);
    for line in smaps.lines() {
        let first = line.split_whitespace().next().unwrap_or_default();
        if first == "Rss:" {
            let kib: f64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default();
            sum += if counts { kib } else { 0.0 };
        } else if !first.ends_with(':') {
            // The line of a mapping: addresses, rights, … and what is mapped.
            counts = !line.contains("bpf-map");
        }
    }
    sum
}

/// An HTTP/1.1 connection to the agent's socket: one request after the other.
struct Connection(BufReader<UnixStream>);

impl Connection {
    fn open(socket: &Path) -> Result<Connection> {
        let stream = UnixStream::connect(socket).context("the agent's socket")?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Connection(BufReader::new(stream)))
    }

    fn send(&mut self, method: &str, path: &str, body: &str) -> Result<()> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: weir\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        Ok(self.0.get_mut().write_all(request.as_bytes())?)
    }

    fn answer(&mut self) -> Result<String> {
        let (mut status, mut length) = (String::new(), 0);
        self.0.read_line(&mut status)?;
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line)?;
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().context("content-length")?;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        let body = String::from_utf8_lossy(&body).into_owned();
        if !status.contains(" 200 ") {
            bail!("the agent answers {}: {body}", status.trim());
        }
        Ok(body)
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<String> {
        self.send(method, path, body)?;
        self.answer()
    }
}

#[cfg(test)]
mod tests {
    use super::beside_maps;

    #[test]
    fn maps_do_not_count_as_the_agents_memory() {
        let smaps = "55d0-55d1 r-xp 00000000 fe:00 17 /usr/bin/weir\nSize: 100 kB\nRss:    80 kB\n\
            7f00-7f01 rw-s 00000000 00:0e 9 anon_inode:bpf-map\nSize: 4096 kB\nRss:  4000 kB\n\
            7f02-7f03 rw-p 00000000 00:00 0 [heap]\nRss:   20 kB\nVmFlags: rd wr\n";
        assert_eq!(beside_maps(smaps), 100.0);
    }
}
