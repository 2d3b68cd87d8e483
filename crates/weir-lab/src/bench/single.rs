//! Nanoseconds per packet: each program on one frame, a million times in a row (`BPF_PROG_TEST_RUN`), less the time of a
//! program that does nothing. Everything is in the cache then: these are the instructions, the floods show the memory.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

use anyhow::{Result, ensure};
use weir_abi::Reason;
use weir_datapath::traffic::{Stub, Variant};

use super::Bench;
use super::contender::{Seed, xdp_filter};
use super::frames::{self, CLEAN_V4, CLEAN_V6};
use super::lists::Parsed;
use super::node::{BLOCKED, Node};
use super::row::{Row, Series};
use super::settings::{Last, Setting};
use crate::stop;

const NS: &str = "ns";
/// The kernel's word for a dropped frame.
const XDP_DROP: u32 = 1;

/// Runs one frame so often; the time of one run in nanoseconds.
type Shot = Box<dyn FnMut(u32) -> Result<f64>>;

/// One row.
struct Case {
    id: &'static str,
    about: &'static str,
    against: Option<&'static str>,
    shot: Result<Shot, String>,
    series: Series,
}

impl Case {
    fn new(id: &'static str, about: &'static str, shot: Result<Shot>) -> Case {
        let shot = shot.map_err(|error| format!("{error:#}"));
        Case { id, about, against: None, shot, series: Series::default() }
    }

    fn against(self, id: &'static str) -> Case {
        Case { against: Some(id), ..self }
    }
}

/// What xdp-filter is compared by.
const DENY_IP: &str = "ns_xdp_filter_deny_ip";
const ALL_PASS: &str = "ns_xdp_filter_all_pass";

/// Times all programs in turns.
pub fn run(
    bench: &Bench,
    node: &Rc<RefCell<Node>>,
    list: &[Parsed],
    seed: Option<&Rc<RefCell<Seed>>>,
) -> Result<Vec<Row>> {
    let mut floor = Series::default();
    let mut stub = Stub::load()?;
    let frame = frames::syn(CLEAN_V4)?;
    let mut cases: Vec<Case> = weir(node, list)?;
    cases.extend(peers(bench, list, seed)?);
    cases.retain(|case| bench.wants(case.id) || cases_that_need(case.id).iter().any(|id| bench.wants(id)));
    // Attached, its test runs start at once.
    let attached = node.borrow_mut().attach()?;
    for _ in 0..bench.effort.rounds {
        stop::check()?;
        floor.0.push(stub.time(&frame, bench.effort.repeat)?.as_nanos() as f64);
        for case in &mut cases {
            stop::check()?;
            match case.shot.as_mut().map(|shot| shot(bench.effort.repeat)) {
                Ok(Ok(ns)) => case.series.0.push(ns),
                Ok(Err(error)) => case.shot = Err(format!("{error:#}")),
                Err(_) => {}
            }
        }
    }
    drop(attached);
    Ok(rows(&cases, &floor))
}

/// The rows that stand beside another row's figure.
fn cases_that_need(id: &str) -> &'static [&'static str] {
    match id {
        DENY_IP => &["deny_drop_ns", "ns_blocked_host"],
        ALL_PASS => &["full_pass_ns", "ns_full_pass_v6"],
        _ => &[],
    }
}

fn rows(cases: &[Case], floor: &Series) -> Vec<Row> {
    let base = floor.lowest().unwrap_or_default();
    let net = |series: &Series| Series(series.0.iter().map(|ns| (ns - base).max(0.0)).collect());
    let best = |id: &str| cases.iter().find(|case| case.id == id).and_then(|case| net(&case.series).lowest());
    let mut rows = vec![Row::lowest("ns_floor", "a program that does nothing; subtracted below", NS, floor)];
    for case in cases {
        let row = match &case.shot {
            Ok(_) => Row::lowest(case.id, case.about, NS, &net(&case.series)),
            Err(why) => Row::missing(case.id, case.about, NS, why),
        };
        rows.push(match case.against {
            Some(id) => {
                let other = cases.iter().find(|case| case.id == id).map_or(id, |case| case.about);
                row.against(other, best(id))
            }
            None => row,
        });
    }
    rows
}

/// Weir on a frame; what it says of the frame must be what the row is about.
fn shot(node: &Rc<RefCell<Node>>, setting: Setting, frame: Vec<u8>, expected: Reason) -> Result<Shot> {
    let (node, compiled) = (Rc::clone(node), setting.compile()?);
    Ok(Box::new(move |repeat| {
        let mut node = node.borrow_mut();
        node.set(&setting, &compiled)?;
        // The first packet of all finds every limit unused.
        node.time(&frame, 1)?;
        let reason = node.reason(&frame)?;
        ensure!(reason == expected, "Weir says {} of this frame and not {}", reason.label(), expected.label());
        Ok(node.time(&frame, repeat)?.each.as_nanos() as f64)
    }))
}

/// Addresses of the list: an IPv4 host in a /24 of which only a part is listed, one in a wholly listed /24, an IPv6 one.
fn listed(list: &[Parsed]) -> Result<[IpAddr; 3]> {
    let find = |fits: fn(&Parsed) -> bool| list.iter().find(|parsed| fits(parsed)).map(|(address, _)| *address);
    let part = find(|(ip, len)| ip.is_ipv4() && *len > 28);
    let whole = find(|(ip, len)| ip.is_ipv4() && *len <= 24);
    let six = find(|(ip, _)| ip.is_ipv6());
    match (part, whole, six) {
        (Some(part), Some(whole), Some(six)) => Ok([part, whole, six]),
        _ => anyhow::bail!("the bench's list has not all kinds of entries"),
    }
}

fn weir(node: &Rc<RefCell<Node>>, list: &[Parsed]) -> Result<Vec<Case>> {
    let [part, whole, six] = listed(list)?;
    let pass = Setting::PASS;
    let weir = |setting, frame: Result<Vec<u8>>, reason| shot(node, setting, frame?, reason);
    let clean = |setting| weir(setting, frames::segment(CLEAN_V4), Reason::Clean);
    let later = |source| -> Result<Shot> {
        let (first, mut shot) = (
            frames::fragment(source, true)?,
            shot(node, pass, frames::fragment(source, false)?, Reason::FragmentFollows)?,
        );
        let node = Rc::clone(node);
        Ok(Box::new(move |repeat| {
            node.borrow_mut().object.run_xdp(&first, 1)?;
            shot(repeat)
        }))
    };
    Ok(vec![
        Case::new("ns_arp_pass", "ARP passes", weir(pass, Ok(frames::arp()), Reason::Arp)),
        Case::new(
            "ns_no_target_pass",
            "1,000,000 prefixes; no target, passes",
            weir(pass, frames::segment(CLEAN_V4).map(frames::elsewhere), Reason::NoTarget),
        ),
        Case::new(
            "deny_drop_ns",
            "deny-listed host in a partly listed /24, dropped",
            weir(pass, frames::segment(part), Reason::DenyListed),
        )
        .against(DENY_IP),
        Case::new(
            "ns_deny_drop_whole_24",
            "deny-listed host in a wholly listed /24, dropped",
            weir(pass, frames::segment(whole), Reason::DenyListed),
        )
        .against(DENY_IP),
        Case::new(
            "ns_deny_drop_v6",
            "deny-listed IPv6 source, dropped",
            weir(pass, frames::segment(six), Reason::DenyListed),
        ),
        Case::new(
            "ns_blocked_host",
            "host blocked until a time, dropped",
            weir(pass, frames::segment(BLOCKED[0]), Reason::Blocked),
        )
        .against(DENY_IP),
        Case::new(
            "ns_blocked_host_v6",
            "IPv6 host blocked until a time, dropped",
            weir(pass, frames::segment(BLOCKED[1]), Reason::Blocked),
        ),
        Case::new("full_pass_ns", "whole pipeline, passes", clean(pass)).against(ALL_PASS),
        Case::new(
            "ns_full_pass_v6",
            "whole pipeline, IPv6, passes",
            weir(pass, frames::segment(CLEAN_V6), Reason::Clean),
        )
        .against(ALL_PASS),
        Case::new(
            "ns_full_pass_syn",
            "whole pipeline, a SYN, passes",
            weir(pass, frames::syn(CLEAN_V4), Reason::Clean),
        ),
        Case::new(
            "ns_full_pass_syn_layout",
            "whole pipeline, a SYN with options, rules about their layout, passes",
            weir(Setting { last: Last::Layout, ..pass }, frames::syn_with_options(CLEAN_V4), Reason::Clean),
        ),
        Case::new(
            "ns_full_pass_payload",
            "whole pipeline, a segment, rules about its payload, passes",
            weir(Setting { last: Last::Payload, ..pass }, frames::segment(CLEAN_V4), Reason::Clean),
        ),
        Case::new(
            "ns_fragment_first",
            "whole pipeline, first fragment, remembered, passes",
            weir(pass, frames::fragment(CLEAN_V4, true), Reason::Clean),
        ),
        Case::new("ns_fragment_later", "whole pipeline, later fragment, follows its first one", later(CLEAN_V4)),
        Case::new(
            "ns_source_limit_drop",
            "whole pipeline, source over its limit, dropped",
            weir(
                Setting { source: Some(weir_policy::limits::Rate::per_second(1, 1)), ..pass },
                frames::segment(CLEAN_V4),
                Reason::SourcePackets,
            ),
        ),
        Case::new(
            "breakdown_ns_parse",
            "of the pass: parsing and counting alone",
            weir(Setting::NOTHING, frames::segment(CLEAN_V4), Reason::NoTarget),
        ),
        Case::new(
            "breakdown_ns_list",
            "… and the deny list",
            weir(Setting { lists: true, ..Setting::NOTHING }, frames::segment(CLEAN_V4), Reason::NoTarget),
        ),
        Case::new(
            "breakdown_ns_target",
            "… and target, features, fragments",
            clean(Setting { hygiene: false, source: None, per_target: None, rules: false, ..pass }),
        ),
        Case::new(
            "breakdown_ns_hygiene",
            "… and hygiene",
            clean(Setting { source: None, per_target: None, rules: false, ..pass }),
        ),
        Case::new(
            "breakdown_ns_source",
            "… and the per-source limit",
            clean(Setting { per_target: None, rules: false, ..pass }),
        ),
        Case::new(
            "breakdown_ns_per_target",
            "… and the per-target limit (all but rules)",
            clean(Setting { rules: false, ..pass }),
        ),
    ])
}

fn peers(bench: &Bench, list: &[Parsed], seed: Option<&Rc<RefCell<Seed>>>) -> Result<Vec<Case>> {
    let [part, ..] = listed(list)?;
    let filter = |variant, listed: Option<IpAddr>, frame: Vec<u8>, drops: bool| -> Result<Shot> {
        let mut filter = xdp_filter(variant, &bench.stage.pins().join("single"))?;
        filter.list(listed)?;
        Ok(Box::new(move |repeat| {
            let run = filter.time(&frame, repeat)?;
            ensure!((run.returned == XDP_DROP) == drops, "xdp-filter answers {} to this frame", run.returned);
            Ok(run.each.as_nanos() as f64)
        }))
    };
    let (clean, denied) = (frames::segment(CLEAN_V4)?, frames::segment(part)?);
    let mut cases = vec![
        Case::new(
            DENY_IP,
            "xdp-filter, deny by IP, listed host, dropped",
            filter(Variant::DropListedIp, Some(part), denied, true),
        ),
        Case::new(
            ALL_PASS,
            "xdp-filter, all features, passes",
            filter(Variant::DropListedAll, Some(part), clean.clone(), false),
        ),
    ];
    if let Some(seed) = seed {
        let (seed, frame) = (Rc::clone(seed), clean);
        cases.push(Case::new(
            "ns_seed_like",
            "seed-like, 1,000,000 prefixes, one source",
            Ok(Box::new(move |repeat| Ok(seed.borrow_mut().program().time(&frame, repeat)?.as_nanos() as f64))),
        ));
    }
    Ok(cases)
}
