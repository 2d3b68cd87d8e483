//! A packet path in memory, for tests: it keeps the tables it is given and counts what it is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use weir_abi::sample::SAMPLE_BYTES;
use weir_abi::{Addr, Counter, FEATURE_SLOTS, Feature, Reason, Sample, Verdict};
use weir_policy::diff::Diff;
use weir_policy::image::TableImage;

use crate::datapath::{ApplyReport, Attachment, Datapath, DatapathError, Hook, Interface, LostSamples, MapUse};

/// A sample of a frame that passed.
pub fn sample(target: u16, frame: &[u8]) -> Sample {
    let captured = frame.len().min(SAMPLE_BYTES);
    let mut bytes = [0; SAMPLE_BYTES];
    bytes[..captured].copy_from_slice(&frame[..captured]);
    Sample {
        time_ns: 0,
        length: frame.len() as u32,
        target,
        reason: Reason::Clean as u8,
        verdict: Verdict::Pass as u8,
        rule: 0,
        ifindex: 1,
        weight: 1,
        captured: captured as u16,
        pad: 0,
        bytes,
    }
}

/// A SYN as hping3 sends it: no options, any source.
pub fn bare_syn(target: u16, to: [u8; 4], number: u32) -> Sample {
    let mut frame = [0; 60];
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    frame[14..26].copy_from_slice(&[0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0]);
    frame[26..30].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
    frame[30..34].copy_from_slice(&to);
    frame[34..38].copy_from_slice(&[(number >> 8) as u8, number as u8, 0x01, 0xbb]);
    frame[38..42].copy_from_slice(&number.wrapping_mul(40_503).to_be_bytes());
    frame[46..50].copy_from_slice(&[0x50, 0x02, 0x02, 0x00]);
    sample(target, &frame)
}

/// What the test sees and sets.
#[derive(Debug, Default)]
pub struct State {
    /// The tables in force.
    pub image: Option<TableImage>,
    /// How often tables were put in force …
    pub applied: u64,
    /// … of which as a small change.
    pub patched: u64,
    /// Whether it is attached.
    pub attached: bool,
    /// What applying says from now on.
    pub refuse: Option<String>,
    /// What the counters say.
    pub counters: Vec<(u32, bool, Reason, Counter)>,
    /// What the features say.
    pub features: Vec<(u32, Feature, u64)>,
    /// What the feature slots say.
    pub slots: HashMap<u32, [u64; FEATURE_SLOTS]>,
    /// What the slots of the rule tables say.
    pub rules: Vec<(u32, Counter)>,
    /// Samples to be fetched.
    pub samples: Vec<Sample>,
    /// Samples that did not come.
    pub lost_samples: LostSamples,
    /// Masks that were set last.
    pub sampling: Option<(u32, u32)>,
    /// The kernel's tick.
    pub ticks: u64,
    /// The clock of samples.
    pub now_ns: u64,
    /// How often silent connections were forgotten.
    pub sweeps: u64,
    /// Why what the host sends is not seen.
    pub blind: Option<String>,
    /// Targets and sources that come to them regularly, as often as it was told.
    pub regulars: Vec<(u32, Addr)>,
    /// Whether everything was removed.
    pub detached: bool,
}

/// The packet path; clones share their state. A clone starts with the tables in force, as a new agent does.
#[derive(Debug)]
pub struct Fake {
    state: Arc<Mutex<State>>,
    image: TableImage,
}

impl Default for Fake {
    fn default() -> Self {
        Self { state: Arc::default(), image: TableImage::empty() }
    }
}

impl Clone for Fake {
    fn clone(&self) -> Self {
        let image = match &self.state().image {
            // The kernel keeps no names.
            Some(image) => TableImage { names: Default::default(), ..image.clone() },
            None => TableImage::empty(),
        };
        Self { state: Arc::clone(&self.state), image }
    }
}

impl Fake {
    /// The state.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&mut self, image: TableImage) -> Result<ApplyReport, DatapathError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &state.refuse {
            return Err(DatapathError(why.clone()));
        }
        self.image = image.clone();
        state.image = Some(image);
        state.applied += 1;
        Ok(ApplyReport { changes: 1, elapsed: Duration::from_millis(1) })
    }
}

impl Datapath for Fake {
    fn image(&self) -> &TableImage {
        &self.image
    }

    fn apply(&mut self, image: &TableImage) -> Result<ApplyReport, DatapathError> {
        self.changed(image.clone())
    }

    fn patch(&mut self, change: Diff) -> Result<ApplyReport, DatapathError> {
        let mut image = self.image.clone();
        change.apply(&mut image);
        self.state().patched += 1;
        self.changed(image)
    }

    fn attach(&mut self) -> Result<(), DatapathError> {
        self.state().attached = true;
        Ok(())
    }

    fn counters(&mut self) -> Result<Vec<(u32, bool, Reason, Counter)>, DatapathError> {
        Ok(self.state().counters.clone())
    }

    fn features(&mut self) -> Result<Vec<(u32, Feature, u64)>, DatapathError> {
        Ok(self.state().features.clone())
    }

    fn feature_slots(&mut self, target: u32) -> [u64; FEATURE_SLOTS] {
        self.state().slots.get(&target).copied().unwrap_or([0; FEATURE_SLOTS])
    }

    fn rule_counters(&mut self) -> Result<Vec<(u32, Counter)>, DatapathError> {
        Ok(self.state().rules.clone())
    }

    fn poll_samples(&mut self, out: &mut Vec<Sample>) -> Result<(), DatapathError> {
        out.append(&mut self.state().samples);
        Ok(())
    }

    fn lost_samples(&mut self) -> Result<LostSamples, DatapathError> {
        Ok(self.state().lost_samples)
    }

    fn sweep_flows(&mut self) -> Result<(), DatapathError> {
        self.state().sweeps += 1;
        Ok(())
    }

    fn note_regulars(&mut self, sources: &[(u32, Addr)]) -> Result<(), DatapathError> {
        self.state().regulars.extend_from_slice(sources);
        Ok(())
    }

    fn review_replies(&mut self) -> Option<&'static str> {
        None
    }

    fn set_sampling(&mut self, pass_mask: u32, drop_mask: u32) -> Result<(), DatapathError> {
        self.state().sampling = Some((pass_mask, drop_mask));
        Ok(())
    }

    fn attachments(&self) -> Vec<Attachment> {
        if !self.state().attached {
            return Vec::new();
        }
        vec![Attachment {
            interface: "eth0".into(),
            hook: Hook::NativeXdp,
            reason: "the driver supports it".into(),
            adopted: false,
            mute: None,
            blind: self.state().blind.clone(),
            foreign: vec!["xdp_lb (id 7)".into()],
        }]
    }

    fn interface(&self, index: u32) -> Interface {
        Interface { name: format!("eth{}", index - 1), ethernet: true }
    }

    fn maps(&self) -> Vec<MapUse> {
        vec![MapUse { name: "PREFIXES".into(), entries: 3, capacity: 1024 }]
    }

    fn tick_hz(&self) -> u32 {
        250
    }

    fn now_ticks(&mut self) -> Result<u64, DatapathError> {
        Ok(self.state().ticks)
    }

    fn now_ns(&self) -> u64 {
        self.state().now_ns
    }

    /// Tests go before nobody.
    fn hurry(&mut self, _yes: bool) -> std::io::Result<()> {
        Ok(())
    }

    fn detach(self: Box<Self>) -> Result<Vec<String>, DatapathError> {
        self.state().detached = true;
        Ok(vec!["program on eth0".into()])
    }
}
