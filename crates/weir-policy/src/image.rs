//! The tables of the packet path as plain data: what `compile` makes, `diff` compares, the kernel and the simulator load.
//!
//! Maps are vectors sorted by key: they are built from sorted input, compared by merging, and equal inputs give equal bytes.

use weir_abi::{Lengths6, Part4, PrefixEntry, PrefixKey, RuleTables, TargetKey, TargetPolicy};

/// Node and target lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListImage {
    /// Two bits per IPv4 /24: [`weir_abi::prefix::SLOTS4_WORDS`] words.
    pub slots4: Vec<u64>,
    /// Partly listed /24s by their number (address >> 8).
    pub parts4: Vec<(u32, Part4)>,
    /// Two bits per IPv6 /27: [`weir_abi::prefix::SLOTS6_WORDS`] words.
    pub slots6: Vec<u64>,
    /// Prefix lengths present, per IPv6 slot and per scoped list.
    pub lengths: Vec<(u32, Lengths6)>,
    /// Exact prefixes: all of IPv6, IPv4 with an expiry, scoped lists.
    pub prefixes: Vec<(PrefixKey, PrefixEntry)>,
    /// Lengths (0 to 23) of timed IPv4 entries shorter than /24.
    pub wide_lens4: u32,
}

/// Everything the packet path reads, apart from its own state and counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableImage {
    /// Allow and deny lists.
    pub lists: ListImage,
    /// Failsafe ports, [`weir_abi::config::FAILSAFE_WORDS`] words: TCP ports, then UDP ports.
    pub failsafe: Vec<u64>,
    /// Which address, port and protocol belongs to which target.
    pub targets: Vec<(TargetKey, u32)>,
    /// Policies by target id; id 0 is the node and asks for nothing.
    pub policies: Vec<TargetPolicy>,
    /// Match rules.
    pub rules: Box<RuleTables>,
    /// Bits of [`weir_abi::config::node_flag`].
    pub node_flags: u32,
    /// Names for people.
    pub names: Names,
}

/// What ids in counters and samples are called. A recompile keeps them for what keeps its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Target names by id.
    pub targets: Vec<String>,
    /// Names of rules and list entries, sorted by their identity.
    pub rules: Vec<(u32, String)>,
    /// The sets that make up each of the targets' own lists, sorted by list.
    pub lists: Vec<(u16, Vec<String>)>,
}

impl Names {
    /// The name of a rule or of what a list entry came from.
    pub fn rule(&self, id: u32) -> Option<&str> {
        let at = self.rules.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(&self.rules[at].1)
    }

    /// The name of a target; none for an id that is not in use.
    pub fn target(&self, id: u32) -> Option<&str> {
        self.targets.get(id as usize).map(String::as_str).filter(|name| !name.is_empty())
    }
}

impl TableImage {
    /// An image that lists, protects and limits nothing: what freshly made maps hold.
    pub fn empty() -> Self {
        use weir_abi::config::FAILSAFE_WORDS;
        use weir_abi::prefix::{SLOTS4_WORDS, SLOTS6_WORDS};
        Self {
            lists: ListImage {
                slots4: vec![0; SLOTS4_WORDS as usize],
                parts4: Vec::new(),
                slots6: vec![0; SLOTS6_WORDS as usize],
                lengths: Vec::new(),
                prefixes: Vec::new(),
                wide_lens4: 0,
            },
            failsafe: vec![0; FAILSAFE_WORDS as usize],
            targets: Vec::new(),
            policies: Vec::new(),
            rules: crate::rules::tables::empty(),
            node_flags: 0,
            names: Names::default(),
        }
    }
}
