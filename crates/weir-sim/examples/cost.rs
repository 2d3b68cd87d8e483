//! `cargo xtask cost`: what detection costs a node that gets a million packets per second, and how fast captures are replayed.
//!
//! Figures are processor time per time of the traffic, and packets per second of one core. They are of this machine and this run.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use serde_json::json;
use weir_abi::FEATURE_SLOTS;
use weir_abi::counters::{fact, feature_slot, kind, syn_fact, syn_slot};
use weir_detect::engine::{Engine, Row, Settings};
use weir_detect::vector::Vector;
use weir_detect::watch::Sampled;
use weir_policy::model::{Endpoint, Target};
use weir_policy::{CompileOptions, Policy, compile};
use weir_sim::pcap::Capture;
use weir_sim::replay::{Options, Replay};
use weir_sim::week::{Chance, Customers, Kind};

/// Measure what detection costs
#[derive(Parser)]
struct Args {
    /// Directory of the reference captures, which are replayed
    #[arg(long)]
    corpus: Option<PathBuf>,
    /// Packets to replay of each kind
    #[arg(long, default_value_t = 2_000_000)]
    packets: u64,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Json,
}

/// Targets that are watched.
const TARGETS: u32 = 100;
/// Packets per second of all of them.
const RATE: u64 = 1_000_000;
/// Samples per window that a node takes at most: a thousand per second of what passes, and of what is dropped.
const SAMPLES: u64 = 100;
/// Windows of each phase: a minute, of which a second is written down and repeated.
const WINDOWS: u64 = 600;
const WRITTEN: u64 = 10;
/// The most that the engine may cost, cores.
const CORES: f64 = 0.1;
/// The least that a replay must do, packets per second.
const PACKETS_PER_S: f64 = 2e6;

fn main() -> io::Result<()> {
    let args = Args::parse();
    let mut out = io::stdout().lock();
    let mut tell = |name: &str, value: f64, unit: &str, bar: f64, met: bool| {
        if args.output == Output::Json {
            writeln!(out, "{}", json!({"id": name, "value": value, "unit": unit, "bar": bar, "met": met}))
        } else {
            writeln!(out, "{name:40} {value:12.4} {unit} (bar {bar}, {})", if met { "met" } else { "not met" })
        }
    };
    for (name, cores) in engine()? {
        tell(name, cores, "cores", CORES, cores <= CORES)?;
    }
    let Some(corpus) = args.corpus else { return Ok(()) };
    for name in REPLAYED {
        let per_s = replayed(&corpus, name, args.packets)?;
        tell(name, per_s, "packets/s", PACKETS_PER_S, per_s >= PACKETS_PER_S)?;
    }
    Ok(())
}

/// Processor time of this process so far, seconds.
fn cpu() -> io::Result<f64> {
    let text = fs::read_to_string("/proc/self/schedstat")?;
    let ns = text.split(' ').next().and_then(|n| n.parse::<f64>().ok());
    ns.map(|ns| ns / 1e9).ok_or_else(|| io::Error::other("/proc/self/schedstat has no processor time"))
}

/// What came in a window, for one target.
struct Came {
    slots: Vec<(u8, u64)>,
    samples: Vec<(Vector, Sampled)>,
}

/// A window's packets for a target: customers' connections, and a flood of forged SYNs.
fn came(target: u32, customers: u64, flood: u64, samples: (u64, u64), chance: &mut Chance) -> Came {
    let people = Customers { port: 443, released: 0.0, region: target.into() };
    let syns = chance.poisson(customers as f64 / 10.0);
    let segments = chance.poisson(customers as f64 * 0.8);
    let ends = chance.poisson(customers as f64 / 10.0);
    let slots = vec![
        (syn_slot(0), syns),
        (fact::COMPLETED, syns),
        (feature_slot(kind::TCP, true, false), segments / 2),
        (feature_slot(kind::TCP, false, false), segments - segments / 2),
        (feature_slot(kind::FIN, true, false), ends),
        (fact::KNOWN, segments + ends),
        (syn_slot(syn_fact::NO_OPTIONS | syn_fact::SEQ_LOW_ZERO), flood),
    ];
    let mut all = Vec::new();
    for i in 0..samples.0 {
        let (vector, kind) = match i % 10 {
            0 => (Vector::Syn, Kind::Syn),
            1 => (Vector::RstFin, Kind::Fin),
            n if n % 2 == 0 => (Vector::Tcp, Kind::Ack),
            _ => (Vector::Tcp, Kind::Data),
        };
        all.push((vector, people.packet(kind, chance)));
    }
    for _ in 0..samples.1 {
        let mut sampled = people.packet(Kind::Scan, chance);
        sampled.source.lo = chance.bits();
        sampled.packet[weir_abi::rules::field::L4_FACTS] |= weir_abi::rules::l4_fact::SEQ_LOW_ZERO;
        all.push((Vector::Syn, sampled));
    }
    Came { slots, samples: all }
}

/// Cores that the engine takes: of customers alone, of a flood at one target, of floods at all of them.
fn engine() -> io::Result<[(&'static str, f64); 3]> {
    let mut chance = Chance::new(1);
    let mut second = |flood: fn(u32) -> (u64, u64)| {
        let window = |chance: &mut Chance| {
            let one = |target| {
                let (packets, samples) = flood(target);
                let customers = RATE / 10 / u64::from(TARGETS);
                // Under a flood of a million there is no room for a million of customers.
                let customers = if flood(1).0 > 0 { customers / 10 } else { customers };
                came(target, customers, packets, (SAMPLES / u64::from(TARGETS), samples), chance)
            };
            (1..=TARGETS).map(one).collect::<Vec<_>>()
        };
        (0..WRITTEN).map(|_| window(&mut chance)).collect::<Vec<_>>()
    };
    let calm = second(|_| (0, 0));
    let one = second(|target| if target == 1 { (RATE / 10, SAMPLES) } else { (0, 0) });
    let all = second(|_| (RATE / 10 / u64::from(TARGETS), SAMPLES / u64::from(TARGETS)));
    let mut learned = Driven::new();
    // What is usual takes a minute to learn.
    learned.run(&calm)?;
    Ok([
        ("engine_calm", learned.clone().run(&calm)?),
        ("engine_one_flood", learned.clone().run(&one)?),
        ("engine_all_flooded", learned.run(&all)?),
    ])
}

#[derive(Clone)]
struct Driven {
    engine: Engine,
    slots: Vec<[u64; FEATURE_SLOTS]>,
    number: u64,
}

impl Driven {
    fn new() -> Self {
        let slots = vec![[0; FEATURE_SLOTS]; TARGETS as usize];
        let mut driven = Self { engine: Engine::new(Settings::default()), slots, number: 1 };
        let _ = driven.engine.window(0, &driven.rows());
        driven
    }

    fn rows(&self) -> Vec<Row> {
        (1..).zip(&self.slots).map(|(target, slots)| Row { seen: true, ..Row::new(target, *slots) }).collect()
    }

    /// A minute of windows; the cores that they took.
    fn run(&mut self, windows: &[Vec<Came>]) -> io::Result<f64> {
        let start = cpu()?;
        for window in windows.iter().cycle().take(WINDOWS as usize) {
            for ((target, came), slots) in (1..).zip(window).zip(&mut self.slots) {
                came.slots.iter().for_each(|(slot, n)| slots[usize::from(*slot)] += n);
                came.samples.iter().for_each(|(vector, sampled)| self.engine.sample(target, *vector, || *sampled));
            }
            black_box(self.engine.window(self.number, &self.rows()));
            self.number += 1;
        }
        Ok((cpu()? - start) / (WINDOWS as f64 / 10.0))
    }
}

/// Captures that are replayed again and again, one after the other in one file.
const REPLAYED: [&str; 3] = ["attack-tcp-syn-flood-01.pcap", "attack-http-flood-01.pcap", "benign-http-load-01.pcap"];

/// Packets per second at which a long file of a capture is replayed, every address of it protected.
fn replayed(corpus: &Path, name: &str, packets: u64) -> io::Result<f64> {
    let file = std::env::temp_dir().join(format!("weir-cost-{}.pcap", std::process::id()));
    let written = long(&corpus.join(name), &file, packets)?;
    let replayed = replay(&written, &file);
    fs::remove_file(&file)?;
    replayed
}

fn replay(targets: &[IpAddr], file: &Path) -> io::Result<f64> {
    let target = |ip: &IpAddr| Target {
        endpoints: vec![Endpoint { addr: *ip, port: 0, proto: 0 }],
        enforce: true,
        ..Target::new(ip.to_string())
    };
    let policy = Policy { targets: targets.iter().map(target).collect(), ..Policy::default() };
    let compiled = compile(&policy, &CompileOptions::new(250, 0), None).map_err(io::Error::other)?;
    let mut replay = Replay::new(&compiled.image, Options::default()).map_err(io::Error::other)?;
    let start = cpu()?;
    let report = replay.file(file);
    let took = cpu()? - start;
    if let Some(error) = report.error {
        return Err(io::Error::other(error));
    }
    Ok(report.packets as f64 / took)
}

/// Writes a capture again and again, until it has so many packets; the addresses that it goes to, at most 64.
fn long(from: &Path, to: &Path, packets: u64) -> io::Result<Vec<IpAddr>> {
    let read = || Capture::open(from).map_err(io::Error::other);
    let mut records = Vec::new();
    for record in read()? {
        records.push(record.map_err(io::Error::other)?);
    }
    let mut targets = Vec::new();
    for record in &records {
        let Some(frame) = weir_sim::link::ethernet(record) else { continue };
        if let weir_wire::Parsed::Packet(p) = weir_wire::packet::parse(&frame.frame()) {
            let to = weir_policy::prefix::ip_from(weir_abi::Addr { hi: p.ip.dst.0, lo: p.ip.dst.1 });
            if !targets.contains(&to) && targets.len() < 64 {
                targets.push(to);
            }
        }
    }
    let (Some(first), Some(last)) = (records.first(), records.last()) else {
        return Err(io::Error::other("the capture is empty"));
    };
    let round = last.time_ns - first.time_ns + 1000;
    let mut file = BufWriter::new(File::create(to)?);
    file.write_all(&0xa1b2_3c4du32.to_le_bytes())?;
    file.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
    file.write_all(&262_144u32.to_le_bytes())?;
    file.write_all(&u32::from(first.link.number()).to_le_bytes())?;
    for (i, record) in records.iter().cycle().take(packets as usize).enumerate() {
        let time = record.time_ns - first.time_ns + (i / records.len()) as u64 * round;
        let words =
            [time / 1_000_000_000, time % 1_000_000_000, record.data.len() as u64, record.original_length.into()];
        for word in words {
            file.write_all(&(word as u32).to_le_bytes())?;
        }
        file.write_all(&record.data)?;
    }
    file.flush()?;
    Ok(targets)
}
