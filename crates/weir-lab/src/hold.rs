//! A lab that stays open, to look around in it or to run things by hand; and ending it from elsewhere.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::clean;
use crate::customers;
use crate::lab::Lab;
use crate::name::LabId;
use crate::plan::*;
use crate::server::Servers;
use crate::state::{self, Claim};
use crate::stop;
use crate::topology::Shape;

const PATIENCE: Duration = Duration::from_secs(20);

/// Builds a lab and keeps it until somebody ends it.
pub fn keep(pods: u16) -> Result<()> {
    let lab = Lab::up(Shape { pods, ..Shape::default() }, "up")?;
    let servers: Vec<Servers> = (0..usize::from(pods)).map(|pod| Servers::start(&lab, pod)).collect::<Result<_>>()?;
    customers::wait_until_served(&lab)?;
    print!("{}", hints(&lab));
    while stop::pass(Duration::from_secs(3600)).is_ok() {}
    drop(servers);
    lab.down()
}

fn hints(lab: &Lab) -> String {
    let (id, layout) = (lab.id(), lab.layout());
    let (node, customers) = (layout.node.path(), layout.customers.path());
    let (pod, page) = (pod_v4(0), format!("http://{}:{HTTP_PORT}/", pod_v4(0)));
    format!(
        "lab {id} is open: {} pods, customers {}/{}; Ctrl-C or `weir-lab down {id}` ends it

a customer asks     nsenter --net={} curl -s --interface {} {page}
Weir protects       nsenter --net={} weir run -i {UPLINK} -f DIRECTORY
packets arrive      nsenter --net={} tcpdump -ni {UPLINK} host {pod}
",
        layout.pods.len(),
        CUSTOMERS_V4.0,
        CUSTOMERS_V4.1,
        customers.display(),
        customer_v4(0),
        node.display(),
        node.display(),
    )
}

/// Ends a lab, whether its owner lives or not, and waits until it is gone.
pub fn end(id: &LabId) -> Result<()> {
    if !state::dir(id).exists() {
        bail!("there is no lab {id}");
    }
    let deadline = Instant::now() + PATIENCE;
    let mut asked = false;
    loop {
        if let Some(claim) = Claim::take_over(id)? {
            return clean::remove(claim);
        }
        if !state::dir(id).exists() {
            return Ok(());
        }
        // The lock is held: the process in the record is alive and the owner.
        let owner = state::read(id)?.and_then(|state| Pid::from_raw(state.pid as i32));
        if let (Some(owner), false) = (owner, asked) {
            kill_process(owner, Signal::TERM).with_context(|| format!("cannot ask process {owner:?} to end"))?;
            asked = true;
        }
        if Instant::now() > deadline {
            bail!("lab {id} does not end");
        }
        thread::sleep(Duration::from_millis(20));
    }
}
