//! The environment itself: CPUs that count apart, sampling, tables that are exchanged, states that are taken and put back.

#[path = "common/traffic/mod.rs"]
mod traffic;

use std::sync::Arc;
use std::thread;

use weir_abi::{Feature, Reason};
use weir_core::process;
use weir_policy::TableImage;
use weir_sim::env::{SimEnv, Sizes, TooManyTargets};
use weir_wire::Bytes;

use traffic::generate::Generator;
use traffic::packet::{flag, from};
use traffic::rich::{TARGETS, image, policy};

const SIZES: Sizes = Sizes {
    targets: TARGETS,
    source_lines: 64,
    fragment_slots: 64,
    flow_lines: 16,
    proven_lines: 4,
    retry_slots: 16,
    cpus: 4,
    seed: [1, 2],
};

fn env() -> SimEnv {
    SimEnv::new(image(&policy(0), 250, 0, None), &SIZES).unwrap()
}

#[test]
fn threads_judge_at_once_each_as_a_cpu_of_its_own() {
    let env = env();
    let syn = from("10.4.4.4", "192.0.2.7").syn(40000, 80);
    thread::scope(|scope| {
        for number in 0..4 {
            let (env, syn) = (&env, &syn);
            scope.spawn(move || {
                let cpu = env.cpu(number);
                for _ in 0..1000 {
                    let _ = process(&Bytes::new(syn), &cpu);
                }
            });
        }
    });
    let counted = env.counters();
    let [only] = &counted[..] else { panic!("{counted:?}") };
    assert_eq!(
        (only.reason, only.counter.packets, only.counter.bytes),
        (Reason::AllowScoped, 4000, 4000 * syn.len() as u64)
    );
    assert_eq!(Feature::Syn.sum(&env.features(only.target)), 4000);
    assert_eq!(env.counter(only.target, false, Reason::AllowScoped), only.counter);
    assert_eq!(env.counter(only.target, true, Reason::AllowScoped).packets, 0);
}

/// The first of a kind, then one in so many; every CPU for itself.
#[test]
fn samples_stand_for_as_many_packets_as_there_were() {
    let mut env = env();
    env.configure(|c| (c.sample_pass_mask, c.sample_drop_mask) = (7, 0));
    let pass = from("10.4.4.4", "192.0.2.7").tcp(40000, 80, flag::ACK, b"GET /");
    let drop = from("10.66.1.1", "192.0.2.7").syn(40000, 80);
    for cpu in [0, 3] {
        let weights = |frame: &[u8], n| -> Vec<u32> {
            (0..n).map(|_| process(&Bytes::new(frame), &env.cpu(cpu)).sample_weight).collect()
        };
        let passed = weights(&pass, 17);
        assert_eq!(passed, [8, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 8]);
        assert_eq!(weights(&drop, 3), [1, 1, 1]);
    }
    env.configure(|c| c.sample_pass_mask = u32::MAX);
    assert_eq!(env.simulate(&Bytes::new(&pass)).sample_weight, 0);
}

#[test]
fn cells_and_counters_outlive_the_tables() {
    let mut env = env();
    let flood = from("10.2.2.2", "192.0.2.1").syn(40000, 443);
    while !env.simulate(&Bytes::new(&flood)).drop {}
    let before = env.state();
    env.apply(TableImage::empty()).unwrap();
    assert_eq!(env.state(), before);
    assert_eq!(env.simulate(&Bytes::new(&flood)).reason(), Reason::NoTarget);
    env.apply(image(&policy(0), 250, 0, None)).unwrap();
    assert!(env.simulate(&Bytes::new(&flood)).drop, "what was used before the change is still used");
}

#[test]
fn a_policy_with_too_many_targets_is_refused_and_the_old_one_stays() {
    let sizes = Sizes { targets: 3, ..SIZES };
    let full: Arc<TableImage> = image(&policy(0), 250, 0, None).into();
    let wanted = full.policies.len();
    assert_eq!(SimEnv::new(full.clone(), &sizes).unwrap_err(), TooManyTargets { wanted, room: 3 });
    let mut env = SimEnv::new(TableImage::empty(), &sizes).unwrap();
    let refused = env.apply(full).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the policy has 10 target ids and there is room for 3; make the environment larger"
    );
    assert_eq!(*env.image(), TableImage::empty());
}

#[test]
fn a_state_put_back_is_the_state_that_was_taken() {
    let env = env();
    let mut generator = Generator::new(3, 1500, Vec::new());
    let mut send = |n| {
        for _ in 0..n {
            let _ = env.simulate(&Bytes::new(&generator.next()));
        }
    };
    send(3000);
    let taken = env.state();
    assert!(taken.sources.iter().any(|line| *line != [0; 32]) && taken.fragments.iter().any(|slot| *slot != [0; 3]));
    send(3000);
    let later = env.state();
    assert!(!taken.differences(&later).is_empty());
    env.restore(&taken);
    assert_eq!(env.state().differences(&taken), Vec::<String>::new());
    assert_eq!(env.state(), taken);
}
