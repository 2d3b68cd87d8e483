//! The configuration block of a dispatcher: who sits in which slot, and after which of his answers the next one is asked.
//!
//! Layout: `struct xdp_dispatcher_config` in libxdp's `prog_dispatcher.h`; protocol: libxdp's `protocol.org`, versions 2 and 3.

/// Slots of a dispatcher.
pub const MOST: usize = 10;

const MAGIC: u8 = 236;
/// Bytes in version 2: four single ones, then three words for each slot. Version 3 has one word more.
const LENGTH: usize = 4 + 3 * 4 * MOST;
/// `BPF_F_XDP_HAS_FRAGS`: takes frames of several buffers.
pub const FRAGS: u32 = 1 << 5;
/// The answer of a slot that nobody is in; after it the next one is always asked.
pub const NOBODY: u32 = 31;
const XDP_PASS: u32 = 2;

/// One slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The answers (bit by number) after which the next slot is asked.
    pub goes_on: u32,
    /// Lower ones run first.
    pub priority: u32,
    /// [`FRAGS`] or nothing.
    pub flags: u32,
}

/// Ours: early, so that what is dropped costs those behind nothing; what passes goes on to them.
pub const OURS: Slot = Slot { goes_on: 1 << XDP_PASS | 1 << NOBODY, priority: 10, flags: FRAGS };

/// A block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatcherConfig {
    /// Version of the protocol.
    pub version: u8,
    /// The slots in use.
    pub slots: Vec<Slot>,
}

/// Why a block is none that we can work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Not a dispatcher's, or one of before version 2.
    NoMagic,
    /// A version that we do not know.
    Version(u8),
    /// Its programs run on a network card.
    Device,
    /// Lengths or counts that do not fit.
    Shape,
}

impl DispatcherConfig {
    /// Reads a block.
    pub fn parse(block: &[u8]) -> Result<Self, Unknown> {
        let (magic, version, count) = match block {
            [magic, version, count, ..] => (*magic, *version, usize::from(*count)),
            _ => return Err(Unknown::Shape),
        };
        match (magic, version) {
            (MAGIC, 2 | 3) => {}
            (MAGIC, other) => return Err(Unknown::Version(other)),
            _ => return Err(Unknown::NoMagic),
        }
        if block.len() < LENGTH || count > MOST {
            return Err(Unknown::Shape);
        }
        if version == 3 && block.get(LENGTH).is_some_and(|bound| *bound != 0) {
            return Err(Unknown::Device);
        }
        let word = |array: usize, slot: usize| {
            let at = 4 + 4 * (array * MOST + slot);
            block.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_ne_bytes)
        };
        let slot = |i| Slot { goes_on: word(0, i), priority: word(1, i), flags: word(2, i) };
        Ok(Self { version, slots: (0..count).map(slot).collect() })
    }

    /// Whether all of them take frames of several buffers: then the dispatcher does.
    pub fn frags(&self) -> bool {
        self.slots.iter().all(|slot| slot.flags & FRAGS != 0)
    }

    /// Writes the block.
    pub fn block(&self) -> Vec<u8> {
        let mut out = vec![MAGIC, self.version, self.slots.len() as u8, u8::from(self.frags())];
        for field in [|s: &Slot| s.goes_on, |s: &Slot| s.priority, |s: &Slot| s.flags] {
            let words = (0..MOST).map(|i| self.slots.get(i).map_or(0, field));
            out.extend(words.flat_map(u32::to_ne_bytes));
        }
        out.resize(if self.version == 3 { LENGTH + 4 } else { LENGTH }, 0);
        out
    }

    /// Where ours goes among those of these names.
    pub fn place_for(&self, slot: &Slot, name: &str, names: &[String]) -> usize {
        let before =
            |(there, their_name): (&Slot, &String)| (there.priority, their_name.as_str()) < (slot.priority, name);
        self.slots.iter().zip(names).take_while(|pair| before(*pair)).count()
    }
}

#[cfg(test)]
mod tests {
    //! Blocks as libxdp writes them.
    use super::*;

    fn two() -> DispatcherConfig {
        let slot = |priority, flags| Slot { goes_on: 1 << 2 | 1 << 31, priority, flags };
        DispatcherConfig { version: 2, slots: vec![slot(5, FRAGS), slot(50, 0)] }
    }

    #[test]
    fn what_is_written_is_read() {
        for version in [2, 3] {
            let config = DispatcherConfig { version, ..two() };
            assert_eq!(DispatcherConfig::parse(&config.block()), Ok(config));
        }
        let block = two().block();
        assert_eq!(block.len(), 124);
        assert_eq!(&block[..8], &[236, 2, 2, 0, 4, 0, 0, 128]);
        assert_eq!(block[44], 5);
        assert_eq!(block[48], 50);
        assert_eq!(block[84], 32);
    }

    #[test]
    fn what_we_do_not_know_is_left_alone() {
        let block = two().block();
        let with = |at: usize, byte: u8| {
            let mut block = DispatcherConfig { version: 3, ..two() }.block();
            block[at] = byte;
            DispatcherConfig::parse(&block)
        };
        assert_eq!(with(0, 1), Err(Unknown::NoMagic));
        assert_eq!(with(1, 4), Err(Unknown::Version(4)));
        assert_eq!(with(2, 11), Err(Unknown::Shape));
        assert_eq!(with(124, 1), Err(Unknown::Device));
        assert_eq!(DispatcherConfig::parse(&block[..123]), Err(Unknown::Shape));
        assert_eq!(DispatcherConfig::parse(&[]), Err(Unknown::Shape));
    }

    #[test]
    fn the_lower_priority_runs_first_and_names_decide_between_equals() {
        let names = ["a".to_owned(), "z".to_owned()];
        let place = |priority, name| two().place_for(&Slot { priority, ..OURS }, name, &names);
        assert_eq!([place(1, "m"), place(5, "m"), place(10, "m"), place(50, "m"), place(51, "m")], [0, 1, 1, 1, 2]);
    }
}
