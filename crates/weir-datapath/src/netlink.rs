//! One question to rtnetlink: which XDP program sits on an interface (attributes of `include/uapi/linux/if_link.h`).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// The XDP programs of an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XdpState {
    /// Program id, whatever the mode; 0: none.
    pub program: u32,
    /// `XDP_ATTACHED_*`: 1 driver, 2 generic, 3 hardware, 4 several.
    pub mode: u8,
}

const RTM_GETLINK: u16 = 18;
const NLM_F_REQUEST: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const IFLA_XDP: u16 = 43;
const IFLA_XDP_ATTACHED: u16 = 2;
const IFLA_XDP_PROG_ID: u16 = 4;
/// `struct nlmsghdr` and `struct ifinfomsg`, both of sixteen bytes.
const HEADERS: usize = 32;

/// Asks the kernel.
pub fn xdp_of(ifindex: u32) -> io::Result<XdpState> {
    // SAFETY: plain constants; the descriptor is checked and owned at once.
    let raw = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a fresh descriptor that nothing else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(raw) };
    let mut request = [0u8; HEADERS];
    request[0..4].copy_from_slice(&(HEADERS as u32).to_ne_bytes());
    request[4..6].copy_from_slice(&RTM_GETLINK.to_ne_bytes());
    request[6..8].copy_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    request[20..24].copy_from_slice(&(ifindex as i32).to_ne_bytes());
    // SAFETY: a live buffer of the given length.
    let sent = unsafe { libc::send(socket.as_raw_fd(), request.as_ptr().cast(), HEADERS, 0) };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut answer = vec![0u8; 65_536];
    // SAFETY: a live, writable buffer of the given length.
    let got = unsafe { libc::recv(socket.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0) };
    if got < 0 {
        return Err(io::Error::last_os_error());
    }
    answer.truncate(got as usize);
    parse(&answer)
}

/// Reads the answer: a link message with attributes, or an error message.
fn parse(message: &[u8]) -> io::Result<XdpState> {
    let short = || io::Error::new(io::ErrorKind::InvalidData, "short answer from rtnetlink");
    let kind = u16_at(message, 4).ok_or_else(short)?;
    if kind == NLMSG_ERROR {
        let code = message.get(16..20).and_then(|b| b.try_into().ok()).map(i32::from_ne_bytes).ok_or_else(short)?;
        return Err(io::Error::from_raw_os_error(-code));
    }
    let mut state = XdpState::default();
    for (kind, value) in attributes(message.get(HEADERS..).ok_or_else(short)?) {
        if kind & 0x3fff != IFLA_XDP {
            continue;
        }
        for (kind, value) in attributes(value) {
            match kind {
                IFLA_XDP_ATTACHED => state.mode = value.first().copied().unwrap_or(0),
                IFLA_XDP_PROG_ID => {
                    state.program = value.get(..4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_ne_bytes);
                }
                _ => {}
            }
        }
    }
    Ok(state)
}

fn u16_at(b: &[u8], at: usize) -> Option<u16> {
    b.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

/// The attributes of a message; a lying length ends the walk.
fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u16_at(rest, 0)? as usize;
        let kind = u16_at(rest, 2)?;
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, value))
    })
}

#[cfg(test)]
mod tests {
    //! Attribute walking on made-up messages.
    use super::*;

    #[test]
    fn an_error_message_is_an_error() {
        let mut m = [0u8; 36];
        m[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        m[16..20].copy_from_slice(&(-19i32).to_ne_bytes());
        assert_eq!(parse(&m).unwrap_err().raw_os_error(), Some(19));
    }

    #[test]
    fn nested_attributes_are_found_and_lying_lengths_end_the_walk() {
        let mut m = vec![0u8; HEADERS];
        let inner: Vec<u8> =
            [&8u16.to_ne_bytes()[..], &IFLA_XDP_PROG_ID.to_ne_bytes(), &77u32.to_ne_bytes()].concat();
        m.extend((inner.len() as u16 + 4).to_ne_bytes());
        m.extend((IFLA_XDP | 0x8000).to_ne_bytes());
        m.extend(&inner);
        assert_eq!(parse(&m).unwrap().program, 77);
        let at = HEADERS;
        m[at..at + 2].copy_from_slice(&9999u16.to_ne_bytes());
        assert_eq!(parse(&m).unwrap(), XdpState::default());
    }
}
