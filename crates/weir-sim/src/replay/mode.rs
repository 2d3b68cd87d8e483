//! Enforce or observe, for everything at once.

use weir_abi::config::node_flag;
use weir_abi::policy::flag;
use weir_policy::TableImage;

/// What is done with what is to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is passed and counted as a would-drop.
    Observe,
    /// It is dropped.
    Enforce,
}

impl Mode {
    /// The tables with every owner, the node and each target, in this mode.
    pub(super) fn applied_to(self, image: &TableImage) -> TableImage {
        let mut image = image.clone();
        let set = |flags: &mut u32, flag: u32| match self {
            Mode::Enforce => *flags |= flag,
            Mode::Observe => *flags &= !flag,
        };
        set(&mut image.node_flags, node_flag::ENFORCE);
        for policy in &mut image.policies {
            set(&mut policy.flags, flag::ENFORCE);
        }
        image
    }
}
