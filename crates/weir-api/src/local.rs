//! The agent's HTTP API under `/api/v1`: what it answers and what it takes. JSON, field names in snake_case, stable.
//!
//! | path | methods | type |
//! |---|---|---|
//! | `status` | GET | [`Status`] |
//! | `counters` | GET | list of [`CounterRow`] |
//! | `targets` | GET | list of [`TargetRow`] |
//! | `rules` | GET | list of [`RuleRow`] |
//! | `rules/{id}/approve`, `rules/{id}/reject` | POST | [`RuleRow`] |
//! | `policy` | GET | [`PolicyStatus`] |
//! | `samples` | GET | list of [`SampleRow`] |
//! | `incidents` | GET | list of [`IncidentRow`], the newest first |
//! | `incidents/{id}` | GET | [`IncidentRow`] |
//! | `baselines/{target}` | GET | [`BaselineRow`] |
//! | `incidents/{id}/pcap` | GET | bytes: a capture (pcapng) |
//! | `explain/{address}` | GET | [`Explanation`] |
//! | `blocks`, `allows` | GET, POST ([`NewEntry`]), DELETE (`?cidr=`) | [`EntryRow`]s |
//! | `detach` | POST | [`Detached`] |
//!
//! A refusal is an [`ApiError`] with a 4xx or 5xx status.

mod baseline;
mod counters;
mod entries;
mod event;
mod explain;
mod incidents;
mod rules;
mod samples;
mod status;

pub use baseline::{BaselineHour, BaselineKind, BaselineRow};
pub use counters::{CounterRow, FeatureRow, TargetRow, Verdict};
pub use entries::{Applied, EntryAction, EntryOrigin, EntryRow, NewEntry};
pub use event::IncidentEvent;
pub use explain::{Explanation, IncidentHit, LimitRow, ListHit, ListKind, Outcome, RuleHit, SeenRow};
pub use incidents::{DroppedRow, IncidentRow, KnownFlowsRow, SignatureRow, SourceShare, SourcesRow, Span, StepRow};
pub use rules::{RuleAction, RuleRow, Ruling, RulingRow, Standing};
pub use samples::SampleRow;
pub use status::{ApiError, AttachmentRow, Detached, FindingRow, Hook, NodeMode, PolicyStatus, Status, Totals};
