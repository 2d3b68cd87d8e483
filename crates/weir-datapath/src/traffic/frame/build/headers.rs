//! The headers of each protocol, field by field: constant bytes, lengths that are known later, random fields.

use super::*;

const TCP_ACK: u8 = 0x10;
/// The UDP source port of first fragments.
const FRAGMENT_PORT: u16 = 40000;
/// "More fragments", in the flags of IPv4 and of the IPv6 fragment header.
const MORE_V4: u16 = 0x2000;
const MORE_V6: u16 = 1;
/// "Don't fragment", in the flags of IPv4.
const DF: u16 = 0x4000;

impl Draft {
    pub fn ipv4(&mut self, frame: &Frame, first: Ipv4Addr, count: u64, to: Ipv4Addr) -> Result<(), FrameError> {
        self.u16(0x0800);
        self.ip_len_from = self.bytes.len();
        self.bytes.extend([0x45, 0]);
        self.ip_len_at = self.later();
        self.random(anything(2), SUM_IP);
        match frame.protocol {
            Protocol::Fragment { first_to: Some(_) } => self.u16(MORE_V4),
            // The offset counts eights; these begin behind any first fragment.
            Protocol::Fragment { first_to: None } => {
                self.random(field("the offset", 2, u64::from(MORE_V4) + 185, 1000)?, SUM_IP)
            }
            _ => self.u16(if frame.df { DF } else { 0 }),
        }
        self.random(frame.hop_field()?, SUM_IP);
        self.bytes.push(frame.next_header());
        self.ip_sum_at = self.later();
        let source = field("the source", 4, u64::from(u32::from(first)), count)?;
        self.random(source, SUM_IP | frame.pseudo_header());
        let victims = field("the destination", 4, u64::from(u32::from(to)), u64::from(frame.destinations))?;
        self.random(victims, SUM_IP | frame.pseudo_header());
        Ok(())
    }

    pub fn ipv6(&mut self, frame: &Frame, prefix: Ipv6Addr, length: u8, to: Ipv6Addr) -> Result<(), FrameError> {
        let fragment = matches!(frame.protocol, Protocol::Fragment { .. });
        self.u16(0x86dd);
        self.bytes.extend([0x60, 0, 0, 0]);
        self.ip_len_at = self.later();
        self.bytes.push(if fragment { 44 } else { frame.next_header() });
        self.random(frame.hop_field()?, 0);
        for (i, word) in prefix.octets().chunks_exact(4).enumerate() {
            let word = u32::from_be_bytes([word[0], word[1], word[2], word[3]]);
            let free = 32 - u32::from(length.min(128)).saturating_sub(i as u32 * 32).min(32);
            let base = word & u32::MAX.checked_shl(free).unwrap_or(0);
            self.random(field("the source", 4, u64::from(base), 1 << free)?, frame.pseudo_header());
        }
        let [network @ .., a, b, c, d] = to.octets();
        self.bytes.extend(network);
        let first = u64::from(u32::from_be_bytes([a, b, c, d]));
        self.random(field("the destination", 4, first, u64::from(frame.destinations))?, frame.pseudo_header());
        self.ip_len_from = self.bytes.len();
        if let Protocol::Fragment { first_to } = frame.protocol {
            self.bytes.extend([frame.next_header(), 0]);
            if first_to.is_some() {
                self.u16(MORE_V6);
            } else {
                // The upper byte counts 256 bytes, so the flag in the lower one stays out of the lottery.
                self.random(field("the offset", 1, 6, 30)?, 0);
                self.bytes.push(MORE_V6 as u8);
            }
            self.random(anything(4), 0);
        }
        Ok(())
    }

    pub fn transport(&mut self, frame: &Frame) -> Result<(), FrameError> {
        match &frame.protocol {
            Protocol::Tcp { from, to, flags, options } => {
                if options.len() > 40 || options.len() % 4 != 0 {
                    return Err(FrameError::Options(options.len()));
                }
                self.ports(*from, *to)?;
                self.random(anything(4), SUM_L4);
                match flags & TCP_ACK {
                    0 => self.bytes.extend([0; 4]),
                    _ => self.random(anything(4), SUM_L4),
                }
                self.bytes.extend([(5 + options.len() as u8 / 4) << 4, *flags]);
                self.u16(64240);
                self.l4_sum_at = self.later();
                self.u16(0);
                self.bytes.extend(options);
            }
            Protocol::Udp { from, to } => {
                self.ports(*from, *to)?;
                self.udp_len_at = self.later();
                self.l4_sum_at = self.later();
            }
            Protocol::Echo => {
                self.bytes.extend([if frame.is_v4() { 8 } else { 128 }, 0]);
                self.l4_sum_at = self.later();
                self.random(anything(2), SUM_L4);
                self.random(anything(2), SUM_L4);
            }
            Protocol::Fragment { first_to: Some(port) } => {
                self.u16(FRAGMENT_PORT);
                self.u16(*port);
                // A datagram that goes on for a while; its checksum could only be verified at its end, which never comes.
                self.u16(8 + 4096);
                self.u16(0xbeef);
            }
            Protocol::Fragment { first_to: None } => {}
        }
        Ok(())
    }

    fn ports(&mut self, from: Ports, to: Ports) -> Result<(), FrameError> {
        self.random(field("the source port", 2, u64::from(from.first), u64::from(from.count))?, SUM_L4);
        self.random(field("the destination port", 2, u64::from(to.first), u64::from(to.count))?, SUM_L4);
        Ok(())
    }
}

/// A field, not placed yet.
pub fn field(what: &'static str, width: u8, first: u64, count: u64) -> Result<Field, FrameError> {
    if count == 0 {
        return Err(FrameError::Empty(what));
    }
    if first + count > 1 << (8 * u32::from(width)) {
        return Err(FrameError::Beyond(what));
    }
    Ok(Field { width, base: first as u32, span: count, ..Field::default() })
}

/// A field of which any value will do.
fn anything(width: u8) -> Field {
    Field { width, base: 0, span: 1 << (8 * u32::from(width)), ..Field::default() }
}
