//! Step 4: which target a packet is for.

use weir_abi::target::{NODE, OWNER, OWNER_ONLY};
use weir_abi::{Addr, TargetKey};

use crate::Env;

/// Walks from the exact entry to the address's owner. What comes back may carry [`OWNER_ONLY`].
#[inline(always)]
pub fn resolve<E: Env>(env: &E, key: &TargetKey) -> u32 {
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
pub fn find<E: Env>(env: &E, dst: Addr, port: u16, proto: u8) -> u32 {
    env.target(&TargetKey::new(dst, port, proto))
}
