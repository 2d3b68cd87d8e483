//! Floods of live frames: millions of packets a second through Weir and through everything that it stands beside.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

use anyhow::Result;
use weir_datapath::traffic::{Bare, Source, Stub, Variant};

use super::contender::{Behind, Contender, Seed, Weir, xdp_filter};
use super::firewall::Firewall;
use super::frames;
use super::lists::{self, Parsed};
use super::node::Node;
use super::race::{Lane, race};
use super::row::Row;
use super::sender::Sender;
use super::settings::Setting;
use super::{Bench, LENGTHS, report};

/// The one source of one-source floods, on no list. Not of this world's customers: any address will do.
const ONE_V4: IpAddr = frames::CLEAN_V4;
const ONE_V6: IpAddr = frames::CLEAN_V6;

/// Weir with lists of three lengths: none, 100,000, 1,000,000 prefixes of each family.
pub type Nodes = [Rc<RefCell<Node>>; 3];
/// The seed-like program with the same IPv4 lists.
pub type Seeds = [Rc<RefCell<Seed>>; 3];

/// Who can be in a flood, made when it is wanted.
struct Grid<'a> {
    bench: &'a Bench<'a>,
    /// What the ids begin with.
    flood: &'static str,
    /// And end with.
    family: &'static str,
    lanes: Vec<Lane>,
}

impl<'a> Grid<'a> {
    fn new(bench: &'a Bench<'a>, flood: &'static str, family: &'static str) -> Grid<'a> {
        Grid { bench, flood, family, lanes: Vec::new() }
    }

    fn add<C: Contender + 'static>(&mut self, id: &str, about: &str, make: impl FnOnce() -> Result<C>) {
        let id = if id.is_empty() {
            format!("{}{}", self.flood, self.family)
        } else {
            format!("{}_{id}{}", self.flood, self.family)
        };
        // The first lane is what the others stand beside, and some rows stand beside two.
        let needed = self.lanes.is_empty()
            || self.bench.wants(&id)
            || report::derived_from(&id).any(|row| self.bench.wants(row));
        if needed {
            let contender = make().map(|contender| Box::new(contender) as Box<dyn Contender>);
            self.lanes.push(Lane::new(&id, about, contender));
        }
    }

    fn weir(&mut self, nodes: &Nodes, ids: [&str; 3], setting: Setting) {
        let about = ["Weir, no prefixes", "Weir, 100,000 deny prefixes", "Weir, 1,000,000 deny prefixes"];
        for ((node, id), about) in nodes.iter().zip(ids).zip(about).rev() {
            self.add(id, about, || Weir::new(node, setting));
        }
    }

    fn run(self, sender: &mut Sender, source: Source) -> Result<Vec<Row>> {
        // Alone the comparator is no race.
        if self.lanes.len() < 2 && !self.lanes.iter().any(|lane| self.bench.wants(lane.id())) {
            return Ok(Vec::new());
        }
        self.bench.say(&format!(
            "flood {}{}: {} contenders, {} turns each",
            self.flood,
            self.family,
            self.lanes.len(),
            self.bench.effort.rounds
        ));
        let traffic = sender.traffic(&frames::flood(source))?;
        race(sender, &traffic, self.bench.effort, self.lanes)
    }
}

const LISTS: [&str; 3] = ["0_prefixes", "100k_prefixes", "1m_prefixes"];

/// One source, over its limit from the first moments on.
pub fn one_source_v4(bench: &Bench, sender: &mut Sender, nodes: &Nodes, seeds: &Seeds) -> Result<Vec<Row>> {
    let mut grid = Grid::new(bench, "one_source", "");
    grid.add("bare", "bare XDP_DROP", || Ok(Bare::load()?));
    grid.weir(nodes, [LISTS[0], LISTS[1], ""], Setting::FLOOD);
    kernel(&mut grid, false);
    for (id, about, variant) in [
        ("xdp_filter_ip", "xdp-filter, deny by IP, the source listed", Variant::DropListedIp),
        ("xdp_filter_all", "xdp-filter, all features, the source listed", Variant::DropListedAll),
    ] {
        filter(&mut grid, id, about, variant, Some(ONE_V4));
    }
    seed(&mut grid, seeds);
    grid.run(sender, Source::one(ONE_V4))
}

/// A new source with nearly every packet.
pub fn random_source_v4(bench: &Bench, sender: &mut Sender, nodes: &Nodes, seeds: &Seeds) -> Result<Vec<Row>> {
    let mut grid = Grid::new(bench, "random_source", "");
    grid.add("bare", "bare XDP_DROP", || Ok(Bare::load()?));
    grid.weir(nodes, LISTS, Setting::FLOOD);
    kernel(&mut grid, false);
    for (id, about, variant) in [
        ("xdp_filter_ip", "xdp-filter, allow by IP, all else dropped", Variant::PassListedIp),
        ("xdp_filter_all", "xdp-filter, allow with all features, all else dropped", Variant::PassListedAll),
    ] {
        filter(&mut grid, id, about, variant, None);
    }
    seed(&mut grid, seeds);
    grid.run(sender, Source::any_v4())
}

/// The same two floods in IPv6.
pub fn v6(bench: &Bench, sender: &mut Sender, nodes: &Nodes) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (flood, source, variant, listed) in [
        ("one_source", Source::one(ONE_V6), Variant::DropListedIp, Some(ONE_V6)),
        ("random_source", frames::everywhere_v6(), Variant::PassListedIp, None),
    ] {
        let mut grid = Grid::new(bench, flood, "_v6");
        grid.add("bare", "bare XDP_DROP", || Ok(Bare::load()?));
        grid.weir(nodes, if listed.is_some() { [LISTS[0], LISTS[1], ""] } else { LISTS }, Setting::FLOOD);
        kernel(&mut grid, true);
        let about = "xdp-filter by IP, the source listed or all else dropped";
        filter(&mut grid, "xdp_filter_ip", about, variant, listed);
        rows.extend(grid.run(sender, source)?);
    }
    Ok(rows)
}

/// What passes Weir, dropped right behind it, beside what passes a program that does nothing.
pub fn passing(bench: &Bench, sender: &mut Sender, nodes: &Nodes) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (family, source) in [("", Source::any_v4()), ("_v6", frames::everywhere_v6())] {
        let mut grid = Grid::new(bench, "pass_random_source", family);
        grid.add("stub", "XDP_PASS, dropped by nftables behind", || Ok(Behind(Stub::load()?, Firewall::NftStatic)));
        let setting = Setting { per_target: Setting::PASS.per_target, ..Setting::FLOOD };
        grid.add("1m_prefixes", "Weir, 1,000,000 prefixes, passes; dropped by nftables behind", || {
            Ok(Behind(Weir::new(&nodes[2], setting)?, Firewall::NftStatic))
        });
        rows.extend(grid.run(sender, source)?);
    }
    Ok(rows)
}

/// Lists that are hard on Weir: one that denies every source of the flood, and one whose IPv6 prefixes all lie where the
/// flood comes from. The node holds another list afterwards.
pub fn hard(bench: &Bench, sender: &mut Sender, node: &Rc<RefCell<Node>>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let length = LENGTHS[2];
    type List = fn(usize) -> Vec<Parsed>;
    let floods: [(_, _, _, _, List); 2] = [
        ("deny_random_source", "", "Weir, every source denied", Source::any_v4(), lists::everybody_v4),
        ("random_source_dense", "_v6", "Weir, 1,000,000 prefixes in one /12", frames::registry_v6(), lists::dense_v6),
    ];
    for (flood, family, about, source, list) in floods {
        let mut grid = Grid::new(bench, flood, family);
        grid.add("bare", "bare XDP_DROP", || Ok(Bare::load()?));
        grid.add("1m_prefixes", about, || {
            node.borrow_mut().fill(&list(length))?;
            Weir::new(node, Setting::FLOOD)
        });
        rows.extend(grid.run(sender, source)?);
    }
    Ok(rows)
}

/// Where the nanoseconds of the random-source flood go: the pipeline with more and more of its parts.
pub fn breakdown(bench: &Bench, sender: &mut Sender, nodes: &Nodes) -> Result<Vec<Row>> {
    let full = Setting::FLOOD;
    let parts = [
        ("parse", "parsing, counting; dropped behind", Setting::NOTHING),
        ("no_list", "all but the deny list", Setting { lists: false, ..full }),
        ("no_source_limit", "all but the per-source limit", Setting { source: None, ..full }),
        ("no_rules", "all but the rules", Setting { rules: false, ..full }),
        ("no_hygiene", "all but hygiene", Setting { hygiene: false, ..full }),
        ("all", "all", full),
    ];
    let mut rows = Vec::new();
    for (family, source) in [("", Source::any_v4()), ("_v6", frames::everywhere_v6())] {
        let mut grid = Grid::new(bench, "breakdown_random", family);
        grid.add("bare", "bare XDP_DROP", || Ok(Bare::load()?));
        for (id, about, setting) in parts {
            // What has no target passes; it must not reach the stack.
            if setting.target {
                grid.add(id, about, || Weir::new(&nodes[2], setting));
            }
        }
        rows.extend(grid.run(sender, source)?);
    }
    Ok(rows)
}

fn kernel(grid: &mut Grid, v6: bool) {
    grid.add("nft_static", "nftables, static drop at device ingress", || Ok(Firewall::NftStatic));
    grid.add("nft_meter", "nftables, dynamic per-source meter at device ingress", || Ok(Firewall::NftMeter { v6 }));
    let about = if v6 { "ip6tables, drop in raw PREROUTING" } else { "iptables, drop in raw PREROUTING" };
    grid.add("iptables_raw", about, || Ok(Firewall::Raw { v6 }));
}

fn filter(grid: &mut Grid, id: &str, about: &str, variant: Variant, listed: Option<IpAddr>) {
    let pins = grid.bench.stage.pins().join(format!("{}{}", grid.flood, grid.family));
    grid.add(id, about, || {
        let mut filter = xdp_filter(variant, &pins)?;
        filter.list(listed)?;
        Ok(filter)
    });
}

fn seed(grid: &mut Grid, seeds: &Seeds) {
    let about = ["seed-like, no prefixes", "seed-like, 100,000 prefixes", "seed-like, 1,000,000 prefixes"];
    for ((seed, id), about) in seeds.iter().zip(["seed_like_0", "seed_like_100k", "seed_like_1m"]).zip(about) {
        grid.add(id, about, || Ok(Rc::clone(seed)));
    }
}
