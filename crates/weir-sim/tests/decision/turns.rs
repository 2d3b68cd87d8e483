//! Whose turn it is: clients that wait for the host are counted, and those that only keep it from closing the connection.

use weir_abi::flow::{AGE_MOST, AGE_SHIFT, FED_UNITS, SLOW_UNITS};
use weir_abi::{Feature, Reason};
use weir_core::marks;
use weir_policy::model::Verdict;
use weir_sim::env::Sizes;

use crate::connections::connect;
use crate::packet::{Pair, flag, from};
use crate::story::Story;
use crate::world::{ANN, ANN6, SHOP, SHOP6, entry, policy, shop};

const SAYS: u8 = flag::ACK | flag::PSH;

/// Completed handshakes wait, too; what began later, what ended, what was fed.
fn waits(story: &Story) -> [u64; 4] {
    [Feature::Completed, Feature::WaitBegun, Feature::WaitEnded, Feature::WaitFed].map(|f| story.feature("shop", f))
}

#[track_caller]
fn says(story: &mut Story, pair: Pair, what: &[u8]) {
    story.passes(&pair.tcp(4000, 443, SAYS, what), "shop", Reason::KnownFlow);
}

#[track_caller]
fn answers(story: &mut Story, pair: Pair, flags: u8, what: &[u8]) {
    story.sends(&pair.back().tcp(443, 4000, flags, what), "shop");
}

#[test]
fn a_client_waits_from_its_question_to_the_answer() {
    for pair in [from(ANN, SHOP), from(ANN6, SHOP6)] {
        let mut story = Story::of(&policy([shop()]));
        connect(&mut story, pair, 4000);
        assert_eq!(waits(&story), [1, 0, 0, 0], "it waits from the beginning");
        says(&mut story, pair, b"GET / HTTP/1.1\r\n\r\n");
        answers(&mut story, pair, flag::ACK, b"");
        assert_eq!(waits(&story), [1, 0, 0, 0], "a bare acknowledgement is no answer");
        for round in 1..4 {
            answers(&mut story, pair, SAYS, b"page");
            answers(&mut story, pair, SAYS, b"rest of it");
            assert_eq!(waits(&story), [1, round - 1, round, 0]);
            story.passes(&pair.tcp(4000, 443, flag::ACK, b""), "shop", Reason::KnownFlow);
            says(&mut story, pair, b"GET /next");
            says(&mut story, pair, b" HTTP/1.1\r\n\r\n");
            assert_eq!(waits(&story), [1, round, round, 0]);
        }
        answers(&mut story, pair, flag::ACK | flag::FIN, b"");
        assert_eq!(waits(&story), [1, 3, 4, 0], "it waits no more");
    }
}

#[test]
fn whoever_gives_up_waits_no_more() {
    let ann = from(ANN, SHOP);
    let mut story = Story::of(&policy([shop()]));
    connect(&mut story, ann, 4000);
    story.passes(&ann.tcp(4000, 443, flag::RST, b""), "shop", Reason::KnownFlow);
    assert_eq!(waits(&story), [1, 0, 1, 0]);
    // A reset that the host did not believe: what is said afterwards is a question again.
    says(&mut story, ann, b"GET /");
    answers(&mut story, ann, flag::RST | flag::ACK, b"");
    assert_eq!(waits(&story), [1, 1, 2, 0], "nor where the host resets");
    says(&mut story, ann, b"GET /");
    // Another connection between the same ends.
    connect(&mut story, ann, 4000);
    assert_eq!(waits(&story), [2, 2, 3, 0]);
}

/// So many units of a mark's age pass.
fn units(story: &mut Story, units: u32) {
    story.wait(u64::from(units) << AGE_SHIFT);
}

/// A slow attack's connections say a header line now and then and never get to the end.
#[test]
fn a_waiting_connection_that_is_fed_is_counted_once_in_a_while() {
    let ann = from(ANN, SHOP);
    let mut story = Story::of(&policy([shop()]));
    connect(&mut story, ann, 4000);
    says(&mut story, ann, b"GET / HTTP/1.1\r\n");
    for (fed, pause) in [(1, SLOW_UNITS), (2, FED_UNITS), (3, FED_UNITS)] {
        units(&mut story, pause - 1);
        says(&mut story, ann, b"X-a: b\r\n");
        answers(&mut story, ann, flag::ACK, b"");
        assert_eq!(waits(&story), [1, 0, 0, fed - 1], "it comes in pieces");
        units(&mut story, 1);
        says(&mut story, ann, b"X-a: b\r\n");
        answers(&mut story, ann, flag::ACK, b"");
        says(&mut story, ann, b"X-c: d\r\n");
        assert_eq!(waits(&story), [1, 0, 0, fed], "the second one came at once");
    }
    // An upload is no such thing, however long it takes.
    units(&mut story, FED_UNITS);
    for size in [129, 1200, 1201, 1400] {
        says(&mut story, ann, &vec![0; size]);
    }
    assert_eq!(waits(&story), [1, 0, 0, 3]);
    // After an answer all begins anew.
    answers(&mut story, ann, SAYS, b"page");
    says(&mut story, ann, b"GET /next");
    units(&mut story, SLOW_UNITS);
    says(&mut story, ann, b" HTTP/1.1\r\n");
    assert_eq!(waits(&story), [1, 1, 1, 4]);
}

/// A browser connects before it knows what to ask, a pool before anyone asks.
#[test]
fn the_first_question_of_a_connection_comes_when_it_will() {
    let ann = from(ANN, SHOP);
    let mut story = Story::of(&policy([shop()]));
    connect(&mut story, ann, 4000);
    units(&mut story, 5 * FED_UNITS);
    says(&mut story, ann, b"PING\r\n");
    says(&mut story, ann, b"PING\r\n");
    assert_eq!(waits(&story), [1, 0, 0, 0]);
    units(&mut story, SLOW_UNITS);
    says(&mut story, ann, b"PING\r\n");
    assert_eq!(waits(&story), [1, 0, 0, 1], "and then it waits as any other");
}

/// For how many units the oldest flow in the table has been silent.
fn oldest(story: &Story) -> u32 {
    let now = marks::age(&story.env.cpu(0));
    let marks = story.env.state().flows;
    marks.iter().flatten().filter(|mark| **mark != 0).map(|mark| marks::since(now, *mark)).max().unwrap_or(0)
}

/// A connection whose client waits is known for as long as the host acknowledges what it sends.
#[test]
fn an_upload_that_takes_hours_is_known_to_its_end() {
    let ann = from(ANN, SHOP);
    let mut story = Story::of(&policy([shop()]));
    connect(&mut story, ann, 4000);
    says(&mut story, ann, b"PUT /all HTTP/1.1\r\n");
    for _ in 0..3 * u32::from(AGE_MOST) / FED_UNITS {
        units(&mut story, FED_UNITS);
        answers(&mut story, ann, flag::ACK, b"");
        assert_eq!(oldest(&story), 0, "whoever sweeps the table finds it young");
        says(&mut story, ann, &[0; 1400]);
    }
    assert_eq!(waits(&story), [1, 0, 0, 0]);
}

#[test]
fn an_uploads_full_segments_are_not_looked_at() {
    let ann = from(ANN, SHOP);
    let mut story = Story::of(&policy([shop()]));
    connect(&mut story, ann, 4000);
    answers(&mut story, ann, SAYS, b"220 welcome");
    says(&mut story, ann, &[0; 1201]);
    assert_eq!(waits(&story), [1, 0, 1, 0]);
    says(&mut story, ann, &[0; 1200]);
    assert_eq!(waits(&story), [1, 1, 1, 0], "its last one is");
}

/// Whose beginning was not seen may be the host's own connection: whoever answers there owes nothing.
#[test]
fn in_the_hosts_own_connections_nobody_waits() {
    let ann = from(ANN, SHOP);
    let mut story = Story::of(&policy([shop()]));
    answers(&mut story, ann, SAYS, b"question");
    for _ in 0..3 {
        says(&mut story, ann, b"answer");
        story.wait(1 << AGE_SHIFT);
    }
    assert_eq!(waits(&story), [0; 4]);
}

/// What is dropped was not said.
#[test]
fn a_question_that_is_dropped_begins_no_wait() {
    let ann = from(ANN, SHOP);
    let mut story = Story::of(&policy([shop()]));
    connect(&mut story, ann, 4000);
    answers(&mut story, ann, SAYS, b"hello");
    let mut denies = policy([shop()]);
    let set = denies.sets.intern("bad");
    denies.lists.push(entry(&format!("{ANN}/32"), Verdict::Deny).in_set(set));
    denies.targets[0].lists = vec![set];
    story.change(&denies);
    story.drops(&ann.tcp(4000, 443, SAYS, b"GET /"), "shop", Reason::DenyScoped);
    assert_eq!(waits(&story), [1, 0, 1, 0]);
}

/// Where a line is full, a new connection takes the place of the oldest; nobody waits there any more.
#[test]
fn whoever_is_put_out_by_the_host_waits_no_more() {
    let sizes = Sizes { flow_lines: 1, ..Sizes::default() };
    let ann = from(ANN, SHOP);
    let mut story = Story::with(&policy([shop()]), &sizes);
    for port in 4000..4008 {
        connect(&mut story, ann, port);
    }
    story.wait(1 << AGE_SHIFT);
    for port in 5000..5003 {
        story.sends(&ann.back().tcp(443, port, SAYS, b"page"), "shop");
    }
    let [completed, begun, ended, _] = waits(&story);
    assert_eq!((completed, begun, ended), (8, 0, 3));
}
