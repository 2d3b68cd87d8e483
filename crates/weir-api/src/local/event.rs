//! What is told to others while it happens.

use serde::{Deserialize, Serialize};

use super::IncidentRow;
use crate::spec::Moment;

/// A step of an incident, as webhooks get it: one JSON object a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentEvent {
    /// `began`; `corroborated`: rules may be written now; `rules`: rules are in force; `limit`: packets of no known connection are held
    /// back; `no_rule`: none tells it from customers; `mitigating`, `watching`, `ended`: it stands there now. More may come.
    pub step: String,
    /// When.
    pub time: Moment,
    /// The host that tells it.
    pub host: String,
    /// The incident after the step.
    pub incident: IncidentRow,
}
