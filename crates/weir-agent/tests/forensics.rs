//! The packets of an incident as a capture: what is kept, what each says, and who can read it.

mod common;

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{World, bare_syn};
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::blocks::section_header::SectionHeaderOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use weir_abi::counters::{syn_fact, syn_slot};
use weir_abi::{Reason, Sample, Verdict};
use weir_agent::engine::Refusal;
use weir_agent::forensics::pcapng;
use weir_sim::link::LinkType;
use weir_sim::pcap::Capture;

/// The clock of samples begins a day before the story.
const DAY: u64 = 24 * 3600 * 1_000_000_000;

/// Sends for a window: packets one millisecond after each other, in on two interfaces, each standing for four.
fn send(world: &mut World, slot: u8, packets: u64, what: impl Fn(u32) -> Sample) {
    let (begins, first) = (DAY + u64::from(world.windows) * 100_000_000, world.sent);
    world.kernel.state().now_ns = begins + 100_000_000;
    world.send(1, slot, packets, |n| {
        let time_ns = begins + u64::from(n - first) * 1_000_000;
        Sample { time_ns, ifindex: 1 + n % 2, weight: 4, ..what(n) }
    });
}

fn sample(n: u32, verdict: Verdict, reason: Reason, rule: u32) -> Sample {
    Sample { verdict: verdict as u8, reason: reason as u8, rule, ..bare_syn(n) }
}

/// A SYN that has an option.
fn customer(n: u32) -> Sample {
    let mut sample = sample(n, Verdict::Pass, Reason::Clean, 0);
    sample.bytes[17] = 44;
    sample.bytes[46] = 0x60;
    sample.bytes[54..58].copy_from_slice(&[2, 4, 5, 180]);
    sample
}

/// Some calm, a flood that is noticed, and a second of it that is dropped; 100 samples a window.
fn flooded() -> World {
    let mut world = World::new();
    let slot = syn_slot(syn_fact::NO_OPTIONS);
    for _ in 0..10 {
        // Customers' SYNs have options, and are of the same kind.
        send(&mut world, syn_slot(0), 3, customer);
    }
    send(&mut world, slot, 5000, |n| sample(n, Verdict::Pass, Reason::Clean, 0));
    let owner = {
        let state = world.kernel.state();
        let rules = &state.image.as_ref().unwrap().rules;
        rules.owner[rules.enforce.trailing_zeros() as usize]
    };
    for _ in 0..10 {
        send(&mut world, slot, 5000, |n| match n % 10 {
            0 => sample(n, Verdict::Pass, Reason::Clean, 0),
            1 => sample(n, Verdict::WouldDrop, Reason::SourcePackets, 0),
            _ => sample(n, Verdict::Drop, Reason::Rule, owner),
        });
    }
    world
}

/// Time in nanoseconds, interface, comment, captured and original length.
type Row = (Duration, u32, String, usize, u32);

/// What the library reads: the section's comment, the interfaces' names, the packets.
fn read(bytes: &[u8]) -> (String, Vec<String>, Vec<Row>) {
    let mut reader = PcapNgReader::new(bytes).unwrap();
    let comment = reader.section().options.iter().find_map(|option| match option {
        SectionHeaderOption::Comment(text) => Some(text.to_string()),
        _ => None,
    });
    let (mut names, mut rows) = (Vec::new(), Vec::new());
    while let Some(block) = reader.next_block() {
        match block.unwrap() {
            Block::InterfaceDescription(interface) => {
                assert_eq!((interface.linktype, interface.snaplen), (pcap_file::DataLink::ETHERNET, 96));
                for option in interface.options {
                    match option {
                        InterfaceDescriptionOption::IfName(name) => names.push(name.to_string()),
                        InterfaceDescriptionOption::IfTsResol(resolution) => assert_eq!(resolution, 9),
                        other => panic!("{other:?}"),
                    }
                }
            }
            Block::EnhancedPacket(packet) => {
                let [EnhancedPacketOption::Comment(comment)] = &packet.options[..] else { panic!("{packet:?}") };
                let row = (
                    packet.timestamp,
                    packet.interface_id,
                    comment.to_string(),
                    packet.data.len(),
                    packet.original_len,
                );
                rows.push(row);
            }
            other => panic!("{other:?}"),
        }
    }
    (comment.unwrap(), names, rows)
}

#[test]
fn the_packets_of_an_incident_say_what_became_of_them() {
    let world = flooded();
    let evidence = world.engine.evidence(1).unwrap();
    let bytes = pcapng(&evidence).unwrap();
    let (comment, names, rows) = read(&bytes);
    assert!(comment.starts_with("incident 1: SYN flood on host, ATTACK, Mitigating; noticed 2001-09-09T"), "{comment}");
    assert!(
        comment.ends_with(&format!("{} sampled packets, each with verdict, reason and rule", rows.len())),
        "{comment}"
    );
    assert_eq!(names, ["eth1", "eth0"], "in the order in which packets came in on them");
    // What came in the second before, the beginning, and of the end as much of what was dropped as there is room for.
    let of = |what: &str| rows.iter().filter(|row| row.2.starts_with(what)).count();
    let (passed, observed) = (of("passed: clean"), of("would be dropped, but its owner observes: source_packets"));
    assert_eq!(rows.len(), evidence.packets.len());
    let rule = &world.incidents()[0].signatures[0].rule;
    let dropped = of(&format!("dropped: rule (rule 1 of incident 1: {rule}); stands for 4 packets"));
    assert_eq!(passed + observed + dropped, rows.len(), "{:?}", rows.last());
    // 30 calm ones, 256 of the beginning (100 before the rule; of 156 after it one in ten passed and one in ten would not have), and of
    // the end 128 dropped ones or such as would have been, and all that passed.
    let late = evidence.packets.iter().skip(30 + 256);
    let (late_passed, late_dropped): (Vec<&(SystemTime, Sample)>, Vec<_>) =
        late.partition(|(_, s)| s.verdict == Verdict::Pass as u8);
    assert_eq!((late_dropped.len(), rows.len()), (128, 30 + 256 + 128 + late_passed.len()));
    assert_eq!((passed, late_passed.len()), (30 + 100 + 100, 85));
    // Times are those of the samples, on the clock of the wall.
    assert!(rows.windows(2).all(|two| two[0].0 <= two[1].0));
    let last = rows.last().unwrap().0;
    let newest = world.now().wall.duration_since(UNIX_EPOCH).unwrap();
    assert_eq!(newest - last, Duration::ZERO);

    // Read by the captures' reader of this project, as `weir replay` does.
    let capture = Capture::new(std::io::Cursor::new(bytes.clone()), "incident").unwrap();
    let records: Vec<_> = capture.map(Result::unwrap).collect();
    assert_eq!(records.len(), rows.len());
    for (record, (at, sample)) in records.iter().zip(&evidence.packets) {
        assert_eq!((record.link, record.original_length), (LinkType::Ethernet, sample.length));
        assert_eq!(record.data, sample.bytes[..usize::from(sample.captured)]);
        assert_eq!(SystemTime::UNIX_EPOCH + Duration::from_nanos(record.time_ns), *at);
    }
    by_tshark(&bytes, &rows);
}

/// The analyser that people use reads the same.
fn by_tshark(bytes: &[u8], rows: &[Row]) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("incident.pcapng");
    std::fs::write(&file, bytes).unwrap();
    let fields =
        ["frame.comment", "frame.interface_name", "frame.len", "frame.cap_len", "frame.time_epoch", "tcp.flags"];
    let mut command = Command::new("tshark");
    command.arg("-r").arg(&file).args(["-T", "fields"]).args(fields.iter().flat_map(|field| ["-e", field]));
    let output = match command.output() {
        Ok(output) => output,
        Err(e) => return eprintln!("SKIPPED: by_tshark: no tshark ({e}; Debian: apt-get install tshark)"),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), rows.len());
    for (line, (at, interface, comment, captured, original)) in lines.iter().zip(rows) {
        let name = ["eth1", "eth0"][*interface as usize];
        assert_eq!(line[..4], [comment, name, &original.to_string(), &captured.to_string()]);
        assert_eq!(line[4], format!("{}.{:09}", at.as_secs(), at.subsec_nanos()));
        assert_eq!(line[5], "0x0002");
    }
}

#[test]
fn an_incident_that_nobody_knows_has_no_packets() {
    let mut world = World::new();
    let refused = |world: &World, id| match world.engine.evidence(id) {
        Err(Refusal::Unknown(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(refused(&world, 7).starts_with("there is no incident 7"));
    // A flood of which no sample came.
    world.windows(10, 0);
    let slot = usize::from(syn_slot(syn_fact::NO_OPTIONS));
    for _ in 0..5 {
        world.kernel.state().slots.entry(1).or_insert([0; weir_abi::FEATURE_SLOTS])[slot] += 5000;
        world.windows(1, 0);
    }
    assert_eq!(refused(&world, 1), "there are no packets of incident 1: none was sampled");
}
