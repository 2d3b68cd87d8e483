//! When the SYNs of an attack are challenged: at once, and for as long as no rule does it better.
//!
//! A challenge drops no customer who hears what is sent to him. It costs him one exchange more, about 15 ms on Linux and a second where
//! a system repeats its SYN by its timer, so that it goes as soon as rules match the attack: those cost customers nothing. It is
//! asked for in the window in which the incident begins, because samples, synthesis and the rules' trial take windows more, and a
//! forged flood fills the target's backlog within one.

use crate::baseline::WINDOWS_PER_SECOND;

/// Windows in a row in which rules match nearly everything, until it is not needed.
const COVERED: u32 = WINDOWS_PER_SECOND;
/// Windows in a row in which much escapes the rules, until it is needed again.
const ESCAPED: u32 = 2;

/// Whether SYNs are challenged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    on: bool,
    /// Windows in a row that speak for a change.
    row: u32,
}

impl Challenge {
    /// Whether they are now.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Takes a window of an attack: whether much of it is matched by no rule, and whether there are rules. Says what changes.
    pub fn window(&mut self, escapes: bool, signed: bool) -> Option<bool> {
        let needed = match (self.on, signed) {
            (false, false) if escapes => 1,
            (false, true) if escapes => ESCAPED,
            (true, true) if !escapes => COVERED,
            _ => {
                self.row = 0;
                return None;
            }
        };
        self.row += 1;
        if self.row < needed {
            return None;
        }
        (self.on, self.row) = (!self.on, 0);
        Some(self.on)
    }
}

#[cfg(test)]
mod tests {
    //! Before rules, beside them, after them.
    use super::*;

    #[test]
    fn it_bridges_the_time_until_rules_match() {
        let mut challenge = Challenge::default();
        assert_eq!(challenge.window(false, false), None, "nothing is felt");
        assert_eq!(challenge.window(true, false), Some(true), "in the first window");
        assert_eq!(challenge.window(false, false), None, "a pause without rules changes nothing");
        (0..9).for_each(|_| assert_eq!(challenge.window(false, true), None));
        assert_eq!(challenge.window(true, true), None, "the second is not over");
        (0..9).for_each(|_| assert_eq!(challenge.window(false, true), None));
        assert_eq!(challenge.window(false, true), Some(false));
        assert_eq!(challenge.window(true, true), None, "one window may be chance");
        assert_eq!(challenge.window(true, true), Some(true));
        assert!(challenge.is_on());
    }
}
