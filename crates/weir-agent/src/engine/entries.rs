//! Runtime blocks and exceptions.

use std::time::Instant;

use super::base::list_entry;
use super::{ApplyError, Engine, Now, Refusal, clock};
use weir_api::local::{Applied, NewEntry};
use weir_api::spec::{BlockAction, Cidr, Mode, Moment};
use weir_policy::model::Scope;
use weir_policy::patch::patch;
use weir_policy::prefix::Prefix;

use crate::entries::Entry;
use crate::status;

/// A runtime block may not be wider than this: a slip of the finger must not shut out half the Internet.
const WIDEST: (u8, u8) = (8, 16);

impl Engine {
    /// Adds or replaces an entry, puts it in force, and keeps it.
    pub fn put(&mut self, action: BlockAction, new: NewEntry, now: Now) -> Result<Applied, Refusal> {
        let NewEntry { cidr, duration, reason } = new;
        check(action, cidr, &reason)?;
        let expires = duration.map(|d| Moment::from_system(now.wall + d.get()));
        let entry = Entry { action, reason, expires };
        let effect_ms = self.change(cidr, Some(entry.clone()), now)?;
        tracing::info!(%cidr, ?action, reason = entry.reason, effect_ms, "entry added");
        Ok(self.applied(cidr, &entry, effect_ms))
    }

    /// Removes an entry, takes it out of force, and forgets it.
    pub fn remove(&mut self, action: BlockAction, cidr: Cidr, now: Now) -> Result<Applied, Refusal> {
        let entry = match self.entries.rows().get(&cidr) {
            Some(entry) if entry.action == action => entry.clone(),
            _ => return Err(Refusal::Unknown(self.not_there(action, cidr))),
        };
        let effect_ms = self.change(cidr, None, now)?;
        tracing::info!(%cidr, ?action, effect_ms, "entry removed");
        Ok(self.applied(cidr, &entry, effect_ms))
    }

    /// The kernel first, for it is what hurries; the disk second. If either refuses, both are as before. Returns how long
    /// it took until the kernel had it, ms.
    fn change(&mut self, cidr: Cidr, entry: Option<Entry>, now: Now) -> Result<f64, Refusal> {
        let start = Instant::now();
        let before = self.entries.set(cidr, entry.clone()).map_err(|e| Refusal::Unwise(e.to_string()))?;
        let in_force = self.put_in_force(cidr, entry.as_ref(), now).map_err(|e| match e {
            ApplyError::Compile(errors) => Refusal::Unwise(errors.to_string()),
            ApplyError::Datapath(e) => Refusal::Failed(e.to_string()),
        });
        let effect_ms = start.elapsed().as_secs_f64() * 1000.0;
        let done = in_force.is_ok();
        let kept = in_force.and_then(|()| self.entries.save().map_err(|e| Refusal::Failed(e.to_string())));
        let Err(refusal) = kept else { return Ok(effect_ms) };
        // There was room for it before, so there is now.
        let _ = self.entries.set(cidr, before.clone());
        if done && let Err(e) = self.put_in_force(cidr, before.as_ref(), now) {
            tracing::error!(error = %e, %cidr, "a change that could not be kept stays in force until the next one");
        }
        Err(refusal)
    }

    /// Changes the tables for one prefix: only the blocks around it, where that is possible.
    fn put_in_force(&mut self, cidr: Cidr, entry: Option<&Entry>, now: Now) -> Result<(), ApplyError> {
        let clock = clock(&mut *self.datapath, now)?;
        let listed = entry.map(|entry| list_entry(cidr, entry, &mut self.base.names, clock));
        let before = self.base.set_runtime(cidr, listed);
        let result = self.patch(cidr, clock.ticks).unwrap_or_else(|| self.rebuild(now));
        match result {
            Ok(()) => self.view.set_policy(self.shown(clock)),
            Err(_) => drop(self.base.set_runtime(cidr, before)),
        }
        result
    }

    /// The small way; nothing where only the large one works.
    fn patch(&mut self, cidr: Cidr, ticks: u64) -> Option<Result<(), ApplyError>> {
        let prefix = Prefix::from(cidr.net());
        let patch = match patch(self.datapath.image(), &self.base.index, prefix, &self.base.names, ticks)? {
            Ok(patch) => patch,
            // The large way refuses it, too, and with names.
            Err(_) => return None,
        };
        Some(match self.datapath.patch(patch.diff) {
            Ok(report) => {
                self.changes = report.changes;
                self.exact_until = [self.exact_until, patch.exact_until].into_iter().flatten().min();
                Ok(())
            }
            Err(e) => Err(e.into()),
        })
    }

    /// Forgets entries whose time is over, here, in the tables and on disk.
    pub(super) fn forget_ended(&mut self, now: Now) -> Result<(), ApplyError> {
        let ended = self.entries.expire(now.wall);
        for cidr in &ended {
            self.put_in_force(*cidr, None, now)?;
        }
        if !ended.is_empty()
            && let Err(e) = self.entries.save()
        {
            tracing::warn!(error = %e, "ended entries stay in the state directory until the next change");
        }
        Ok(())
    }

    fn applied(&self, cidr: Cidr, entry: &Entry, effect_ms: f64) -> Applied {
        Applied {
            entry: status::entry_row(cidr, entry),
            enforced: entry.action == BlockAction::Allow || self.view.policy().mode == Mode::Enforce,
            effect_ms,
        }
    }

    /// Why there is nothing to remove, and where to look.
    fn not_there(&self, action: BlockAction, cidr: Cidr) -> String {
        let word = if action == BlockAction::Deny { "block" } else { "exception" };
        let rows = self.entries.rows().iter().filter(|(_, entry)| entry.action == action);
        let around = rows.map(|(other, _)| *other).find(|other| other.net().contains(&cidr.net()));
        let in_files = self.base.index.inside(Scope::Node, cidr.net().into()).find(|e| e.prefix == cidr.net().into());
        match (around, in_files) {
            (Some(other), _) => format!("there is no {word} of {cidr}; it lies within {other}: remove that one"),
            (None, Some(entry)) => {
                let rule = self.base.names.show(entry.rule);
                format!("{cidr} comes from the policy files ({rule}): change it there")
            }
            (None, None) => format!("there is no {word} of {cidr}: `weir status` lists what there is"),
        }
    }
}

/// What is understood and would do harm.
fn check(action: BlockAction, cidr: Cidr, reason: &str) -> Result<(), Refusal> {
    let net = cidr.net();
    let widest = if net.addr().is_ipv4() { WIDEST.0 } else { WIDEST.1 };
    if action == BlockAction::Deny && net.prefix_len() < widest {
        let message = format!(
            "{cidr} is wider than /{widest}: if it is meant, put it on a deny list of the policy directory, where it is reviewed"
        );
        return Err(Refusal::Unwise(message));
    }
    if reason.len() > 1024 {
        return Err(Refusal::Unwise("the reason is longer than 1024 bytes: shorten it".to_owned()));
    }
    Ok(())
}
