//! Builds the lab's network: namespaces, veth pairs, addresses, routes, and the router's fast lane for floods.

use std::fmt::Write;

use anyhow::{Context, Result};
use weir_datapath::traffic::{Attached, Forwarder, LabInterface, Stub};

use crate::name::LabId;
use crate::netns::Netns;
use crate::plan::*;
use crate::queue;
use crate::rules;
use crate::tool;

/// What to build.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Pods behind the node's bridge.
    pub pods: u16,
    /// Customers' addresses, of each IP version.
    pub customers: u16,
    /// Addresses of the first pod, of each IP version; its neighbours' where there are several pods.
    pub addresses: u16,
    /// Addresses of attackers' machines with connections of their own, of each IP version.
    pub bots: u16,
}

impl Default for Shape {
    fn default() -> Self {
        Shape { pods: 1, customers: 64, addresses: 1, bots: 0 }
    }
}

/// The namespaces of a lab and the names in them.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The protected node.
    pub node: Netns,
    /// Between the node's uplink and the world.
    pub router: Netns,
    /// Customers.
    pub customers: Netns,
    /// Attackers.
    pub attackers: Netns,
    /// Attackers' machines with connections of their own, where there are any.
    pub bots: Option<Netns>,
    /// Pods behind the node.
    pub pods: Vec<Netns>,
    /// The attackers' interface, where floods leave.
    pub attack_interface: String,
}

impl Layout {
    /// Names everything.
    pub fn of(id: &LabId, shape: Shape) -> Layout {
        let ns = |part: &str| Netns::named(id.name(part));
        Layout {
            node: ns("node"),
            router: ns("rtr"),
            customers: ns("cust"),
            attackers: ns("atk"),
            bots: (shape.bots > 0).then(|| ns("bots")),
            pods: (0..shape.pods).map(|i| ns(&format!("pod{i}"))).collect(),
            attack_interface: id.name("atk0"),
        }
    }

    /// All namespaces.
    pub fn namespaces(&self) -> impl Iterator<Item = &Netns> {
        [&self.node, &self.router, &self.customers, &self.attackers].into_iter().chain(&self.bots).chain(&self.pods)
    }
}

/// The kernel programs that keep the lab's path open; they go when this is dropped.
pub struct Path {
    forwarder: Forwarder,
    _attached: [Attached; 2],
}

impl Path {
    /// Attackers' frames that the router sent on to the node's uplink.
    pub fn forwarded(&self) -> Result<u64> {
        Ok(self.forwarder.forwarded()?)
    }
}

/// Builds it all. On an error the caller removes what is there already.
pub fn build(layout: &Layout, shape: Shape) -> Result<Path> {
    for ns in layout.namespaces() {
        ns.create()?;
        // No duplicate address detection: addresses are unique here, and waiting for it would be the longest part.
        ns.sysctl(&[
            ("ipv6/conf/all/accept_dad", "0"),
            ("ipv6/conf/default/accept_dad", "0"),
            ("ipv6/conf/default/accept_ra", "0"),
            ("ipv4/conf/all/rp_filter", "0"),
            ("ipv4/conf/default/rp_filter", "0"),
        ])?;
        ns.ip("link set lo up\n")?;
    }
    for ns in [&layout.node, &layout.router] {
        ns.sysctl(&[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")])?;
    }
    router(layout)?;
    node(layout)?;
    pods(layout, shape)?;
    customers(layout, shape)?;
    bots(layout, shape)?;
    queue::separate(layout)?;
    fast_lane(layout)
}

fn router(layout: &Layout) -> Result<()> {
    let (node, customers, attackers) = (layout.node.name(), layout.customers.name(), layout.attackers.name());
    let attack = &layout.attack_interface;
    layout.router.ip(&format!(
        "link add node0 address {router_mac} type veth peer name {UPLINK} address {node_mac} netns {node}
link add cust0 type veth peer name eth0 netns {customers}
link add atk0 type veth peer name {attack} netns {attackers}
address add {ROUTER_V4}/24 dev node0
address add {ROUTER_V6}/64 dev node0
address add {GATEWAY_V4}/{c4} dev cust0
address add {GATEWAY_V6}/{c6} dev cust0
link set node0 up
link set cust0 up
link set atk0 up
route add 10.77.1.0/24 via {NODE_V4}
route add fd77:1::/64 via {NODE_V6}
route add blackhole default
route add blackhole ::/0
",
        router_mac = mac(ROUTER_MAC),
        node_mac = mac(NODE_MAC),
        c4 = CUSTOMERS_V4.1,
        c6 = CUSTOMERS_V6.1,
    ))?;
    // Answers to forged sources leave towards the world and end at the black hole, without an error message back.
    layout.attackers.ip(&format!("link set {attack} up\n"))
}

fn node(layout: &Layout) -> Result<()> {
    layout.node.ip(&format!(
        "address add {NODE_V4}/24 dev {UPLINK}
address add {NODE_V6}/64 dev {UPLINK}
link set {UPLINK} up
route add default via {ROUTER_V4}
route add ::/0 via {ROUTER_V6}
link add br0 type bridge mcast_snooping 0
address add {BRIDGE_V4}/24 dev br0
address add {BRIDGE_V6}/64 dev br0
link set br0 up
"
    ))?;
    // Without segmentation offload on the router's end, all that it sends enters that queue, customers' packets behind the
    // flood's as in a network card's ring; with it they would take a way of their own around it.
    tool::run("ip", &["netns", "exec", layout.router.name(), "ethtool", "-K", "node0", "tso", "off"])?;
    // With GRO the uplink has a receive queue (NAPI) whether or not an XDP program is attached; only then does the kernel
    // take frames that XDP redirects into it.
    tool::run("ip", &["netns", "exec", layout.node.name(), "ethtool", "-K", UPLINK, "gro", "on"])?;
    rules::install(&layout.node)
}

fn pods(layout: &Layout, shape: Shape) -> Result<()> {
    for (i, pod) in layout.pods.iter().enumerate() {
        let i = i as u16;
        layout.node.ip(&format!(
            "link add pod{i} type veth peer name eth0 netns {}\nlink set pod{i} master br0\nlink set pod{i} up\n",
            pod.name()
        ))?;
        pod.ip(&format!(
            "address add {}/24 dev eth0
address add {}/64 dev eth0
link set eth0 up
route add default via {BRIDGE_V4}
route add ::/0 via {BRIDGE_V6}
",
            pod_v4(i),
            pod_v6(i)
        ))?;
    }
    // Deprecated, or what the pod's servers send would come from the last one of them.
    let more = (shape.pods..shape.addresses).map(|i| {
        format!("address add {}/24 dev eth0\naddress add {}/64 dev eth0 preferred_lft 0\n", pod_v4(i), pod_v6(i))
    });
    match layout.pods.first() {
        Some(first) => first.ip(&more.collect::<String>()),
        None => Ok(()),
    }
}

fn customers(layout: &Layout, shape: Shape) -> Result<()> {
    let mut lines = String::from("link set eth0 up\n");
    for i in 0..shape.customers {
        let _ = writeln!(lines, "address add {}/{} dev eth0", customer_v4(i), CUSTOMERS_V4.1);
        let _ = writeln!(lines, "address add {}/{} dev eth0", customer_v6(i), CUSTOMERS_V6.1);
    }
    let _ = writeln!(lines, "route add default via {GATEWAY_V4}\nroute add ::/0 via {GATEWAY_V6}");
    layout.customers.ip(&lines)
}

/// Attackers with connections come as customers do: by the router's own way, from a network of their own.
fn bots(layout: &Layout, shape: Shape) -> Result<()> {
    let Some(bots) = &layout.bots else { return Ok(()) };
    // What they close is soon forgotten, and not the next act's to see: unanswered, it would be sent anew for minutes.
    bots.sysctl(&[("ipv4/tcp_orphan_retries", "1")])?;
    layout.router.ip(&format!(
        "link add bots0 type veth peer name eth0 netns {}
address add {BOTS_GATEWAY_V4}/{} dev bots0
address add {BOTS_GATEWAY_V6}/{} dev bots0
link set bots0 up
",
        bots.name(),
        BOTS_V4.1,
        BOTS_V6.1,
    ))?;
    let mut lines = String::from("link set eth0 up\n");
    for i in 0..shape.bots {
        let _ = writeln!(lines, "address add {}/{} dev eth0", bot_v4(i), BOTS_V4.1);
        let _ = writeln!(lines, "address add {}/{} dev eth0", bot_v6(i), BOTS_V6.1);
    }
    let _ = writeln!(lines, "route add default via {BOTS_GATEWAY_V4}\nroute add ::/0 via {BOTS_GATEWAY_V6}");
    bots.ip(&lines)
}

/// Attackers' frames go straight from the router's one side to the other, so that the router is never the bottleneck: they
/// reach the node's uplink as a network card would deliver them. What the node sends back needs the stub to be received
/// when Weir sends it by XDP, and what goes to forged addresses costs the lab nothing.
fn fast_lane(layout: &Layout) -> Result<Path> {
    let lane = layout.router.within(|| {
        let mut forwarder = Forwarder::load(&LabInterface::open("node0")?)?;
        let forward = forwarder.attach(&LabInterface::open("atk0")?)?;
        let stub = Stub::load()?.attach_world(&LabInterface::open("node0")?)?;
        Ok(Path { forwarder, _attached: [forward, stub] })
    });
    lane.context("cannot open the router's fast lane")
}

fn mac(bytes: [u8; 6]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}
