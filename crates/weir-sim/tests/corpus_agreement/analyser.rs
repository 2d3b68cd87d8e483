//! The facts as tshark reads them. Frames of one link type go to it in one file: starting it is what takes time.

use super::facts::{Facts, Transport, differing};
use super::faults::Frame;
use super::ours::Ours;
use super::tally::Outcome;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use weir_sim::link::LinkType;
use weir_sim::pcap::Record;
use weir_wire::Parsed;

/// What is asked, in the order of the columns.
const FIELDS: [&str; 30] = [
    "frame.protocols",
    "ip.src",
    "ip.dst",
    "ip.proto",
    "ip.frag_offset",
    "ip.flags.mf",
    "ipv6.src",
    "ipv6.dst",
    "ipv6.nxt",
    "ipv6.hopopts.nxt",
    "ipv6.routing.nxt",
    "ipv6.dstopts.nxt",
    "ipv6.fraghdr.nxt",
    "ipv6.fraghdr.offset",
    "ipv6.fraghdr.more",
    "ah.next_header",
    "mip6.proto",
    "hip.proto",
    "shim6.nxt",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.flags",
    "udp.srcport",
    "udp.dstport",
    "icmp.type",
    "icmp.code",
    "icmpv6.type",
    "icmpv6.code",
    "sctp.srcport",
    "sctp.dstport",
];

/// Frames sorted into one file per link type.
pub struct Merged {
    directory: PathBuf,
    files: BTreeMap<LinkType, (PathBuf, BufWriter<File>)>,
}

impl Merged {
    /// Files are written into `directory`.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), files: BTreeMap::new() }
    }

    /// Adds a frame.
    pub fn add(&mut self, record: &Record) {
        let (_, file) = self.files.entry(record.link).or_insert_with(|| {
            let path = self.directory.join(format!("merged-{}-{}.pcap", std::process::id(), record.link.number()));
            let mut file = BufWriter::new(File::create(&path).expect("a writable directory"));
            let header = [0xa1b2_3c4d, 0x0004_0002, 0, 0, 262_144, record.link.number() as u32];
            file.write_all(&header.map(u32::to_le_bytes).concat()).expect("writable");
            (path, file)
        });
        let (seconds, rest) = (record.time_ns / 1_000_000_000, record.time_ns % 1_000_000_000);
        let header = [seconds as u32, rest as u32, record.data.len() as u32, record.original_length];
        file.write_all(&header.map(u32::to_le_bytes).concat()).expect("writable");
        file.write_all(&record.data).expect("writable");
    }

    /// Runs tshark over every file; its rows by link type, in the order in which the frames were added.
    pub fn rows(self) -> BTreeMap<LinkType, Vec<Row>> {
        let mut all = BTreeMap::new();
        for (link, (path, mut file)) in self.files {
            file.flush().expect("writable");
            all.insert(link, run(&path));
            std::fs::remove_file(path).expect("our own file");
        }
        all
    }
}

/// Whether tshark is there.
pub fn is_there() -> bool {
    Command::new("tshark")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

fn run(file: &Path) -> Vec<Row> {
    let mut command = Command::new("tshark");
    command
        .args(["-n", "-T", "fields", "-E", "separator=|", "-E", "occurrence=a", "-E", "aggregator=,", "-r"])
        .arg(file);
    // Each frame for itself.
    for option in ["ip.defragment", "ipv6.defragment", "tcp.desegment_tcp_streams"] {
        command.args(["-o", &format!("{option}:FALSE")]);
    }
    for field in FIELDS {
        command.args(["-e", field]);
    }
    let output = command.output().expect("tshark runs");
    assert!(output.status.success(), "tshark on {}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(Row::parse).collect()
}

/// One frame's columns.
#[derive(Debug)]
pub struct Row {
    columns: BTreeMap<&'static str, Vec<String>>,
}

/// Protocols that stand before IP without being an encapsulation.
const LINK: [&str; 8] = ["eth", "ethertype", "vlan", "ieee8021ad", "sll", "raw", "null", "loop"];

/// Encapsulations that tshark looks into and weir-wire does not, each with the name of the difference.
const ENCAPSULATIONS: [(&str, &str); 9] = [
    ("mpls", "not looked into: mpls"),
    ("pppoes", "not looked into: pppoe"),
    ("llc", "not looked into: llc"),
    ("macsec", "not looked into: macsec"),
    ("cfp", "not looked into: fabricpath"),
    ("vntag", "not looked into: vntag"),
    ("etag", "not looked into: etag"),
    ("ieee8021ah", "not looked into: provider backbone bridging"),
    ("nsh", "not looked into: nsh"),
];

/// IPv6 extension headers, each with the column of its next header.
const EXTENSIONS: [(&str, &str); 8] = [
    ("ipv6.hopopts", "ipv6.hopopts.nxt"),
    ("ipv6.routing", "ipv6.routing.nxt"),
    ("ipv6.dstopts", "ipv6.dstopts.nxt"),
    ("ipv6.fraghdr", "ipv6.fraghdr.nxt"),
    ("ah", "ah.next_header"),
    ("mipv6", "mip6.proto"),
    ("hip", "hip.proto"),
    ("shim6", "shim6.nxt"),
];

impl Row {
    fn parse(line: &str) -> Self {
        let columns = FIELDS.iter().zip(line.split('|')).map(|(name, value)| {
            let values = value.split(',').filter(|v| !v.is_empty()).map(str::to_owned).collect();
            (*name, values)
        });
        Self { columns: columns.collect() }
    }

    /// The n-th value of a column.
    fn value(&self, column: &str, n: usize) -> Option<&str> {
        self.columns.get(column)?.get(n).map(String::as_str)
    }

    /// The first value of a column as a number.
    fn number<T: TryFrom<u32>>(&self, column: &str) -> Option<T> {
        number(self.value(column, 0)?)
    }

    fn protocols(&self) -> Vec<&str> {
        self.value("frame.protocols", 0).map_or_else(Vec::new, |p| p.split(':').collect())
    }

    /// What stands between the link layer and the first IP header, where IP does not follow directly.
    fn encapsulation(&self) -> Option<&'static str> {
        let protocols = self.protocols();
        let ip = protocols.iter().position(|p| matches!(*p, "ip" | "ipv6"))?;
        let found = protocols[..ip].iter().find(|p| !LINK.contains(p))?;
        ENCAPSULATIONS.iter().find(|(protocol, _)| protocol == found).map(|(_, name)| *name)
    }

    /// The outermost IP packet.
    fn facts(&self) -> Option<Facts> {
        let protocols = self.protocols();
        let ip = protocols.iter().position(|p| matches!(*p, "ip" | "ipv6"))?;
        let v6 = protocols[ip] == "ipv6";
        let tags = protocols[..ip].iter().filter(|p| matches!(**p, "vlan" | "ieee8021ad")).count();
        let mut behind = &protocols[ip + 1..];
        let mut proto: u8 = self.number(if v6 { "ipv6.nxt" } else { "ip.proto" })?;
        let mut fragment = None;
        if v6 {
            let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
            while let Some((first, rest)) = behind.split_first() {
                let Some((_, column)) = EXTENSIONS.iter().find(|(name, _)| name == first) else { break };
                let n = seen.entry(column).or_default();
                if *first == "ipv6.fraghdr" {
                    let units: u32 = number(self.value("ipv6.fraghdr.offset", *n)?)?;
                    let more = self.value("ipv6.fraghdr.more", *n)? == "1";
                    fragment = (units != 0 || more).then_some((units * 8, more));
                }
                proto = self.value(column, *n).and_then(number).unwrap_or(proto);
                *n += 1;
                behind = rest;
            }
        } else {
            let units: u32 = self.number("ip.frag_offset").unwrap_or(0);
            let more = self.value("ip.flags.mf", 0) == Some("1");
            fragment = (units != 0 || more).then_some((units * 8, more));
        }
        let address = |column| self.value(column, 0)?.parse().ok();
        Some(Facts {
            tags,
            src: address(if v6 { "ipv6.src" } else { "ip.src" })?,
            dst: address(if v6 { "ipv6.dst" } else { "ip.dst" })?,
            proto,
            fragment,
            transport: behind.first().and_then(|name| self.transport(name)),
        })
    }

    /// The transport header that follows the outermost IP headers: the first of its kind in the frame.
    fn transport(&self, name: &str) -> Option<Transport> {
        match name {
            "tcp" => Some(Transport::Tcp(
                self.number("tcp.srcport")?,
                self.number("tcp.dstport")?,
                // Twelve bits, of which the upper four are reserved.
                self.number::<u32>("tcp.flags")? as u8,
            )),
            "udp" | "udplite" => Some(Transport::Udp(self.number("udp.srcport")?, self.number("udp.dstport")?)),
            "icmp" => Some(Transport::Icmp(self.number("icmp.type")?, self.number("icmp.code")?)),
            "icmpv6" => Some(Transport::Icmp(self.number("icmpv6.type")?, self.number("icmpv6.code")?)),
            "sctp" => Some(Transport::Sctp(self.number("sctp.srcport")?, self.number("sctp.dstport")?)),
            _ => None,
        }
    }
}

/// Decimal, or hexadecimal behind `0x`.
fn number<T: TryFrom<u32>>(text: &str) -> Option<T> {
    let n = match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => text.parse(),
    };
    n.ok()?.try_into().ok()
}

/// Compares one frame.
pub fn compare(ours: &Ours, frame: &Frame, row: &Row) -> Outcome {
    let theirs = row.facts();
    let unexplained = || Outcome::Unexplained(format!("{ours:?}, tshark: {theirs:?} {:?}", row.protocols()));
    match (ours, &theirs) {
        (Ours::Ip(a), Some(b)) => {
            let differing = differing(a, b);
            if differing.is_empty() {
                return Outcome::Agreed;
            }
            difference(a, b, frame, row, &differing).map_or_else(unexplained, Outcome::Known)
        }
        (Ours::Not(Parsed::Malformed(fault)), b) if frame.has(*fault) => {
            if b.is_none() {
                Outcome::Agreed
            } else {
                Outcome::Refused(*fault)
            }
        }
        (Ours::Ip(a), None) if a.src.is_ipv6() && frame.claims_no_length() => Outcome::Known("a length of zero"),
        (Ours::Not(Parsed::Unreadable), Some(_)) if frame.data.len() < frame.length => {
            Outcome::Known("headers outside the capture")
        }
        (Ours::Not(Parsed::Other(BACKBONE)), Some(_)) => Outcome::Known("not looked into: provider backbone bridging"),
        (Ours::Not(Parsed::Other(_) | Parsed::NoNetwork | Parsed::TooManyTags), Some(_))
            if row.encapsulation().is_some() =>
        {
            Outcome::Known(row.encapsulation().expect("it was just there"))
        }
        (Ours::Not(Parsed::Malformed(_)), _) | (Ours::Not(_), Some(_)) | (Ours::Ip(_), None) => unexplained(),
        (Ours::Not(_), None) => Outcome::Agreed,
    }
}

/// EtherType of provider backbone bridging; tshark names the tag inside instead.
const BACKBONE: u16 = 0x88e7;

/// The name of a difference within a packet that both read.
fn difference(a: &Facts, b: &Facts, frame: &Frame, row: &Row, differing: &[&str]) -> Option<&'static str> {
    let last = row.protocols().last().copied().unwrap_or_default();
    match differing {
        ["transport"] if a.transport.is_none() && a.fragment == Some((0, true)) => {
            Some("a first fragment too small for its header")
        }
        ["transport"] if b.transport.is_none() && frame.claims_no_length() => Some("a length of zero"),
        // It stops inside the header whose options it judges.
        ["transport"] if b.transport.is_none() && matches!(last, "ip" | "ipv6.dstopts" | "ipv6.hopopts") => {
            Some("options of IP headers are not judged")
        }
        ["destination"] if frame.has_source_route() => Some("a source route's destination"),
        ["protocol"] if a.proto == OLD_MOBILITY && last == "mipv6" => Some("the old number of mobile IPv6"),
        _ => None,
    }
}

/// What mobile IPv6 used before it had number 135.
const OLD_MOBILITY: u8 = 62;
