//! Hours of services' traffic in virtual time: customers and what happens to them is no attack, and patience or a disguise win an
//! attacker no customer's packet.

use std::sync::Arc;

use weir_abi::counters::{fact, feature_slot, kind, syn_fact, syn_slot};
use weir_abi::rules::{field, l4_fact};
use weir_detect::record::Incident;
use weir_detect::vector::Vector;
use weir_detect::watch::{Label, Sampled};
use weir_sim::week::{
    Chance, Customers, Fared, Happening, Hours, Kind, LEVELS, Level, Life, Minutes, Node, Plan, Role, Sent, Service,
    What,
};
use weir_sim::week::{WINDOWS_PER_MINUTE, detection};

#[test]
fn an_eventful_evening_of_services_meets_no_rule() {
    let plan = Plan { hours: 1, services: 10, eventful: true, seed: 1 };
    let judged = plan.judge();
    println!("{} surges, {} attacks, {} enforced", judged.surges, judged.attacks, judged.enforced);
    for told in &judged.told {
        println!("{told:?}");
    }
    let fared = judged.customers;
    assert_eq!((judged.enforced, fared.dropped, fared.held), (0, 0, 0), "{:?}", judged.told);
    assert!(fared.packets > 1_000_000);
    assert!(judged.met());
    let few = Plan { services: 3, ..plan };
    assert_eq!(few.judge(), few.judge(), "chance comes from the seed alone");
}

/// A web site whose minutes are those of the World Cup's, from some of them on.
fn world_cup(from: usize) -> Node {
    let level = Level { rate: 1.0, dispersion: 5.0, wander: 0.1 };
    let hours = Hours::Series(Arc::new(Minutes::new(1)), from);
    Node::new(vec![Service::new(Role::Web, level, hours, Life::default(), 7)], detection())
}

fn attacks(node: &Node) -> Vec<&Incident> {
    node.incidents().iter().filter(|incident| incident.label == Label::Attack).collect()
}

#[test]
fn the_world_cups_crowd_is_a_surge_at_most() {
    let minutes = Minutes::new(1);
    for (at, before, after) in [(Minutes::news(), 15, 20), (minutes.highest(), 40, 15)] {
        let mut node = world_cup(at - before);
        (0..(before + after) as u64 * WINDOWS_PER_MINUTE).for_each(|_| node.window(|_, _, _| {}));
        let fared = node.customers(1);
        let surges = node.incidents().iter().count();
        println!("minute {at}: {} packets, {surges} surges", fared.packets);
        assert_eq!(attacks(&node), Vec::<&Incident>::new());
        assert_eq!((fared.lost(), node.acted()), (0.0, 0));
    }
    let news = Minutes::news();
    assert!(
        minutes.0[news + 6] > 40.0 * minutes.0[news - 1] && minutes.0[minutes.highest()] > 20.0 * minutes.quantile(0.5)
    );
}

/// A service at a thousand packets per second and more, which has learned for so many minutes.
fn learned(role: Role, minutes: u64) -> Node {
    let service = Service::new(role, LEVELS[2], Hours::Always, Life::default(), 3);
    let mut node = Node::new(vec![service], detection());
    (0..minutes * WINDOWS_PER_MINUTE).for_each(|_| node.window(|_, _, _| {}));
    assert_eq!(attacks(&node), Vec::<&Incident>::new());
    node
}

/// What a patient attacker sends beside a service's customers: 4 % more with every minute, which a baseline of a minute follows as
/// it would 2 % per hour, until it is ten times what he began with. How customers fared meanwhile.
fn patiently(node: &mut Node, began: f64, mut send: impl FnMut(&mut Sent, u64, &mut Chance)) -> Fared {
    let before = node.customers(1);
    let mut chance = Chance::new(9);
    for window in 0..60 * WINDOWS_PER_MINUTE {
        let rate = began * 1.04f64.powf(window as f64 / WINDOWS_PER_MINUTE as f64);
        let n = chance.poisson(rate);
        node.window(|_, _, sent| send(sent, n, &mut chance));
    }
    node.customers(1).since(&before)
}

fn tools(chance: &mut Chance) -> Sampled {
    let people = Customers { port: 443, released: 0.0, region: 1 };
    let mut sampled = people.packet(Kind::Scan, chance);
    sampled.source.lo = chance.bits();
    sampled.packet[field::L4_FACTS] |= l4_fact::SEQ_LOW_ZERO;
    sampled
}

/// Whose packets no customer sends is found out by the packets, not by how many they are.
#[test]
fn patience_does_not_hide_what_a_tool_sends() {
    let mut node = learned(Role::Web, 11);
    // Ten packets per second, of a thousand SYNs of customers.
    let fared = patiently(&mut node, 1.0, |sent, n, chance| {
        sent.packets(syn_slot(syn_fact::NO_OPTIONS | syn_fact::SEQ_LOW_ZERO), n, false, || tools(chance));
    });
    let found = attacks(&node);
    println!("{found:?}");
    let first = found.first().expect("it was noticed");
    let grown = 1.04f64.powf((first.detected - 11 * WINDOWS_PER_MINUTE) as f64 / WINDOWS_PER_MINUTE as f64);
    assert!(grown < 3.0, "noticed when it had grown {grown} times");
    assert_eq!(fared.dropped, 0);
}

/// Who grows patiently and looks like customers teaches what is usual, and wins nothing by it: no customer loses a packet while he
/// grows, when he stops, and when he floods at last.
#[test]
fn patience_in_a_customers_clothes_wins_no_packet_of_customers() {
    let people = Customers { port: 443, released: 0.0, region: 5 };
    let mut node = learned(Role::Web, 11);
    let fared = patiently(&mut node, 50.0, |sent, n, chance| {
        sent.packets(syn_slot(0), n, false, || people.packet(Kind::Syn, chance));
    });
    assert_eq!(fared.dropped, 0, "{:?}", attacks(&node));
    let before = node.customers(1);
    let mut chance = Chance::new(4);
    (0..3 * WINDOWS_PER_MINUTE).for_each(|_| node.window(|_, _, _| {}));
    for _ in 0..WINDOWS_PER_MINUTE {
        node.window(|_, _, sent| sent.packets(syn_slot(0), 5000, false, || people.packet(Kind::Syn, &mut chance)));
    }
    let found = attacks(&node);
    println!("{found:?}");
    assert!(!found.is_empty(), "ten times more than it had ever come to was noticed");
    let fared = node.customers(1).since(&before);
    assert!(fared.lost() <= 5e-4, "{fared:?}");
}

/// Among browsers that open six connections, customers behind one address, and regulars.
#[test]
fn machines_that_go_on_opening_connections_are_told_among_visitors() {
    let mut node = learned(Role::Web, 11);
    let people = Customers { port: 443, released: 0.0, region: 1 };
    let mut chance = Chance::new(6);
    for _ in 0..10 {
        node.window(|_, _, sent| {
            let mut machine = |syn| {
                let mut sampled = people.packet(Kind::Syn, &mut chance);
                sampled.source.lo = 0xffff_c633_6400 + syn % 25;
                sampled
            };
            sent.numbered(syn_slot(0), 400, false, &mut machine);
            sent.fact(fact::COMPLETED, 400);
        });
    }
    println!(
        "{:?}",
        node.incidents()
            .iter()
            .map(|i| (i.vector, i.label, i.detected - 11 * WINDOWS_PER_MINUTE, i.evidence.clone()))
            .collect::<Vec<_>>()
    );
    let found = attacks(&node);
    let flood = found.iter().find(|incident| incident.vector == Vector::Connections);
    let flood = flood.unwrap_or_else(|| panic!("{found:?}"));
    assert!(flood.mitigated.is_some() && flood.evidence[0].contains("new sources open some"), "{flood:?}");
}

/// A service that hangs for half a minute has as many clients that wait as an attack would.
#[test]
fn connections_that_wait_are_an_attack_where_few_sources_feed_many() {
    let after = 12 * WINDOWS_PER_MINUTE;
    let hangs = Life(vec![Happening { begins: after, what: What::Stuck { lasts: 300 } }]);
    let slow = |life: Life, attacks: bool| {
        let mut node = Node::new(vec![Service::new(Role::Web, LEVELS[2], Hours::Always, life, 3)], detection());
        for window in 0..after + 400 {
            node.window(|_, _, sent| {
                if attacks && (after..after + 300).contains(&window) {
                    sent.fact(fact::COMPLETED, 10);
                    sent.fact(fact::WAIT_FED, 5);
                    sent.fact(fact::WAIT_FED_BEYOND, 4);
                }
            });
        }
        let told = node.incidents().iter().filter(|incident| incident.vector == Vector::Slow);
        told.map(|incident| (incident.label, incident.mitigated.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(slow(hangs, false), [(Label::Surge, false)]);
    assert_eq!(slow(Life::default(), true), [(Label::Attack, true)]);
}

/// An attack that is shaped like customers: its name, whom it is against, the slot and the kind of its packets, and which of them.
type Disguise = (&'static str, Role, u8, Kind, fn(&Sampled) -> bool);

/// Attacks that are shaped like customers: whatever is done about them harms customers less than the bound of rules.
#[test]
fn mimicry_wins_no_rule_that_harms_customers() {
    let people = Customers { port: 443, released: 0.0, region: 9 };
    let old = |sampled: &Sampled| sampled.packet[field::OPTION_LAYOUT] == 84;
    let newest = |sampled: &Sampled| sampled.packet[field::TTL] == 52 && sampled.packet[field::OPTION_LAYOUT] == 63;
    let any = |_: &Sampled| true;
    let disguises: [Disguise; 6] = [
        ("SYNs of all systems", Role::Web, syn_slot(0), Kind::Syn, any),
        ("SYNs of an old system", Role::Web, syn_slot(0), Kind::Syn, old),
        ("SYNs of a common system, from one distance", Role::Web, syn_slot(0), Kind::Syn, newest),
        ("ACKs", Role::Web, feature_slot(kind::TCP, true, false), Kind::Ack, any),
        ("queries", Role::Dns, feature_slot(kind::UDP, true, false), Kind::Query, any),
        ("datagrams", Role::Game, feature_slot(kind::UDP, false, false), Kind::Datagram, any),
    ];
    for (name, role, slot, sends, picks) in disguises {
        let mut node = learned(role, 11);
        let before = node.customers(1);
        let mut chance = Chance::new(8);
        let strays = sends == Kind::Ack;
        for _ in 0..WINDOWS_PER_MINUTE {
            node.window(|_, _, sent| {
                sent.packets(slot, 5000, false, || {
                    let mut next = || people.packet(sends, &mut chance);
                    std::iter::repeat_with(&mut next).find(picks).unwrap()
                });
                if strays {
                    sent.strays(5000);
                }
            });
        }
        let (customers, attack) = (node.customers(1).since(&before), node.others(1));
        let label = node.incidents().iter().map(|incident| incident.label.label()).collect::<Vec<_>>();
        println!("{name}: {label:?}, {:.3} of the attack did not come through; {customers:?}", attack.lost());
        assert!(!label.is_empty(), "{name} was not noticed");
        let dropped = customers.dropped as f64 / customers.packets as f64;
        assert!(dropped <= 5e-4, "{name}: {dropped} of customers' packets");
        // What is held back are last packets of connections that are closed, and few.
        assert!(customers.lost() <= 4e-3, "{name}: {customers:?}");
    }
}
