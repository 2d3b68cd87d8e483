//! What the lab's kernel programs and their loader (`weir-datapath`, feature `traffic`) share. The loader includes this
//! very file by path: a crate of its own would put lab code among the crates that are shipped.
//!
//! A frame is a template and a few fields drawn at random for every packet. Everything about protocols is worked out in
//! user space, where it can be tested; the kernel only copies, draws, adds up checksums and sends.

/// Four-byte words of the headers that are written anew for every packet. Frames come back to the generator through the
/// page pool as the receiver left them (hop limit counted down, MAC addresses changed), so no header may be taken for granted.
pub const HEADER_WORDS: usize = 32;
/// Where the first word stands. Every header ends at 14 (Ethernet) and a multiple of four; the two bytes before are written apart.
pub const HEADER_START: usize = 2;
/// All random fields and checksums lie below this.
pub const HEADER_BYTES: usize = HEADER_WORDS * 4;
/// The most random fields a plan has.
pub const MAX_FIELDS: usize = 12;
/// Slots of the counter of frames sent, one a kind of flood.
pub const KINDS: u32 = 16;

/// The field is covered by the IPv4 header checksum.
pub const SUM_IP: u8 = 1;
/// The field is covered by the checksum of TCP, UDP or ICMP.
pub const SUM_L4: u8 = 2;

/// A big-endian field that is drawn anew for every packet: `base + random below span`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// From the start of the frame, below [`HEADER_BYTES`].
    pub offset: u16,
    /// 1, 2 or 4 bytes.
    pub width: u8,
    /// Which checksums cover it: [`SUM_IP`], [`SUM_L4`].
    pub sums: u8,
    /// The smallest value.
    pub base: u32,
    /// How many values there are, at most 2^32.
    pub span: u64,
}

/// Bytes of metadata before each frame, which nobody reads.
pub const META: usize = 4;

/// Sixteenths of a nanosecond: the unit of the pace, fine enough for millions of packets a second.
pub const PACE_UNIT: u64 = 16;
/// A sender that was kept from sending for longer than this does not make up for it.
pub const FORGIVEN_NS: u64 = 2_000_000;

/// So many frames may leave at once, whatever the pace: the generator works in batches.
pub const AT_ONCE: u64 = 32;

/// The running state of the generator, one per CPU: the thread that sends stays on one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// State of the random numbers: the same seed gives the same flood.
    pub random: u64,
    /// Sixteenths of a nanosecond between two frames; 0 for no pace and no bounds of its own.
    pub interval: u64,
    /// When the next frame is due, in sixteenths of a nanosecond; 0 before the first.
    pub due: u64,
    /// The same for a second, slightly faster pace, which late frames keep to: a burst would overflow queues that the flood
    /// itself does not.
    pub soonest: u64,
    /// The last moment for a frame, in nanoseconds; 0 before the first.
    pub until: u64,
    /// How long after the first frame that is, in nanoseconds.
    pub time: u64,
    /// Frames that may still be sent.
    pub left: u64,
}

/// Everything the generator needs for one kind of frame.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Where the frames leave.
    pub ifindex: u32,
    /// The slot of the counter, below [`KINDS`].
    pub kind: u32,
    /// How many words of `header` the frame has.
    pub words: u32,
    /// How many of `fields` are in use.
    pub fields_used: u32,
    /// Sum of the IPv4 header without checksum and random fields.
    pub ip_sum: u32,
    /// Sum of pseudo header, transport header and payload without checksum and random fields.
    pub l4_sum: u32,
    /// Offset of the IPv4 header checksum, 0 for none.
    pub ip_sum_at: u16,
    /// Offset of the transport checksum, 0 for none.
    pub l4_sum_at: u16,
    /// Offset of the IP length field.
    pub ip_len_at: u16,
    /// Offset of the UDP length field, 0 for none.
    pub udp_len_at: u16,
    /// The IP length of the whole template.
    pub ip_len: u16,
    /// The UDP length of the whole template.
    pub udp_len: u16,
    /// Up to so many bytes less one are cut off the tail, which must be zero bytes; 0 keeps the length.
    pub trim_span: u16,
    /// How often the length enters the transport checksum: pseudo header, and once more in UDP.
    pub trim_l4_sums: u8,
    /// Whether the length enters an IPv4 header checksum.
    pub trim_ip_sum: u8,
    /// The first two bytes of the template.
    pub first: [u8; 2],
    /// No meaning; keeps the words aligned.
    pub reserved: u16,
    /// The headers from [`HEADER_START`] on, as they stand in the frame.
    pub header: [u32; HEADER_WORDS],
    /// No meaning; keeps the fields aligned.
    pub reserved2: u32,
    /// The random fields.
    pub fields: [Field; MAX_FIELDS],
}

/// The sources that the lab's stand-in filter lets through; all others are dropped.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Keep {
    /// IPv4 network, in network order.
    pub net4: u32,
    /// IPv4 mask, in network order.
    pub mask4: u32,
    /// First half of the IPv6 network, in network order.
    pub net6: u64,
    /// First half of the IPv6 mask, in network order.
    pub mask6: u64,
}

/// Settings of the `seed_like` comparator.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SeedConfig {
    /// Packets a second beyond which a source is blocked.
    pub threshold: u32,
    /// For so many seconds.
    pub block_s: u32,
    /// Drops what would pass, for benches that compare programs without the cost of the stack behind them.
    pub drop_passed: u32,
    /// No meaning; keeps the size even.
    pub reserved: u32,
}

/// State of one source in the `seed_like` comparator.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SeedSource {
    /// Start of the running second.
    pub window_ns: u64,
    /// Blocked until then; 0 for not blocked.
    pub blocked_ns: u64,
    /// Packets in the running second.
    pub packets: u64,
}

const _: () = {
    assert!(size_of::<Field>() == 16);
    assert!(size_of::<Plan>() == 48 + HEADER_BYTES + 16 * MAX_FIELDS);
    assert!(size_of::<Running>() == 56);
    assert!(size_of::<Keep>() == 24);
    assert!(size_of::<SeedSource>() == 24);
};
