//! The engine over a packet path in memory: what is in force after each step of a story.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;
use weir_abi::prefix::State as ListState;
use weir_abi::{Addr, Counter, Reason, Sample};
use weir_agent::engine::{Engine, Now, Refusal, Settings, StartError};
use weir_agent::fake::Fake;
use weir_agent::host::Host;
use weir_agent::policy::load;
use weir_agent::status;
use weir_api::local::{NewEntry, NodeMode, Verdict};
use weir_api::spec::{BlockAction, Mode};
use weir_policy::lookup;
use weir_policy::model::{DEFAULT_FAILSAFE, FailsafePort, Proto};

/// A host with a policy directory, over restarts of its agent.
struct World {
    dir: TempDir,
    kernel: Fake,
    start: Instant,
    mode: Option<Mode>,
    failsafe: Option<Vec<FailsafePort>>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("policy")).unwrap();
        fs::create_dir(dir.path().join("state")).unwrap();
        Self { dir, kernel: Fake::default(), start: Instant::now(), mode: None, failsafe: None }
    }

    fn policy(&self) -> std::path::PathBuf {
        self.dir.path().join("policy")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.policy().join(name), text).unwrap();
    }

    /// This many seconds into the story, on all clocks.
    fn at(&self, seconds: u64) -> Now {
        self.kernel.state().ticks = 10_000 + 250 * seconds;
        let since = Duration::from_secs(seconds);
        Now { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000) + since, steady: self.start + since }
    }

    fn try_start(&self, seconds: u64) -> Result<Engine, StartError> {
        let settings = Settings {
            policy: Some(self.policy()),
            mode: self.mode,
            never_block: vec!["198.51.100.53/32".parse().unwrap()],
            failsafe: self.failsafe.clone(),
            state_dir: self.dir.path().join("state"),
            learn: None,
        };
        let host = Host { addresses: vec!["192.0.2.10".parse().unwrap()] };
        let now = self.at(seconds);
        let mut engine = Engine::new(Box::new(self.kernel.clone()), settings, host, now)?;
        engine.load(now)?;
        Ok(engine)
    }

    fn start(&self, seconds: u64) -> Engine {
        self.try_start(seconds).unwrap_or_else(|e| panic!("{e}"))
    }

    fn reload(&self, engine: &mut Engine, seconds: u64) {
        engine.reload(load(&self.policy()), self.at(seconds));
    }

    /// What the tables in force say of a source.
    fn says(&self, address: &str) -> ListState {
        let addr: Addr = weir_policy::prefix::addr_from(address.parse().unwrap());
        let state = self.kernel.state();
        lookup::node(&state.image.as_ref().unwrap().lists, addr, state.ticks).state
    }
}

const DENY: &str = "apiVersion: weir.dev/v1alpha1\nkind: ClusterProtection\nmetadata: {name: host}\n\
                    spec: {mode: Enforce, deny: [{sourceSet: bad}, {cidr: 0.0.0.0/1}]}\n---\n\
                    apiVersion: weir.dev/v1alpha1\nkind: SourceSet\nmetadata: {name: bad}\nspec: {file: bad.txt}\n";

fn block(cidr: &str, seconds: Option<u64>) -> NewEntry {
    let duration = seconds.map(|s| format!("{s}s").parse().unwrap());
    NewEntry { cidr: cidr.parse().unwrap(), duration, reason: "test".into() }
}

/// The operator's ports take the place of the usual ones, also when the policy changes; none means none.
#[test]
fn failsafe_ports_are_the_usual_ones_or_those_that_were_given() {
    let mut world = World::new();
    let ports = |world: &World| -> u32 {
        world.kernel.state().image.as_ref().unwrap().failsafe.iter().map(|word| word.count_ones()).sum()
    };
    drop(world.start(0));
    assert_eq!(ports(&world), DEFAULT_FAILSAFE.len() as u32);

    world.failsafe = Some(vec![(Proto::Tcp, 2222)]);
    let mut engine = world.start(1);
    world.write("a.yaml", DENY);
    world.write("bad.txt", "203.0.113.0/24\n");
    world.reload(&mut engine, 2);
    assert_eq!(ports(&world), 1);
    assert_eq!(world.kernel.state().image.as_ref().unwrap().failsafe[2222 / 64], 1 << (2222 % 64));
    drop(engine);

    world.failsafe = Some(Vec::new());
    drop(world.start(3));
    assert_eq!(ports(&world), 0);
}

#[test]
fn a_bad_file_is_refused_as_a_whole_and_the_last_good_policy_stays() {
    let world = World::new();
    world.write("a.yaml", DENY);
    world.write("bad.txt", "203.0.113.0/24\n");
    let mut engine = world.start(0);
    let view = engine.view();
    assert_eq!(world.says("203.0.113.7"), ListState::Deny);
    assert_eq!(view.policy().generation, 1);

    // Half of the change is right; none of it comes into force.
    world.write("bad.txt", "203.0.112.0/24\n");
    world.write(
        "b.yaml",
        "apiVersion: weir.dev/v1alpha1\nkind: Block\nmetadata: {name: b}\nspec: {cidr: 203.0.113.300}\n",
    );
    world.reload(&mut engine, 1);
    assert_eq!(world.says("203.0.113.7"), ListState::Deny);
    assert_eq!(world.says("203.0.112.7"), ListState::None);
    let policy = status::policy_status(&view.policy());
    assert!(policy.stale && policy.generation == 1);
    let error = &policy.errors[0];
    assert!(error.file.ends_with("policy/b.yaml"), "{error:?}");
    assert_eq!((error.line, error.column), (4, 14));
    assert!(error.message.starts_with("`203.0.113.300` is not an address or CIDR"), "{error:?}");

    // A restart in front of the broken files keeps protecting.
    drop(engine);
    *world.kernel.state() = weir_agent::fake::State::default();
    let mut engine = world.start(2);
    assert_eq!(world.says("203.0.113.7"), ListState::Deny);
    assert!(engine.view().policy().stale);
    assert_eq!(engine.view().policy().errors.len(), 1);

    // Repaired, the change comes into force.
    fs::remove_file(world.policy().join("b.yaml")).unwrap();
    world.reload(&mut engine, 3);
    assert_eq!(world.says("203.0.113.7"), ListState::None);
    assert_eq!(world.says("203.0.112.7"), ListState::Deny);
    assert!(!engine.view().policy().stale);
}

#[test]
fn a_first_start_in_front_of_a_broken_file_says_what_is_wrong() {
    let world = World::new();
    world.write("a.yaml", "kind: Protection\n");
    let Err(error) = world.try_start(0) else { panic!("started") };
    assert!(error.to_string().contains("a.yaml:1:1: apiVersion: missing"), "{error}");
}

#[test]
fn what_the_kernel_refuses_leaves_the_old_policy_and_says_so() {
    let world = World::new();
    world.write("a.yaml", "");
    let mut engine = world.start(0);
    world.kernel.state().refuse = Some("the map PREFIXES is full".into());
    world.write("a.yaml", DENY);
    world.write("bad.txt", "203.0.113.0/24\n");
    world.reload(&mut engine, 1);
    let policy = engine.view().policy();
    assert!(policy.stale);
    assert!(policy.errors[0].message.contains("the map PREFIXES is full"));
    assert_eq!(policy.mode, Mode::Observe, "the refused policy's mode does not show");
}

#[test]
fn never_block_beats_every_list() {
    let world = World::new();
    world.write("a.yaml", DENY);
    world.write("bad.txt", "192.0.2.0/24\n198.51.100.0/24\n");
    let _engine = world.start(0);
    assert_eq!(world.says("10.0.0.1"), ListState::Deny);
    assert_eq!(world.says("192.0.2.77"), ListState::Deny);
    for safe in ["127.0.0.1", "192.0.2.10", "198.51.100.53", "169.254.169.254"] {
        assert_eq!(world.says(safe), ListState::Allow, "{safe}");
    }
}

#[test]
fn a_block_ends_by_itself_and_survives_restarts_until_then() {
    let world = World::new();
    let mut engine = world.start(0);
    let applied = engine.put(BlockAction::Deny, block("203.0.113.7", Some(60)), world.at(0)).unwrap();
    assert!(!applied.enforced, "the node observes");
    assert_eq!(world.says("203.0.113.7"), ListState::Deny);
    assert_eq!(world.kernel.state().patched, 1, "one block does not compile everything again");
    engine.put(BlockAction::Deny, block("2001:db8::/32", None), world.at(1)).unwrap();
    assert_eq!(world.says("2001:db8::1"), ListState::Deny);

    drop(engine);
    *world.kernel.state() = weir_agent::fake::State::default();
    let mut engine = world.start(30);
    assert_eq!(world.says("203.0.113.7"), ListState::Deny);
    assert_eq!(status::entries(&engine.view().policy(), BlockAction::Deny).len(), 2);

    // The kernel minds the tick; the agent clears up behind it.
    world.at(61);
    assert_eq!(world.says("203.0.113.7"), ListState::None);
    engine.tick(world.at(61));
    let left = status::entries(&engine.view().policy(), BlockAction::Deny);
    assert_eq!(left.iter().map(|e| e.cidr.to_string()).collect::<Vec<_>>(), ["2001:db8::/32"]);
    let kept = fs::read_to_string(world.dir.path().join("state/runtime.yaml")).unwrap();
    assert!(!kept.contains("203.0.113.7") && kept.contains("2001:db8::/32"), "{kept}");
}

#[test]
fn unblock_and_allow() {
    let world = World::new();
    world.write("a.yaml", DENY);
    world.write("bad.txt", "203.0.113.0/24\n");
    let mut engine = world.start(0);
    let now = world.at(1);
    engine.put(BlockAction::Allow, block("203.0.113.7", None), now).unwrap();
    assert_eq!((world.says("203.0.113.7"), world.says("203.0.113.8")), (ListState::Allow, ListState::Deny));
    // The last word on a prefix counts.
    engine.put(BlockAction::Deny, block("203.0.113.7", Some(60)), now).unwrap();
    assert_eq!(world.says("203.0.113.7"), ListState::Deny);
    engine.remove(BlockAction::Deny, "203.0.113.7".parse().unwrap(), now).unwrap();
    assert_eq!(world.says("203.0.113.7"), ListState::Deny, "still on the list");

    let refused = |engine: &mut Engine, cidr: &str| match engine.remove(BlockAction::Deny, cidr.parse().unwrap(), now) {
        Err(Refusal::Unknown(why)) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(&mut engine, "203.0.113.0/24"),
        "203.0.113.0/24 comes from the policy files (SourceSet bad): change it there"
    );
    assert_eq!(
        refused(&mut engine, "198.18.0.1"),
        "there is no block of 198.18.0.1/32: `weir status` lists what there is"
    );
    engine.put(BlockAction::Deny, block("198.18.0.0/16", None), now).unwrap();
    assert_eq!(
        refused(&mut engine, "198.18.0.1"),
        "there is no block of 198.18.0.1/32; it lies within 198.18.0.0/16: remove that one"
    );
}

#[test]
fn a_block_that_is_too_wide_or_cannot_be_kept_is_refused() {
    let world = World::new();
    let mut engine = world.start(0);
    let wide = engine.put(BlockAction::Deny, block("0.0.0.0/0", Some(60)), world.at(0)).unwrap_err();
    assert!(wide.to_string().starts_with("0.0.0.0/0 is wider than /8"), "{wide}");
    fs::remove_dir_all(world.dir.path().join("state")).unwrap();
    let lost = engine.put(BlockAction::Deny, block("203.0.113.7", None), world.at(0)).unwrap_err();
    assert!(lost.to_string().contains("--state-dir"), "{lost}");
    assert_eq!(world.says("203.0.113.7"), ListState::None, "what is not kept is not in force");
}

#[test]
fn the_mode_of_the_command_line_shows() {
    let world = World { mode: Some(Mode::Enforce), ..World::new() };
    let mut engine = world.start(0);
    assert!(engine.put(BlockAction::Deny, block("203.0.113.7", None), world.at(0)).unwrap().enforced);
    let status = status::status(&engine.view());
    assert_eq!((status.mode, status.mode_forced, status.ready), (NodeMode::Enforce, true, true));
}

#[test]
fn a_target_keeps_its_id_over_restarts() {
    let protection = |name: &str, ip: &str| {
        format!(
            "---\napiVersion: weir.dev/v1alpha1\nkind: Protection\nmetadata: {{name: {name}}}\n\
             spec: {{target: {{addresses: [{{ip: {ip}}}]}}}}\n"
        )
    };
    let world = World::new();
    world.write("m.yaml", &protection("middle", "192.0.2.50"));
    let ids = |engine: &Engine| -> Vec<(u32, String)> {
        let view = engine.view();
        status::targets(&view.policy(), &view.traffic()).into_iter().map(|t| (t.id, t.name)).collect()
    };
    assert_eq!(ids(&world.start(0)), [(1, "middle".to_owned())]);
    world.write("a.yaml", &protection("a", "192.0.2.51"));
    assert_eq!(ids(&world.start(1)), [(1, "middle".to_owned()), (2, "a".to_owned())]);
}

#[test]
fn counters_have_rates_and_steer_the_sampling() {
    let world = World::new();
    let mut engine = world.start(0);
    let view = engine.view();
    let set = |packets| {
        world.kernel.state().counters = vec![
            (0, false, Reason::Blocked, Counter { packets, bytes: 60 * packets }),
            (0, false, Reason::NoTarget, Counter { packets: 10, bytes: 900 }),
            (0, true, Reason::DenyListed, Counter::default()),
        ];
    };
    set(500_000);
    engine.tick(world.at(1));
    set(2_500_000);
    engine.tick(world.at(2));
    let rows = status::counters(&view.policy(), &view.traffic());
    let row = rows.iter().find(|r| r.reason == "block").unwrap();
    assert_eq!((row.verdict, row.packets, row.packets_per_s, row.bytes_per_s), (Verdict::Drop, 2_500_000, 2e6, 1.2e8));
    assert_eq!((row.target_name.as_str(), rows.len()), ("node", 2));
    assert_eq!(
        world.kernel.state().sampling,
        Some((0, 1023)),
        "nothing passes, and of 2 M drops a second one in 1024: drops have what nothing else needs"
    );
}

/// The onset of a flood that nobody drops: its rate is measured with the fetch that brings far too many samples.
#[test]
fn too_many_samples_are_made_fewer_before_the_second_is_over() {
    let world = World::new();
    let mut engine = world.start(0);
    let passed = |packets| {
        world.kernel.state().counters = vec![(0, false, Reason::NoTarget, Counter { packets, bytes: 60 * packets })];
    };
    passed(1000);
    engine.tick(world.at(1));
    passed(2000);
    engine.tick(world.at(2));
    let calm = world.kernel.state().sampling;
    let soon = |ms| Now { steady: world.at(2).steady + Duration::from_millis(ms), ..world.at(2) };
    passed(102_000);
    engine.tick(soon(100));
    assert_eq!(world.kernel.state().sampling, calm, "it waits for the next second");
    let sample = Sample {
        time_ns: 0,
        length: 60,
        target: 0,
        reason: Reason::NoTarget as u8,
        verdict: 0,
        rule: 0,
        ifindex: 1,
        weight: 1,
        captured: 0,
        pad: 0,
        bytes: [0; weir_abi::sample::SAMPLE_BYTES],
    };
    world.kernel.state().samples = vec![sample; 2001];
    engine.tick(soon(200));
    // 100,000 in a fifth of a second.
    assert_eq!(world.kernel.state().sampling, Some((255, 0)));
}

#[test]
fn explain_names_every_list_and_the_one_that_decides() {
    let world = World::new();
    world.write("a.yaml", DENY);
    world.write("bad.txt", "203.0.113.0/24\n");
    let mut engine = world.start(0);
    engine.put(BlockAction::Deny, block("203.0.113.0/28", Some(60)), world.at(0)).unwrap();
    let said = engine.explain("203.0.113.7".parse().unwrap(), world.at(1));
    let lists: Vec<String> = said
        .lists
        .iter()
        .map(|l| format!("{} {} {} {}", l.scope, l.list.label(), l.cidr, if l.decides { "decides" } else { "" }))
        .collect();
    assert_eq!(lists, ["node block 203.0.113.0/28 decides", "node deny 203.0.113.0/24 "]);
    assert_eq!(
        said.summary,
        "packets from 203.0.113.7 are dropped: block list entry 203.0.113.0/28 (test) until 2001-09-09T01:47:40Z"
    );
    let own = engine.explain("192.0.2.10".parse().unwrap(), world.at(1));
    assert!(own.summary.contains("pass: never-block list entry 192.0.2.10/32"), "{}", own.summary);
    let nobody = engine.explain("2001:db8::1".parse().unwrap(), world.at(1));
    assert!(nobody.lists.is_empty() && nobody.summary.contains("on no list"), "{}", nobody.summary);
}

#[test]
fn files_named_directly_are_read_too() {
    let world = World::new();
    world.write("one.yaml", DENY);
    world.write("bad.txt", "203.0.113.0/24\n");
    assert_eq!(load(&world.policy().join("one.yaml")).unwrap().objects.len(), 2);
    assert!(load(Path::new("/nonexistent")).is_err());
}
