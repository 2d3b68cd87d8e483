//! The programs of the lab's path: the stub that opens a veth's queue, the router's fast lane, the stand-in filter.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use aya::programs::xdp::XdpLink;

use super::abi::Keep;
use super::object::Object;
use super::{Error, LabInterface};

/// A program on an interface; it is taken off when this is dropped, or by the kernel when the process dies.
pub struct Attached(#[expect(dead_code, reason = "held for its Drop")] XdpLink);

impl Attached {
    pub(super) fn new(link: XdpLink) -> Attached {
        Attached(link)
    }
}

/// A program that passes everything. A veth end takes frames that are redirected into it only while a program runs on the
/// other end; without one they vanish without a trace.
pub struct Stub(Object);

impl Stub {
    /// Loads the program.
    pub fn load() -> Result<Stub, Error> {
        Ok(Stub(Object::load()?))
    }

    /// Attaches it.
    pub fn attach(&mut self, interface: &LabInterface) -> Result<Attached, Error> {
        self.0.attach("stub", interface)
    }

    /// Attaches the one that also swallows what goes to addresses that floods forge.
    pub fn attach_world(&mut self, interface: &LabInterface) -> Result<Attached, Error> {
        self.0.attach("world", interface)
    }

    /// Average time for one frame over `repeat` runs on that frame (`BPF_PROG_TEST_RUN`). The program does nothing, so this
    /// is the method's own floor.
    pub fn time(&mut self, frame: &[u8], repeat: u32) -> Result<Duration, Error> {
        self.0.time("stub", frame, repeat)
    }
}

/// A program that sends every frame on to another interface.
pub struct Forwarder(Object);

impl Forwarder {
    /// Loads the program and aims it.
    pub fn load(to: &LabInterface) -> Result<Forwarder, Error> {
        let mut object = Object::load()?;
        object.set("FORWARD_TO", to.index())?;
        Ok(Forwarder(object))
    }

    /// Attaches it.
    pub fn attach(&mut self, interface: &LabInterface) -> Result<Attached, Error> {
        self.0.attach("forward", interface)
    }

    /// Frames sent on so far.
    pub fn forwarded(&self) -> Result<u64, Error> {
        self.0.sum("FORWARDED", 0)
    }
}

/// A filter that knows the customers' networks and drops everybody else: the best that any defence could do, and what the
/// lab's own tests use to show that the service recovers when the flood is dropped early.
pub struct StandIn(Object);

impl StandIn {
    /// Loads the program with the networks to keep. The IPv6 prefix may be at most 64 long.
    pub fn load(keep4: (Ipv4Addr, u8), keep6: (Ipv6Addr, u8)) -> Result<StandIn, Error> {
        let mut object = Object::load()?;
        let mask4 = u32::MAX.checked_shl(32 - u32::from(keep4.1.min(32))).unwrap_or(0);
        let mask6 = u64::MAX.checked_shl(64 - u32::from(keep6.1.min(64))).unwrap_or(0);
        let net4 = u32::from(keep4.0) & mask4;
        let net6 = (u128::from(keep6.0) >> 64) as u64 & mask6;
        let keep = Keep { net4: net4.to_be(), mask4: mask4.to_be(), net6: net6.to_be(), mask6: mask6.to_be() };
        object.set("KEEP", keep)?;
        Ok(StandIn(object))
    }

    /// Attaches it.
    pub fn attach(&mut self, interface: &LabInterface) -> Result<Attached, Error> {
        self.0.attach("stand_in", interface)
    }

    /// Frames passed and dropped so far.
    pub fn counts(&self) -> Result<(u64, u64), Error> {
        Ok((self.0.sum("KEPT", 0)?, self.0.sum("KEPT", 1)?))
    }
}
