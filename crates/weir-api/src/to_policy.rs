//! Objects to the neutral policy: cross-references, targets, lists and limits. Every finding names file, line and field.
//!
//! One object that cannot be used refuses the whole set: half a policy is a policy nobody wrote.

mod limits;
mod lists;
mod node;
mod targets;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::time::SystemTime;

use weir_policy::model::{NameTable, Policy};

use crate::field::{FieldPath, Step};
use crate::object::{Kind, Object, Resource};
use crate::problem::{Position, Problem, Severity};
use crate::spec::{Cidr, Mode, Moment, ProtectionSpec};
use crate::yaml::{Origin, Parsed};

/// What the objects are read against.
#[derive(Debug)]
pub struct Context<'a> {
    /// Overrides every object's own mode, and the node's.
    pub mode: Option<Mode>,
    /// This host's addresses: what `nodes: {}` protects.
    pub host: &'a [IpAddr],
    /// Files of `SourceSet`s by the path written there.
    pub files: &'a BTreeMap<String, Vec<Cidr>>,
    /// Relates expiry times to the kernel's tick.
    pub clock: Clock,
    /// Numbers that names had in the policy before.
    pub names: NameTable,
    /// Numbers that list sets had in the policy before.
    pub sets: NameTable,
}

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// The moment.
    pub now: SystemTime,
    /// The kernel's tick (`jiffies64`) at that moment.
    pub ticks: u64,
    /// Ticks per second.
    pub hz: u32,
}

impl Clock {
    /// The first tick at which the moment has come.
    pub fn tick(&self, moment: Moment) -> u64 {
        let (at, hz) = (moment.to_system(), u128::from(self.hz));
        let ticks = |d: std::time::Duration| (d.as_nanos() * hz).div_ceil(1_000_000_000);
        match at.duration_since(self.now) {
            Ok(ahead) => self.ticks.saturating_add(u64::try_from(ticks(ahead)).unwrap_or(u64::MAX)),
            Err(past) => self.ticks.saturating_sub(u64::try_from(ticks(past.duration())).unwrap_or(u64::MAX)),
        }
    }
}

/// The policy, and what in the objects has no effect here.
#[derive(Debug)]
pub struct Converted {
    /// The policy.
    pub policy: Policy,
    /// Warnings.
    pub warnings: Vec<Problem>,
    /// Where the objects behind names of targets and list entries stand, for findings of later steps.
    pub places: HashMap<String, Position>,
}

/// Converts all objects of a policy, or says everything that is wrong with them.
pub fn to_policy<'a>(objects: &'a [Parsed], context: Context<'a>) -> Result<Converted, Vec<Problem>> {
    let Context { mode, host, files, clock, names, sets } = context;
    let policy = Policy { names, sets, ..Policy::default() };
    let mut work = Conversion {
        mode,
        host,
        files,
        clock,
        policy,
        problems: Vec::new(),
        source_sets: HashMap::new(),
        used_sets: HashSet::new(),
    };
    work.unique_names(objects);
    if !work.problems.is_empty() {
        return Err(work.problems);
    }
    for parsed in objects {
        if let Object::SourceSet(set) = &parsed.object {
            work.source_sets.insert(set.metadata.name.as_str(), set);
        }
    }
    work.node(objects);
    for parsed in objects {
        match &parsed.object {
            Object::Protection(r) => work.protection(r, Kind::Protection, &parsed.origin),
            Object::ClusterProtection(r) => work.protection(r, Kind::ClusterProtection, &parsed.origin),
            Object::SourceSet(r) => work.source_set(r, &parsed.origin),
            Object::Block(r) => work.block(r, &parsed.origin),
        }
    }
    work.shared_endpoints(objects);
    work.problems.sort_by(|a, b| a.position.cmp(&b.position));
    let (errors, warnings): (Vec<_>, Vec<_>) = work.problems.into_iter().partition(|p| p.severity == Severity::Error);
    if errors.is_empty() {
        Ok(Converted { policy: work.policy, warnings, places: places(objects) })
    } else {
        Err(errors)
    }
}

/// Targets, and what list entries are named after.
fn places(objects: &[Parsed]) -> HashMap<String, Position> {
    let place = |parsed: &Parsed| {
        let name = match &parsed.object {
            Object::Protection(r) | Object::ClusterProtection(r) => targets::target_name(r),
            Object::SourceSet(_) | Object::Block(_) => parsed.object.title(),
        };
        (name, parsed.origin.position())
    };
    objects.iter().map(place).collect()
}

/// Conversion in progress.
struct Conversion<'a> {
    mode: Option<Mode>,
    host: &'a [IpAddr],
    files: &'a BTreeMap<String, Vec<Cidr>>,
    clock: Clock,
    policy: Policy,
    problems: Vec<Problem>,
    source_sets: HashMap<&'a str, &'a Resource<crate::spec::SourceSetSpec>>,
    /// Sets whose entries are in the policy already, by label.
    used_sets: HashSet<String>,
}

impl Conversion<'_> {
    fn error(&mut self, origin: &Origin, field: &FieldPath, message: impl Into<String>) {
        self.problems.push(origin.problem(Severity::Error, field, message));
    }

    fn warn(&mut self, origin: &Origin, field: &FieldPath, message: impl Into<String>) {
        self.problems.push(origin.problem(Severity::Warning, field, message));
    }

    fn enforces(&self, mode: Mode) -> bool {
        self.mode.unwrap_or(mode) == Mode::Enforce
    }

    /// Two objects of one name are one too many: which of them would count?
    fn unique_names(&mut self, objects: &[Parsed]) {
        let name = FieldPath(vec![Step::Field("metadata"), Step::Field("name")]);
        let mut seen: HashMap<String, &Origin> = HashMap::new();
        for parsed in objects {
            let title = parsed.object.title();
            if let Some(first) = seen.get(&title) {
                let message =
                    format!("{title} is there already, at {}: give one of them another name", first.position());
                self.error(&parsed.origin, &name, message);
            } else {
                seen.insert(title, &parsed.origin);
            }
        }
    }

    /// Fields that are understood and have no effect in this version. Silence here would be a promise.
    fn not_yet(&mut self, spec: &ProtectionSpec, origin: &Origin) {
        let at = FieldPath::spec();
        let later = "is kept for detection and has no effect in this version";
        if spec.sensitivity.is_some() {
            self.warn(origin, &at.field("sensitivity"), later);
        }
        if let Some(response) = spec.response {
            let at = at.field("response");
            self.warn(origin, &at, later);
            if response.collateral_budget.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
                self.error(origin, &at.field("collateralBudget"), "is a share from 0 to 1, such as 0.001");
            }
        }
    }
}
