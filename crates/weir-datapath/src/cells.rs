//! The packet path's own state, for the parity harness and the benches: sketch lines, target cells, fragment slots.

use weir_abi::challenge::Retry;
use weir_abi::flow::{PENDING_PER_LINE, Pending};
use weir_abi::{FlowLine, FragmentSlot, SourceExtra, SourceLine, TargetCells, maps};

use crate::error::Result;
use crate::mapped::Mapped;
use crate::object::{Object, Sizes};
use crate::tables::map;

/// Views of the state cells. Values that are read are copies: the kernel may go on writing.
pub struct Cells {
    /// Source lines.
    pub sources: Mapped<SourceLine>,
    /// Source prefix lines.
    pub source_prefixes: Mapped<SourceLine>,
    /// The other cells of source lines.
    pub source_extras: Mapped<SourceExtra>,
    /// The other cells of source prefix lines.
    pub prefix_extras: Mapped<SourceExtra>,
    /// A target's cells.
    pub targets: Mapped<TargetCells>,
    /// Fragment slots.
    pub fragments: Mapped<FragmentSlot>,
    /// Lines of known flows.
    pub flows: Mapped<FlowLine>,
    /// Pending handshakes.
    pub pending: Mapped<Pending>,
    /// Lines of proven sources.
    pub proven: Mapped<FlowLine>,
    /// Challenged SYNs.
    pub retries: Mapped<Retry>,
    /// Lines of sources that come regularly.
    pub regulars: Mapped<FlowLine>,
}

impl Cells {
    /// Opens the cells of an object.
    pub fn new(object: &Object, sizes: &Sizes) -> Result<Self> {
        Ok(Self {
            sources: map(object, maps::SOURCES, sizes.source_lines)?,
            source_prefixes: map(object, maps::SOURCE_PREFIXES, sizes.source_lines)?,
            source_extras: map(object, maps::SOURCE_EXTRAS, sizes.source_lines)?,
            prefix_extras: map(object, maps::PREFIX_EXTRAS, sizes.source_lines)?,
            targets: map(object, maps::TARGET_CELLS, sizes.targets)?,
            fragments: map(object, maps::FRAGMENTS, sizes.fragment_slots)?,
            flows: map(object, maps::FLOWS, sizes.flow_lines)?,
            pending: map(object, maps::PENDING, sizes.flow_lines * PENDING_PER_LINE)?,
            proven: map(object, maps::PROVEN, sizes.proven_lines)?,
            retries: map(object, maps::RETRIES, sizes.retry_slots)?,
            regulars: map(object, maps::REGULARS, sizes.proven_lines)?,
        })
    }
}
