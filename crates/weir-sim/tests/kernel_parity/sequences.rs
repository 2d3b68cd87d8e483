//! probe
#[test]
fn probe_sizes() {
    use weir_sim::parity::{Hook, Kernel};
    let mut k = crate::kernel::LoadedKernel::load("x", 1).unwrap();
    for hook in [Hook::Xdp, Hook::Tcx] {
        let (mut lo, mut hi) = (60usize, 80_000usize);
        while hi - lo > 1 {
            let mid = (lo + hi) / 2;
            let mut f = vec![0u8; mid];
            f[12] = 0x88;
            f[13] = 0xcc;
            if k.run(hook, &f).is_ok() { lo = mid } else { hi = mid }
        }
        println!("{hook:?} max {lo}");
    }
}
