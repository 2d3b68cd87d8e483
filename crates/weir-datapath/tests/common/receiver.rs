//! The service on the node: it notes who sent what, so that nothing gets lost or invented.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::frames::SERVICE;
use super::world::{NODE, World};

/// So long without a packet, and all have come.
const QUIET: Duration = Duration::from_millis(50);

type Numbers = BTreeMap<Ipv4Addr, Vec<u64>>;

/// A UDP service. Payloads are numbers of eight bytes.
pub struct Receiver {
    came: Arc<Mutex<(Numbers, Instant)>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// The numbers that came, by sender.
    pub got: Numbers,
}

impl Receiver {
    /// Listens on the node. It reads all the time: a queue for everything that a test sends in minutes would be larger than
    /// kernels allow (they count pages, not bytes).
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
        let (came, ended) = (Arc::new(Mutex::new((Numbers::new(), Instant::now()))), Arc::new(AtomicBool::new(false)));
        let (numbers, end) = (Arc::clone(&came), Arc::clone(&ended));
        let thread = thread::spawn(move || read(&socket, &numbers, &end));
        Self { came, ended, thread: Some(thread), got: Numbers::new() }
    }

    /// Takes everything that has come, and what comes until nothing has for a while.
    pub fn drain(&mut self) {
        let begin = Instant::now();
        loop {
            let (numbers, last) = &*self.came.lock().expect("the reader lives");
            if begin.max(*last).elapsed() >= QUIET {
                self.got = numbers.clone();
                return;
            }
            thread::yield_now();
        }
    }

    /// How many came from a sender.
    pub fn count(&self, from: Ipv4Addr) -> usize {
        self.got.get(&from).map_or(0, Vec::len)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read(socket: &UdpSocket, came: &Mutex<(Numbers, Instant)>, ended: &AtomicBool) {
    socket.set_read_timeout(Some(QUIET / 5)).expect("a timeout");
    let mut buffer = [0u8; 2048];
    while !ended.load(Ordering::Relaxed) {
        match socket.recv_from(&mut buffer) {
            Ok((length, SocketAddr::V4(from))) => {
                let number = buffer[..length].first_chunk().map_or(u64::MAX, |b| u64::from_be_bytes(*b));
                let (numbers, last) = &mut *came.lock().expect("nobody dies with it");
                numbers.entry(*from.ip()).or_default().push(number);
                *last = Instant::now();
            }
            Ok(_) => {}
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
            Err(e) => panic!("receiving: {e}"),
        }
    }
}
