//! The peer's raw socket: any frame, as it is.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::world::{PEER, World};

/// A raw socket on an interface.
pub struct Sender(OwnedFd);

impl Sender {
    /// Opens one at the peer's end of the uplink.
    pub fn at_peer(world: &World) -> Self {
        world.peer.run(|| Self::on(PEER))
    }

    /// Opens one on an interface of this thread's namespace.
    pub fn on(interface: &str) -> Self {
        // SAFETY: plain constants; the descriptor is checked and owned at once.
        let raw = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        assert!(raw >= 0, "a raw socket: {}", io::Error::last_os_error());
        // SAFETY: a fresh descriptor that nothing else owns.
        let socket = unsafe { OwnedFd::from_raw_fd(raw) };
        let name = CString::new(interface).expect("a name without zeros");
        // SAFETY: a valid C string.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        // SAFETY: zeros are a valid value of this plain structure.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_ifindex = index as i32;
        let length = size_of::<libc::sockaddr_ll>() as u32;
        // SAFETY: a live structure of the given length.
        let ret = unsafe { libc::bind(socket.as_raw_fd(), std::ptr::from_ref(&address).cast(), length) };
        assert_eq!(ret, 0, "binding to {interface}: {}", io::Error::last_os_error());
        Self(socket)
    }

    /// Sends a frame; a full queue is waited for.
    pub fn send(&self, frame: &[u8]) {
        super::wait::until("room in the queue of the cable", || {
            // SAFETY: a live buffer of the given length.
            let sent = unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
            if sent < 0 {
                let error = io::Error::last_os_error();
                assert_eq!(error.raw_os_error(), Some(libc::ENOBUFS), "sending: {error}");
            }
            sent == frame.len() as isize
        });
    }

    /// Sends several.
    pub fn send_all<'a>(&self, frames: impl IntoIterator<Item = &'a Vec<u8>>) {
        frames.into_iter().for_each(|frame| self.send(frame));
    }
}
