//! What the kernel tests share: a node and its peer in namespaces of their own, packets, policies, and exact accounts.
#![allow(dead_code, reason = "each test binary uses its part of this module")]

pub mod account;
pub mod child;
pub mod foreign;
pub mod frames;
pub mod netns;
pub mod pins;
pub mod policy;
pub mod random;
pub mod receiver;
pub mod sender;
pub mod system;
pub mod traffic;
pub mod wait;
pub mod world;

/// Says that a test cannot run here, in the words that the test runner looks for.
pub fn skip(test: &str, reason: &str) {
    eprintln!("SKIPPED: {test}: {reason}");
}

/// The name of the test that this thread runs.
pub fn test_name() -> String {
    std::thread::current().name().unwrap_or("main").to_owned()
}

/// Eight letters and digits that no other run has.
pub fn random_suffix() -> String {
    let random = std::fs::read("/proc/sys/kernel/random/uuid").unwrap_or_default();
    String::from_utf8_lossy(&random).chars().filter(char::is_ascii_alphanumeric).take(8).collect()
}
