//! Sources that keep connections waiting: where a target is attacked by that ([`weir_abi::policy::flag::CLOSE`]), each source may go on with a few.
//!
//! A slow line is a customer's as well, one of few. So each source may feed eight connections at once and four more in each 16 seconds, or as
//! many times that as is more than all of the target's are fed in calm times ([`weir_abi::TargetPolicy::feed_shift`]). What it feeds beyond that, and whatever it feeds from then on, goes on to the host as the client's reset ([`crate::reset`]): nothing else gives the place back that the connection takes, since
//! servers that wait for a request to its end do so for a minute. Who did that opens no other connections for a while. And who went on asking for more
//! connections than its share ([`crate::hammers`]) may feed none.
//!
//! Who is fed has completed a handshake: neither a limit nor a mark can be brought upon a source by someone who forges it.

use weir_abi::flow::{AGE_SHIFT, FED_UNITS};
use weir_abi::limit::SOURCE_UNIT_SHIFT;
use weir_abi::policy::feed::{AT_ONCE, PER_UNIT};
use weir_abi::policy::flag;
use weir_abi::{Addr, Limit, TargetPolicy};
use weir_wire::Frame;

use crate::{Env, barred, limits};

/// Units for which a source that fed more opens no connections: five minutes.
pub const UNITS: u32 = 152;

/// Keep these hashes apart from those of limits, and of sources that are proven or come regularly.
const CELL_KEY: u64 = 0x6665_6564_696e_6721;
const SECOND_KEY: u64 = 0x7477_6963_6521_2121;
const MARK_KEY: u64 = 0x6461_7764_6c65_7273;

/// What a connection that is fed costs in cells for new connections.
const COST: u64 = ((FED_UNITS as u64) << (AGE_SHIFT + SOURCE_UNIT_SHIFT)) / PER_UNIT;

/// Whether a source that feeds a connection has fed as many already as each may. It is counted against it in calm times as well: that is what tells
/// an attack from a service that hangs, whose customers say something each in his own few connections.
#[inline(always)]
pub fn feeds_too_many<F: Frame, E: Env>(frame: &F, env: &E, policy: &TargetPolicy, src: Addr) -> bool {
    let cost = COST >> (policy.feed_shift & 15);
    let feeds = Limit { cost, window: AT_ONCE * COST };
    // What was counted before an attack is not held against anyone under it.
    let key = policy.limit_key ^ (CELL_KEY + policy.has(flag::CLOSE) as u64);
    // In two lines of cells, as for a share: in one of them it may have met those who feed a thousand.
    let one = frame.blur(limits::is_source_over(frame, env, key, src, feeds) as u8);
    let other = frame.blur(limits::is_source_over(frame, env, key ^ SECOND_KEY, src, feeds) as u8);
    one & other & 1 != 0
}

/// Notes that a source feeds too many: it is a dawdler from now on.
#[inline(always)]
pub fn note<F: Frame, E: Env>(frame: &F, env: &E, target: u32, src: Addr) {
    barred::bar(frame, env, MARK_KEY, target, src);
}

/// Whether a source fed too many connections of a target within the last minutes.
#[inline(always)]
pub fn is_one<E: Env>(env: &E, target: u32, src: Addr) -> bool {
    barred::is_barred(env, MARK_KEY, target, src, UNITS)
}
