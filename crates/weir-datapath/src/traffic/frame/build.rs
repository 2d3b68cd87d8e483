//! Lays out the frame once, notes which fields are random, and sums up all the rest for the checksums.

use super::*;

mod headers;

const ETHERNET: usize = 14;
const SHORTEST_FRAME: usize = 60;
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
        headers::field("the hop limit", 1, low, high - low + 1)
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
