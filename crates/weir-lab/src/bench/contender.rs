//! What takes part in the floods: Weir, and everything that it stands beside.

use std::any::Any;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result};
use weir_abi::Reason;
use weir_datapath::traffic::{Bare, LabInterface, SeedLike, SeedSettings, Stub, Variant, XdpFilter};

use super::lists::Parsed;
use super::node::Node;
use super::settings::{Compiled, Setting};
use super::stage::RECEIVER;

/// Something that packets can be sent at.
pub trait Contender {
    /// Puts it in the packets' way until the result is dropped.
    fn stand(&mut self) -> Result<Box<dyn Any>>;

    /// What to say of its runs.
    fn note(&self) -> String {
        String::new()
    }
}

fn receiver() -> Result<LabInterface> {
    Ok(LabInterface::open(RECEIVER)?)
}

/// `XDP_DROP` and a counter.
impl Contender for Bare {
    fn stand(&mut self) -> Result<Box<dyn Any>> {
        Ok(Box::new(self.attach(&receiver()?)?))
    }
}

/// `XDP_PASS`.
impl Contender for Stub {
    fn stand(&mut self) -> Result<Box<dyn Any>> {
        Ok(Box::new(self.attach(&receiver()?)?))
    }
}

/// The naive per-source program.
pub struct Seed(SeedLike);

impl Seed {
    /// With a list in its trie, at its middle threshold; what it would pass it drops.
    pub fn with_list(list: &[Parsed]) -> Result<Seed> {
        let mut seed = SeedLike::load(SeedSettings { drop_passed: true, ..SeedSettings::default() })?;
        let v4 = list.iter().filter_map(|(address, len)| match address {
            std::net::IpAddr::V4(v4) => Some((*v4, *len)),
            std::net::IpAddr::V6(_) => None,
        });
        seed.deny(v4)?;
        Ok(Seed(seed))
    }

    /// The program.
    pub fn program(&mut self) -> &mut SeedLike {
        &mut self.0
    }
}

impl Contender for Seed {
    fn stand(&mut self) -> Result<Box<dyn Any>> {
        Ok(Box::new(self.0.attach(&receiver()?)?))
    }
}

impl Contender for XdpFilter {
    fn stand(&mut self) -> Result<Box<dyn Any>> {
        Ok(Box::new(self.attach(&receiver()?)?))
    }
}

/// Loads one of xdp-filter's objects, each with maps of its own.
pub fn xdp_filter(variant: Variant, pins: &Path) -> Result<XdpFilter> {
    let path = variant.find().with_context(|| {
        format!("{}.o of xdp-tools is not there; `cargo xtask setup` installs xdp-tools", variant.name())
    })?;
    Ok(XdpFilter::load(variant, &path, &pins.join(variant.name()))?)
}

/// Weir, and how much of it.
pub struct Weir {
    node: Rc<RefCell<Node>>,
    setting: Setting,
    compiled: Compiled,
    before: Vec<(Reason, u64)>,
}

impl Weir {
    /// A node that others may use as well, with a setting.
    pub fn new(node: &Rc<RefCell<Node>>, setting: Setting) -> Result<Weir> {
        let before = node.borrow().outcomes();
        Ok(Weir { node: Rc::clone(node), setting, compiled: setting.compile()?, before })
    }
}

impl Contender for Weir {
    fn stand(&mut self) -> Result<Box<dyn Any>> {
        let mut node = self.node.borrow_mut();
        node.set(&self.setting, &self.compiled)?;
        self.before = node.outcomes();
        Ok(Box::new(node.attach()?))
    }

    fn note(&self) -> String {
        self.node.borrow().shares(&self.before)
    }
}

/// One thing behind another: both stand.
pub struct Behind<A, B>(pub A, pub B);

impl<A: Contender, B: Contender> Contender for Behind<A, B> {
    fn stand(&mut self) -> Result<Box<dyn Any>> {
        Ok(Box::new((self.0.stand()?, self.1.stand()?)))
    }

    fn note(&self) -> String {
        self.0.note()
    }
}

/// A contender of several races.
impl<C: Contender> Contender for Rc<RefCell<C>> {
    fn stand(&mut self) -> Result<Box<dyn Any>> {
        self.borrow_mut().stand()
    }

    fn note(&self) -> String {
        self.borrow().note()
    }
}
