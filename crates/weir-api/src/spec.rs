//! What people write: the specs of the four kinds, field by field as in the Kubernetes objects.
//!
//! Names are camelCase, unknown fields are refused, and every default is stated here and nowhere else.

pub mod block;
pub mod cidr;
pub mod hygiene;
pub mod limits;
pub mod list;
pub mod moment;
pub mod period;
pub mod protection;
pub mod quantity;
pub mod response;
pub mod source_set;
pub mod target;
mod text;

pub use block::{BlockAction, BlockSpec};
pub use cidr::Cidr;
pub use hygiene::HygieneSpec;
pub use limits::{DimensionsSpec, LimitsSpec, RateSpec};
pub use list::ListEntry;
pub use moment::Moment;
pub use period::Period;
pub use protection::{FragmentsMode, Mode, ProtectionSpec, Sensitivity};
pub use quantity::Quantity;
pub use response::{Challenge, ResponseSpec, SynSpec};
pub use source_set::SourceSetSpec;
pub use target::{AddressTarget, LabelSelector, NodeSelector, Protocol, TargetSpec};
