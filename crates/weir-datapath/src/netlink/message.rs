//! One request, all that comes back, and the attributes in it.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `struct nlmsghdr`.
const HEADER: usize = 16;

/// One message.
pub fn ask(kind: u16, body: &[u8]) -> io::Result<Vec<u8>> {
    exchange(kind, NLM_F_REQUEST, body)?.into_iter().next().ok_or_else(short)
}

/// A request to change something; returns when the kernel has done it.
pub fn tell(kind: u16, body: &[u8]) -> io::Result<()> {
    exchange(kind, NLM_F_REQUEST | NLM_F_ACK, body).map(drop)
}

/// All messages of a dump.
pub fn dump(kind: u16, body: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    exchange(kind, NLM_F_REQUEST | NLM_F_DUMP, body)
}

fn exchange(kind: u16, flags: u16, body: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    // SAFETY: plain constants; the descriptor is checked and owned at once.
    let raw = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a fresh descriptor that nothing else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(raw) };
    let length = (HEADER + body.len()) as u32;
    let request = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 8], body].concat();
    // SAFETY: a live buffer of the given length.
    let sent = unsafe { libc::send(socket.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut messages = Vec::new();
    let mut buffer = vec![0u8; 65_536];
    loop {
        // SAFETY: a live, writable buffer of the given length.
        let got = unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        if got < 0 {
            return Err(io::Error::last_os_error());
        }
        let more = split(&buffer[..got as usize], &mut messages)?;
        if flags & NLM_F_DUMP != NLM_F_DUMP || !more {
            return Ok(messages);
        }
    }
}

/// Takes a datagram apart; says whether more may follow. An error message is an error.
fn split(mut datagram: &[u8], into: &mut Vec<Vec<u8>>) -> io::Result<bool> {
    while !datagram.is_empty() {
        let length = u32_at(datagram, 0).ok_or_else(short)? as usize;
        let kind = u16_at(datagram, 4).ok_or_else(short)?;
        let body = datagram.get(HEADER..length).ok_or_else(short)?;
        match kind {
            NLMSG_DONE => return Ok(false),
            NLMSG_ERROR => {
                let code = u32_at(body, 0).ok_or_else(short)? as i32;
                return if code == 0 { Ok(false) } else { Err(io::Error::from_raw_os_error(-code)) };
            }
            _ => into.push(body.to_vec()),
        }
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Ok(true)
}

fn short() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "short answer from rtnetlink")
}

pub fn u16_at(b: &[u8], at: usize) -> Option<u16> {
    b.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

pub fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    b.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

/// The attributes of a message, without the bits that say how they are nested; a lying length ends the walk.
pub fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u16_at(rest, 0)? as usize;
        let kind = u16_at(rest, 2)? & 0x3fff;
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, value))
    })
}

/// One attribute.
pub fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut out = [&(value.len() as u16 + 4).to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

#[cfg(test)]
mod tests {
    //! Datagrams of the kernel, honest and not.
    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        [&(HEADER as u32 + body.len() as u32).to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], body].concat()
    }

    #[test]
    fn messages_are_taken_until_the_dump_is_done() {
        let mut out = Vec::new();
        let datagram = [message(16, &[1; 8]), message(16, &[2; 4])].concat();
        assert!(split(&datagram, &mut out).unwrap());
        assert!(!split(&message(NLMSG_DONE, &[0; 4]), &mut out).unwrap());
        assert_eq!(out, [vec![1; 8], vec![2; 4]]);
    }

    #[test]
    fn an_error_message_is_an_error_and_a_lying_length_too() {
        let mut out = Vec::new();
        let error = split(&message(NLMSG_ERROR, &(-19i32).to_ne_bytes()), &mut out).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(19));
        let mut lying = message(16, &[0; 8]);
        lying[0..4].copy_from_slice(&9999u32.to_ne_bytes());
        assert!(split(&lying, &mut out).is_err());
        lying[0..4].copy_from_slice(&3u32.to_ne_bytes());
        assert!(split(&lying, &mut out).is_err());
        assert!(out.is_empty());
    }
}
