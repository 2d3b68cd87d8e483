//! A name server: answers every well-formed question with one address, as fast as one thread can.

use std::io::ErrorKind;
use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cpu;
use crate::netns::Netns;
use crate::plan::DNS_PORT;

/// How often the stop flag is looked at while nobody asks.
const TICK: Duration = Duration::from_millis(50);
const HEADER: usize = 12;

/// A running name server.
pub struct NameServer {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Starts it in a pod; it takes questions when this returns.
    pub fn start(ns: &Netns) -> Result<NameServer> {
        // One socket for both IP versions: IPv4 arrives as mapped addresses.
        let socket = ns.within(|| Ok(UdpSocket::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, DNS_PORT)))?));
        let socket = socket.context("cannot open the name server's socket")?;
        socket.set_read_timeout(Some(TICK))?;
        let cores = cpu::cores()?;
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let thread = thread::Builder::new().name("lab-dns".into()).spawn({
            let (stop, answered) = (stop.clone(), answered.clone());
            move || {
                if let Err(error) = cpu::tie(None, &cores.node) {
                    eprintln!("warning: {error:#}");
                }
                serve(&socket, &stop, &answered);
            }
        })?;
        Ok(NameServer { stop, answered, thread: Some(thread) })
    }

    /// Questions answered so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            eprintln!("warning: the name server's thread panicked");
        }
    }
}

fn serve(socket: &UdpSocket, stop: &AtomicBool, answered: &AtomicU64) {
    let mut buffer = [0; 512];
    while !stop.load(Ordering::Relaxed) {
        match socket.recv_from(&mut buffer) {
            Ok((length, from)) => {
                if let Some(reply) = answer(&buffer[..length]) {
                    // A full queue or an unreachable asker is the asker's loss.
                    let _ = socket.send_to(&reply, from);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
            // Errors of earlier sends are told here; they concern one asker each.
            Err(_) => {}
        }
    }
}

/// A question for one name, type A, in class IN.
pub fn question(id: u16) -> Vec<u8> {
    let mut packet = id.to_be_bytes().to_vec();
    packet.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    packet.extend(b"\x04shop\x07example\x00");
    packet.extend([0, 1, 0, 1]);
    packet
}

/// The answer to a question: the same question and one A record. `None` for what is no question.
pub fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let (flags, count) = (query.get(2)?, query.get(4..6)?);
    if flags & 0x80 != 0 || count != [0, 1] {
        return None;
    }
    let mut at = HEADER;
    while *query.get(at)? != 0 {
        at += usize::from(query[at]) + 1;
    }
    let question = query.get(HEADER..at + 5)?;
    let mut reply = query[..2].to_vec();
    reply.extend([0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
    reply.extend(question);
    // A pointer to the name in the question, type A, class IN, a minute, four bytes of address.
    reply.extend([0xc0, HEADER as u8, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 10]);
    Some(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_gets_its_answer_and_nonsense_none() {
        let reply = answer(&question(0x1234)).expect("an answer");
        assert_eq!(reply[..4], [0x12, 0x34, 0x84, 0]);
        assert_eq!(reply[reply.len() - 4..], [192, 0, 2, 10]);
        assert_eq!(answer(&reply), None, "an answer is no question");
        let whole = question(1);
        for length in 0..whole.len() {
            assert_eq!(answer(&whole[..length]), None);
        }
        assert_eq!(answer(&[0xff; 40]), None);
    }
}
