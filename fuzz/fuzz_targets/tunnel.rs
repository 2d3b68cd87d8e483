//! Arbitrary bytes as what a tunnel carries.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzz::targets::tunnel(data));
