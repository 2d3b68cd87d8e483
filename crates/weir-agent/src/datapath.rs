//! The seam to the kernel: what the agent asks of a packet path. Two implementations, the kernel's and one in memory.

use std::time::Duration;

use weir_abi::{Addr, Counter, FEATURE_SLOTS, Feature, Reason, Sample};
use weir_policy::diff::Diff;
use weir_policy::image::TableImage;

/// A packet path that decides and counts.
pub trait Datapath: Send {
    /// The tables in force; after a restart those of the agent before, without names.
    fn image(&self) -> &TableImage;

    /// Puts tables in force. The difference to what is in force is found and written; packets go on meanwhile.
    fn apply(&mut self, image: &TableImage) -> Result<ApplyReport, DatapathError>;

    /// Carries out a small change that was computed against [`Self::image`].
    fn patch(&mut self, change: Diff) -> Result<ApplyReport, DatapathError>;

    /// Attaches to the interfaces. Tables come first: what is attached then judges from its first packet.
    fn attach(&mut self) -> Result<(), DatapathError>;

    /// Sums over CPUs of what ever counted: target, whether it only would have happened, reason.
    fn counters(&mut self) -> Result<Vec<(u32, bool, Reason, Counter)>, DatapathError>;

    /// Packets with a feature, by target.
    fn features(&mut self) -> Result<Vec<(u32, Feature, u64)>, DatapathError>;

    /// A target's feature slots, summed over CPUs.
    fn feature_slots(&mut self, target: u32) -> [u64; FEATURE_SLOTS];

    /// What each slot of the rule tables matched.
    fn rule_counters(&mut self) -> Result<Vec<(u32, Counter)>, DatapathError>;

    /// Forgets connections in which the host has been silent for long.
    fn sweep_flows(&mut self) -> Result<(), DatapathError>;

    /// Notes sources that come to a target regularly.
    fn note_regulars(&mut self, sources: &[(u32, Addr)]) -> Result<(), DatapathError>;

    /// Chooses how challenges leave, by what was answered; says what changed.
    fn review_replies(&mut self) -> Option<&'static str>;

    /// Moves waiting samples to the end of `out`.
    fn poll_samples(&mut self, out: &mut Vec<Sample>) -> Result<(), DatapathError>;

    /// Samples that were due and did not come, ever.
    fn lost_samples(&mut self) -> Result<LostSamples, DatapathError>;

    /// One of `mask + 1` packets is sampled, of those passed and of those dropped; `u32::MAX`: none.
    fn set_sampling(&mut self, pass_mask: u32, drop_mask: u32) -> Result<(), DatapathError>;

    /// Where it is attached.
    fn attachments(&self) -> Vec<Attachment>;

    /// An interface by its index, as samples name it.
    fn interface(&self, index: u32) -> Interface;

    /// How full the maps are.
    fn maps(&self) -> Vec<MapUse>;

    /// Ticks per second of the kernel's clock for expiry times.
    fn tick_hz(&self) -> u32;

    /// That clock now.
    fn now_ticks(&mut self) -> Result<u64, DatapathError>;

    /// The clock of samples now ([`Sample::time_ns`]).
    fn now_ns(&self) -> u64;

    /// Lets the calling thread go before all ordinary ones, or be an ordinary one again.
    fn hurry(&mut self, yes: bool) -> std::io::Result<()>;

    /// Detaches and removes everything, and says what. Dropping the value instead leaves the kernel enforcing.
    fn detach(self: Box<Self>) -> Result<Vec<String>, DatapathError>;
}

/// What the kernel refused; the text names the cause and the likely fix.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DatapathError(pub String);

/// What applying tables came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApplyReport {
    /// Map elements written or removed.
    pub changes: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// Samples that were due and did not come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LostSamples {
    /// The budget of the moment was spent.
    pub over_budget: u64,
    /// The agent was behind.
    pub ring_full: u64,
}

/// How a program is attached, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// XDP in the driver.
    NativeXdp,
    /// A slot of libxdp's dispatcher.
    XdpDispatcher,
    /// Traffic control.
    Tcx,
    /// XDP behind the socket buffer, only when asked for.
    GenericXdp,
}

/// One interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name.
    pub interface: String,
    /// The hook in use.
    pub hook: Hook,
    /// Why this hook and not a better one.
    pub reason: String,
    /// Whether the program was there already, from an agent before this one.
    pub adopted: bool,
    /// Why it is not seen what the host sends there; none: it is.
    pub blind: Option<String>,
    /// Why SYNs that come there cannot be challenged; none: they can.
    pub mute: Option<String>,
    /// Other programs on the same hook, left alone.
    pub foreign: Vec<String>,
}

/// An interface that packets come in on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name; `#7` where it is gone.
    pub name: String,
    /// Whether frames start with an Ethernet header; else they start with IP.
    pub ethernet: bool,
}

/// How full a map is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapUse {
    /// Its name.
    pub name: String,
    /// Elements in use.
    pub entries: u64,
    /// Elements it can hold.
    pub capacity: u64,
}
