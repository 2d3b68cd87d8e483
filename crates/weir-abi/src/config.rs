//! The configuration block: one array element that user space writes field by field and the packet path reads.

/// Flags of the node.
pub mod node_flag {
    /// Node-wide reasons (malformed, deny list, blocks) drop; without it they are counted as would-drops.
    pub const ENFORCE: u32 = 1 << 0;
    /// The IPv4 node list has entries.
    pub const LIST4: u32 = 1 << 1;
    /// The IPv6 node list has entries.
    pub const LIST6: u32 = 1 << 2;
    /// There are targets.
    pub const TARGETS: u32 = 1 << 3;
    /// There are failsafe ports.
    pub const FAILSAFE: u32 = 1 << 4;
    /// Look into VXLAN, Geneve, IPIP, 6in4: the inner packet is judged.
    pub const TUNNELS: u32 = 1 << 5;
    /// Frames have no link header (tun devices, raw captures).
    pub const NO_LINK: u32 = 1 << 6;
    /// Malformed packets are dropped (with [`ENFORCE`]). Without it they are counted as would-drops and passed: the stack behind
    /// refuses them anyway, and captures of honest networks hold some.
    pub const MALFORMED: u32 = 1 << 7;
}

/// The one element of the configuration map. Every field is written alone, in one store. What every packet asks stands first. Its size is a
/// power of two, because finding it is a multiplication else.
#[repr(C, align(256))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// [`crate::ABI_VERSION`] of the writer.
    pub abi: u32,
    /// Bits of [`node_flag`].
    pub flags: u32,
    /// Which copy of the target policies counts, 0 or 1.
    pub policy_copy: u32,
    /// Which copy of the rule tables counts, 0 or 1.
    pub rules_copy: u32,
    /// Raised after every change of the target map, of policies and of the details of /24s: what CPUs remember of them no longer counts.
    pub generation: u32,
    /// Targets per copy (size of the policy table and of the counters).
    pub targets: u32,
    /// Source lines minus one (a power of two).
    pub source_mask: u32,
    /// Bit `len` is set where the exact map holds timed IPv4 entries shorter than /24.
    pub wide_lens4: u32,
    /// Hash seeds, random at every boot: a collision cannot be computed from outside.
    pub seed: [u64; 2],
    /// Always 0, which the verifier cannot know: what is XORed with it is the same number, and nothing is known of it.
    pub zero: u64,
    /// Passed packets between two samples minus one (a power of two minus one); `u32::MAX`: none.
    pub sample_pass_mask: u32,
    /// The same for dropped packets.
    pub sample_drop_mask: u32,
    /// Bit `port & 63` is set where a TCP port of that remainder is a failsafe port, and in the second word for UDP: nearly every
    /// packet is spared the look at the bitmap.
    pub failsafe: [u64; 2],
    /// Not zero: what the host sends is seen as well, so that connections are known.
    pub connections: u32,
    /// How replies to challenged SYNs leave, see [`crate::challenge::reply`].
    pub reply: u32,
    /// Lines of known flows minus one (a power of two).
    pub flow_mask: u32,
    /// Pending handshakes minus one (a power of two).
    pub pending_mask: u32,
    /// Key of the challenges' cookies, random at every boot.
    pub secret: [u64; 2],
    /// Lines of proven sources minus one (a power of two).
    pub proven_mask: u32,
    /// Slots of challenged SYNs that may come again, minus one (a power of two).
    pub retry_mask: u32,
    /// The same SYN counts as sent again after so many ticks …
    pub retry_least: u32,
    /// … and up to so many.
    pub retry_most: u32,
    /// A handshake that completes more than so many ticks after the host's answer is late.
    pub prompt: u32,
    /// Fragment slots minus one (a power of two).
    pub fragment_mask: u32,
    /// Where the fragment time-out lies, in coarse ticks.
    pub fragment_timeout: u32,
    /// Samples a CPU may take within one tick.
    pub samples_per_tick: u32,
    /// CPUs in the counter arrays.
    pub cpus: u32,
}

const _: () = assert!(size_of::<Config>() == 256);

/// Words of the failsafe bitmap: 65,536 TCP ports, then as many UDP ports.
pub const FAILSAFE_WORDS: u32 = 2048;

/// Which half of the failsafe bitmap a word is in: 0 for TCP, 1 for UDP.
pub const fn failsafe_half(word: usize) -> usize {
    (word >= FAILSAFE_WORDS as usize / 2) as usize
}

/// The remainders of the failsafe ports in a bitmap: [`Config::failsafe`].
pub fn failsafe_remainders(words: impl Iterator<Item = u64>) -> [u64; 2] {
    let mut all = [0; 2];
    words.enumerate().for_each(|(i, word)| all[failsafe_half(i)] |= word);
    all
}

#[cfg(test)]
mod tests {
    //! The short form of the failsafe bitmap.
    use super::{FAILSAFE_WORDS, failsafe_remainders};

    #[test]
    fn a_port_is_told_by_its_remainder_and_its_protocol() {
        let half = FAILSAFE_WORDS as usize / 2;
        let mut words = [0u64; FAILSAFE_WORDS as usize];
        words[0] |= 1 << 22;
        words[1] |= 1 << 22;
        words[half - 1] |= 1 << 63;
        words[half] |= 1;
        assert_eq!(failsafe_remainders(words.into_iter()), [1 << 22 | 1 << 63, 1]);
        assert_eq!(failsafe_remainders([0; FAILSAFE_WORDS as usize].into_iter()), [0, 0]);
    }
}
