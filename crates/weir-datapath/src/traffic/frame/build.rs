//! Lays out the frame once, notes which fields are random, and sums up all the rest for the checksums.

use super::*;

const ETHERNET: usize = 14;
const SHORTEST_FRAME: usize = 60;
const TCP_ACK: u8 = 0x10;
/// The UDP source port of first fragments.
const FRAGMENT_PORT: u16 = 40000;
/// "More fragments", in the flags of IPv4 and of the IPv6 fragment header.
const MORE_V4: u16 = 0x2000;
const MORE_V6: u16 = 1;

/// A frame under construction.
#[derive(Default)]
struct Draft {
    bytes: Vec<u8>,
    fields: Vec<Field>,
    ip_sum_at: usize,
    l4_sum_at: usize,
    ip_len_at: usize,
    /// The IP length counts from here.
    ip_len_from: usize,
    udp_len_at: usize,
    /// Transport header.
    l4: usize,
    /// End of the headers.
    headers: usize,
}

pub fn template(frame: &Frame) -> Result<Template, FrameError> {
    let mut draft = Draft::default();
    draft.bytes.extend(frame.to_mac);
    draft.bytes.extend(frame.from_mac);
    match (&frame.source, frame.destination) {
        (Source::V4 { first, count }, IpAddr::V4(to)) => draft.ipv4(frame, *first, *count, to)?,
        (Source::V6 { prefix, length }, IpAddr::V6(to)) => draft.ipv6(frame, *prefix, *length, to)?,
        _ => return Err(FrameError::MixedVersions),
    }
    draft.l4 = draft.bytes.len();
    draft.transport(frame)?;
    draft.headers = draft.bytes.len();
    draft.payload(&frame.payload)?;
    let (ip_sum, l4_sum) = draft.constant_sums(frame);
    Ok(draft.pack(frame, ip_sum, l4_sum))
}

impl Frame {
    fn is_v4(&self) -> bool {
        self.destination.is_ipv4()
    }

    /// Whether addresses and length enter the transport checksum, as a mask for the source's fields.
    fn pseudo_header(&self) -> u8 {
        match self.protocol {
            Protocol::Tcp { .. } | Protocol::Udp { .. } => SUM_L4,
            Protocol::Echo if !self.is_v4() => SUM_L4,
            Protocol::Echo | Protocol::Fragment { .. } => 0,
        }
    }

    fn next_header(&self) -> u8 {
        match self.protocol {
            Protocol::Tcp { .. } => 6,
            Protocol::Udp { .. } | Protocol::Fragment { .. } => 17,
            Protocol::Echo if self.is_v4() => 1,
            Protocol::Echo => 58,
        }
    }

    fn hop_field(&self) -> Result<Field, FrameError> {
        if self.hops.is_empty() {
            return Err(FrameError::Empty("the hop limit"));
        }
        let (low, high) = (u64::from(*self.hops.start()), u64::from(*self.hops.end()));
        field("the hop limit", 1, low, high - low + 1)
    }
}

impl Draft {
    fn u16(&mut self, value: u16) {
        self.bytes.extend(value.to_be_bytes());
    }

    /// Leaves room for a 16-bit value that is known later.
    fn later(&mut self) -> usize {
        self.u16(0);
        self.bytes.len() - 2
    }

    fn put(&mut self, at: usize, value: usize) {
        self.bytes[at..at + 2].copy_from_slice(&(value as u16).to_be_bytes());
    }

    /// Appends a random field. A field with one value only is no random one but part of the template.
    fn random(&mut self, field: Field, sums: u8) {
        let offset = self.bytes.len() as u16;
        self.bytes.extend(&field.base.to_be_bytes()[4 - usize::from(field.width)..]);
        if field.span > 1 {
            self.fields.push(Field { offset, sums, ..field });
        }
    }

    fn ipv4(&mut self, frame: &Frame, first: Ipv4Addr, count: u64, to: Ipv4Addr) -> Result<(), FrameError> {
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
            _ => self.u16(0),
        }
        self.random(frame.hop_field()?, SUM_IP);
        self.bytes.push(frame.next_header());
        self.ip_sum_at = self.later();
        let source = field("the source", 4, u64::from(u32::from(first)), count)?;
        self.random(source, SUM_IP | frame.pseudo_header());
        self.bytes.extend(to.octets());
        Ok(())
    }

    fn ipv6(&mut self, frame: &Frame, prefix: Ipv6Addr, length: u8, to: Ipv6Addr) -> Result<(), FrameError> {
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
        self.bytes.extend(to.octets());
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

    fn transport(&mut self, frame: &Frame) -> Result<(), FrameError> {
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

    fn payload(&mut self, payload: &Payload) -> Result<(), FrameError> {
        if payload.zeros.is_empty() {
            return Err(FrameError::Empty("the payload length"));
        }
        let whole = self.bytes.len() + payload.bytes.len() + usize::from(*payload.zeros.end());
        if whole > MAX_FRAME {
            return Err(FrameError::TooLong(whole));
        }
        self.bytes.extend(&payload.bytes);
        self.bytes.resize(whole, 0);
        self.put(self.ip_len_at, whole - self.ip_len_from);
        if self.udp_len_at != 0 {
            self.put(self.udp_len_at, whole - self.l4);
        }
        Ok(())
    }

    /// Sums of the IPv4 header and of what the transport checksum covers; random fields count as zero, they enter the sums
    /// in the kernel.
    fn constant_sums(&self, frame: &Frame) -> (u32, u32) {
        let mut bytes = self.bytes.clone();
        for field in &self.fields {
            let at = usize::from(field.offset);
            bytes[at..at + usize::from(field.width)].fill(0);
        }
        let ip_sum = if frame.is_v4() { internet::add(0, &bytes[ETHERNET..ETHERNET + 20]) } else { 0 };
        if self.l4_sum_at == 0 {
            return (ip_sum, 0);
        }
        let mut l4_sum = internet::add(0, &bytes[self.l4..]);
        if frame.pseudo_header() != 0 {
            let addresses = if frame.is_v4() { ETHERNET + 12..ETHERNET + 20 } else { ETHERNET + 8..ETHERNET + 40 };
            l4_sum = internet::add(l4_sum, &bytes[addresses]);
            l4_sum += u32::from(frame.next_header()) + (bytes.len() - self.l4) as u32;
        }
        (ip_sum, internet::fold(l4_sum))
    }

    /// Packs it all for the kernel.
    fn pack(mut self, frame: &Frame, ip_sum: u32, l4_sum: u32) -> Template {
        let zeros = &frame.payload.zeros;
        let trims = zeros.start() != zeros.end();
        let udp = self.udp_len_at != 0;
        let lengths_in_l4 = u8::from(frame.pseudo_header() != 0) + u8::from(udp);
        let mut plan = Plan {
            ifindex: 0,
            kind: 0,
            words: ((self.headers - HEADER_START) / 4) as u32,
            fields_used: self.fields.len() as u32,
            ip_sum,
            l4_sum,
            ip_sum_at: self.ip_sum_at as u16,
            l4_sum_at: self.l4_sum_at as u16,
            ip_len_at: self.ip_len_at as u16,
            udp_len_at: self.udp_len_at as u16,
            ip_len: (self.bytes.len() - self.ip_len_from) as u16,
            udp_len: (self.bytes.len() - self.l4) as u16,
            trim_span: if trims { zeros.end() - zeros.start() + 1 } else { 0 },
            trim_l4_sums: lengths_in_l4,
            trim_ip_sum: u8::from(frame.is_v4()),
            first: [self.bytes[0], self.bytes[1]],
            reserved: 0,
            header: [0; HEADER_WORDS],
            reserved2: 0,
            fields: [Field::default(); MAX_FIELDS],
        };
        // Ethernet pads short frames; what is cut off the tail of such a one is padding as well as payload.
        self.bytes.resize(self.bytes.len().max(SHORTEST_FRAME), 0);
        let words = self.bytes[HEADER_START..self.headers.min(HEADER_BYTES)].chunks_exact(4);
        for (word, bytes) in plan.header.iter_mut().zip(words) {
            *word = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        for (slot, field) in plan.fields.iter_mut().zip(&self.fields) {
            *slot = *field;
        }
        Template { bytes: self.bytes, plan }
    }
}

/// A field, not placed yet.
fn field(what: &'static str, width: u8, first: u64, count: u64) -> Result<Field, FrameError> {
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
