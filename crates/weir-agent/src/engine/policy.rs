//! From files to tables in force, and back to the last good ones when the files are bad.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use weir_api::problem::{Position, Problem, Severity};
use weir_api::spec::Mode;
use weir_api::to_policy::{Clock, Context, Converted, to_policy};
use weir_policy::compile::Compiled;
use weir_policy::image::TableImage;
use weir_policy::model::{ListEntry, Policy, Verdict};

use super::base::{Base, list_entry, used_names};
use super::{ApplyError, Engine, Now, StartError, clock};
use crate::datapath::DatapathError;
use crate::host::Host;
use crate::policy::{Loaded, load};
use crate::tables;
use crate::view::PolicyView;

impl Engine {
    /// Puts the first policy in force, the one on disk, else the last good one; then attaches.
    pub fn load(&mut self, now: Now) -> Result<(), StartError> {
        self.start_sampling()?;
        self.first_policy(now)?;
        self.datapath.attach()?;
        let mut view = PolicyView::clone(&self.view.policy());
        view.attachments = self.datapath.attachments();
        self.view.set_policy(view);
        Ok(())
    }

    fn first_policy(&mut self, now: Now) -> Result<(), StartError> {
        let Some(path) = self.settings.policy.clone() else {
            return self.adopt(Loaded::default(), true, now).map_err(StartError::Policy);
        };
        let Err(problems) = load(&path).and_then(|loaded| self.adopt(loaded, true, now)) else { return Ok(()) };
        let earlier = match self.last_good.load(&path) {
            Ok(Some(texts)) => texts.load().and_then(|loaded| self.adopt(loaded, false, now)),
            Ok(None) => Err(Vec::new()),
            Err(e) => {
                tracing::warn!(error = %e, "cannot read the last good policy");
                Err(Vec::new())
            }
        };
        if earlier.is_err() {
            return Err(StartError::Policy(problems));
        }
        self.refuse(problems);
        Ok(())
    }

    /// The files have changed.
    pub fn reload(&mut self, loaded: Result<Loaded, Vec<Problem>>, now: Now) {
        if let Err(problems) = loaded.and_then(|loaded| self.adopt(loaded, true, now)) {
            self.refuse(problems);
        }
    }

    /// The host has other addresses; the files are read again against them.
    pub fn set_host(&mut self, host: Host, now: Now) {
        if self.host == host {
            return;
        }
        tracing::info!(addresses = ?host.addresses, "the host's addresses changed");
        self.host = host;
        match &self.settings.policy {
            Some(path) => self.reload(load(path), now),
            None => self.reload(Ok(Loaded::default()), now),
        }
    }

    /// Converts, compiles and applies; nothing changes when any of these refuses. `keep`: this is what the files say.
    fn adopt(&mut self, loaded: Loaded, keep: bool, now: Now) -> Result<(), Vec<Problem>> {
        let start = Instant::now();
        let file = self.settings.policy.as_ref().map_or_else(String::new, |p| p.display().to_string());
        let general = |message: String| {
            let position = Position { file: file.as_str().into(), line: 0, column: 0 };
            vec![Problem { severity: Severity::Error, position, field: String::new(), message }]
        };
        let clock = clock(&mut *self.datapath, now).map_err(|e| general(e.to_string()))?;
        let context = Context {
            mode: self.settings.mode,
            host: &self.host.addresses,
            files: &loaded.lists,
            clock,
            names: used_names(&self.base),
            sets: self.base.policy.sets.clone(),
        };
        let Converted { mut policy, warnings, places } = to_policy(&loaded.objects, context)?;
        if let Some(ports) = &self.settings.failsafe {
            policy.failsafe.clone_from(ports);
        }
        let rule = policy.names.intern("never-block set");
        let never = self.host.never_block().into_iter().chain(self.settings.never_block.iter().copied());
        policy.lists.extend(never.map(|net| ListEntry::new(net, Verdict::NeverBlock, rule)));
        let runtime: BTreeMap<_, _> =
            self.entries.rows().iter().map(|(c, e)| (*c, list_entry(*c, e, &mut policy.names, clock))).collect();
        policy.lists.extend(runtime.values());
        let Loaded { objects, lists, texts } = loaded;
        drop(lists);

        self.compile_and_apply(&policy, clock).map_err(|e| match e {
            ApplyError::Compile(errors) => tables::findings(&errors, &places, &file),
            ApplyError::Datapath(e) => general(e.to_string()),
        })?;
        self.base = Base {
            warnings,
            files: texts.yaml.keys().chain(texts.lists.keys()).cloned().collect(),
            objects: objects.len() as u64,
            ..Base::new(policy, runtime)
        };
        let mut view = self.shown(clock);
        view.generation += 1;
        view.stale = !keep;
        view.errors.clear();
        view.apply_time = start.elapsed();
        tracing::info!(
            generation = view.generation,
            objects = view.objects,
            list_entries = view.prefixes,
            targets = view.policy.targets.len(),
            changes = view.changes,
            ms = view.apply_time.as_secs_f64() * 1000.0,
            "policy in force"
        );
        for warning in &view.warnings {
            tracing::warn!(%warning, "policy");
        }
        self.view.set_policy(view);
        if keep
            && let Some(path) = &self.settings.policy
            && let Err(e) = self.last_good.save(path, &texts)
        {
            tracing::warn!(error = %e, "cannot keep a copy of the policy: a restart in front of a broken file would find none");
        }
        Ok(())
    }

    /// The files are refused; what was in force stays.
    fn refuse(&mut self, problems: Vec<Problem>) {
        for problem in &problems {
            tracing::error!(%problem, "policy refused, the last good one stays in force");
        }
        let mut view = PolicyView::clone(&self.view.policy());
        view.stale = true;
        view.errors = problems;
        self.view.set_policy(view);
    }

    /// Compiles what the engine holds as a whole, and puts it in force.
    pub(super) fn rebuild(&mut self, now: Now) -> Result<(), ApplyError> {
        let clock = clock(&mut *self.datapath, now)?;
        self.compile_and_apply(&self.base.whole(), clock)?;
        self.view.set_policy(self.shown(clock));
        Ok(())
    }

    fn compile_and_apply(&mut self, policy: &Policy, clock: Clock) -> Result<(), ApplyError> {
        self.without_hurry(|engine| engine.compile_and_apply_now(policy, clock))
    }

    fn compile_and_apply_now(&mut self, policy: &Policy, clock: Clock) -> Result<(), ApplyError> {
        let in_force = self.datapath.image();
        // Tables that an agent before this one left have no names; without them ids would change hands.
        let named = match self.ids.names() {
            Some(names) if in_force.names.targets.is_empty() => {
                Some(TableImage { names: names.clone(), ..in_force.clone() })
            }
            _ => None,
        };
        let Compiled { mut image, warnings, exact_until } =
            tables::build(policy, Some(named.as_ref().unwrap_or(in_force)), clock)?;
        for warning in warnings {
            // Who wrote the policy has seen these with line and column, but for endpoints that overlap only in part.
            tracing::debug!(%warning, "tables");
        }
        let now = Now { wall: clock.now, steady: Instant::now() };
        self.detection.over(&mut image, &in_force.names.targets, self.datapath.tick_hz(), now);
        let report = self.datapath.apply(&image)?;
        self.exact_until = exact_until;
        self.changes = report.changes;
        if let Err(e) = self.ids.save(&image.names) {
            tracing::warn!(error = %e, "cannot keep the ids of targets: after a restart counters may change their names");
        }
        Ok(())
    }

    /// What readers see of what is in force now.
    pub(super) fn shown(&self, clock: Clock) -> PolicyView {
        let image = self.datapath.image();
        let before = self.view.policy();
        PolicyView {
            mode: if self.base.policy.enforce_node { Mode::Enforce } else { Mode::Observe },
            files: self.base.files.clone(),
            objects: self.base.objects,
            warnings: self.base.warnings.clone(),
            applied: Some(clock.now),
            changes: self.changes,
            policy: Arc::clone(&self.base.policy),
            prefixes: self.base.from_files,
            entries: self.entries.rows().iter().map(|(cidr, entry)| (*cidr, entry.clone())).collect(),
            names: if before.names.rules == image.names.rules && before.names.targets == image.names.targets {
                Arc::clone(&before.names)
            } else {
                Arc::new(image.names.clone())
            },
            slots: slots(image),
            clock,
            attachments: self.datapath.attachments(),
            ..PolicyView::clone(&before)
        }
    }

    /// Whether something has expired that the tables cannot express by themselves.
    pub(super) fn tables_are_behind(&mut self) -> Result<bool, DatapathError> {
        let Some(tick) = self.exact_until else { return Ok(false) };
        Ok(self.datapath.now_ticks()? >= tick)
    }
}

/// The slots of match rules that are in use, and the rule each belongs to.
fn slots(image: &TableImage) -> Vec<(u32, u32)> {
    let live = |(slot, _): &(u32, &u32)| image.rules.live >> slot & 1 != 0;
    (0u32..).zip(&image.rules.owner).filter(live).map(|(slot, rule)| (slot, *rule)).collect()
}
