//! Match rules: which slot counts, which one drops, and which bytes of a packet they see.

use weir_abi::Reason;
use weir_policy::rules::{Mode, Reach};

use crate::packet::{Piece, flag, from, tcp_options, udp};
use crate::story::Story;
use crate::world::{ANN, ANN6, SHOP, SHOP6, names, policy, rule, shop};

#[test]
fn the_first_rule_that_drops_is_named_and_counted() {
    let mut p = policy([shop(), names()]);
    let id = |p: &mut weir_policy::Policy, name: &str| p.names.intern(name);
    let (watch, drop, also) = (id(&mut p, "watch"), id(&mut p, "drop"), id(&mut p, "also"));
    p.rules = vec![
        rule(watch, "udp and dport 53", Mode::Shadow),
        rule(drop, "udp and payload = \"AAAA\"", Mode::Enforce),
        rule(also, "udp and payload = \"AAAAAAAA\"", Mode::Enforce),
    ];
    let mut story = Story::of(&p);
    let frame = |payload: &[u8]| from(ANN, SHOP).udp(40000, 53, payload);
    story.matching(Some(watch));
    story.passes(&frame(b"harmless question"), "names", Reason::Clean);
    story.matching(Some(drop));
    story.drops(&frame(b"AAAABBBB"), "names", Reason::Rule);
    story.drops(&frame(b"AAAAAAAA"), "names", Reason::Rule);
    // Fewer than eight bytes are not compared.
    story.matching(Some(watch));
    story.passes(&frame(b"AAAA"), "names", Reason::Clean);
    story.matching(None);
    story.passes(&from(ANN, SHOP).syn(1, 443), "shop", Reason::Clean);
}

#[test]
fn a_rule_is_for_the_targets_it_names() {
    let mut p = policy([shop(), names()]);
    let id = p.names.intern("no-ttl-1");
    let mut only = rule(id, "ttl 1", Mode::Enforce);
    only.reach = Reach::Targets(vec!["names".into()]);
    p.rules = vec![only];
    let mut story = Story::of(&p);
    story.passes(&from(ANN, SHOP).ip_ttl(1, 6, &crate::packet::tcp(1, 443, flag::SYN)), "shop", Reason::Clean);
    story.matching(Some(id));
    story.drops(&from(ANN, SHOP).ip_ttl(1, 17, &udp(1, 53, b"who")), "names", Reason::Rule);
}

#[test]
fn a_dormant_rule_does_nothing_until_it_is_woken() {
    let mut p = policy([names()]);
    let id = p.names.intern("asleep");
    p.rules = vec![rule(id, "udp", Mode::Dormant)];
    let frame = from(ANN, SHOP).udp(1, 53, b"who");
    let mut story = Story::of(&p);
    story.passes(&frame, "names", Reason::Clean);
    p.rules[0].mode = Mode::Shadow;
    story.change(&p);
    story.matching(Some(id));
    story.passes(&frame, "names", Reason::Clean);
    p.rules[0].mode = Mode::Enforce;
    story.change(&p);
    story.drops(&frame, "names", Reason::Rule);
}

/// One rule for each thing that can be said, with a packet that fits and one that does not.
#[test]
fn what_rules_see_of_a_packet() {
    let linux = from(ANN, SHOP).syn(40000, 443);
    let bare = from(ANN, SHOP).tcp(40000, 443, flag::SYN, b"");
    let mut zeros = bare.clone();
    zeros[14 + 4..14 + 6].fill(0); // identification
    zeros[14 + 20 + 6..14 + 20 + 12].fill(0); // sequence number's low half, acknowledgement number
    let mut df = bare.clone();
    df[14 + 6] = 0x40;
    let windows = from(ANN, SHOP).ip(6, &tcp_options(40000, 443, flag::SYN, &[2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2]));
    let layout = weir_wire::tcp::layout(&weir_wire::Bytes::new(&linux), 14 + 20, 10).unwrap();
    let six = from(ANN6, SHOP6).syn(40000, 443);
    let cases: [(String, &[u8], &[u8]); 14] = [
        ("tcp and flags = syn".into(), &bare, &from(ANN, SHOP).tcp(1, 443, flag::ACK, b"")),
        (format!("tcp and layout {layout}"), &linux, &windows),
        ("tcp and no options".into(), &bare, &linux),
        ("tcp and data_offset 10".into(), &linux, &bare),
        ("tcp and seq_low_zero and ack_zero".into(), &zeros, &bare),
        ("tcp and id_zero".into(), &zeros, &bare),
        ("df".into(), &df, &bare),
        ("ip6".into(), &six, &bare),
        ("length 60 and ip4".into(), &linux, &bare),
        ("length 80".into(), &six, &bare),
        ("tcp and window 64240".into(), &bare, &from(ANN, SHOP).udp(1, 53, b"")),
        ("sport 30000-50000".into(), &bare, &from(ANN, SHOP).syn(1, 443)),
        ("tcp and payload".into(), &from(ANN, SHOP).tcp(1, 443, flag::ACK, b"x"), &bare),
        ("payload = \"GET / HT\"".into(), &from(ANN, SHOP).tcp(1, 443, flag::ACK, b"GET / HTTP"), &bare),
    ];
    for (text, fits, misses) in cases {
        let mut p = policy([shop(), names()]);
        let id = p.names.intern("r");
        p.rules = vec![rule(id, &text, Mode::Enforce)];
        let mut story = Story::of(&p);
        let owner = if misses[23] == 17 { "names" } else { "shop" };
        story.passes(misses, owner, Reason::Clean);
        story.matching(Some(id));
        story.drops(fits, "shop", Reason::Rule);
    }
}

#[test]
fn rules_about_ports_do_not_see_ports_in_later_fragments() {
    let mut p = policy([names()]);
    let (port, fragment) = (p.names.intern("port"), p.names.intern("later"));
    p.rules = vec![rule(port, "udp and sport 1-65535", Mode::Enforce), rule(fragment, "later_fragment", Mode::Shadow)];
    let mut story = Story::of(&p);
    let later = from(ANN, SHOP).piece(Piece { id: 1, offset: 80, more: false }, 17, &[0xff; 16]);
    story.matching(Some(fragment));
    story.passes(&later, "names", Reason::FragmentUnmatched);
}
