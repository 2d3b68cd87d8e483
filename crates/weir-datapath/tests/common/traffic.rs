//! Bounded traffic from a customer, from a denied sender and from the exception in the denied network, while something happens
//! on the node; and the proof that no packet was decided wrongly meanwhile.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::frames;
use super::policy::{CUSTOMER, DENIED, EXCEPTED};
use super::receiver::Receiver;
use super::sender::Sender;
use super::world::World;

/// Who sends.
pub const SENDERS: [Ipv4Addr; 3] = [CUSTOMER, DENIED, EXCEPTED];

/// The most packets of one sender.
const MOST: u64 = 400_000;
/// Packets of each sender at once, and the pause after them.
const BURST: u64 = 8;
const PAUSE: Duration = Duration::from_micros(500);

/// Sends while `meanwhile` runs; says how many packets each of [`SENDERS`] has sent, and what `meanwhile` gave.
pub fn during<T>(world: &World, meanwhile: impl FnOnce(&AtomicU64) -> T) -> (u64, T) {
    let sender = Sender::at_peer(world);
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let gave = thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) && sent.load(Ordering::Relaxed) < MOST {
                let first = sent.load(Ordering::Relaxed);
                for number in first..first + BURST {
                    for from in SENDERS {
                        sender.send(&frames::udp(from, &number.to_be_bytes()));
                    }
                }
                sent.store(first + BURST, Ordering::Relaxed);
                let pause = Instant::now();
                while pause.elapsed() < PAUSE {
                    thread::yield_now();
                }
            }
        });
        // Also when `meanwhile` panics, the sender must end.
        let raise = Raise(&stop);
        let gave = meanwhile(&sent);
        drop(raise);
        gave
    });
    (sent.load(Ordering::Relaxed), gave)
}

struct Raise<'a>(&'a AtomicBool);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// All packets of those who may pass arrived, once each and in order; none of the others.
pub fn check(receiver: &mut Receiver, from: u64, to: u64) {
    receiver.drain();
    assert_eq!(receiver.count(DENIED), 0, "packets of a denied sender that arrived");
    for sender in [CUSTOMER, EXCEPTED] {
        let got = receiver.got.get(&sender).map_or(&[][..], Vec::as_slice);
        let missing = (from..to).filter(|number| got.binary_search(number).is_err()).take(5).collect::<Vec<_>>();
        assert!(missing.is_empty(), "{sender}: {} of {} arrived; missing {missing:?}…", got.len(), to - from);
        assert!(got.iter().copied().eq(from..to), "{sender}: {} of {}, out of order or twice", got.len(), to - from);
    }
}
