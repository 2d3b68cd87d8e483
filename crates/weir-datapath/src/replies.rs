//! How replies to challenged SYNs leave: proven by the answers to a share of them, see [`weir_abi::challenge::reply`].

use weir_abi::Reason;
use weir_abi::challenge::reply;

use crate::attach::{Attachment, Hook};
use crate::counters::Counters;

/// Answers to replies through the stack, without one to the eighth of all that XDP sent, that show that it cannot.
const TRIED: u64 = 64;
/// The same once it was proven, where the eighth goes through the stack.
const LOST: u64 = 16;

/// What was answered so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Replies {
    transmitted: u64,
    handed: u64,
}

impl Replies {
    /// The way that replies take when programs have just been attached. `before`: the one that was taken, by an agent before this one as well.
    pub fn first(attachments: &[Attachment], before: u32) -> u32 {
        match attachments {
            // A SYN that is challenged and not answered is a customer lost.
            all if all.iter().any(|one| one.mute.is_some()) => reply::NONE,
            // An answer does not tell by which interface its question went.
            [one] if one.hook == Hook::NativeXdp && one.adopted && before == reply::TRANSMIT => reply::TRANSMIT,
            [one] if one.hook == Hook::NativeXdp => reply::PROBE,
            _ => reply::STACK,
        }
    }

    /// Begins to count with what was counted before.
    pub fn begin(&mut self, counters: &Counters, targets: u32) {
        *self = Self {
            transmitted: answers(counters, targets, Reason::TransmittedAnswer),
            handed: answers(counters, targets, Reason::ChallengeAnswer),
        };
    }

    /// Another way, if what was answered since the last answer to XDP says so.
    pub fn review(&mut self, mode: u32, counters: &Counters, targets: u32) -> Option<u32> {
        if mode != reply::PROBE && mode != reply::TRANSMIT {
            return None;
        }
        let transmitted = answers(counters, targets, Reason::TransmittedAnswer).wrapping_sub(self.transmitted);
        let handed = answers(counters, targets, Reason::ChallengeAnswer).wrapping_sub(self.handed);
        let next = next(mode, transmitted, handed);
        if next.is_some() || transmitted > 0 {
            self.begin(counters, targets);
        }
        next
    }
}

fn answers(counters: &Counters, targets: u32, reason: Reason) -> u64 {
    (1..targets).map(|target| counters.one(target, false, reason).packets).sum()
}

fn next(mode: u32, transmitted: u64, handed: u64) -> Option<u32> {
    match mode {
        reply::PROBE if transmitted > 0 => Some(reply::TRANSMIT),
        reply::PROBE if handed >= TRIED => Some(reply::STACK),
        reply::TRANSMIT if transmitted == 0 && handed >= LOST => Some(reply::STACK),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    //! There and back.
    use super::*;

    #[test]
    fn one_answer_proves_the_way_and_many_to_the_other_disprove_it() {
        assert_eq!(next(reply::PROBE, 0, TRIED - 1), None);
        assert_eq!(next(reply::PROBE, 0, TRIED), Some(reply::STACK), "nobody waits for what is lost for ever");
        assert_eq!(next(reply::PROBE, 1, 0), Some(reply::TRANSMIT));
        assert_eq!(next(reply::TRANSMIT, 0, LOST - 1), None);
        assert_eq!(next(reply::TRANSMIT, 1, 1000), None);
        assert_eq!(next(reply::TRANSMIT, 0, LOST), Some(reply::STACK));
        assert_eq!([reply::NONE, reply::STACK].map(|mode| next(mode, 1, 1000)), [None; 2]);
    }

    #[test]
    fn the_first_way_is_one_that_cannot_lose_many() {
        let one = |hook, adopted, mute: Option<&str>| Attachment {
            interface: "eth0".into(),
            hook,
            reason: String::new(),
            adopted,
            blind: None,
            mute: mute.map(str::to_owned),
            foreign: Vec::new(),
        };
        let native = one(Hook::NativeXdp, false, None);
        assert_eq!(Replies::first(std::slice::from_ref(&native), reply::TRANSMIT), reply::PROBE);
        assert_eq!(Replies::first(&[one(Hook::NativeXdp, true, None)], reply::TRANSMIT), reply::TRANSMIT);
        assert_eq!(Replies::first(&[one(Hook::NativeXdp, true, None)], reply::STACK), reply::PROBE);
        assert_eq!(Replies::first(&[native.clone(), native.clone()], reply::NONE), reply::STACK);
        assert_eq!(Replies::first(&[one(Hook::Tcx, false, None)], reply::NONE), reply::STACK);
        assert_eq!(Replies::first(&[native, one(Hook::Chained, false, Some("no tcx"))], reply::STACK), reply::NONE);
    }
}
