//! From files to tables in force, and back to the last good ones when the files are bad.

use std::sync::Arc;
use std::time::Instant;

use weir_api::problem::{Position, Problem, Severity};
use weir_api::spec::Mode;
use weir_api::to_policy::{Context, Converted, to_policy};
use weir_policy::compile::Compiled;
use weir_policy::image::TableImage;
use weir_policy::model::{ListEntry, Verdict};

use super::{ApplyError, Base, Engine, Now, StartError, clock};
use crate::host::Host;
use crate::policy::{Loaded, load};
use crate::tables;
use crate::view::PolicyView;

impl Engine {
    /// Puts the first policy in force: the one on disk, else the last good one.
    pub fn load(&mut self, now: Now) -> Result<(), StartError> {
        self.start_sampling()?;
        let loaded = match &self.settings.policy {
            Some(path) => load(path),
            None => Ok(Loaded::default()),
        };
        let Err(problems) = loaded.and_then(|loaded| self.adopt(loaded, true, now)) else { return Ok(()) };
        let path = self.settings.policy.clone().unwrap_or_default();
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
        tracing::info!(addresses = ?host.addresses, gateways = ?host.gateways, "the host's addresses changed");
        self.host = host;
        match &self.settings.policy {
            Some(path) => self.reload(load(path), now),
            None => self.reload(Ok(Loaded::default()), now),
        }
    }

    /// Converts, compiles and applies; nothing changes when any of these refuses.
    fn adopt(&mut self, loaded: Loaded, keep: bool, now: Now) -> Result<(), Vec<Problem>> {
        let start = Instant::now();
        let clock = clock(&*self.datapath, now);
        let context = Context {
            mode: self.settings.mode,
            host: &self.host.addresses,
            files: &loaded.lists,
            clock,
            names: tables::used_names(&self.base.policy),
            sets: self.base.policy.sets.clone(),
        };
        let Converted { mut policy, warnings, places } = to_policy(&loaded.objects, context)?;
        let rule = policy.names.intern("never-block set");
        let never = self.host.never_block().into_iter().chain(self.settings.never_block.iter().copied());
        policy.lists.extend(never.map(|net| ListEntry::new(net, Verdict::NeverBlock, rule)));

        let objects = loaded.objects.len() as u64;
        let files: Vec<String> = loaded.texts.yaml.keys().chain(loaded.texts.lists.keys()).cloned().collect();
        let lists = std::mem::take(&mut policy.lists);
        let shown = Arc::new(policy.clone());
        policy.lists = lists;
        let fresh = Base { policy, shown, warnings, files, objects };
        let before = std::mem::replace(&mut self.base, fresh);
        drop(loaded.lists);
        if let Err(e) = self.apply(now) {
            self.base = before;
            let file = self.settings.policy.as_ref().map_or_else(String::new, |p| p.display().to_string());
            return Err(match e {
                ApplyError::Compile(errors) => tables::findings(&errors, &places, &file),
                ApplyError::Datapath(e) => {
                    let position = Position { file: file.into(), line: 0, column: 0 };
                    vec![Problem { severity: Severity::Error, position, field: String::new(), message: e.to_string() }]
                }
            });
        }
        let mut view = PolicyView::clone(&self.view.policy());
        view.generation += 1;
        view.stale = !keep;
        view.errors.clear();
        view.apply_time = start.elapsed();
        tracing::info!(
            generation = view.generation,
            objects,
            prefixes = self.base.policy.lists.len(),
            targets = self.base.policy.targets.len(),
            changes = view.changes,
            ms = view.apply_time.as_millis(),
            "policy in force"
        );
        for warning in &self.base.warnings {
            tracing::warn!(%warning, "policy");
        }
        self.view.set_policy(view);
        if keep
            && let Some(path) = &self.settings.policy
            && let Err(e) = self.last_good.save(path, &loaded.texts)
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

    /// Compiles the policy and the runtime entries, and puts the tables in force.
    pub(super) fn apply(&mut self, now: Now) -> Result<(), ApplyError> {
        let clock = clock(&*self.datapath, now);
        // The entries go in and out again: a copy of a long list would cost more than everything else here.
        let from_files = self.base.policy.lists.len();
        tables::add_entries(&mut self.base.policy, self.entries.rows(), clock);
        let built = tables::build(&self.base.policy, self.image.as_ref(), clock);
        self.base.policy.lists.truncate(from_files);
        let Compiled { image, warnings, exact_until } = built?;
        for warning in warnings {
            // Who wrote the policy has seen these with line and column, but for endpoints that overlap only in part.
            tracing::debug!(%warning, "tables");
        }
        let report = self.datapath.apply(&image)?;
        let mut view = PolicyView::clone(&self.view.policy());
        view.mode = if self.base.policy.enforce_node { Mode::Enforce } else { Mode::Observe };
        view.files.clone_from(&self.base.files);
        view.objects = self.base.objects;
        view.warnings.clone_from(&self.base.warnings);
        view.applied = Some(now.wall);
        view.apply_time = report.elapsed;
        view.changes = report.changes;
        view.policy = Arc::clone(&self.base.shown);
        view.prefixes = from_files as u64;
        view.entries = self.entries.rows().iter().map(|(cidr, entry)| (*cidr, entry.clone())).collect();
        view.names = Arc::new(image.names.clone());
        view.slots = slots(&image);
        view.clock = clock;
        view.attachments = self.datapath.attachments();
        self.view.set_policy(view);
        if let Err(e) = self.ids.save(&image.names) {
            tracing::warn!(error = %e, "cannot keep the ids of targets: after a restart counters may change their names");
        }
        self.image = Some(image);
        self.exact_until = exact_until;
        Ok(())
    }

    /// Whether something has expired that the tables cannot express by themselves.
    pub(super) fn tables_are_behind(&self) -> bool {
        self.exact_until.is_some_and(|tick| self.datapath.now_ticks() >= tick)
    }
}

/// The slots of match rules that are in use, and the rule each belongs to.
fn slots(image: &TableImage) -> Vec<(u32, u32)> {
    let live = |(slot, _): &(u32, &u32)| image.rules.live >> slot & 1 != 0;
    (0u32..).zip(&image.rules.owner).filter(live).map(|(slot, rule)| (slot, *rule)).collect()
}
