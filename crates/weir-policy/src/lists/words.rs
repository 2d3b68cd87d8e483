//! Runs of two-bit states in arrays of words, 32 to a word.

use weir_abi::prefix::State;

/// A word of 32 equal states.
pub(crate) fn all(state: State) -> u64 {
    // 01 01 01 …, times the state.
    0x5555_5555_5555_5555 * state as u64
}

/// Sets the states `first..=last`. What lies beyond the words is left out.
pub(crate) fn fill(words: &mut [u64], first: u32, last: u32, state: State) {
    let (a, b) = ((first >> 5) as usize, (last >> 5) as usize);
    let pattern = all(state);
    // From the first state of a word on, and up to the last one.
    let head = u64::MAX << ((first & 31) * 2);
    let tail = u64::MAX >> (62 - (last & 31) * 2);
    let Some(range) = words.get_mut(a..=b) else { return };
    match range {
        [] => {}
        [only] => *only = *only & !(head & tail) | pattern & head & tail,
        [start, middle @ .., end] => {
            *start = *start & !head | pattern & head;
            middle.fill(pattern);
            *end = *end & !tail | pattern & tail;
        }
    }
}

/// The state at a place; none beyond the words.
pub(crate) fn get(words: &[u64], at: u32) -> State {
    words.get((at >> 5) as usize).map_or(State::None, |word| State::from_bits(word >> ((at & 31) * 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_sets_its_states_and_no_others() {
        for (first, last) in [(0, 0), (0, 31), (5, 9), (31, 32), (3, 100), (0, 127), (127, 127), (64, 95)] {
            let mut words = [all(State::Allow); 4];
            fill(&mut words, first, last, State::Deny);
            for at in 0..128 {
                let expected = if (first..=last).contains(&at) { State::Deny } else { State::Allow };
                assert_eq!(get(&words, at), expected, "{at} in {first}..={last}");
            }
        }
    }
}
