//! All entries of one prefix, merged: what holds as long as nothing changes, and what holds until a stated tick.

use weir_abi::prefix::State;

use super::item::{Item, NEVER};
use crate::model::Verdict;

/// What is said of a prefix, and by which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Say {
    /// Allow or deny.
    pub state: State,
    /// The rule.
    pub rule: u32,
}

/// One prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Its first address.
    pub first: u128,
    /// Its length from the top of 128 bits.
    pub len: u8,
    /// Whether it is never to be blocked; then `fixed` allows and `timed` is none.
    pub never_block: bool,
    /// What holds without expiry.
    pub fixed: Option<Say>,
    /// What holds until a tick, instead of `fixed`.
    pub timed: Option<(Say, u64)>,
    /// Where a timed entry gives way to another one of the same prefix, the tick of that: one key holds one entry.
    pub until: u64,
}

/// The entry of one verdict that counts longest; of equal ones the lowest rule, so that the order of entries does not matter.
type Best = Option<(u64, u32)>;

fn better(best: Best, item: &Item) -> Best {
    match best {
        Some((expires, rule)) if (expires, u32::MAX - rule) >= (item.expires, u32::MAX - item.rule) => best,
        _ => Some((item.expires, item.rule)),
    }
}

impl Group {
    /// Merges the first prefix of sorted items; also tells how many items that were.
    pub fn next(items: &[Item]) -> Option<(Self, usize)> {
        let first = items.first()?;
        let (mut never, mut allow, mut deny) = (None, None, None);
        let mut count = 0;
        for item in items.iter().take_while(|i| i.first == first.first && i.len == first.len) {
            count += 1;
            let best = match item.verdict {
                Verdict::NeverBlock => &mut never,
                Verdict::Allow => &mut allow,
                Verdict::Deny => &mut deny,
            };
            *best = better(*best, item);
        }
        Some((Self::of(first, never, allow, deny), count))
    }

    fn of(at: &Item, never: Best, allow: Best, deny: Best) -> Self {
        let mut group =
            Self { first: at.first, len: at.len, never_block: false, fixed: None, timed: None, until: NEVER };
        if let Some((_, rule)) = never {
            group.never_block = true;
            group.fixed = Some(Say { state: State::Allow, rule });
            return group;
        }
        // Deny counts only where it outlives allow.
        let allowed_until = allow.map_or(0, |(expires, _)| expires);
        let deny = deny.filter(|(expires, _)| *expires > allowed_until);
        for (best, state) in [(deny, State::Deny), (allow, State::Allow)] {
            let Some((expires, rule)) = best else { continue };
            let say = Say { state, rule };
            if expires == NEVER {
                group.fixed = Some(say);
            } else {
                // Allow comes second: it wins while it lasts, and a deny entry that was there has to wait.
                if group.timed.is_some() {
                    group.until = expires;
                }
                group.timed = Some((say, expires));
            }
        }
        group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(verdict: Verdict, expires: u64, rule: u32) -> Item {
        Item { first: 0, expires, rule, len: 8, verdict }
    }

    #[test]
    fn an_allow_entry_without_expiry_silences_every_deny_entry_of_its_prefix() {
        let items = [item(Verdict::Deny, NEVER, 1), item(Verdict::Allow, NEVER, 2), item(Verdict::Deny, 50, 3)];
        let (group, count) = Group::next(&items).unwrap();
        assert_eq!((count, group.timed), (3, None));
        assert_eq!(group.fixed, Some(Say { state: State::Allow, rule: 2 }));
    }

    #[test]
    fn an_allow_entry_that_expires_leaves_the_deny_entry_behind_it() {
        let (group, _) = Group::next(&[item(Verdict::Deny, NEVER, 1), item(Verdict::Allow, 50, 2)]).unwrap();
        assert_eq!(group.fixed, Some(Say { state: State::Deny, rule: 1 }));
        assert_eq!(group.timed, Some((Say { state: State::Allow, rule: 2 }, 50)));
        assert_eq!(group.until, NEVER, "the fixed one is elsewhere in the tables");

        let (group, _) = Group::next(&[item(Verdict::Deny, 70, 1), item(Verdict::Allow, 50, 2)]).unwrap();
        assert_eq!(group.timed, Some((Say { state: State::Allow, rule: 2 }, 50)));
        assert_eq!(group.until, 50, "at 50 the deny entry must be put in");
    }

    #[test]
    fn the_order_of_entries_does_not_matter() {
        let mut items = [item(Verdict::Deny, 30, 4), item(Verdict::Deny, 70, 9), item(Verdict::Deny, 70, 3)];
        let forward = Group::next(&items);
        items.reverse();
        assert_eq!(Group::next(&items), forward);
        assert_eq!(forward.unwrap().0.timed, Some((Say { state: State::Deny, rule: 3 }, 70)));
    }
}
