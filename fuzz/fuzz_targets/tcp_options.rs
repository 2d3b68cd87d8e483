//! Arbitrary bytes as the options of a TCP header.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir_fuzz::targets::tcp_options(data));
