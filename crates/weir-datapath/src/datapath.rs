//! The whole packet path of a node: load or adopt, apply tables, attach, read, detach.

use std::path::{Path, PathBuf};

use weir_abi::Sample;
use weir_abi::challenge::reply;
use weir_policy::image::TableImage;

use crate::attach::{self, Attachment};
use crate::counters::Counters;
use crate::error::Result;
use crate::flows::Flows;
use crate::map_use::{self, MapUse};
use crate::object::{Object, Sizes};
use crate::pins::Pins;
use crate::privileges;
use crate::replies::Replies;
use crate::samples::Samples;
use crate::tables::{ApplyReport, Tables};

/// How to open a packet path.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Interfaces to protect.
    pub interfaces: Vec<String>,
    /// Directory of our pins, on a bpf filesystem.
    pub pins: PathBuf,
    /// Allow generic XDP where the driver has no native one.
    pub generic: bool,
    /// Sizes of the tables.
    pub sizes: Sizes,
}

/// A packet path. Dropping it leaves the kernel enforcing, as the death of the process does; [`Self::detach`] ends it.
pub struct Datapath {
    object: Object,
    tables: Tables,
    counters: Counters,
    flows: Flows,
    replies: Replies,
    samples: Samples,
    options: OpenOptions,
    pins: Pins,
    attachments: Vec<Attachment>,
    adopted: bool,
    /// The maps are to take the place of others when all links are switched over.
    upgrade: bool,
}

impl Datapath {
    /// Loads the programs. Maps pinned by an agent before this one are adopted with all they hold, if their layout and sizes
    /// are ours; else fresh ones are made beside them, and the old ones go when [`Self::attach`] has switched the links over.
    pub fn open(options: OpenOptions) -> Result<Self> {
        privileges::check()?;
        let pins = Pins::open(&options.pins)?;
        let maps = pins.maps(&options.sizes)?;
        let mut object = Object::load(&options.sizes, Some(&maps.dir))?;
        let mut tables = Tables::new(&object, &options.sizes, TableImage::empty())?;
        if maps.adopted {
            tables.read_back()?;
        } else {
            tables.initialise()?;
        }
        let counters = Counters::new(&object, &options.sizes)?;
        let flows = Flows::new(&object, &options.sizes)?;
        let replies = Replies::default();
        let samples = Samples::new(object.take_samples()?);
        let (adopted, upgrade) = (maps.adopted, maps.upgrade);
        Ok(Self {
            object,
            tables,
            counters,
            flows,
            replies,
            samples,
            options,
            pins,
            attachments: Vec::new(),
            adopted,
            upgrade,
        })
    }

    /// Whether pinned tables were adopted.
    pub fn adopted(&self) -> bool {
        self.adopted
    }

    /// Puts tables in force.
    pub fn apply(&mut self, image: &TableImage) -> Result<ApplyReport> {
        self.tables.apply(image)
    }

    /// Carries out a small change, see [`Tables::patch`].
    pub fn patch(&mut self, change: weir_policy::Diff) -> Result<ApplyReport> {
        self.tables.patch(change)
    }

    /// Attaches to all interfaces. Apply tables first: what is attached then enforces from its first packet.
    ///
    /// Links of ours on interfaces that are no longer asked for are detached.
    pub fn attach(&mut self) -> Result<&[Attachment]> {
        let links = self.pins.links();
        let (mut done, mut kept) = (Vec::new(), Vec::new());
        for interface in &self.options.interfaces {
            let (attachment, pins) = attach::attach(&mut self.object, &links, interface, self.options.generic)?;
            done.push(attachment);
            kept.extend(pins);
        }
        // A connection that leaves where nobody looks would be taken for a stranger's.
        let sees = done.iter().all(|attachment| attachment.blind.is_none());
        let way = Replies::first(&done, self.tables.config().reply);
        self.replies.begin(&self.counters, self.options.sizes.targets);
        self.tables.configure(|c| {
            c.connections = sees.into();
            c.reply = way;
        });
        self.attachments = done;
        for link in attach::release_others(&links, &kept)? {
            tracing::info!(link, "detached: its interface is no longer asked for");
        }
        if self.upgrade {
            self.pins.upgraded()?;
            self.upgrade = false;
        }
        Ok(&self.attachments)
    }

    /// Where it is attached.
    pub fn attachments(&self) -> &[Attachment] {
        &self.attachments
    }

    /// The tables.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The counters.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How full the maps are, and the memory they take.
    pub fn map_use(&self) -> Result<Vec<MapUse>> {
        map_use::of(&self.object, self.tables.image())
    }

    /// Forgets connections in which the host has been silent for long; says how many are known. To be called every minute at least.
    pub fn sweep_flows(&mut self) -> Result<u64> {
        let now = self.object.tick()?;
        Ok(self.flows.sweep(now))
    }

    /// Moves waiting samples to the end of `out`.
    pub fn drain_samples(&mut self, out: &mut Vec<Sample>) {
        self.samples.drain(out);
    }

    /// One of `mask + 1` packets of a kind is sampled; `u32::MAX`: none.
    pub fn set_sampling(&self, pass_mask: u32, drop_mask: u32) {
        self.tables.configure(|c| {
            c.sample_pass_mask = pass_mask;
            c.sample_drop_mask = drop_mask;
        });
    }

    /// Notes that a source comes to a target regularly: its line and its mark (`weir_core::regulars::place`), and the age of marks now.
    pub fn note_regular(&self, line: u32, mark: u32, age: u32) {
        self.flows.note_regular(line, mark, age);
    }

    /// Looks at what was answered to challenges, and chooses how they leave; to be called every second or so. Says what changed.
    pub fn review_replies(&mut self) -> Option<&'static str> {
        let way = self.replies.review(self.tables.config().reply, &self.counters, self.options.sizes.targets)?;
        self.tables.configure(|c| c.reply = way);
        Some(if way == reply::TRANSMIT {
            "challenges that XDP sends itself are answered: nearly all leave so from now on"
        } else {
            "challenges that XDP sends itself are not answered: all leave through the stack from now on"
        })
    }

    /// The kernel's tick now.
    pub fn now_ticks(&mut self) -> Result<u64> {
        self.object.tick()
    }

    /// Detaches and removes everything of ours; says what. See [`detach`].
    pub fn detach(self) -> Result<Vec<String>> {
        let pins = self.options.pins.clone();
        drop(self);
        detach(&pins)
    }
}

/// Detaches every link pinned under a directory and removes the pins, with or without an agent running.
pub fn detach(pins: &Path) -> Result<Vec<String>> {
    let pins = Pins::named(pins);
    let mut gone = attach::detach_all(&pins.links())?;
    gone.extend(pins.remove()?);
    Ok(gone)
}
