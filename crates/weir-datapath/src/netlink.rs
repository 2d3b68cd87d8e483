//! Two questions to rtnetlink: which XDP program sits on an interface, and which programs `tc filter` put there.
//!
//! Messages and attributes: the kernel's `include/uapi/linux/{netlink,rtnetlink,if_link,pkt_cls}.h`.

mod filters;
mod message;
mod xdp;

pub use filters::filters_of;
pub use xdp::xdp_of;
