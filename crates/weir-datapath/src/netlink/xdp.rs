//! The XDP programs of an interface.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::message::{ask, attribute, attributes, tell, u32_at};

/// The XDP programs of an interface, by mode; 0: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XdpState {
    /// In the driver.
    pub native: u32,
    /// Behind the socket buffer.
    pub generic: u32,
    /// In the device.
    pub hardware: u32,
}

impl XdpState {
    /// The ids of all of them.
    pub fn programs(self) -> impl Iterator<Item = u32> {
        [self.native, self.generic, self.hardware].into_iter().filter(|id| *id != 0)
    }
}

const RTM_GETLINK: u16 = 18;
const RTM_SETLINK: u16 = 19;
const NLA_F_NESTED: u16 = 1 << 15;
const XDP_FLAGS_REPLACE: u32 = 1 << 4;
const IFLA_XDP_FD: u16 = 1;
const IFLA_XDP_FLAGS: u16 = 3;
const IFLA_XDP_EXPECTED_FD: u16 = 8;
const IFLA_XDP: u16 = 43;
const IFLA_XDP_DRV_PROG_ID: u16 = 5;
const IFLA_XDP_SKB_PROG_ID: u16 = 6;
const IFLA_XDP_HW_PROG_ID: u16 = 7;
/// `struct ifinfomsg`.
const LINK: usize = 16;

/// Asks the kernel about an interface of this thread's network namespace.
pub fn xdp_of(ifindex: u32) -> io::Result<XdpState> {
    let mut link = [0u8; LINK];
    link[4..8].copy_from_slice(&ifindex.to_ne_bytes());
    Ok(parse(&ask(RTM_GETLINK, &link)?))
}

/// Puts an XDP program in the place of another one, or takes that one away, in one step: only if it still is the one that we
/// know. Programs held by links are refused by the kernel.
pub fn replace_xdp(ifindex: u32, old: BorrowedFd<'_>, new: Option<BorrowedFd<'_>>, mode: u32) -> io::Result<()> {
    let mut link = [0u8; LINK];
    link[4..8].copy_from_slice(&ifindex.to_ne_bytes());
    let fd = new.map_or(-1, |program| program.as_raw_fd());
    let inner = [
        attribute(IFLA_XDP_FD, &fd.to_ne_bytes()),
        attribute(IFLA_XDP_FLAGS, &(mode | XDP_FLAGS_REPLACE).to_ne_bytes()),
        attribute(IFLA_XDP_EXPECTED_FD, &old.as_raw_fd().to_ne_bytes()),
    ];
    let nested = attribute(IFLA_XDP | NLA_F_NESTED, &inner.concat());
    tell(RTM_SETLINK, &[&link[..], &nested].concat())
}

fn parse(message: &[u8]) -> XdpState {
    let mut state = XdpState::default();
    let link = attributes(message.get(LINK..).unwrap_or_default());
    for (kind, value) in link.filter(|(kind, _)| *kind == IFLA_XDP).flat_map(|(_, value)| attributes(value)) {
        let id = u32_at(value, 0).unwrap_or(0);
        match kind {
            IFLA_XDP_DRV_PROG_ID => state.native = id,
            IFLA_XDP_SKB_PROG_ID => state.generic = id,
            IFLA_XDP_HW_PROG_ID => state.hardware = id,
            _ => {}
        }
    }
    state
}

#[cfg(test)]
mod tests {
    //! Attribute walking on made-up messages.
    use super::*;

    #[test]
    fn nested_attributes_are_found_and_lying_lengths_end_the_walk() {
        let inner = [attribute(2, &[4]), attribute(IFLA_XDP_DRV_PROG_ID, &77u32.to_ne_bytes())].concat();
        let nested = attribute(IFLA_XDP | 0x8000, &inner);
        let mut message = [vec![0; LINK], attribute(3, b"eth0\0"), nested].concat();
        assert_eq!(parse(&message), XdpState { native: 77, ..XdpState::default() });
        message[LINK..LINK + 2].copy_from_slice(&9999u16.to_ne_bytes());
        assert_eq!(parse(&message), XdpState::default());
    }
}
