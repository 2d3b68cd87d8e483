//! The kernel program and the host build of the same source, packet by packet (`BPF_PROG_TEST_RUN`): zero differences.
//!
//! The short run is a part of every test run; `WEIR_LONG=1` sends more than a million generated packets.
//!
//! What a test run is not: a driver's buffers and a network card's offloads. At XDP frames of up to 73,152 bytes run as they are,
//! the part behind the first 3,520 bytes in further buffers, as in a driver with jumbo frames. At tcx a socket buffer is linear
//! here and never larger than 3,712 bytes; the pulling of headers into the linear part is left to the tests in namespaces. And the
//! outer VLAN tag stays in the frame: on the way in from a device the kernel takes it out before tcx sees the frame, so that there a
//! tagged frame is judged as an untagged one. A frame without a payload behind its link header, or with less than an IP header
//! where its EtherType says IP, is not run at tcx at all.

#[path = "../common/corpus.rs"]
mod corpus;
#[path = "../../../weir-wire/tests/packets/mod.rs"]
mod golden;
#[path = "../common/traffic/mod.rs"]
mod traffic;

mod captures;
mod challenges;
mod connections;
mod dawdlers;
mod generated;
mod hammers;
mod kernel;
mod regulars;
mod sampling;
mod sequences;

use weir_policy::TableImage;
use weir_sim::env::{SimEnv, Sizes};
use weir_sim::parity::{Parity, Report};

use kernel::LoadedKernel;

/// Few lines and slots, so that packets meet in them.
const LINES: u32 = 256;
const SLOTS: u32 = 64;
const FLOWS: u32 = 16;
const PROVEN: u32 = 4;
const RETRIES: u32 = 32;

/// Both sides with one image in force, every packet sampled; nothing where the kernel may not be used: then it says so.
fn both(test: &str, seed: u64, image: &TableImage) -> Option<Parity<LoadedKernel>> {
    let mut kernel = LoadedKernel::load(test, seed)?;
    kernel.apply_first(image);
    let sizes = Sizes {
        targets: traffic::rich::TARGETS,
        source_lines: LINES,
        fragment_slots: SLOTS,
        flow_lines: FLOWS,
        proven_lines: PROVEN,
        retry_slots: RETRIES,
        cpus: 1,
        seed: kernel.config().seed,
    };
    let mut host = SimEnv::new(image.clone(), &sizes).expect("both sides have as many targets");
    let of_kernel = kernel.config();
    host.configure(|c| {
        c.sample_pass_mask = of_kernel.sample_pass_mask;
        c.sample_drop_mask = of_kernel.sample_drop_mask;
        c.fragment_timeout = of_kernel.fragment_timeout;
        c.secret = of_kernel.secret;
        (c.retry_least, c.retry_most) = (of_kernel.retry_least, of_kernel.retry_most);
        c.prompt = of_kernel.prompt;
    });
    Some(Parity::new(kernel, host).unwrap_or_else(|e| panic!("{e}")))
}

/// What must be true of every comparison.
#[track_caller]
fn alike(report: &Report) {
    println!("{report}");
    assert_eq!(report.differences, 0, "host and kernel differ:\n{report}");
    let seldom = report.resyncs * 100 <= report.packets;
    assert!(seldom, "{} re-syncs in {} packets", report.resyncs, report.packets);
}

/// Whether the long run was asked for.
fn long() -> bool {
    std::env::var_os("WEIR_LONG").is_some_and(|value| value == "1")
}
