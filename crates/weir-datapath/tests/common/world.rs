//! The usual stage: a node with one uplink, and a peer at the other end of the cable that sends whatever it likes.

use std::net::Ipv4Addr;
use std::path::Path;

use weir_datapath::{Datapath, OpenOptions, Sizes};

use super::netns::{Netns, run};
use super::pins::{BPFFS, PinDir};
use super::skip;

/// The node's uplink.
pub const UPLINK: &str = "wn0";
/// The peer's end of it.
pub const PEER: &str = "wp0";
/// The node's address.
pub const NODE: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 1);
/// MAC address of the uplink.
pub const UPLINK_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// MAC address of the peer.
pub const PEER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// Node, peer, the cable between them, and a place for pins.
pub struct World {
    /// The node's namespace.
    pub node: Netns,
    /// The peer's.
    pub peer: Netns,
    /// Where the node pins.
    pub pins: PinDir,
}

impl World {
    /// Builds it, or says why this machine does not let us.
    pub fn new(test: &str) -> Option<Self> {
        if let Err(reason) = permitted() {
            skip(test, &reason);
            return None;
        }
        match Self::build() {
            Ok(world) => Some(world),
            Err(reason) => {
                skip(test, &reason);
                None
            }
        }
    }

    fn build() -> Result<Self, String> {
        let world = Self { node: Netns::new("n")?, peer: Netns::new("p")?, pins: PinDir::new() };
        for end in [&world.node, &world.peer] {
            // No packet but the test's: routers are not asked for, neighbours are not looked up, any source is believed.
            end.run(|| {
                let set = |name: &str, value: &str| {
                    let path = format!("/proc/sys/net/{name}");
                    std::fs::write(&path, value).map_err(|e| format!("{path}: {e}"))
                };
                set("ipv6/conf/all/disable_ipv6", "1")?;
                set("ipv6/conf/default/disable_ipv6", "1")?;
                set("ipv4/conf/all/rp_filter", "0")?;
                set("ipv4/conf/default/rp_filter", "0")
            })?;
            end.ip("link set lo up")?;
        }
        world.cable(UPLINK, PEER)?;
        world.node.ip(&format!("link set {UPLINK} address 02:00:00:00:00:01"))?;
        world.peer.ip(&format!("link set {PEER} address 02:00:00:00:00:02"))?;
        world.node.ip(&format!("address add {NODE}/24 dev {UPLINK}"))?;
        world.node.ip(&format!("route add default dev {UPLINK}"))?;
        Ok(world)
    }

    /// One more cable from the node to the peer.
    pub fn cable(&self, node_end: &str, peer_end: &str) -> Result<(), String> {
        let peer = self.peer.name();
        self.node.ip(&format!("link add {node_end} type veth peer name {peer_end} netns {peer}"))?;
        self.node.ip(&format!("link set {node_end} up arp off"))?;
        self.peer.ip(&format!("link set {peer_end} up arp off"))?;
        Ok(())
    }

    /// The node and these customers at its peer know each other, and speak IP.
    pub fn introduce(&self, customers: &[Ipv4Addr]) {
        for customer in customers {
            self.peer.ip(&format!("address add {customer}/24 dev {PEER}")).unwrap();
            let neighbour = format!("neigh replace {customer} lladdr 02:00:00:00:00:02 nud permanent dev {UPLINK}");
            self.node.ip(&neighbour).unwrap();
        }
        self.peer.ip(&format!("neigh replace {NODE} lladdr 02:00:00:00:00:01 nud permanent dev {PEER}")).unwrap();
    }

    /// How the tests open a packet path on the uplink.
    pub fn options(&self) -> OpenOptions {
        OpenOptions {
            interfaces: vec![UPLINK.into()],
            pins: self.pins.path().into(),
            generic: false,
            sizes: small_sizes(),
        }
    }

    /// Opens it.
    pub fn open(&self) -> Datapath {
        Datapath::open(self.options()).expect("the packet path opens")
    }
}

/// Sizes for tests that load no millions.
pub fn small_sizes() -> Sizes {
    Sizes {
        targets: 16,
        source_lines: 1 << 10,
        fragment_slots: 1 << 10,
        flow_lines: 1 << 8,
        proven_lines: 1 << 4,
        retry_slots: 1 << 6,
        parts: 1 << 12,
        prefixes: 1 << 12,
        ..Sizes::for_machine()
    }
}

/// Whether this process may do what the tests do.
pub fn permitted() -> Result<(), String> {
    // SAFETY: no arguments that could be wrong.
    if unsafe { libc::geteuid() } != 0 {
        return Err("network namespaces and BPF need root".into());
    }
    let mounts = std::fs::read_to_string("/proc/mounts").map_err(|e| format!("/proc/mounts: {e}"))?;
    if !mounts.lines().any(|line| line.split(' ').skip(1).take(2).eq([BPFFS, "bpf"])) {
        return Err(format!("no bpf filesystem at {BPFFS}; mount -t bpf bpf {BPFFS}"));
    }
    if !Path::new("/run/netns").exists() {
        run("ip", &["netns", "list"])?;
    }
    Ok(())
}
