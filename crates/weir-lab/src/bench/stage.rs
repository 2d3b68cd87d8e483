//! Where the bench measures: two network namespaces with a veth pair each. Frames enter at one end and are received at the
//! other, on the core that sends: all programs do the same work around the one that is measured.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use rustix::mount::{MountFlags, mount};

use crate::clean::{self, PINS};
use crate::name::LabId;
use crate::netns::Netns;
use crate::state::{Claim, State};
use crate::tool;

/// The receiving end in each namespace.
pub const RECEIVER: &str = "in0";
/// MAC address of the receiving end.
pub const RECEIVER_MAC: [u8; 6] = [0x02, 0x77, 0, 0, 0, 0x12];
/// MAC address of the sending end.
pub const SENDER_MAC: [u8; 6] = [0x02, 0x77, 0, 0, 0, 0x11];

/// A namespace with its veth pair.
#[derive(Debug, Clone)]
pub struct Place {
    /// The namespace.
    pub ns: Netns,
    /// The sending end.
    pub sender: String,
}

/// Both places. Dropping it removes them; [`Stage::down`] does the same and tells what went wrong.
pub struct Stage {
    claim: Option<Claim>,
    places: [Place; 2],
}

impl Stage {
    /// Builds it. Nothing is left behind when that fails.
    pub fn up() -> Result<Stage> {
        let claim = Claim::new()?;
        let places = [0, 1].map(|i| place(&claim.id, i));
        let state = State {
            pid: std::process::id(),
            purpose: "bench".to_owned(),
            namespaces: places.iter().map(|place| place.ns.name().to_owned()).collect(),
            attack_interfaces: places.iter().map(|place| (place.ns.name().to_owned(), place.sender.clone())).collect(),
        };
        // From here on, dropping cleans up.
        let stage = Stage { claim: Some(claim), places };
        stage.claim().write(&state)?;
        stage.places.iter().try_for_each(build).context("cannot build the bench's network")?;
        let pins = stage.pins();
        fs::create_dir(&pins)?;
        mount("weir-lab", &pins, "bpf", MountFlags::empty(), None).context("cannot mount a bpffs for pins")?;
        Ok(stage)
    }

    fn claim(&self) -> &Claim {
        self.claim.as_ref().expect("held until the stage goes down")
    }

    /// Where nearly everything is measured.
    pub fn place(&self) -> &Place {
        &self.places[0]
    }

    /// For what two cores do at once.
    pub fn other_place(&self) -> &Place {
        &self.places[1]
    }

    /// A directory of its own, removed with it.
    pub fn dir(&self) -> PathBuf {
        self.claim().dir()
    }

    /// A bpf filesystem of its own.
    pub fn pins(&self) -> PathBuf {
        self.dir().join(PINS)
    }

    /// Removes it.
    pub fn down(mut self) -> Result<()> {
        self.claim.take().map_or(Ok(()), clean::remove)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.claim.take().map(clean::remove) {
            eprintln!("warning: the bench is not gone completely: {error:#}; `weir-lab clean` tries again");
        }
    }
}

fn place(id: &LabId, index: usize) -> Place {
    Place { ns: Netns::named(id.name(&format!("bench{index}"))), sender: id.name("out") }
}

fn build(place: &Place) -> Result<()> {
    let Place { ns, sender } = place;
    ns.create()?;
    // Silence: nothing but what the bench sends may arrive.
    ns.sysctl(&[
        ("ipv6/conf/all/accept_dad", "0"),
        ("ipv6/conf/default/accept_dad", "0"),
        ("ipv6/conf/default/accept_ra", "0"),
        ("ipv6/conf/default/router_solicitations", "0"),
    ])?;
    ns.ip(&format!(
        "link set lo up
link add {sender} address {} type veth peer name {RECEIVER} address {}
link set {sender} up
link set {RECEIVER} up
",
        mac(SENDER_MAC),
        mac(RECEIVER_MAC),
    ))?;
    // With GRO each end has a receive queue (NAPI) whether or not an XDP program is attached; only then does the kernel take
    // frames that XDP redirects into it. Comparators without XDP are then received as from a network card.
    for end in [sender, RECEIVER] {
        tool::run("ip", &["netns", "exec", ns.name(), "ethtool", "-K", end, "gro", "on"])?;
    }
    Ok(())
}

fn mac(bytes: [u8; 6]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}
