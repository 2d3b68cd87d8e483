//! The one owner of the packet path: everything that changes it goes through here, one thing at a time.
//!
//! [`Engine`] is a plain struct fed with events and a clock, so that tests need neither threads nor time. [`run`] drives
//! it from a thread of its own: putting a large policy in force must not hold up the API.

mod base;
mod baseline;
mod casework;
mod command;
mod detect;
mod entries;
mod memory;
mod policy;
mod rules;
mod rulings;
mod seconds;
mod thread;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use ipnet::IpNet;
use weir_abi::Sample;
use weir_api::local::Explanation;
use weir_api::problem::Problem;
use weir_api::spec::Mode;
use weir_api::to_policy::Clock;
use weir_policy::compile::CompileErrors;
use weir_policy::model::FailsafePort;

use crate::datapath::{Datapath, DatapathError};
use crate::entries::{Entries, EntriesError};
use crate::explain::{Known, Lists, explain};
use crate::host::Host;
use crate::ids::Ids;
use crate::notify::{Notifier, host_name};
use crate::policy::LastGood;
use crate::store::{Opened, Store};
use crate::view::{PolicyView, View};
use base::Base;

pub use command::{Handle, Refusal};
pub use thread::run;

/// What does not change while the agent runs.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The policy directory or file; none: no policy but runtime entries.
    pub policy: Option<PathBuf>,
    /// `--mode`: overrides every policy's own mode, and the node's.
    pub mode: Option<Mode>,
    /// Sources that no list may block, beside the host's own.
    pub never_block: Vec<IpNet>,
    /// Ports that pass before everything; none: the usual ones.
    pub failsafe: Option<Vec<FailsafePort>>,
    /// Where runtime entries, the last good policy and what detection noticed are kept.
    pub state_dir: PathBuf,
    /// How long a target is watched until its rates can be called unusual; none: ten minutes.
    pub learn: Option<Duration>,
}

/// One moment on both clocks of user space.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For people and files.
    pub wall: SystemTime,
    /// For rates.
    pub steady: Instant,
}

impl Now {
    /// Now.
    pub fn read() -> Self {
        Self { wall: SystemTime::now(), steady: Instant::now() }
    }
}

/// Why tables did not come into force; those of before still are.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The policy cannot be expressed.
    #[error(transparent)]
    Compile(#[from] CompileErrors),
    /// The kernel refuses.
    #[error(transparent)]
    Datapath(#[from] DatapathError),
}

/// Why the agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Runtime entries cannot be kept.
    #[error(transparent)]
    Entries(#[from] EntriesError),
    /// The policy is refused and there is no earlier one.
    #[error("the policy is refused, and there is no earlier one to fall back to:\n{}", lines(.0))]
    Policy(Vec<Problem>),
    /// The kernel refuses the tables.
    #[error(transparent)]
    Datapath(#[from] DatapathError),
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|p| format!("  {p}")).collect::<Vec<_>>().join("\n")
}

/// The owner.
pub struct Engine {
    datapath: Box<dyn Datapath>,
    settings: Settings,
    host: Host,
    entries: Entries,
    last_good: LastGood,
    view: Arc<View>,
    base: Base,
    /// The tick from which the tables in force may be behind the policy.
    exact_until: Option<u64>,
    /// Map elements that the last change touched.
    changes: u64,
    /// The ids of targets and lists, from an agent before this one, too.
    ids: Ids,
    /// Where samples land before they are shown.
    samples: Vec<Sample>,
    seconds: seconds::Seconds,
    detection: detect::Detection,
    store: Store,
    notifier: Notifier,
    /// This host's name, for those who are told.
    host_name: String,
    /// The thread has a priority.
    hurries: bool,
}

impl Engine {
    /// Reads the runtime entries. Nothing is in force until [`Self::load`] has put a policy there.
    pub fn new(mut datapath: Box<dyn Datapath>, settings: Settings, host: Host, now: Now) -> Result<Self, StartError> {
        let (entries, notes) = Entries::load(&settings.state_dir, now.wall)?;
        for note in notes {
            tracing::warn!(note, "runtime entries");
        }
        let (store, Opened { incidents, next, learned, notes }) = Store::open(&settings.state_dir, now.wall);
        for note in notes {
            tracing::warn!(note, "what was noticed earlier");
        }
        let clock = clock(&mut *datapath, now)?;
        let view = PolicyView {
            generation: 0,
            mode: settings.mode.unwrap_or_default(),
            forced: settings.mode.is_some(),
            directory: settings.policy.clone(),
            files: Vec::new(),
            objects: 0,
            applied: None,
            apply_time: std::time::Duration::ZERO,
            changes: 0,
            stale: false,
            errors: Vec::new(),
            warnings: Vec::new(),
            policy: Arc::default(),
            entries: Vec::new(),
            names: Arc::default(),
            prefixes: 0,
            slots: Vec::new(),
            clock,
            attachments: datapath.attachments(),
        };
        Ok(Self {
            last_good: LastGood::new(&settings.state_dir),
            view: Arc::new(View::new(view, now.wall).remembering(incidents, store.stats())),
            base: Base::default(),
            exact_until: None,
            changes: 0,
            ids: Ids::load(&settings.state_dir),
            samples: Vec::new(),
            seconds: seconds::Seconds::new(now),
            detection: detect::Detection::new(settings.learn, next, learned, now),
            store,
            notifier: Notifier::default(),
            host_name: host_name(),
            hurries: false,
            datapath,
            settings,
            host,
            entries,
        })
    }

    /// Tells others, too, what happens from now on.
    pub fn notify(&mut self, notifier: Notifier) {
        self.view.set_told(notifier.stats());
        self.notifier = notifier;
    }

    /// What readers see.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view)
    }

    /// Everything that touches an address.
    pub fn explain(&self, ip: IpAddr, now: Now) -> Explanation {
        let lists = Lists { index: &self.base.index, names: &self.base.names };
        let known = Known { incidents: &self.view.incidents(), rules: &self.view.rule_names() };
        explain(ip, &lists, &self.view.policy(), &known, &self.view.recent(), now)
    }

    /// Lets the calling thread, which is to call [`Self::tick`], go before all ordinary ones.
    pub(crate) fn hurry(&mut self) {
        match self.datapath.hurry(true) {
            Ok(()) => self.hurries = true,
            Err(e) => {
                tracing::warn!(error = %e, "no priority: under a flood that takes every core, noticing it takes longer")
            }
        }
    }

    /// Does something long, for which nobody else is to wait.
    fn without_hurry<T>(&mut self, long: impl FnOnce(&mut Self) -> T) -> T {
        // An ordinary thread can always be made ordinary, and one that had a priority may have it again.
        if self.hurries {
            let _ = self.datapath.hurry(false);
        }
        let result = long(self);
        if self.hurries {
            let _ = self.datapath.hurry(true);
        }
        result
    }

    /// Detaches and removes everything.
    pub fn detach(mut self, now: Now) -> Result<Vec<String>, DatapathError> {
        self.keep_all_learned(now);
        self.end_open("everything was detached", now);
        self.datapath.detach()
    }

    /// The end of the agent, not of what is in force.
    pub fn stop(mut self, now: Now) {
        self.keep_all_learned(now);
        self.keep_open();
    }
}

/// Relates the kernel's tick to the wall clock.
fn clock(datapath: &mut dyn Datapath, now: Now) -> Result<Clock, DatapathError> {
    Ok(Clock { now: now.wall, ticks: datapath.now_ticks()?, hz: datapath.tick_hz() })
}
