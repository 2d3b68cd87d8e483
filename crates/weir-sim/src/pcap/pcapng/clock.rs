//! What an interface's ticks mean: the options `if_tsresol` and `if_tsoffset`.

use super::super::input::Order;

/// Ticks to nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// The exponent of ten (or two) that is a tick's fraction of a second.
    exponent: u32,
    binary: bool,
    /// Seconds to add.
    offset: i64,
}

/// Option codes of an interface description.
const END: u16 = 0;
const RESOLUTION: u16 = 9;
const OFFSET: u16 = 14;

impl Default for Clock {
    fn default() -> Self {
        Self { exponent: 6, binary: false, offset: 0 }
    }
}

impl Clock {
    /// Microseconds from 1970, unless the options say otherwise. A list that is cut says as much as it says.
    pub fn from_options(order: Order, mut list: &[u8]) -> Self {
        let mut clock = Self::default();
        while let (Some(code), Some(length)) = (order.u16(list, 0), order.u16(list, 2)) {
            let length = length as usize;
            let Some(value) = list.get(4..4 + length) else { break };
            match code {
                END => break,
                RESOLUTION => {
                    if let [n, ..] = value {
                        clock.binary = n & 0x80 != 0;
                        clock.exponent = (n & 0x7f) as u32;
                    }
                }
                OFFSET => clock.offset = order.u64(value, 0).unwrap_or(0) as i64,
                _ => {}
            }
            list = list.get(4 + length.next_multiple_of(4)..).unwrap_or(&[]);
        }
        clock
    }

    /// Nanoseconds since 1970, as near as 64 bits can say it.
    pub fn nanoseconds(&self, ticks: u64) -> u64 {
        const SECOND: u128 = 1_000_000_000;
        let scaled = ticks as u128 * SECOND;
        let nanoseconds = if self.binary {
            scaled >> self.exponent
        } else {
            // Exponents above 38 do not fit: no tick that small adds up to a nanosecond.
            10u128.checked_pow(self.exponent).map_or(0, |unit| scaled / unit)
        };
        let shifted = nanoseconds as i128 + self.offset as i128 * SECOND as i128;
        shifted.clamp(0, u64::MAX as i128) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(exponent: u32, binary: bool, offset: i64) -> Clock {
        Clock { exponent, binary, offset }
    }

    #[test]
    fn ticks_are_what_the_interface_says() {
        assert_eq!(Clock::default().nanoseconds(1_500_000), 1_500_000_000);
        assert_eq!(clock(9, false, 0).nanoseconds(1_500_000), 1_500_000);
        assert_eq!(clock(3, false, 0).nanoseconds(1_500), 1_500_000_000);
        assert_eq!(clock(0, false, 0).nanoseconds(2), 2_000_000_000);
        assert_eq!(clock(12, false, 0).nanoseconds(1_999), 1);
        assert_eq!(clock(10, true, 0).nanoseconds(1_536), 1_500_000_000);
        assert_eq!(clock(6, false, 100).nanoseconds(1), 100_000_001_000);
    }

    #[test]
    fn extremes_saturate() {
        assert_eq!(clock(0, false, 0).nanoseconds(u64::MAX), u64::MAX);
        assert_eq!(clock(127, false, 0).nanoseconds(u64::MAX), 0);
        assert_eq!(clock(127, true, 0).nanoseconds(u64::MAX), 0);
        assert_eq!(clock(6, false, i64::MIN).nanoseconds(u64::MAX), 0);
        assert_eq!(clock(6, false, i64::MAX).nanoseconds(0), u64::MAX);
    }

    #[test]
    fn options_are_walked_to_their_end() {
        let list = [
            2, 0, 3, 0, b'e', b't', b'h', 0, // if_name, padded
            9, 0, 1, 0, 9, 0, 0, 0, // if_tsresol: nanoseconds
            14, 0, 8, 0, 5, 0, 0, 0, 0, 0, 0, 0, // if_tsoffset: five seconds
            0, 0, 0, 0, // end
            9, 0, 1, 0, 3, 0, 0, 0, // behind the end
        ];
        assert_eq!(Clock::from_options(Order::Little, &list), clock(9, false, 5));
        assert_eq!(Clock::from_options(Order::Little, &[]), Clock::default());
        assert_eq!(Clock::from_options(Order::Little, &[9, 0, 200, 0, 9]), Clock::default());
    }
}
