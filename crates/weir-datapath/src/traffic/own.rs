//! Weir's own program on an interface of the lab, without pins: a bench puts it on and takes it off many times.

use aya::programs::XdpMode;

use super::object::attach;
use super::path::Attached;
use super::{Error, LabInterface};
use crate::DatapathError;

impl crate::Object {
    /// Attaches the XDP program natively, until the result is dropped.
    ///
    /// While it is attached anywhere, test runs of it cost microseconds to start: elsewhere they wait for every core twice.
    pub fn attach_to(&mut self, interface: &LabInterface) -> Result<Attached, Error> {
        attach(self.xdp().map_err(own)?, "weir_xdp", interface, XdpMode::Driver)
    }

    /// Attaches the XDP program to the loopback interface of the calling thread's namespace, for test runs alone.
    pub fn register(&mut self) -> Result<Attached, Error> {
        attach(self.xdp().map_err(own)?, "weir_xdp", &LabInterface::open("lo")?, XdpMode::Skb)
    }
}

fn own(error: DatapathError) -> Error {
    Error::Io { what: "Weir's own kernel object".to_owned(), source: std::io::Error::other(error) }
}
