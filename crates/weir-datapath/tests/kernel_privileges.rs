//! Story 5: no root. Three capabilities load, attach, change, adopt and detach; each of them is needed, and its lack is told.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::child::{self, Child};
use common::policy::{CUSTOMER, DENIED, SHOP};
use common::sender::Sender;
use common::wait;
use common::world::{UPLINK, World, small_sizes};
use common::{frames, policy, random_suffix, skip};
use weir_abi::Reason;
use weir_datapath::{Datapath, OpenOptions};

/// Where the child finds its pins.
const PINS: &str = "WEIR_TEST_PINS";
/// `nobody`.
const USER: u32 = 65_534;
/// What an agent needs, as setpriv(1) calls them.
const NEEDED: [&str; 3] = ["bpf", "net_admin", "perfmon"];

/// The test binary where everybody may run it: the build directory may be root's alone.
struct Copy(PathBuf);

impl Copy {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("weir-test-{}", random_suffix()));
        fs::copy(child::this_binary(), &path).expect("room for a copy of the test");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        Self(path)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The agent: opens, applies, attaches; says how far it came.
fn agent() -> ! {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap().trim();
    // SAFETY: no arguments that could be wrong.
    child::tell(&format!("uid {} capabilities {effective}", unsafe { libc::geteuid() }));
    let pins = PathBuf::from(std::env::var_os(PINS).unwrap());
    match try_agent(&pins) {
        Ok((datapath, said)) => {
            child::tell(&said);
            // Held until the parent ends this: its links and maps are what packets meet.
            let _datapath = datapath;
            child::wait_for_the_end()
        }
        Err(e) => {
            child::tell(&format!("refused: {}", e.to_string().lines().next().unwrap_or_default()));
            child::wait_for_the_end()
        }
    }
}

fn try_agent(pins: &Path) -> Result<(Datapath, String), weir_datapath::DatapathError> {
    let options =
        OpenOptions { interfaces: vec![UPLINK.into()], pins: pins.to_owned(), generic: false, sizes: small_sizes() };
    let mut datapath = Datapath::open(options)?;
    datapath.apply(&policy::image(&policy::shop()))?;
    let attached = &datapath.attach()?[0];
    let said = format!("{:?}, adopted {}", attached.hook, attached.adopted);
    Ok((datapath, said))
}

/// Starts the agent as a user without rights, but for these capabilities.
fn start(copy: &Copy, world: &World, test: &str, capabilities: &[&str]) -> Child {
    let only: String = capabilities.iter().map(|name| format!(",+{name}")).collect();
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={USER}"), &format!("--regid={USER}"), "--clear-groups", "--no-new-privs"]);
    command.args([
        &format!("--inh-caps=-all{only}"),
        &format!("--ambient-caps=-all{only}"),
        &format!("--bounding-set=-all{only}"),
    ]);
    command.arg(&copy.0);
    Child::start_by(command, test, "agent", &[(PINS, world.pins.path().as_os_str())])
}

/// What both stories need, or why this machine does not have it.
fn stage(test: &str) -> Option<(World, Copy)> {
    if Command::new("setpriv").arg("--version").output().is_err() {
        skip(test, "no setpriv (apt-get install util-linux)");
        return None;
    }
    Some((World::new(test)?, Copy::new()))
}

/// A directory for pins that belongs to the user, as an installer would make it.
fn hand_over(world: &World) {
    fs::create_dir(world.pins.path()).unwrap();
    chown(world.pins.path(), Some(USER), Some(USER)).unwrap();
}

#[test]
fn three_capabilities_are_enough() {
    let test = "three_capabilities_are_enough";
    if child::role().is_some() {
        agent();
    }
    let Some((world, copy)) = stage(test) else { return };
    hand_over(&world);
    world.node.run(|| {
        let first = start(&copy, &world, test, &NEEDED);
        // Bits 12 (net_admin), 38 (perfmon) and 39 (bpf), and nothing else.
        first.expect(&format!("uid {USER} capabilities 000000c000001000"));
        first.expect("NativeXdp, adopted false");
        let sender = Sender::at_peer(&world);
        // What the user's agent made, read with root's eyes.
        let counted = Datapath::open(world.options()).unwrap();
        assert!(counted.adopted(), "{:?}", world.pins.listing());
        let count = |reason: Reason| {
            let all = counted.counters().read(SHOP + 1);
            all.iter().filter(|c| c.reason == reason && !c.would).map(|c| c.counter.packets).sum::<u64>()
        };
        sender.send(&frames::udp(CUSTOMER, &[0; 8]));
        sender.send(&frames::udp(DENIED, &[0; 8]));
        wait::until("both are counted", || count(Reason::Clean) + count(Reason::DenyListed) == 2);
        assert_eq!((count(Reason::Clean), count(Reason::DenyListed)), (1, 1));

        // The next one takes over from it, and root's tools leave nothing.
        first.kill();
        let second = start(&copy, &world, test, &NEEDED);
        second.expect(&format!("uid {USER} capabilities 000000c000001000"));
        second.expect("NativeXdp, adopted true");
        sender.send(&frames::udp(DENIED, &[0; 8]));
        wait::until("it is counted", || count(Reason::DenyListed) == 2);
        assert!(second.finish().success());
        weir_datapath::detach(world.pins.path()).unwrap();
        assert_eq!(world.pins.listing(), Vec::<String>::new());
    });
}

#[test]
fn each_of_the_three_is_needed_and_its_lack_is_told() {
    let test = "each_of_the_three_is_needed_and_its_lack_is_told";
    if child::role().is_some() {
        agent();
    }
    let Some((world, copy)) = stage(test) else { return };
    world.node.run(|| {
        for missing in NEEDED {
            hand_over(&world);
            let rest: Vec<&str> = NEEDED.into_iter().filter(|name| *name != missing).collect();
            let child = start(&copy, &world, test, &rest);
            assert!(child.hear().starts_with(&format!("uid {USER} ")));
            let said = child.hear();
            println!("without {missing}: {said}");
            assert!(said.starts_with("refused: "), "without {missing}: {said}");
            let lacks = format!("this process lacks CAP_{}.", missing.to_uppercase());
            assert!(said.contains(&lacks), "without {missing}: {said}");
            child.kill();
            let _ = weir_datapath::detach(world.pins.path());
            let _ = fs::remove_dir_all(world.pins.path());
        }
    });
}
