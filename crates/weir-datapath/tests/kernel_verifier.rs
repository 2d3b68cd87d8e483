//! Story 7: the kernel's verifier accepts the programs with room to spare, so that another compiler or kernel does as well.

mod common;

use aya::programs::ProgramInfo;
use weir_datapath::Object;

use common::skip;
use common::world::{permitted, small_sizes};

/// The kernel refuses what takes it more steps to verify (`BPF_COMPLEXITY_LIMIT_INSNS`, include/linux/bpf.h).
const LIMIT: u32 = 1_000_000;
/// Compilers differ by some per cent, kernels by more: a quarter is kept free.
const MOST: u32 = LIMIT / 4 * 3;

#[test]
fn the_programs_stay_well_below_the_verifiers_limit() {
    let test = "the_programs_stay_well_below_the_verifiers_limit";
    if let Err(reason) = permitted() {
        return skip(test, &reason);
    }
    let mut object = Object::load(&small_sizes(), None).unwrap();
    let mut of = |name| object.classifier(name).unwrap().info().unwrap();
    let (settle, any, back) = (of("weir_settle_tcx"), of("weir_any_tcx"), of("weir_return"));
    let mut of = |name| object.behind_xdp(name).unwrap().info().unwrap();
    let (settle_xdp, any_xdp) = (of("weir_settle_xdp"), of("weir_any_xdp"));
    let programs: [(&str, ProgramInfo); 8] = [
        ("weir_settle_tcx", settle),
        ("weir_any_tcx", any),
        ("weir_return", back),
        ("weir_settle_xdp", settle_xdp),
        ("weir_any_xdp", any_xdp),
        ("weir_xdp", object.xdp().unwrap().info().unwrap()),
        ("weir_tcx", object.tcx().unwrap().info().unwrap()),
        ("weir_egress", object.egress().unwrap().info().unwrap()),
    ];
    for (name, info) in programs {
        let Some(steps) = info.verified_instruction_count() else {
            return skip(test, "this kernel (before 5.16) does not tell how far the verifier walked");
        };
        println!("{name}: {steps} steps of {LIMIT}");
        assert!(steps > 1_000, "{name}: {steps} steps are no packet path");
        assert!(
            steps < MOST,
            "{name}: the verifier takes {steps} steps of {LIMIT}; see ARCHITECTURE.md on how to spare it"
        );
    }
}
