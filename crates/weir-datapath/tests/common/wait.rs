//! Waiting for something to become true: asked again and again, up to a deadline.

use std::time::{Duration, Instant};

/// Long enough for a loaded machine, short enough to see that it hangs.
pub const LONG: Duration = Duration::from_secs(20);

/// Waits until it holds; says what it waited for when it does not.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LONG, "waited {LONG:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
