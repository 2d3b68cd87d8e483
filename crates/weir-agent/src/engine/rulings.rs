//! What people say of incidents' rules: one is let drop, where its target only observes as well, or withdrawn, for as long as its incident lasts.

use weir_api::local::{RuleRow, Ruling, RulingRow};
use weir_api::spec::Moment;

use super::rules::LIMITS;
use super::{Engine, Now, Refusal};
use crate::cases::Kind;

impl Engine {
    /// Approves or rejects an incident's rule, such as `7.3`. `by`: the user id of who asks, as far as the socket tells.
    pub fn rule(&mut self, id: &str, ruling: Ruling, by: Option<u32>, now: Now) -> Result<RuleRow, Refusal> {
        let (incident, number) = self.find_rule(id)?;
        // As it is written everywhere: `7.03` was understood, too.
        let id = &format!("{incident}.{number}");
        let row = RulingRow { ruling, by_uid: by, at: Moment::from_system(now.wall) };
        let before = self.set_ruling(incident, number, Some(row));
        // What it matched so far is read before its slots may go.
        if let Err(e) = self.count_rules().and_then(|()| self.lay()) {
            self.set_ruling(incident, number, before);
            return Err(Refusal::Failed(e.to_string()));
        }
        let who = by.map_or_else(|| "somebody".to_owned(), |uid| format!("uid {uid}"));
        let effect = match ruling {
            Ruling::Approved => "it drops as long as the incident lasts",
            Ruling::Rejected => "it is withdrawn, and this incident does not write it again",
        };
        let text = format!("rule {id} {} by {who}: {effect}", ruling.label());
        tracing::warn!(incident, rule = id, ruling = ruling.label(), by, "a person's word on a rule of an incident");
        if let Some(case) = self.detection.cases.get_mut(incident) {
            case.steps.add(now.wall, Kind::Ruling(ruling), text);
        }
        self.show_incidents().map_err(|e| Refusal::Failed(e.to_string()))?;
        let row = self.view.rules().iter().find(|row| row.id == *id).cloned();
        row.ok_or_else(|| Refusal::Unknown(self.no_rule(id)))
    }

    /// Sets what was said of a rule; returns what was said before.
    fn set_ruling(&mut self, incident: u64, number: u32, ruling: Option<RulingRow>) -> Option<RulingRow> {
        let case = self.detection.cases.get_mut(incident)?;
        let rule = case.rules.iter_mut().find(|rule| rule.number == number)?;
        std::mem::replace(&mut rule.ruling, ruling)
    }

    /// The incident and the number of a rule that something can be said of.
    fn find_rule(&self, id: &str) -> Result<(u64, u32), Refusal> {
        let unknown = || Refusal::Unknown(self.no_rule(id));
        let (incident, number) = id.split_once('.').ok_or_else(unknown)?;
        let incident: u64 = incident.parse().map_err(|_| unknown())?;
        let case = self.detection.cases.get(incident).ok_or_else(unknown)?;
        if LIMITS.contains(&number) {
            let message = format!("{id} is a limit, which goes with its incident: only rules are approved or rejected");
            return Err(Refusal::Unwise(message));
        }
        let number: u32 = number.parse().map_err(|_| unknown())?;
        let rule = case.rules.iter().find(|rule| rule.number == number).ok_or_else(unknown)?;
        if !case.open {
            return Err(Refusal::Unwise(format!("incident {incident} is over, and rule {id} is withdrawn with it")));
        }
        let written = self.detection.incidents.get(incident).map(|i| &i.signature.rules);
        if written.is_some_and(|rules| rules.iter().any(|signed| signed.matches == rule.signed.matches)) {
            return Ok((incident, number));
        }
        Err(Refusal::Unwise(format!("rule {id} has given way to newer ones of its incident: see `weir rules`")))
    }

    /// That there is no such rule, and which there are.
    fn no_rule(&self, id: &str) -> String {
        let open = |row: &&RuleRow| {
            let case = row.incident.and_then(|incident| self.detection.cases.get(incident));
            let is_limit = row.id.split_once('.').is_some_and(|(_, number)| LIMITS.contains(&number));
            case.is_some_and(|case| case.open) && !is_limit
        };
        let rules = self.view.rules();
        let ids = rules.iter().filter(open).map(|row| row.id.as_str()).take(20).collect::<Vec<_>>();
        if ids.is_empty() {
            format!("there is no rule {id}: no incident that goes on has one")
        } else {
            format!("there is no rule {id} of an incident that goes on; there are {}", ids.join(", "))
        }
    }
}
