//! Counters per (CPU, target, reason), and the feature counters that detection reads.

/// Reason slots per target; more than there are reasons, so that the list can grow without a new layout.
pub const REASON_SLOTS: usize = 96;

/// Counter slots per target: one per reason for what happened, one per reason for what would have (observe mode).
pub const COUNTER_SLOTS: usize = 2 * REASON_SLOTS;

/// Feature slots per target.
pub const FEATURE_SLOTS: usize = 64;

/// Packets and bytes (whole frames, link header included).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// Packets.
    pub packets: u64,
    /// Bytes of whole frames.
    pub bytes: u64,
}

const _: () = assert!(size_of::<Counter>() == 16);

/// Facts that are counted and never judged here: the detectors' raw material. Each packet raises exactly one slot below [`FACTS`]
/// ([`feature_slot`]) of its target, or of the node (target 0) where the target's list denies its source; a feature is a sum of slots, so that counting costs one increment whatever the number of facts.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// TCP SYN without ACK.
    Syn = 0,
    /// … without any TCP option.
    SynNoOptions = 1,
    /// … that carries data.
    SynWithData = 2,
    /// … whose sequence number's low 16 bits are zero.
    SynSeqLowZero = 3,
    /// … with window zero.
    SynWindowZero = 4,
    /// TCP SYN with ACK.
    SynAck = 5,
    /// TCP RST.
    Rst = 6,
    /// TCP FIN.
    Fin = 7,
    /// TCP, any other.
    TcpOther = 8,
    /// UDP.
    Udp = 9,
    /// UDP from a port that reflection attacks use.
    UdpReflection = 10,
    /// ICMP or ICMPv6.
    Icmp = 11,
    /// First or later fragments.
    Fragment = 12,
    /// Frames below 100 bytes, TCP SYNs not counted.
    Small = 13,
    /// Other IP protocols, and later fragments.
    OtherProtocol = 14,
    /// Packets that the target sent.
    Sent = 15,
    /// SYN-ACKs among them.
    SynAckSent = 16,
    /// RSTs among them.
    RstSent = 17,
    /// Questions among them: SYNs, and UDP to a port that reflection attacks use.
    Asked = 18,
    /// Handshakes that a client completed.
    Completed = 19,
    /// TCP packets that came in a known flow.
    KnownFlow = 20,
    /// TCP packets, no SYNs, that came in none.
    UnknownFlow = 21,
    /// UDP from a port that reflection attacks use that answers a question.
    Answered = 22,
    /// Handshakes among the completed ones for which the client took longer than a tenth of a second.
    CompletedLate = 23,
    /// Connections in which the client began to wait for the host: it said something after the host had. Those that it has just begun
    /// ([`Feature::Completed`]) wait as well and are not counted here.
    WaitBegun = 24,
    /// Those in which it does not any more: the host said something, or either of them ended it.
    WaitEnded = 25,
    /// Those among the waiting ones that were given a few bytes more [`crate::flow::SLOW_UNITS`] after the question or later, and again each time
    /// that [`crate::flow::FED_UNITS`] have passed since.
    WaitFed = 26,
    /// SYNs of sources that kept too many of those waiting ([`crate::Reason::Dawdler`]).
    Dawdler = 27,
    /// Those among the fed ones whose source had fed as many already as each may ([`crate::policy::feed`]).
    WaitFedBeyond = 28,
}

/// Kinds of packets in the slots behind the SYN ones.
pub mod kind {
    /// SYN with ACK.
    pub const SYN_ACK: u8 = 0;
    /// RST.
    pub const RST: u8 = 1;
    /// FIN.
    pub const FIN: u8 = 2;
    /// Other TCP.
    pub const TCP: u8 = 3;
    /// UDP.
    pub const UDP: u8 = 4;
    /// UDP from a reflection port.
    pub const UDP_REFLECTION: u8 = 5;
    /// ICMP, ICMPv6.
    pub const ICMP: u8 = 6;
    /// Everything else, later fragments among it.
    pub const OTHER: u8 = 7;
}

/// Facts of a SYN, the low four bits of its slot.
pub mod syn_fact {
    /// No TCP option.
    pub const NO_OPTIONS: u8 = 1;
    /// Carries data.
    pub const WITH_DATA: u8 = 2;
    /// Low 16 bits of the sequence number are zero.
    pub const SEQ_LOW_ZERO: u8 = 4;
    /// Window zero.
    pub const WINDOW_ZERO: u8 = 8;
}

/// Slot of a SYN with these [`syn_fact`]s.
#[inline(always)]
pub const fn syn_slot(facts: u8) -> u8 {
    facts & 15
}

/// Slot of any other packet: its [`kind`], whether it is below 100 bytes, whether it is a fragment.
#[inline(always)]
pub const fn feature_slot(kind: u8, small: bool, fragment: bool) -> u8 {
    16 + (kind & 7) * 4 + small as u8 + 2 * fragment as u8
}

/// Slots from here on are facts beside the packets that came: a packet may raise one of these as well as its own.
pub const FACTS: u8 = 48;

/// Slots of the facts about connections.
pub mod fact {
    use super::{FACTS, Feature};

    const fn slot(feature: Feature) -> u8 {
        FACTS + feature as u8 - Feature::Sent as u8
    }

    /// [`Feature::Sent`].
    pub const SENT: u8 = slot(Feature::Sent);
    /// [`Feature::SynAckSent`].
    pub const SYN_ACK_SENT: u8 = slot(Feature::SynAckSent);
    /// [`Feature::RstSent`].
    pub const RST_SENT: u8 = slot(Feature::RstSent);
    /// [`Feature::Asked`].
    pub const ASKED: u8 = slot(Feature::Asked);
    /// [`Feature::Completed`].
    pub const COMPLETED: u8 = slot(Feature::Completed);
    /// [`Feature::KnownFlow`].
    pub const KNOWN: u8 = slot(Feature::KnownFlow);
    /// [`Feature::UnknownFlow`].
    pub const UNKNOWN: u8 = slot(Feature::UnknownFlow);
    /// [`Feature::Answered`].
    pub const ANSWERED: u8 = slot(Feature::Answered);
    /// [`Feature::CompletedLate`].
    pub const LATE: u8 = slot(Feature::CompletedLate);
    /// [`Feature::WaitBegun`].
    pub const WAIT_BEGUN: u8 = slot(Feature::WaitBegun);
    /// [`Feature::WaitEnded`].
    pub const WAIT_ENDED: u8 = slot(Feature::WaitEnded);
    /// [`Feature::WaitFed`].
    pub const WAIT_FED: u8 = slot(Feature::WaitFed);
    /// [`Feature::Dawdler`].
    pub const DAWDLER: u8 = slot(Feature::Dawdler);
    /// [`Feature::WaitFedBeyond`].
    pub const WAIT_FED_BEYOND: u8 = slot(Feature::WaitFedBeyond);
}

impl Feature {
    /// Every feature, in the order of their numbers.
    pub const ALL: [Feature; 29] = [
        Feature::Syn,
        Feature::SynNoOptions,
        Feature::SynWithData,
        Feature::SynSeqLowZero,
        Feature::SynWindowZero,
        Feature::SynAck,
        Feature::Rst,
        Feature::Fin,
        Feature::TcpOther,
        Feature::Udp,
        Feature::UdpReflection,
        Feature::Icmp,
        Feature::Fragment,
        Feature::Small,
        Feature::OtherProtocol,
        Feature::Sent,
        Feature::SynAckSent,
        Feature::RstSent,
        Feature::Asked,
        Feature::Completed,
        Feature::KnownFlow,
        Feature::UnknownFlow,
        Feature::Answered,
        Feature::CompletedLate,
        Feature::WaitBegun,
        Feature::WaitEnded,
        Feature::WaitFed,
        Feature::Dawdler,
        Feature::WaitFedBeyond,
    ];

    /// The slot of a fact about connections; none for a feature of packets that came.
    pub const fn fact(self) -> Option<u8> {
        let number = self as u8;
        let first = Feature::Sent as u8;
        if number >= first { Some(FACTS + number - first) } else { None }
    }

    /// The feature's count from a target's slots.
    pub fn sum(self, row: &[u64; FEATURE_SLOTS]) -> u64 {
        sum_of(row, SLOTS[self as usize])
    }

    /// Whether packets of this slot have the feature.
    pub const fn has(self, slot: u8) -> bool {
        let syn = slot < 16;
        if let Some(fact) = self.fact() {
            return slot == fact;
        }
        if slot >= FACTS {
            return false;
        }
        let kind = if syn { 255 } else { (slot - 16) / 4 };
        match self {
            Feature::Syn => syn,
            Feature::SynNoOptions => syn && slot & syn_fact::NO_OPTIONS != 0,
            Feature::SynWithData => syn && slot & syn_fact::WITH_DATA != 0,
            Feature::SynSeqLowZero => syn && slot & syn_fact::SEQ_LOW_ZERO != 0,
            Feature::SynWindowZero => syn && slot & syn_fact::WINDOW_ZERO != 0,
            Feature::SynAck => kind == kind::SYN_ACK,
            Feature::Rst => kind == kind::RST,
            Feature::Fin => kind == kind::FIN,
            Feature::TcpOther => kind == kind::TCP,
            Feature::Udp => kind == kind::UDP || kind == kind::UDP_REFLECTION,
            Feature::UdpReflection => kind == kind::UDP_REFLECTION,
            Feature::Icmp => kind == kind::ICMP,
            Feature::Fragment => !syn && slot & 2 != 0,
            Feature::Small => !syn && slot & 1 != 0,
            Feature::OtherProtocol => kind == kind::OTHER,
            _ => false,
        }
    }

    /// The word used as metric label and in JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Feature::Syn => "syn",
            Feature::SynNoOptions => "syn_no_options",
            Feature::SynWithData => "syn_with_data",
            Feature::SynSeqLowZero => "syn_seq_low_zero",
            Feature::SynWindowZero => "syn_window_zero",
            Feature::SynAck => "syn_ack",
            Feature::Rst => "rst",
            Feature::Fin => "fin",
            Feature::TcpOther => "tcp_other",
            Feature::Udp => "udp",
            Feature::UdpReflection => "udp_reflection",
            Feature::Icmp => "icmp",
            Feature::Fragment => "fragment",
            Feature::Small => "small",
            Feature::OtherProtocol => "other_protocol",
            Feature::Sent => "sent",
            Feature::SynAckSent => "syn_ack_sent",
            Feature::RstSent => "rst_sent",
            Feature::Asked => "asked",
            Feature::Completed => "handshakes_completed",
            Feature::KnownFlow => "tcp_known_flow",
            Feature::UnknownFlow => "tcp_unknown_flow",
            Feature::Answered => "answered",
            Feature::CompletedLate => "handshakes_completed_late",
            Feature::WaitBegun => "waits_begun",
            Feature::WaitEnded => "waits_ended",
            Feature::WaitFed => "waits_fed",
            Feature::Dawdler => "dawdlers_refused",
            Feature::WaitFedBeyond => "waits_fed_beyond",
        }
    }
}

/// The sum of a target's slots, of those whose bits are set.
pub fn sum_of(row: &[u64; FEATURE_SLOTS], slots: u64) -> u64 {
    let (mut left, mut total) = (slots, 0u64);
    while left != 0 {
        total = total.wrapping_add(row[left.trailing_zeros() as usize]);
        left &= left - 1;
    }
    total
}

/// Each feature's slots, a bit each: a sum is asked for some dozen times for each target in each window.
const SLOTS: [u64; Feature::ALL.len()] = {
    let mut all = [0; Feature::ALL.len()];
    let mut number = 0;
    while number < all.len() {
        let mut slot = 0;
        while slot < FEATURE_SLOTS as u8 {
            all[number] |= (Feature::ALL[number].has(slot) as u64) << slot;
            slot += 1;
        }
        number += 1;
    }
    all
};

/// Index of a counter in the flat array: CPUs outermost, so that no two CPUs write one cache line.
#[inline(always)]
pub const fn counter_index(cpu: u32, targets: u32, target: u32, would: bool, reason: u8) -> u32 {
    (cpu * targets + target) * COUNTER_SLOTS as u32 + counter_slot(would, reason) as u32
}

/// Index of a counter among its target's.
#[inline(always)]
pub const fn counter_slot(would: bool, reason: u8) -> usize {
    if would { REASON_SLOTS + reason as usize } else { reason as usize }
}

/// Index of a target's first feature in the flat array of features.
#[inline(always)]
pub const fn feature_index(cpu: u32, targets: u32, target: u32, feature: u8) -> u32 {
    (cpu * targets + target) * FEATURE_SLOTS as u32 + feature as u32
}
