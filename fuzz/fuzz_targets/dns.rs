//! Arbitrary bytes as a DNS message.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzz::targets::dns(data));
