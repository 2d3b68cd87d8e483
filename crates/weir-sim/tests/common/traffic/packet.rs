//! Frames, made layer by layer: each layer is bytes, an upper one is handed to the one below it.
#![allow(dead_code, reason = "every test binary uses a part")]

use std::net::IpAddr;

/// TCP flags (RFC 9293, 3.1).
pub mod flag {
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const PSH: u8 = 0x08;
    pub const ACK: u8 = 0x10;
    pub const URG: u8 = 0x20;
}

/// Two addresses of one family.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    pub src: IpAddr,
    pub dst: IpAddr,
}

/// From one address to another.
#[track_caller]
pub fn from(src: &str, dst: &str) -> Pair {
    let pair = Pair { src: src.parse().expect("an address"), dst: dst.parse().expect("an address") };
    assert_eq!(pair.src.is_ipv4(), pair.dst.is_ipv4(), "one family");
    pair
}

/// A fragment's place in its datagram; the offset is in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Piece {
    pub id: u32,
    pub offset: u16,
    pub more: bool,
}

impl Pair {
    /// A whole frame with anything behind the IP header.
    pub fn ip(self, proto: u8, body: &[u8]) -> Vec<u8> {
        ethernet(self.ethertype(), &self.packet(64, None, proto, body))
    }

    /// The same with a TTL or hop limit of its own.
    pub fn ip_ttl(self, ttl: u8, proto: u8, body: &[u8]) -> Vec<u8> {
        ethernet(self.ethertype(), &self.packet(ttl, None, proto, body))
    }

    /// A fragment of a datagram.
    pub fn piece(self, piece: Piece, proto: u8, body: &[u8]) -> Vec<u8> {
        ethernet(self.ethertype(), &self.packet(64, Some(piece), proto, body))
    }

    /// A UDP datagram.
    pub fn udp(self, sport: u16, dport: u16, payload: &[u8]) -> Vec<u8> {
        self.ip(17, &udp(sport, dport, payload))
    }

    /// A TCP segment without options.
    pub fn tcp(self, sport: u16, dport: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
        self.ip(6, &[&tcp(sport, dport, flags)[..], payload].concat())
    }

    /// A TCP segment with these sequence and acknowledgement numbers.
    pub fn segment(self, ports: (u16, u16), flags: u8, numbers: (u32, u32), payload: &[u8]) -> Vec<u8> {
        let mut header = tcp(ports.0, ports.1, flags);
        header[4..8].copy_from_slice(&numbers.0.to_be_bytes());
        header[8..12].copy_from_slice(&numbers.1.to_be_bytes());
        self.ip(6, &[&header[..], payload].concat())
    }

    /// The way back.
    pub fn back(self) -> Self {
        Self { src: self.dst, dst: self.src }
    }

    /// A SYN with the options of a Linux client.
    pub fn syn(self, sport: u16, dport: u16) -> Vec<u8> {
        self.ip(6, &tcp_options(sport, dport, flag::SYN, &LINUX_OPTIONS))
    }

    /// An ICMP or ICMPv6 echo request.
    pub fn echo(self) -> Vec<u8> {
        let (proto, kind) = if self.src.is_ipv4() { (1, 8) } else { (58, 128) };
        self.ip(proto, &[kind, 0, 0, 0, 0, 7, 0, 1, b'w', b'e', b'i', b'r'])
    }

    pub fn ethertype(self) -> u16 {
        if self.src.is_ipv4() { 0x0800 } else { 0x86dd }
    }

    /// The IP packet without a link header.
    pub fn packet(self, ttl: u8, piece: Option<Piece>, proto: u8, body: &[u8]) -> Vec<u8> {
        match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let piece = piece.unwrap_or(Piece { id: 0x1234, ..Piece::default() });
                let field = (piece.offset / 8) | (u16::from(piece.more) << 13);
                let mut h = vec![0x45, 0];
                h.extend((20 + body.len() as u16).to_be_bytes());
                h.extend((piece.id as u16).to_be_bytes());
                h.extend(field.to_be_bytes());
                h.extend([ttl, proto, 0, 0]);
                h.extend(src.octets());
                h.extend(dst.octets());
                h.extend(body);
                h
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let mut inside = Vec::new();
                let mut next = proto;
                if let Some(piece) = piece {
                    next = 44;
                    inside.extend([proto, 0]);
                    inside.extend((piece.offset & 0xfff8 | u16::from(piece.more)).to_be_bytes());
                    inside.extend(piece.id.to_be_bytes());
                }
                inside.extend(body);
                let mut h = vec![0x60, 0, 0, 0];
                h.extend((inside.len() as u16).to_be_bytes());
                h.extend([next, ttl]);
                h.extend(src.octets());
                h.extend(dst.octets());
                h.extend(inside);
                h
            }
            _ => unreachable!("one family"),
        }
    }
}

/// An Ethernet frame.
pub fn ethernet(ethertype: u16, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01];
    frame.extend(ethertype.to_be_bytes());
    frame.extend(body);
    frame
}

/// The same frame with a VLAN tag before its EtherType.
pub fn tagged(tpid: u16, vlan: u16, frame: &[u8]) -> Vec<u8> {
    [&frame[..12], &tpid.to_be_bytes(), &vlan.to_be_bytes(), &frame[12..]].concat()
}

pub fn udp(sport: u16, dport: u16, payload: &[u8]) -> Vec<u8> {
    let mut h = Vec::new();
    for field in [sport, dport, 8 + payload.len() as u16, 0] {
        h.extend(field.to_be_bytes());
    }
    h.extend(payload);
    h
}

/// MSS, SACK permitted, timestamps, padding, window scale.
pub const LINUX_OPTIONS: [u8; 20] = [2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7];

pub fn tcp(sport: u16, dport: u16, flags: u8) -> Vec<u8> {
    tcp_options(sport, dport, flags, &[])
}

/// A TCP header whose options fill whole words.
pub fn tcp_options(sport: u16, dport: u16, flags: u8, options: &[u8]) -> Vec<u8> {
    let mut h = Vec::new();
    h.extend(sport.to_be_bytes());
    h.extend(dport.to_be_bytes());
    h.extend(0x0102_0304u32.to_be_bytes());
    h.extend(0x0506_0708u32.to_be_bytes());
    h.extend([((5 + options.len() / 4) as u8) << 4, flags, 0xfa, 0xf0, 0, 0, 0, 0]);
    h.extend(options);
    h
}

/// VXLAN around a frame, as the payload of a datagram to port 4789.
pub fn vxlan(frame: &[u8]) -> Vec<u8> {
    [&[8, 0, 0, 0, 0, 0, 42, 0], frame].concat()
}

/// Geneve around a frame, as the payload of a datagram to port 6081.
pub fn geneve(frame: &[u8]) -> Vec<u8> {
    [&[1, 0, 0x65, 0x58, 0, 0, 42, 0, 0, 0, 0, 0], frame].concat()
}
