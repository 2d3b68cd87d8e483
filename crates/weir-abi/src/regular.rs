//! Sources that come regularly: seen in calm times, and again some time later. Under an attack that no rule tells from customers they
//! come before those that were never seen (Jung, Krishnamurthy and Rabinovich, "Flash Crowds and Denial of Service Attacks", WWW 2002:
//! nearly all customers of a crowd were seen before, hardly an attacker was).
//!
//! User space writes them, from samples of windows that it believes to be calm; the packet path only reads, and only where a limiting
//! rule matches. A forged source comes once. Whoever sends from addresses of his own for long before he attacks is a regular too:
//! limits for each source are for him.

/// A unit of a mark's age is so many doublings of a tick: 35 minutes at 250 Hz. Ages wrap after 49 days.
pub const REGULAR_AGE_SHIFT: u32 = 19;

/// Units after which a regular that did not come again is forgotten by whoever sweeps the table: 5 days.
pub const REGULAR_AGE_MOST: u16 = 200;
