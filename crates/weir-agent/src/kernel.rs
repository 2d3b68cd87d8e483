//! The kernel's packet path behind the agent's seam.

use std::path::{Path, PathBuf};

use weir_abi::flow::MARKS;
use weir_abi::{Addr, Counter, FEATURE_SLOTS, Feature, Reason, Sample};
use weir_core::regulars;
use weir_datapath::{Datapath as Kernel, Sizes};
use weir_policy::diff::Diff;
use weir_policy::image::TableImage;

use crate::datapath::{ApplyReport, Attachment, Datapath, DatapathError, Hook, Interface, LostSamples, MapUse};

/// How to open the packet path.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Interfaces to attach to.
    pub interfaces: Vec<String>,
    /// Where maps and links are pinned.
    pub pin_dir: PathBuf,
    /// Whether generic XDP may be used.
    pub generic: bool,
}

/// Loads, or adopts what an agent before this one left. Nothing is attached yet.
pub fn open(options: OpenOptions) -> Result<Box<dyn Datapath>, DatapathError> {
    let OpenOptions { interfaces, pin_dir, generic } = options;
    let sizes = Sizes::for_machine();
    let options = weir_datapath::OpenOptions { interfaces, pins: pin_dir, generic, sizes };
    Ok(Box::new(Adapter { kernel: Kernel::open(options)?, sizes, known_flows: 0 }))
}

/// Removes everything that lies under the pin directory, without an agent.
pub fn detach(pin_dir: &Path) -> Result<Vec<String>, DatapathError> {
    Ok(weir_datapath::detach(pin_dir)?)
}

impl From<weir_datapath::DatapathError> for DatapathError {
    fn from(error: weir_datapath::DatapathError) -> Self {
        let text = error.to_string();
        tracing::debug!(error = text, "packet path");
        Self(shorten(&text))
    }
}

/// The verifier explains itself in thousands of lines: the first says what was refused, the last ones why.
fn shorten(text: &str) -> String {
    const LAST: usize = 4;
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.len() <= 2 + LAST {
        return text.to_owned();
    }
    let (left_out, last) = (lines.len() - 1 - LAST, &lines[lines.len() - LAST..]);
    format!("{}\n  … {left_out} lines (WEIR_LOG=debug shows them) …\n  {}", lines[0], last.join("\n  "))
}

/// Interface types (`linux/if_arp.h`) as sysfs writes them.
const ARPHRD_ETHER: &str = "1";
const ARPHRD_LOOPBACK: &str = "772";

struct Adapter {
    kernel: Kernel,
    sizes: Sizes,
    /// Connections that were known when the table was swept last.
    known_flows: u64,
}

impl Adapter {
    /// Targets whose counters can have moved: ids in use, the node's included.
    fn targets(&self) -> u32 {
        self.image().policies.len().max(1) as u32
    }
}

impl Datapath for Adapter {
    fn image(&self) -> &TableImage {
        self.kernel.tables().image()
    }

    fn apply(&mut self, image: &TableImage) -> Result<ApplyReport, DatapathError> {
        Ok(report(self.kernel.apply(image)?))
    }

    fn patch(&mut self, change: Diff) -> Result<ApplyReport, DatapathError> {
        Ok(report(self.kernel.patch(change)?))
    }

    fn attach(&mut self) -> Result<(), DatapathError> {
        self.kernel.attach()?;
        Ok(())
    }

    fn counters(&mut self) -> Result<Vec<(u32, bool, Reason, Counter)>, DatapathError> {
        let counted = self.kernel.counters().read(self.targets());
        Ok(counted.into_iter().map(|c| (c.target, c.would, c.reason, c.counter)).collect())
    }

    fn features(&mut self) -> Result<Vec<(u32, Feature, u64)>, DatapathError> {
        Ok(self.kernel.counters().features(self.targets()))
    }

    fn feature_slots(&mut self, target: u32) -> [u64; FEATURE_SLOTS] {
        self.kernel.counters().feature_slots(target)
    }

    fn rule_counters(&mut self) -> Result<Vec<(u32, Counter)>, DatapathError> {
        Ok((0..).zip(self.kernel.counters().rules()).collect())
    }

    fn sweep_flows(&mut self) -> Result<(), DatapathError> {
        self.known_flows = self.kernel.sweep_flows()?;
        Ok(())
    }

    fn note_regulars(&mut self, sources: &[(u32, Addr)]) -> Result<(), DatapathError> {
        if sources.is_empty() {
            return Ok(());
        }
        let (config, age) = (self.kernel.tables().config(), regulars::age(self.kernel.now_ticks()?));
        for (target, source) in sources {
            let (line, mark) = regulars::place(&config, *target, *source);
            self.kernel.note_regular(line, mark, age);
        }
        Ok(())
    }

    fn review_replies(&mut self) -> Option<&'static str> {
        self.kernel.review_replies()
    }

    fn poll_samples(&mut self, out: &mut Vec<Sample>) -> Result<(), DatapathError> {
        self.kernel.drain_samples(out);
        Ok(())
    }

    fn lost_samples(&mut self) -> Result<LostSamples, DatapathError> {
        let weir_datapath::LostSamples { over_budget, ring_full } = self.kernel.counters().lost_samples();
        Ok(LostSamples { over_budget, ring_full })
    }

    fn set_sampling(&mut self, pass_mask: u32, drop_mask: u32) -> Result<(), DatapathError> {
        self.kernel.set_sampling(pass_mask, drop_mask);
        Ok(())
    }

    fn attachments(&self) -> Vec<Attachment> {
        self.kernel.attachments().iter().map(attachment).collect()
    }

    fn interface(&self, index: u32) -> Interface {
        let name = nix::net::if_::if_indextoname(index).ok().and_then(|name| name.into_string().ok());
        let Some(name) = name else { return Interface { name: format!("#{index}"), ethernet: true } };
        // Tunnels and the like have no link header; what cannot be told is taken for what nearly all interfaces are.
        let kind = std::fs::read_to_string(Path::new("/sys/class/net").join(&name).join("type"));
        let ethernet = kind.map_or(true, |kind| matches!(kind.trim(), ARPHRD_ETHER | ARPHRD_LOOPBACK));
        Interface { name, ethernet }
    }

    fn maps(&self) -> Vec<MapUse> {
        let (image, sizes) = (self.image(), &self.sizes);
        let of = |name: &str, entries: usize, capacity: u32| MapUse {
            name: name.to_owned(),
            entries: entries as u64,
            capacity: capacity.into(),
        };
        vec![
            of(weir_abi::maps::PARTS4, image.lists.parts4.len(), sizes.parts),
            of(weir_abi::maps::PREFIXES, image.lists.prefixes.len(), sizes.prefixes),
            of(weir_abi::maps::POLICIES, image.policies.len(), sizes.targets),
            of(weir_abi::maps::FLOWS, self.known_flows as usize, sizes.flow_lines * MARKS as u32),
        ]
    }

    fn tick_hz(&self) -> u32 {
        weir_datapath::clock::tick_hz()
    }

    fn now_ticks(&mut self) -> Result<u64, DatapathError> {
        Ok(self.kernel.now_ticks()?)
    }

    fn now_ns(&self) -> u64 {
        // The clock of `bpf_ktime_get_ns`.
        let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
        now.map_or(0, |now| now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64)
    }

    fn hurry(&mut self, yes: bool) -> std::io::Result<()> {
        weir_datapath::hurry(yes)
    }

    fn detach(self: Box<Self>) -> Result<Vec<String>, DatapathError> {
        Ok(self.kernel.detach()?)
    }
}

fn report(report: weir_datapath::ApplyReport) -> ApplyReport {
    ApplyReport { changes: report.changes as u64, elapsed: report.elapsed }
}

fn attachment(a: &weir_datapath::Attachment) -> Attachment {
    Attachment {
        interface: a.interface.clone(),
        hook: match a.hook {
            weir_datapath::Hook::NativeXdp => Hook::NativeXdp,
            weir_datapath::Hook::Chained => Hook::XdpDispatcher,
            weir_datapath::Hook::Tcx => Hook::Tcx,
            weir_datapath::Hook::GenericXdp => Hook::GenericXdp,
        },
        reason: a.reason.clone(),
        adopted: a.adopted,
        blind: a.blind.clone(),
        mute: a.mute.clone(),
        foreign: a.foreign.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_error_keeps_its_ends() {
        assert_eq!(shorten("a\nb"), "a\nb");
        let long = (0..100).map(|n| n.to_string()).collect::<Vec<_>>().join("\n");
        assert_eq!(shorten(&long), "0\n  … 95 lines (WEIR_LOG=debug shows them) …\n  96\n  97\n  98\n  99");
    }
}
