//! How the agent is: what it is attached to, what policy is in force, what stands in its way.

use serde::{Deserialize, Serialize};

use super::{EntryRow, TargetRow};
use crate::problem::Problem;
use crate::spec::{Mode, Moment};

/// Observe or enforce, in the API's spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeMode {
    /// Drops are counted, not done.
    Observe,
    /// Drops are done.
    Enforce,
}

impl NodeMode {
    /// The word in texts and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            NodeMode::Observe => "observe",
            NodeMode::Enforce => "enforce",
        }
    }
}

impl From<Mode> for NodeMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Observe => NodeMode::Observe,
            Mode::Enforce => NodeMode::Enforce,
        }
    }
}

/// `GET /api/v1/status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Attached everywhere it should be, and a policy is in force.
    pub ready: bool,
    /// Why not, if not.
    pub not_ready: Vec<String>,
    /// Mode of the node-wide checks: lists, blocks, malformed packets.
    pub mode: NodeMode,
    /// Whether `--mode` overrides every policy's own mode.
    pub mode_forced: bool,
    /// The agent's version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// When it started.
    pub started: Moment,
    /// Where it is in the packet path.
    pub attachments: Vec<AttachmentRow>,
    /// The policy in force.
    pub policy: PolicyStatus,
    /// Protected targets.
    pub targets: Vec<TargetRow>,
    /// Runtime blocks.
    pub blocks: Vec<EntryRow>,
    /// Runtime exceptions.
    pub allows: Vec<EntryRow>,
    /// All packets together.
    pub totals: Totals,
}

/// How a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// XDP in the driver.
    NativeXdp,
    /// A slot of libxdp's dispatcher, beside the XDP programs of others.
    XdpDispatcher,
    /// XDP behind the socket buffer: slow, only when asked for.
    GenericXdp,
    /// Traffic control.
    Tcx,
}

impl Hook {
    /// The word in texts, labels and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Hook::NativeXdp => "native_xdp",
            Hook::XdpDispatcher => "xdp_dispatcher",
            Hook::GenericXdp => "generic_xdp",
            Hook::Tcx => "tcx",
        }
    }
}

/// One interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentRow {
    /// Its name.
    pub interface: String,
    /// The hook in use.
    pub hook: Hook,
    /// Why this hook and not a better one.
    pub reason: String,
    /// Whether the program was there already, from an agent before this one.
    pub adopted: bool,
    /// Why it is not seen what the host sends there, so that connections are not known; absent where it is seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind: Option<String>,
    /// Why SYNs that come there cannot be challenged; absent where they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mute: Option<String>,
    /// Other programs on the same hook, left alone.
    pub foreign: Vec<String>,
}

/// `GET /api/v1/policy`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// Counts the policies put in force since the agent started.
    pub generation: u64,
    /// The policy directory.
    pub directory: Option<String>,
    /// The files the policy in force was read from.
    pub files: Vec<String>,
    /// How many objects they hold.
    pub objects: u64,
    /// Prefixes in the node's and the targets' lists.
    pub prefixes: u64,
    /// When it came into force.
    pub applied: Option<Moment>,
    /// How long putting it in force took, from parsed files to tables, ms.
    pub apply_ms: f64,
    /// Whether the files on disk are refused and an earlier policy is in force.
    pub stale: bool,
    /// Why the files on disk are refused.
    pub errors: Vec<FindingRow>,
    /// What has no effect here.
    pub warnings: Vec<FindingRow>,
}

/// One finding about a policy file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingRow {
    /// `error` or `warning`.
    pub severity: String,
    /// The file.
    pub file: String,
    /// Its line, from 1; 0: the file as a whole.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
    /// The field, if it is about one.
    pub field: String,
    /// Cause and likely fix.
    pub message: String,
}

impl From<&Problem> for FindingRow {
    fn from(p: &Problem) -> Self {
        Self {
            severity: p.severity.label().to_owned(),
            file: p.position.file.to_string(),
            line: p.position.line,
            column: p.position.column,
            field: p.field.clone(),
            message: p.message.clone(),
        }
    }
}

/// Sums over all targets since the kernel tables were made, and rates over the last second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Totals {
    pub passed_packets: u64,
    pub passed_bytes: u64,
    pub dropped_packets: u64,
    pub dropped_bytes: u64,
    pub would_drop_packets: u64,
    pub would_drop_bytes: u64,
    pub passed_packets_per_s: f64,
    pub dropped_packets_per_s: f64,
    pub would_drop_packets_per_s: f64,
}

/// `POST /api/v1/detach`: everything is removed, and the agent stops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detached {
    /// What was removed, one line each.
    pub removed: Vec<String>,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// Cause and likely fix.
    pub error: String,
}
