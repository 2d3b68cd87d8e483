//! What is kept over restarts: clean ones, kills at any moment, damaged files, files of another version.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use weir_agent::store::{MOST_AGE, MOST_INCIDENTS, Store};
use weir_api::local::{IncidentRow, SignatureRow, SourcesRow};
use weir_api::spec::Moment;

/// Days after the beginning of 2020.
fn day(days: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_836_800 + days * 24 * 3600)
}

fn row(id: u64, state: &str, at: SystemTime) -> IncidentRow {
    let at = Moment::from_system(at);
    IncidentRow {
        id,
        target: "shop/web".into(),
        targets: Vec::new(),
        vector: "SYN flood".into(),
        label: "ATTACK".into(),
        state: state.into(),
        started: at,
        detected: at,
        mitigated: Some(at),
        ended: (state == "Ended").then_some(at),
        cut_short: None,
        confidence: 0.99,
        packets_per_s: 50_000.0,
        usual_packets_per_s: 20.0,
        peak_packets_per_s: 60_000.0,
        relapses: 0,
        evidence: vec!["hygiene: 200 of 205 SYNs without TCP options".into()],
        strays_packets_per_s: None,
        challenged: None,
        signatures: vec![SignatureRow {
            id: format!("{id}.1"),
            rule: "tcp and flags S/SA".into(),
            coverage: 1.0,
            collateral: 0.0001,
            action: "drop".into(),
            matched_packets: Some(7),
            in_force: true,
            ruling: None,
        }],
        sources: SourcesRow::default(),
        dropped: Vec::new(),
        known_flows: None,
        steps: Vec::new(),
    }
}

fn keep(dir: &Path, now: SystemTime, rows: impl IntoIterator<Item = IncidentRow>) {
    let (mut store, _) = Store::open(dir, now);
    rows.into_iter().for_each(|row| store.incident(row));
}

#[test]
fn incidents_and_their_numbers_outlive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, first) = Store::open(dir.path(), day(0));
    assert_eq!((first.incidents.len(), first.next, first.notes.len()), (0, 1, 0));
    store.incident(row(1, "Mitigating", day(0)));
    store.incident(row(1, "Ended", day(0)));
    store.incident(row(2, "Mitigating", day(0)));
    let stats = store.stats();
    drop(store);
    assert_eq!((stats.written(), stats.failed()), (1, 0), "one write for all that was there");

    let (store, second) = Store::open(dir.path(), day(1));
    assert_eq!(second.notes, Vec::<String>::new());
    assert_eq!(second.next, 3);
    assert_eq!(second.incidents.iter().map(|row| row.id).collect::<Vec<_>>(), [2, 1], "the newest first");
    assert_eq!(second.incidents[1], row(1, "Ended", day(0)));
    let open = &second.incidents[0];
    assert_eq!((open.state.as_str(), open.ended), ("Ended", Some(Moment::from_system(day(1)))));
    assert!(open.cut_short.as_ref().unwrap().contains("the agent stopped"), "{open:?}");
    assert_eq!(open.signatures[0].matched_packets, None, "it is in force no more");
    drop(store);

    let (_store, third) = Store::open(dir.path(), day(2));
    assert_eq!(third.incidents, second.incidents, "marked once");
}

#[test]
fn there_are_not_more_than_a_thousand_and_none_is_older_than_ninety_days() {
    let dir = tempfile::tempdir().unwrap();
    let most = MOST_INCIDENTS as u64;
    keep(dir.path(), day(0), (1..=most + 5).map(|id| row(id, "Ended", day(0))));
    let size = fs::metadata(dir.path().join("detection.redb")).unwrap().len();
    assert!(size < 8 << 20, "{size}");
    let (store, kept) = Store::open(dir.path(), day(0));
    assert_eq!((kept.incidents.len(), kept.incidents.last().unwrap().id), (MOST_INCIDENTS, 6));
    drop(store);
    keep(dir.path(), day(10), [row(most + 6, "Ended", day(10))]);
    let (_store, kept) = Store::open(dir.path(), day(1) + MOST_AGE);
    assert_eq!(kept.incidents.iter().map(|row| row.id).collect::<Vec<_>>(), [most + 6]);
    assert_eq!(kept.next, most + 7, "numbers go on, whatever was forgotten");
}

#[test]
fn two_agents_do_not_share_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let (_first, _) = Store::open(dir.path(), day(0));
    let (mut second, opened) = Store::open(dir.path(), day(0));
    assert!(opened.notes[0].contains("nothing that is noticed is kept"), "{:?}", opened.notes);
    assert!(dir.path().join("detection.redb").exists(), "it is not moved away from under the first");
    second.incident(row(1, "Ended", day(0)));
    second.hand_over();
}

#[test]
fn what_cannot_be_read_is_moved_aside_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("detection.redb");
    keep(dir.path(), day(0), (1..=50).map(|id| row(id, "Ended", day(0))));
    let good = fs::read(&file).unwrap();
    let broken: [(&str, Vec<u8>); 5] = [
        ("text", b"kind: [\n".to_vec()),
        ("half of it", good[..good.len() / 2].to_vec()),
        ("zeros", vec![0; good.len()]),
        ("head gone", [&[0; 512], &good[512..]].concat()),
        ("a page flipped", good.iter().enumerate().map(|(i, b)| if i / 4096 == 3 { !b } else { *b }).collect()),
    ];
    for (what, bytes) in broken {
        fs::write(&file, &bytes).unwrap();
        let (mut store, opened) = Store::open(dir.path(), day(0));
        // A flipped page may be one that nothing lives in.
        if opened.notes.is_empty() {
            assert_eq!((what, opened.incidents.len()), ("a page flipped", 50));
            continue;
        }
        assert!(opened.notes[0].contains("begins anew") && opened.notes.len() == 1, "{what}: {:?}", opened.notes);
        assert_eq!((opened.incidents.len(), opened.next), (0, 1), "{what}");
        assert_eq!(fs::read(dir.path().join("detection.redb.bad")).unwrap().len(), bytes.len(), "{what}");
        store.incident(row(1, "Ended", day(0)));
        drop(store);
        assert_eq!(Store::open(dir.path(), day(0)).1.incidents.len(), 1, "{what}");
    }
}

#[test]
fn a_flipped_byte_anywhere_is_never_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("detection.redb");
    keep(dir.path(), day(0), (1..=20).map(|id| row(id, "Ended", day(0))));
    let good = fs::read(&file).unwrap();
    let mut told = 0;
    for step in 0..60 {
        let mut bytes = good.clone();
        let at = (step * 7919) % good.len();
        bytes[at] ^= 0x55;
        fs::write(&file, &bytes).unwrap();
        let (_store, opened) = Store::open(dir.path(), day(0));
        told += usize::from(!opened.notes.is_empty());
        assert!(opened.incidents.len() == 20 || !opened.notes.is_empty(), "{at}: {:?}", opened.notes);
    }
    assert!(told > 0);
}

#[test]
fn a_file_of_a_later_version_is_not_touched_but_moved() {
    let dir = tempfile::tempdir().unwrap();
    keep(dir.path(), day(0), [row(1, "Ended", day(0))]);
    {
        let database = redb::Database::open(dir.path().join("detection.redb")).unwrap();
        let write = database.begin_write().unwrap();
        let meta = redb::TableDefinition::<&str, u64>::new("meta");
        write.open_table(meta).unwrap().insert("format", 1_000_000).unwrap();
        write.commit().unwrap();
    }
    let (_store, opened) = Store::open(dir.path(), day(0));
    assert!(opened.notes[0].contains("it is of format 1000000"), "{:?}", opened.notes);
    assert_eq!((opened.incidents.len(), opened.next), (0, 1));
}

/// The other half of the next test, which runs it in a process of its own: it writes incidents, and says which are on the disk.
#[test]
fn writes_until_it_is_killed() {
    let Ok(dir) = std::env::var("WEIR_TEST_STORE") else { return };
    let (mut store, opened) = Store::open(Path::new(&dir), day(0));
    let stats = store.stats();
    for id in opened.next.. {
        let before = stats.written();
        store.incident(row(id, "Mitigating", day(0)));
        store.hand_over();
        while stats.written() == before {
            store.hand_over();
            std::thread::yield_now();
        }
        eprintln!("on the disk: {id}");
    }
}

#[test]
fn a_kill_at_any_moment_loses_nothing_that_was_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = 0;
    for round in 0..8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writes_until_it_is_killed", "--nocapture", "--test-threads=1"])
            .env("WEIR_TEST_STORE", dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let number = |line: String| line.strip_prefix("on the disk: ").map(|id| id.parse::<u64>().unwrap());
        let told = (&mut lines).map_while(Result::ok).filter_map(number).take(3 + 2 * round).collect::<Vec<_>>();
        // It goes on writing until the signal arrives.
        child.kill().unwrap();
        child.wait().unwrap();
        let told = told.into_iter().chain(lines.map_while(Result::ok).filter_map(number)).collect::<Vec<_>>();
        assert!(told[0] > last, "a number that was given is not given again: {told:?} after {last}");
        let started = Instant::now();
        let (store, opened) = Store::open(dir.path(), day(0));
        assert_eq!(opened.notes, Vec::<String>::new(), "{:?}", started.elapsed());
        for id in &told {
            assert!(opened.incidents.iter().any(|row| row.id == *id), "{id} is lost");
        }
        assert!(opened.next > told[told.len() - 1] + 1, "room for those that were not written");
        last = *told.last().unwrap();
        drop(store);
    }
}
