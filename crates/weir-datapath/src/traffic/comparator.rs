//! What the bench measures Weir against: the bare drop, and the naive per-source design.

use std::net::Ipv4Addr;
use std::time::Duration;

use aya::maps::{LpmTrie, MapData, lpm_trie::Key};

use super::abi::SeedConfig;
use super::object::Object;
use super::path::Attached;
use super::{Error, LabInterface};

/// Frames that a comparator passed and dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Passed.
    pub passed: u64,
    /// Dropped.
    pub dropped: u64,
}

/// `XDP_DROP` and a counter: the cheapest way to get rid of a packet.
pub struct Bare(Object);

impl Bare {
    /// Loads the program.
    pub fn load() -> Result<Bare, Error> {
        Ok(Bare(Object::load()?))
    }

    /// Attaches it.
    pub fn attach(&mut self, interface: &LabInterface) -> Result<Attached, Error> {
        self.0.attach("bare", interface)
    }

    /// What it dropped so far.
    pub fn tally(&self) -> Result<Tally, Error> {
        Ok(Tally { passed: 0, dropped: self.0.sum("DROPPED", 0)? })
    }

    /// Average time for one frame over `repeat` runs on that frame (`BPF_PROG_TEST_RUN`).
    pub fn time(&mut self, frame: &[u8], repeat: u32) -> Result<Duration, Error> {
        self.0.time("bare", frame, repeat)
    }
}

/// Settings of [`SeedLike`]; the default is the middle one of the thresholds that it is to be compared at.
#[derive(Debug, Clone, Copy)]
pub struct SeedSettings {
    /// Packets a second beyond which a source is blocked.
    pub threshold: u32,
    /// How long, in seconds.
    pub block_s: u32,
    /// Drops also what would pass, so that a bench measures the program and not the stack behind it.
    pub drop_passed: bool,
}

impl Default for SeedSettings {
    fn default() -> Self {
        SeedSettings { threshold: 1000, block_s: 60, drop_passed: false }
    }
}

/// The per-source class of defences: a trie of denied prefixes, a counter per source in an LRU map of 65,536 entries, a
/// fixed threshold, a block for a minute, the clock read for every packet.
pub struct SeedLike(Object);

impl SeedLike {
    /// Loads the program.
    pub fn load(settings: SeedSettings) -> Result<SeedLike, Error> {
        let mut object = Object::load()?;
        let SeedSettings { threshold, block_s, drop_passed } = settings;
        object.set("SEED_CONFIG", SeedConfig { threshold, block_s, drop_passed: drop_passed.into(), reserved: 0 })?;
        Ok(SeedLike(object))
    }

    /// Adds prefixes to the deny list.
    pub fn deny(&mut self, prefixes: impl IntoIterator<Item = (Ipv4Addr, u8)>) -> Result<(), Error> {
        let map = self.0.0.map_mut("SEED_DENY").ok_or(Error::Missing("SEED_DENY"))?;
        let mut trie: LpmTrie<&mut MapData, u32, u32> = map.try_into()?;
        for (address, length) in prefixes {
            trie.insert(&Key::new(u32::from(length), u32::from(address).to_be()), 1, 0)?;
        }
        Ok(())
    }

    /// Attaches it.
    pub fn attach(&mut self, interface: &LabInterface) -> Result<Attached, Error> {
        self.0.attach("seed_like", interface)
    }

    /// What it passed and dropped so far.
    pub fn tally(&self) -> Result<Tally, Error> {
        Ok(Tally { passed: self.0.sum("SEED_SEEN", 0)?, dropped: self.0.sum("SEED_SEEN", 1)? })
    }

    /// Average time for one frame over `repeat` runs on that frame (`BPF_PROG_TEST_RUN`).
    pub fn time(&mut self, frame: &[u8], repeat: u32) -> Result<Duration, Error> {
        self.0.time("seed_like", frame, repeat)
    }
}
