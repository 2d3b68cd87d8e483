//! How exact the limits are: a flood far above a limit, and what of it the limit lets through. On one core, and on two that
//! charge the same cells at once.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use weir_abi::Reason;
use weir_datapath::traffic::{Flood, Generator, LabInterface, Sent, Source, Stream};
use weir_policy::limits::Rate;

use super::Bench;
use super::frames::{self, CLEAN_V4};
use super::node::Node;
use super::row::Row;
use super::settings::Setting;
use super::stage::{Place, RECEIVER};
use crate::{cpu, stop};

/// What is configured. The burst is small against what a run lets through, and larger than a tick's share.
const LIMIT: Rate = Rate::per_second(20_000, 400);
/// What is sent, on each core.
const PPS: u64 = 500_000;

/// All four rows.
pub fn run(bench: &Bench, node: &Rc<RefCell<Node>>) -> Result<Vec<Row>> {
    let source = Setting { lists: false, rules: false, source: Some(LIMIT), per_target: None, ..Setting::FLOOD };
    let target = Setting { source: None, per_target: Some(LIMIT), ..source };
    let mut rows = Vec::new();
    for (kind, setting, from) in [("source", source, Source::one(CLEAN_V4)), ("target", target, Source::any_v4())] {
        for (cores, word) in [(1, "one_core"), (2, "two_cores")] {
            let id = format!("limiter_error_{kind}_{word}");
            if bench.wants(&id) {
                bench.say(&format!("limit per {kind} under a flood on {} core(s)", cores));
                rows.push(one(bench, node, &id, kind, setting, &from, cores)?);
            }
        }
    }
    Ok(rows)
}

fn one(
    bench: &Bench,
    node: &Rc<RefCell<Node>>,
    id: &str,
    kind: &str,
    setting: Setting,
    from: &Source,
    cores: usize,
) -> Result<Row> {
    let about = format!("per-{kind} limit of {}/s: distance of what passed from what may", LIMIT.average);
    let usable = cpu::cores()?;
    if cores > 1 && usable.attack == usable.receive() {
        return Ok(Row::missing(id, about, "", "this process may use one core only"));
    }
    let cpus = [usable.receive(), usable.attack];
    let places = [bench.stage.place(), bench.stage.other_place()];
    let time = if bench.quick { Duration::from_millis(700) } else { Duration::from_secs(2) };
    let mut node = node.borrow_mut();
    let mut attached = Vec::new();
    for place in &places[..cores] {
        let object = &mut node.object;
        attached.push(place.ns.within(move || Ok(object.attach_to(&LabInterface::open(RECEIVER)?)?))?);
    }
    node.set(&setting, &setting.compile()?)?;
    let before = passed(&node);
    let together = Barrier::new(cores);
    let sent = thread::scope(|scope| -> Result<Vec<Sent>> {
        let start = |(place, cpu)| {
            let together = &together;
            scope.spawn(move || flood(place, cpu, from, time, together))
        };
        let floods: Vec<_> = places[..cores].iter().copied().zip(cpus).map(start).collect();
        floods.into_iter().map(|flood| flood.join().map_err(|_| anyhow!("a sender panicked"))?).collect()
    })?;
    stop::check()?;
    let passed = passed(&node) - before;
    drop(attached);
    let seconds = sent.iter().map(|sent| sent.elapsed).max().unwrap_or_default().as_secs_f64();
    let offered: u64 = sent.iter().map(|sent| sent.frames).sum();
    let allowed = LIMIT.burst as f64 + LIMIT.average as f64 * seconds;
    ensure!(
        offered as f64 > 4.0 * allowed,
        "only {offered} packets were sent, too few to try a limit of {}/s",
        LIMIT.average
    );
    let note = format!("{passed} of {offered} packets passed in {seconds:.2} s, {allowed:.0} may");
    Ok(Row::new(id, about, "", (passed as f64 / allowed - 1.0).abs()).note(note))
}

fn passed(node: &Node) -> u64 {
    node.outcomes().iter().find(|(reason, _)| *reason == Reason::Clean).map_or(0, |(_, packets)| *packets)
}

/// Sends from one core, from the moment on at which all are ready.
fn flood(place: &Place, cpu: usize, source: &Source, time: Duration, together: &Barrier) -> Result<Sent> {
    let ready = || -> Result<Generator> {
        place.ns.enter()?;
        cpu::tie(None, &[cpu])?;
        Ok(Generator::load(&LabInterface::open(&place.sender)?, cpu as u64 + 1)?)
    };
    let generator = ready();
    // Waited for in any case, or the others would wait for ever.
    together.wait();
    let stream = Stream { name: "limit".to_owned(), frame: frames::flood(source.clone()), weight: 1 };
    let packets = PPS * 2 * time.as_secs().max(1);
    let flood = Flood { streams: vec![stream], pps: PPS, packets, time };
    Ok(flood.run(&mut generator?, &AtomicBool::new(false))?)
}
