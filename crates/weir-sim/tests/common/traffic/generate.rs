//! Packets by the million from a seed: ordinary ones, odd ones, and hostile changes to both.
//!
//! Senders, targets and ports are those of [`super::rich`], and few enough that packets meet in cells and fragment slots.
#![allow(dead_code, reason = "every test binary uses a part")]

use super::mutate;

use super::packet::{self, Pair, Piece, from, geneve, tagged, vxlan};
use super::rich::{DESTINATIONS4, DESTINATIONS6, PORTS, SERVICES, SOURCES4, SOURCES6};
use super::rng::Rng;

/// How many recent frames are remembered, to be sent again or mixed.
const RECENT: usize = 64;

/// A stream of frames.
pub struct Generator {
    rng: Rng,
    recent: Vec<Vec<u8>>,
    /// Well-formed packets of every kind, to be changed.
    seeds: Vec<Vec<u8>>,
    longest: usize,
}

impl Generator {
    /// Frames of at most `longest` bytes; `seeds` are mixed in.
    pub fn new(seed: u64, longest: usize, seeds: Vec<Vec<u8>>) -> Self {
        Self { rng: Rng(seed), recent: vec![vec![0; 60]], seeds, longest }
    }

    /// The next frame.
    pub fn next(&mut self) -> Vec<u8> {
        let mut frame = match self.rng.below(20) {
            0 => self.rng.pick(&self.recent),
            1 if !self.seeds.is_empty() => self.aimed_seed(),
            2 => {
                let length = self.rng.below(200) as usize;
                self.rng.bytes(length)
            }
            3..=8 => self.customer(),
            _ => self.frame(0),
        };
        if self.rng.one_in(4) {
            for _ in 0..=self.rng.below(3) {
                let other = self.rng.pick(&self.recent);
                mutate::once(&mut self.rng, &mut frame, &other);
            }
        }
        frame.truncate(self.longest);
        let at = self.rng.below(RECENT as u64) as usize;
        if self.recent.len() < RECENT {
            self.recent.push(frame.clone());
        } else {
            self.recent[at].clone_from(&frame);
        }
        frame
    }

    /// Somebody who wants something and keeps to the rules, except for asking too often.
    fn customer(&mut self) -> Vec<u8> {
        let rng = &mut self.rng;
        let (dst, port, proto) = rng.pick(&SERVICES);
        let senders = if dst.contains(':') { &SOURCES6[..3] } else { &SOURCES4[..3] };
        let pair = from(rng.pick(senders), dst);
        let sport = 32768 + rng.below(4) as u16;
        match (proto, rng.below(3)) {
            (6, 0) => pair.syn(sport, port),
            (6, _) => pair.tcp(sport, port, 0x18, &self.payload()),
            _ => {
                let length = rng.below(1400) as usize;
                pair.udp(sport, port, &rng.bytes(length))
            }
        }
    }

    /// A seed, sent to one of the targets.
    fn aimed_seed(&mut self) -> Vec<u8> {
        let mut frame = self.rng.pick(&self.seeds);
        let pair = self.pair();
        // Only where the addresses stand behind a plain Ethernet header; others go as they are.
        match (pair.src, pair.dst, frame.get(12..14)) {
            (std::net::IpAddr::V4(src), std::net::IpAddr::V4(dst), Some([8, 0])) if frame.len() >= 34 => {
                frame[26..30].copy_from_slice(&src.octets());
                frame[30..34].copy_from_slice(&dst.octets());
            }
            (std::net::IpAddr::V6(src), std::net::IpAddr::V6(dst), Some([0x86, 0xdd])) if frame.len() >= 54 => {
                frame[22..38].copy_from_slice(&src.octets());
                frame[38..54].copy_from_slice(&dst.octets());
            }
            _ => {}
        }
        frame
    }

    /// Somebody to somewhere: half of all packets come from two senders, an eighth from anywhere.
    fn pair(&mut self) -> Pair {
        let rng = &mut self.rng;
        let (random, hot) = (rng.one_in(8), rng.one_in(2));
        if rng.one_in(3) {
            let any = format!("2a0{:x}:{:x}::{:x}", rng.below(16), rng.below(3), rng.next() as u16);
            let known = if hot { SOURCES6[rng.below(2) as usize] } else { rng.pick(&SOURCES6) };
            return from(if random { &any } else { known }, rng.pick::<&str>(&DESTINATIONS6));
        }
        let any = std::net::Ipv4Addr::from_bits(rng.next() as u32).to_string();
        let known = if hot { SOURCES4[rng.below(2) as usize] } else { rng.pick(&SOURCES4) };
        from(if random { &any } else { known }, rng.pick::<&str>(&DESTINATIONS4))
    }

    fn port(&mut self) -> u16 {
        if self.rng.one_in(10) { self.rng.next() as u16 } else { self.rng.pick(&PORTS) }
    }

    fn payload(&mut self) -> Vec<u8> {
        let rng = &mut self.rng;
        let length = match rng.below(8) {
            0 => 0,
            1 => 1 + rng.below(9),
            2 => 900 + rng.below(600),
            _ => rng.below(80),
        };
        let mut payload = rng.bytes(length as usize);
        let head: &[u8] = rng.pick(&[b"GET / HTTP/1.1\r\n".as_slice(), b"attack", b"GxT", b""]);
        if let Some(start) = payload.get_mut(..head.len()) {
            start.copy_from_slice(head);
        }
        payload
    }

    /// A frame of any kind; `depth` tunnels are around it already.
    fn frame(&mut self, depth: u32) -> Vec<u8> {
        let pair = self.pair();
        let frame = match self.rng.below(40) {
            0 => {
                packet::ethernet(self.rng.pick(&[0x0806, 0x8035, 0x88cc, 0x0600, 0x05ff, 38, 0x8847]), &self.payload())
            }
            1..=4 => self.fragment(pair),
            5..=6 => self.icmp(pair),
            7 => {
                let (proto, body) = (self.rng.byte(), self.payload());
                pair.ip(proto, &body)
            }
            8 => {
                let ports = [self.port(), self.port()].map(u16::to_be_bytes).concat();
                pair.ip(132, &[ports, self.payload()].concat())
            }
            9 => {
                let datagram = packet::udp(self.port(), self.port(), &self.payload());
                pair.ip(136, &datagram)
            }
            10..=11 if pair.src.is_ipv6() => self.extended(pair),
            10..=11 => self.with_options(pair),
            12..=13 if depth < 4 => self.tunnel(pair, depth),
            14..=24 => {
                let (sport, dport, payload) = (self.port(), self.port(), self.payload());
                let ttl = if self.rng.one_in(8) { self.rng.below(4) as u8 } else { 57 };
                pair.ip_ttl(ttl, 17, &packet::udp(sport, dport, &payload))
            }
            _ => self.tcp(pair),
        };
        match self.rng.below(24) {
            0 => tagged(0x8100, 100, &frame),
            1 => tagged(0x88a8, 200, &tagged(0x8100, 100, &frame)),
            2 if self.rng.one_in(4) => tagged(0x9100, 1, &tagged(0x88a8, 200, &tagged(0x8100, 100, &frame))),
            _ => frame,
        }
    }

    fn tcp(&mut self, pair: Pair) -> Vec<u8> {
        let flags = if self.rng.one_in(3) {
            self.rng.byte()
        } else {
            self.rng.pick(&[0x02, 0x02, 0x10, 0x18, 0x11, 0x12, 0x04])
        };
        let options: Vec<u8> = match self.rng.below(5) {
            0 => Vec::new(),
            1 => packet::LINUX_OPTIONS.to_vec(),
            2 => vec![2, 4, 5, 180],
            3 => [1, 2, 3, 4, 8, 0].repeat(7)[..4 * self.rng.below(11) as usize].to_vec(),
            _ => {
                let length = 4 * self.rng.below(11) as usize;
                self.rng.bytes(length)
            }
        };
        let (sport, dport) = (self.port(), self.port());
        let mut segment = packet::tcp_options(sport, dport, flags, &options);
        if self.rng.one_in(6) {
            segment[6..12].fill(0);
        }
        if self.rng.one_in(6) {
            segment[14..16].copy_from_slice(&(self.rng.below(1100) as u16).to_be_bytes());
        }
        segment.extend(self.payload());
        pair.ip(6, &segment)
    }

    fn icmp(&mut self, pair: Pair) -> Vec<u8> {
        let (v6, kind) = (pair.src.is_ipv6(), self.rng.byte());
        let kind = if self.rng.one_in(2) { self.rng.pick(&[0, 3, 8, 13, 128, 133, 135, 137]) } else { kind };
        let ttl = if self.rng.one_in(2) { 255 } else { 64 };
        // Now and then the other family's number.
        let proto = if v6 != self.rng.one_in(16) { 58 } else { 1 };
        pair.ip_ttl(ttl, proto, &[&[kind, 0, 0, 0, 0, 7, 0, 1][..], &self.payload()].concat())
    }

    /// One of a few datagrams, at one of a few places: they follow, overlap, come twice, or never had a first one.
    fn fragment(&mut self, pair: Pair) -> Vec<u8> {
        let rng = &mut self.rng;
        let id = rng.below(4) as u32;
        let proto = rng.pick(&[17, 17, 17, 6, 1, 58, 132, 89]);
        let offset = rng.pick(&[0, 0, 0, 8, 16, 24, 64, 72, 80, 1480, 65_528]);
        let more = rng.one_in(2) || offset == 0;
        let length = rng.pick(&[8, 16, 24, 64, 72, 80, 7, 20, 1200]);
        let (sport, dport) = (self.port(), self.port());
        let mut body = match (offset, proto) {
            (0, 6) => packet::tcp(sport, dport, 0x02),
            (0, _) => packet::udp(sport, dport, b""),
            _ => Vec::new(),
        };
        body.resize(length, 0x55);
        pair.piece(Piece { id, offset, more }, proto, &body)
    }

    /// IPv6 extension headers, a few or too many.
    fn extended(&mut self, pair: Pair) -> Vec<u8> {
        let kinds = [0u8, 43, 60, 51, 135, 139, 140, 44];
        let count = self.rng.below(9) as usize;
        let chain: Vec<u8> = (0..count).map(|_| self.rng.pick(&kinds)).collect();
        let last = self.rng.pick(&[6, 17, 58, 59, 132]);
        let mut body = Vec::new();
        for (i, kind) in chain.iter().enumerate() {
            let next = chain.get(i + 1).copied().unwrap_or(last);
            match kind {
                44 => body.extend([next, 0, 0, u8::from(self.rng.one_in(4)), 0, 0, 0, self.rng.below(4) as u8]),
                51 => body.extend([next, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9]),
                _ => body.extend([next, 0, 1, 4, 0, 0, 0, 0]),
            }
        }
        body.extend(match last {
            6 => packet::tcp(self.port(), self.port(), 0x02),
            17 => packet::udp(self.port(), self.port(), b"weirweirweir"),
            _ => vec![128, 0, 0, 0, 0, 7, 0, 1, 0, 0, 0, 0],
        });
        pair.ip(chain.first().copied().unwrap_or(last), &body)
    }

    /// IPv4 options.
    fn with_options(&mut self, pair: Pair) -> Vec<u8> {
        let words = 1 + self.rng.below(10) as usize;
        let mut frame = self.tcp(pair);
        frame[14] = 0x45 + words as u8;
        let options = vec![1; 4 * words];
        frame.splice(34..34, options);
        let total = (frame.len() - 14) as u16;
        frame[16..18].copy_from_slice(&total.to_be_bytes());
        frame
    }

    fn tunnel(&mut self, pair: Pair, depth: u32) -> Vec<u8> {
        let inside = self.frame(depth + 1);
        match self.rng.below(5) {
            0 => pair.udp(50000, 4789, &vxlan(&inside)),
            1 => pair.udp(50000, 8472, &vxlan(&inside)),
            2 => pair.udp(50000, 6081, &geneve(&inside)),
            3 => pair.ip(4, inside.get(14..).unwrap_or_default()),
            _ => pair.ip(41, inside.get(14..).unwrap_or_default()),
        }
    }
}
