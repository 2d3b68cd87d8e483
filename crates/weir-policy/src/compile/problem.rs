//! What can be wrong with a policy, and what is only surprising.

use std::fmt;

use thiserror::Error;

use crate::limits::LimitError;
use crate::lists::ListError;
use crate::model::Endpoint;
use crate::rules::RuleError;

/// Why an object cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompileError {
    /// A target without a name.
    #[error("a target has no name; its counters and events are found by name")]
    UnnamedTarget,
    /// Two targets of one name.
    #[error("target `{target}`: there are two of this name; rename one")]
    DuplicateTarget {
        /// The name.
        target: String,
    },
    /// More targets than ids.
    #[error(
        "target `{target}`: {wanted} targets are wanted and {room} fit; raise the number of targets at start, or select fewer"
    )]
    TooManyTargets {
        /// The first one that does not fit.
        target: String,
        /// How many there are.
        wanted: usize,
        /// How many fit.
        room: u32,
    },
    /// An endpoint that no packet can be for.
    #[error("target `{target}`: port {port} with IP protocol {proto}, which has no ports; leave one of them out")]
    NoPorts {
        /// The target.
        target: String,
        /// The port.
        port: u16,
        /// The protocol.
        proto: u8,
    },
    /// A rate that cannot be kept.
    #[error("target `{target}`: limit {limit}: {source}")]
    Limit {
        /// The target.
        target: String,
        /// Which limit, for example `per source, packets`.
        limit: String,
        /// Why.
        source: LimitError,
    },
    /// A target names a set that does not exist.
    #[error("target `{target}`: list set {set} does not exist; it must be named in the policy first")]
    UnknownSet {
        /// The target.
        target: String,
        /// The number of the set.
        set: u32,
    },
    /// The targets' own lists are too large together.
    #[error(
        "the list of {}: the targets' own lists need {wanted} entries together and {room} fit; let targets share one \
         combination of sets, or put what all of them share on the node's list", .sets.join(", ")
    )]
    TooManyOwnEntries {
        /// The sets of the largest list.
        sets: Vec<String>,
        /// How many entries there would be.
        wanted: usize,
        /// How many fit.
        room: usize,
    },
    /// A rule or entry without a name.
    #[error("{place}: its owner is number {number}, which has no name; it must be named in the policy first")]
    UnknownOwner {
        /// The prefix or rule.
        place: String,
        /// The number.
        number: u32,
    },
    /// A list entry that no table can hold.
    #[error("{name}: {source}")]
    List {
        /// The object or list.
        name: String,
        /// Why.
        source: ListError,
    },
    /// A match rule.
    #[error("rule `{name}` ({rule}): {source}")]
    Rule {
        /// Its name.
        name: String,
        /// Its text.
        rule: String,
        /// Why.
        source: RuleError,
    },
    /// A rule for a target that does not exist.
    #[error("rule `{name}`: there is no target `{target}`; rules follow the names of targets")]
    UnknownTarget {
        /// The rule.
        name: String,
        /// The target it names.
        target: String,
    },
}

/// Everything that is wrong with a policy. Shown one error a line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct CompileErrors(pub Vec<CompileError>);

impl fmt::Display for CompileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

/// What compiles, but perhaps not to what was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Two targets claim one endpoint.
    Taken {
        /// The endpoint.
        endpoint: Endpoint,
        /// The target that has it: the first by name.
        kept: String,
        /// The target that does not.
        lost: String,
    },
    /// A target without endpoints protects nothing.
    NoEndpoint {
        /// The target.
        target: String,
    },
    /// A burst is larger than asked for.
    RaisedBurst {
        /// The target.
        target: String,
        /// Which limit.
        limit: String,
        /// The burst that was asked for.
        asked: u64,
        /// The burst in force.
        raised: u64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Taken { endpoint: Endpoint { addr, port, proto }, kept, lost } => {
                write!(
                    f,
                    "target `{lost}`: address {addr} port {port} protocol {proto} already belongs to target `{kept}`"
                )
            }
            Warning::NoEndpoint { target } => write!(f, "target `{target}` has no endpoint and protects nothing"),
            Warning::RaisedBurst { target, limit, asked, raised } => write!(
                f,
                "target `{target}`: limit {limit}: a burst of {asked} is less than one clock tick or one frame can bring, \
                 {raised} is in force"
            ),
        }
    }
}

/// What is found while compiling.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub errors: Vec<CompileError>,
    pub warnings: Vec<Warning>,
}
