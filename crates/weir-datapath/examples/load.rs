//! Loads the kernel programs and says what the verifier thinks of them.
fn main() {
    let t = std::time::Instant::now();
    match weir_datapath::Object::load(&weir_datapath::Sizes::for_machine(), None) {
        Ok(mut o) => {
            println!("loaded in {:?}", t.elapsed());
            let x = o.xdp().unwrap();
            println!("xdp: {:?} verified insns, jited {:?}", x.info().unwrap().verified_instruction_count(), x.info().unwrap().size_jitted());
            let x = o.tcx().unwrap();
            println!("tcx: {:?} verified insns, jited {:?}", x.info().unwrap().verified_instruction_count(), x.info().unwrap().size_jitted());
        }
        Err(e) => {
            let mut e: &dyn std::error::Error = &e;
            loop { println!("{e}"); match e.source() { Some(s) => e = s, None => break } }
        }
    }
}
