//! Rtnetlink: which XDP program sits on an interface, which ones `tc filter` put there; and how a dispatcher is replaced.
//!
//! Messages and attributes: the kernel's `include/uapi/linux/{netlink,rtnetlink,if_link,pkt_cls}.h`.

mod filters;
mod message;
mod xdp;

pub use filters::filters_of;
pub use xdp::{replace_xdp, xdp_of};
