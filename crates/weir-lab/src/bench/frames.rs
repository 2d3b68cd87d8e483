//! The frames that the bench sends, and those that programs are timed on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;
use weir_datapath::traffic::{Frame, Payload, Ports, Protocol, Source};

use super::settings::{DNS, SERVICE_V4, SERVICE_V6, WEB};
use super::stage::{RECEIVER_MAC, SENDER_MAC};

/// TCP flags.
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// Options of a Linux client's SYN: MSS, SACK permitted, timestamps, no operation, window scale.
const LINUX_OPTIONS: [u8; 20] = [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 1, 2, 3, 0, 0, 0, 0, 1, 3, 3, 7];

/// A source that is on no list: the lists leave its block out.
pub const CLEAN_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(62, 77, 64, 10));
/// The same in IPv6.
pub const CLEAN_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2a0e, 0x64, 0, 0, 0, 0, 0, 0x10));

fn frame(source: Source, protocol: Protocol, payload: Payload) -> Frame {
    let v4 = matches!(source, Source::V4 { .. });
    let destination = if v4 { SERVICE_V4 } else { SERVICE_V6 };
    let (from_mac, to_mac) = (SENDER_MAC, RECEIVER_MAC);
    Frame { from_mac, to_mac, source, destination, destinations: 1, df: false, hops: 64..=64, protocol, payload }
}

fn tcp(flags: u8, options: Vec<u8>) -> Protocol {
    Protocol::Tcp { from: Ports::one(40_000), to: Ports::one(WEB), flags, options }
}

/// A SYN flood; besides its source only identification and sequence number are random, for random fields cost the sender.
pub fn flood(source: Source) -> Frame {
    frame(source, tcp(SYN, Vec::new()), Payload::none())
}

/// Every IPv6 address below 2000::/3: all that the Internet has.
pub fn everywhere_v6() -> Source {
    Source::V6 { prefix: Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), length: 3 }
}

/// A SYN without options.
pub fn syn(source: IpAddr) -> Result<Vec<u8>> {
    Ok(flood(Source::one(source)).image()?)
}

/// A segment of an open connection with some data.
pub fn segment(source: IpAddr) -> Result<Vec<u8>> {
    Ok(frame(Source::one(source), tcp(ACK, Vec::new()), Payload::zeros(200)).image()?)
}

/// A SYN with the options of a Linux client.
pub fn syn_with_options(source: IpAddr) -> Result<Vec<u8>> {
    Ok(frame(Source::one(source), tcp(SYN, LINUX_OPTIONS.to_vec()), Payload::none()).image()?)
}

/// The first fragment of a datagram, or its second one.
pub fn fragment(source: IpAddr, first: bool) -> Result<Vec<u8>> {
    let protocol = Protocol::Fragment { first_to: first.then_some(DNS) };
    // The first ends where the second begins: 185 eights behind the start, the UDP header among them.
    let payload = Payload::zeros(if first { 1472 } else { 800 });
    Ok(frame(Source::one(source), protocol, payload).image()?)
}

/// An ARP request.
pub fn arp() -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend(SENDER_MAC);
    frame.extend([0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1]);
    frame.resize(60, 0);
    frame
}

/// All of 2a00::/12, one registry's addresses.
pub fn registry_v6() -> Source {
    Source::V6 { prefix: Ipv6Addr::new(0x2a00, 0, 0, 0, 0, 0, 0, 0), length: 12 }
}

/// The same frame to an address that nobody protects.
pub fn elsewhere(mut frame: Vec<u8>) -> Vec<u8> {
    // The last byte of an IPv4 destination; checksums do not count here.
    frame[33] ^= 0x40;
    frame
}
