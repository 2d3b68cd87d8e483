//! The lab itself: it comes up, customers reach the pod, and nothing of it stays, whichever way it ends.

mod common;

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use common::{Hold, namespaces_of, skip, until};
use rustix::process::{Pid, Signal, kill_process};
use weir_lab::clean;
use weir_lab::customers;
use weir_lab::lab::Lab;
use weir_lab::server::Servers;
use weir_lab::state;
use weir_lab::topology::Shape;

/// Cleaning concerns every crashed lab of the machine: tests that clean or crash go one by one.
static CRASHES: Mutex<()> = Mutex::new(());

const SMALL: Shape = Shape { pods: 1, customers: 4, addresses: 1, bots: 0 };

#[test]
fn customers_reach_the_pod_and_nothing_stays() {
    if skip("customers_reach_the_pod_and_nothing_stays") {
        return;
    }
    let lab = Lab::up(SMALL, "test").expect("a lab");
    let id = lab.id().clone();
    assert_eq!(namespaces_of(&id).len(), 5);
    assert!(state::read(&id).expect("readable").is_some_and(|state| state.pid == std::process::id()));

    let servers = Servers::start(&lab, 0).expect("servers");
    customers::wait_until_served(&lab).expect("pages and names, in IPv4 and IPv6");
    let answers = customers::probe(&lab, Duration::from_secs(1)).expect("answers");
    assert_eq!(answers.len(), 4, "{answers:?}");
    assert!(answers.iter().all(|(_, answer)| answer.is_ok()), "{answers:?}");

    drop(servers);
    lab.down().expect("a clean end");
    assert_eq!(namespaces_of(&id), Vec::<String>::new());
    assert!(!state::dir(&id).exists());
}

#[test]
fn two_labs_live_beside_each_other() {
    if skip("two_labs_live_beside_each_other") {
        return;
    }
    let (one, two) = (Lab::up(SMALL, "one").expect("a lab"), Lab::up(SMALL, "two").expect("another"));
    assert_ne!(one.id(), two.id());
    for lab in [&one, &two] {
        let _servers = Servers::start(lab, 0).expect("servers");
        customers::wait_until_served(lab).expect("service");
    }
    let two_id = two.id().clone();
    one.down().expect("a clean end");
    assert_eq!(namespaces_of(&two_id).len(), 5, "the other one stays");
    // What crashed runs leave is none of a living one's.
    let _alone = CRASHES.lock();
    clean::crashed().expect("cleaning");
    assert_eq!(namespaces_of(&two_id).len(), 5);
    two.down().expect("a clean end");
}

#[test]
fn a_killed_lab_is_cleaned_away() {
    if skip("a_killed_lab_is_cleaned_away") {
        return;
    }
    let _alone = CRASHES.lock();
    let mut hold = Hold::open();
    let id = hold.id.clone();
    let nginx = fs::read_to_string(state::dir(&id).join("pod0/nginx.pid")).expect("nginx runs").trim().to_owned();
    hold.child.kill().expect("it was alive");
    hold.child.wait().expect("it is dead");
    assert_eq!(namespaces_of(&id).len(), 5, "this is what a crash leaves");
    until("nginx ends with its lab", || !alive(&nginx));

    assert!(Command::new(env!("CARGO_BIN_EXE_weir-lab")).arg("clean").status().expect("it runs").success());
    assert_eq!(namespaces_of(&id), Vec::<String>::new());
    assert!(!state::dir(&id).exists());
}

#[test]
fn ctrl_c_and_down_end_a_lab_cleanly() {
    if skip("ctrl_c_and_down_end_a_lab_cleanly") {
        return;
    }
    let mut interrupted = Hold::open();
    kill_process(Pid::from_child(&interrupted.child), Signal::INT).expect("it lives");
    assert!(interrupted.child.wait().expect("its end").success());
    assert_eq!(namespaces_of(&interrupted.id), Vec::<String>::new());

    let mut ended = Hold::open();
    let mut down = Command::new(env!("CARGO_BIN_EXE_weir-lab"));
    assert!(down.args(["down", ended.id.as_str()]).stdout(Stdio::null()).status().expect("it runs").success());
    assert!(ended.child.wait().expect("its end").success());
    assert!(!state::dir(&ended.id).exists());
}

/// A process that nobody has waited for yet is dead all the same.
fn alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
