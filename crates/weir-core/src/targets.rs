//! Step 4: which target a packet is for.

use weir_abi::target::{NODE, OWNER, OWNER_ONLY};
use weir_abi::{Addr, TargetKey, TargetPolicy};

use crate::{Env, limits};

/// What a destination belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The target, [`NODE`] for none. May carry [`OWNER_ONLY`].
    pub id: u32,
    /// The key of the target's sources, 0 where it does not limit them. It is known with the target so that a packet's source can be
    /// looked up without waiting for the policy.
    pub limit_key: u64,
}

/// No target.
pub const NONE: Found = Found { id: NODE, limit_key: 0 };

/// The target of a destination, and what its policy says of sources.
#[inline(always)]
pub fn resolve<E: Env>(env: &E, key: &TargetKey) -> Found {
    let id = entry(env, key);
    let policy = if id == NODE { None } else { policy(env, id & !OWNER_ONLY) };
    Found { id, limit_key: policy.map_or(0, limits::key) }
}

/// Walks from the exact entry to the address's owner. What comes back may carry [`OWNER_ONLY`].
#[inline(always)]
fn entry<E: Env>(env: &E, key: &TargetKey) -> u32 {
    if let Some(id) = env.target_entry(key) {
        return id;
    }
    if let Some(id) = env.target_entry(&TargetKey::new(key.addr, 0, key.proto)) {
        return id;
    }
    if let Some(id) = env.target_entry(&TargetKey::new(key.addr, 0, 0)) {
        return id;
    }
    match env.target_entry(&TargetKey::new(key.addr, 0, OWNER)) {
        Some(id) => id | OWNER_ONLY,
        None => NODE,
    }
}

/// Looks the destination up; the environment may answer from memory.
#[inline(always)]
pub fn find<E: Env>(env: &E, dst: Addr, port: u16, proto: u8) -> Found {
    env.target(&TargetKey::new(dst, port, proto))
}

/// A target's policy, of the copy that counts.
#[inline(always)]
pub fn policy<E: Env>(env: &E, target: u32) -> Option<&TargetPolicy> {
    let config = env.config();
    let copy = if config.policy_copy & 1 != 0 { config.targets } else { 0 };
    env.policy(copy + target)
}
