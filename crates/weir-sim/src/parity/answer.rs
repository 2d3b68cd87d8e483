//! What one side says of one packet, in the form in which both can say it.

use weir_abi::Sample;
use weir_abi::sample::SAMPLE_BYTES;
use weir_core::Outcome;
use weir_wire::Frame;

/// The verdict, and the sample if one was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Dropped, and nothing sent back.
    pub dropped: bool,
    /// The frame that is sent back, where the SYN was challenged; or that goes on, where it was made a reset.
    pub reply: Option<Vec<u8>>,
    /// The samples: none or one. Time and interface are left out, which only the kernel has.
    pub samples: Vec<Facts>,
}

/// What a sample says of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Target id.
    pub target: u16,
    /// Number of the reason.
    pub reason: u8,
    /// Number of the verdict: a would-drop is told from a pass here.
    pub verdict: u8,
    /// The rule that decided.
    pub rule: u32,
    /// How many packets it stands for.
    pub weight: u32,
    /// Length of the frame.
    pub length: u32,
    /// How many bytes of the frame it carries.
    pub captured: u16,
    /// The bytes, zeros behind them.
    pub bytes: [u8; SAMPLE_BYTES],
}

impl Answer {
    /// The kernel's.
    pub fn seen(dropped: bool, reply: Option<Vec<u8>>, samples: &[Sample]) -> Self {
        let facts = |s: &Sample| Facts {
            target: s.target,
            reason: s.reason,
            verdict: s.verdict,
            rule: s.rule,
            weight: s.weight,
            length: s.length,
            captured: s.captured,
            bytes: s.bytes,
        };
        Self { dropped, reply, samples: samples.iter().map(facts).collect() }
    }

    /// The host's, with the sample that the kernel would take.
    pub fn expected<F: Frame>(outcome: &Outcome, reply: Option<Vec<u8>>, frame: &F) -> Self {
        let facts = || {
            let (bytes, captured) = head(frame);
            Facts {
                target: outcome.target as u16,
                reason: outcome.number,
                verdict: outcome.verdict() as u8,
                rule: outcome.rule,
                weight: outcome.sample_weight,
                length: frame.len() as u32,
                captured,
                bytes,
            }
        };
        let samples = (outcome.sample_weight != 0).then(facts);
        Self { dropped: outcome.drop && reply.is_none(), reply, samples: samples.into_iter().collect() }
    }
}

/// The head of a frame as samples have it.
fn head<F: Frame>(frame: &F) -> ([u8; SAMPLE_BYTES], u16) {
    let mut bytes = [0; SAMPLE_BYTES];
    let mut captured = 0;
    for (at, place) in bytes.iter_mut().enumerate() {
        let Some([byte]) = frame.bytes::<1>(at) else { break };
        (*place, captured) = (byte, at as u16 + 1);
    }
    (bytes, captured)
}
