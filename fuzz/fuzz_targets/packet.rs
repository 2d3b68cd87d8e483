//! Arbitrary bytes as a frame, whole and snapped.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzz::targets::packet(data));
