//! The service on the node: it notes who sent what, so that nothing gets lost or invented.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use super::frames::SERVICE;
use super::world::{NODE, World};

/// A UDP service. Payloads are numbers of eight bytes.
pub struct Receiver {
    socket: UdpSocket,
    /// The numbers that came, by sender.
    pub got: BTreeMap<Ipv4Addr, Vec<u64>>,
}

impl Receiver {
    /// Listens on the node, with a queue that holds whatever a test sends.
    pub fn on_node(world: &World) -> Self {
        let socket = world.node.run(|| UdpSocket::bind((NODE, SERVICE)).expect("the service's port is free"));
        let bytes: libc::c_int = 256 << 20;
        // SAFETY: a live socket, and an option whose value is an int of the given length.
        let ret = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVBUFFORCE,
                std::ptr::from_ref(&bytes).cast(),
                size_of::<libc::c_int>() as u32,
            )
        };
        assert_eq!(ret, 0, "a large queue: {}", std::io::Error::last_os_error());
        Self { socket, got: BTreeMap::new() }
    }

    /// Takes everything that has come, and what comes until nothing has for a while.
    pub fn drain(&mut self) {
        const QUIET: Duration = Duration::from_millis(50);
        self.socket.set_read_timeout(Some(QUIET)).expect("a timeout");
        let mut last = Instant::now();
        let mut buffer = [0u8; 2048];
        while last.elapsed() < QUIET {
            match self.socket.recv_from(&mut buffer) {
                Ok((length, SocketAddr::V4(from))) => {
                    let number = buffer[..length].first_chunk().map_or(u64::MAX, |b| u64::from_be_bytes(*b));
                    self.got.entry(*from.ip()).or_default().push(number);
                    last = Instant::now();
                }
                Ok(_) => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) => panic!("receiving: {e}"),
            }
        }
    }

    /// How many came from a sender.
    pub fn count(&self, from: Ipv4Addr) -> usize {
        self.got.get(&from).map_or(0, Vec::len)
    }
}
