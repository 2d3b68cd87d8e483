//! Weir's packet path as the bench uses it: loaded without pins, its lists filled once, settings changed in between.

use std::net::IpAddr;

use anyhow::{Context, Result, anyhow};
use weir_abi::Reason;
use weir_abi::config::node_flag;
use weir_datapath::traffic::{Attached, LabInterface};
use weir_datapath::{Counters, Object, Run, Sizes, Tables, clock};
use weir_policy::model::{ListEntry, Policy, Verdict};
use weir_policy::{CompileOptions, Diff, Step, TableImage, compile};

use super::lists::{Parsed, denied};
use super::settings::{Compiled, Setting};
use super::stage::RECEIVER;

/// A host with an exact block, in IPv4 and in IPv6: what `weir block` makes.
pub const BLOCKED: [IpAddr; 2] = [
    IpAddr::V4(std::net::Ipv4Addr::new(150, 60, 70, 80)),
    IpAddr::V6(std::net::Ipv6Addr::new(0x2a0b, 0x1234, 0, 1, 0, 0, 0, 1)),
];

/// A loaded packet path.
pub struct Node {
    /// Programs and maps.
    pub object: Object,
    /// Tables.
    pub tables: Tables,
    counters: Counters,
    /// Flags of the list tables that hold something.
    look: u32,
    in_force: Option<Compiled>,
    fresh_key: u64,
}

impl Node {
    /// Loads it with empty tables.
    pub fn load() -> Result<Node> {
        let sizes = Sizes::for_machine();
        let object = Object::load(&sizes, None)?;
        let tables = Tables::new(&object, &sizes, TableImage::empty())?;
        tables.initialise()?;
        let counters = Counters::new(&object, &sizes)?;
        Ok(Node { object, tables, counters, look: 0, in_force: None, fresh_key: 1 })
    }

    /// Loads it with a deny list and everything else.
    pub fn with_list(list: &[Parsed]) -> Result<Node> {
        let mut node = Node::load()?;
        node.fill(list)?;
        Ok(node)
    }

    /// Puts a deny list in force, and the blocked hosts.
    pub fn fill(&mut self, list: &[Parsed]) -> Result<()> {
        let image = image(list, self.object.tick()?)?;
        self.tables.apply(&image)?;
        self.look = image.node_flags & (node_flag::LIST4 | node_flag::LIST6);
        self.in_force = None;
        Ok(())
    }

    /// Changes how much of the pipeline runs. Sources start afresh: none has used anything of its limits.
    pub fn set(&mut self, setting: &Setting, compiled: &Compiled) -> Result<()> {
        let flags = compiled.flags | if setting.lists { self.look } else { 0 };
        self.fresh_key += 1;
        let mut policies = compiled.policies.clone();
        policies.iter_mut().for_each(|policy| policy.limit_key = self.fresh_key);
        let mut steps = Vec::new();
        if self.in_force.as_ref().is_none_or(|old| old.targets != compiled.targets) {
            steps.push(Step::PutTargets(compiled.targets.clone()));
        }
        if self.in_force.as_ref().is_none_or(|old| old.rules != compiled.rules) {
            steps.push(Step::Rules(compiled.rules.clone()));
        }
        steps.push(Step::Policies(policies));
        steps.push(Step::Flags(flags));
        self.tables.patch(Diff { steps, torn: Vec::new() })?;
        self.in_force = Some(compiled.clone());
        Ok(())
    }

    /// Attaches it to the receiving end, until the result is dropped.
    pub fn attach(&mut self) -> Result<Attached> {
        Ok(self.object.attach_to(&LabInterface::open(RECEIVER)?)?)
    }

    /// Times a frame over `repeat` runs.
    pub fn time(&mut self, frame: &[u8], repeat: u32) -> Result<Run> {
        Ok(self.object.run_xdp(frame, repeat)?)
    }

    /// What is said of a frame.
    pub fn reason(&mut self, frame: &[u8]) -> Result<Reason> {
        let before = self.outcomes();
        self.object.run_xdp(frame, 1)?;
        let after = self.outcomes();
        let grown = after.iter().zip(&before).find(|(after, before)| after.1 > before.1);
        grown.map(|((reason, _), _)| *reason).context("a frame left no count behind")
    }

    /// Packets by reason, of the node and of the target, enforced and only observed.
    pub fn outcomes(&self) -> Vec<(Reason, u64)> {
        let sum = |reason| {
            let one = |target, would| self.counters.one(target, would, reason).packets;
            (0..3).map(|target| one(target, false) + one(target, true)).sum()
        };
        Reason::ALL.iter().map(|reason| (*reason, sum(*reason))).collect()
    }

    /// Which share of the packets since `before` had which outcome, the most frequent first, in words.
    pub fn shares(&self, before: &[(Reason, u64)]) -> String {
        let mut grown: Vec<(Reason, u64)> =
            self.outcomes().iter().zip(before).map(|(after, before)| (after.0, after.1 - before.1)).collect();
        grown.retain(|(_, packets)| *packets > 0);
        grown.sort_by_key(|(_, packets)| std::cmp::Reverse(*packets));
        let total: u64 = grown.iter().map(|(_, packets)| packets).sum();
        let share = |(reason, packets): &(Reason, u64)| {
            format!("{:.1} % {}", *packets as f64 / total as f64 * 100.0, reason.label())
        };
        grown.iter().take(3).map(share).collect::<Vec<_>>().join(", ")
    }

    /// Bytes that a map takes in the kernel.
    pub fn map_bytes(&self, name: &str) -> Result<u64> {
        use std::os::fd::AsRawFd;
        let path = format!("/proc/self/fdinfo/{}", self.object.map(name)?.as_raw_fd());
        let info = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        let line = info.lines().find_map(|line| line.strip_prefix("memlock:"));
        line.and_then(|line| line.trim().parse().ok()).with_context(|| format!("no memlock in {path}"))
    }
}

/// A policy that denies a list, and the blocked hosts.
pub fn policy(list: &[Parsed], now: u64) -> Result<Policy> {
    let mut policy = Policy { enforce_node: true, ..Policy::default() };
    let (feed, block) = (policy.names.intern("bench list"), policy.names.intern("bench block"));
    policy.lists = denied(list, feed);
    // An hour is longer than any bench. An empty list stays empty: its tables are then not even looked at.
    let until = now + u64::from(clock::tick_hz()) * 3600;
    let blocked = BLOCKED.iter().filter(|_| !list.is_empty());
    policy.lists.extend(blocked.map(|host| ListEntry::new(*host, Verdict::Deny, block).until(until)));
    Ok(policy)
}

/// The same, compiled.
pub fn image(list: &[Parsed], now: u64) -> Result<TableImage> {
    compiled(&policy(list, now)?, now)
}

/// Compiles a policy.
pub fn compiled(policy: &Policy, now: u64) -> Result<TableImage> {
    let options = CompileOptions::new(clock::tick_hz(), now);
    Ok(compile(policy, &options, None).map_err(|errors| anyhow!("the bench's policy: {errors}"))?.image)
}
