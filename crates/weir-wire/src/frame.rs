//! The one way in which headers are read: fixed-size pieces at an offset, or nothing.

/// A frame that can be read in fixed-size pieces.
pub trait Frame {
    /// What is read of this frame keeps its known values: the path that it takes is straight, and needs no blurring of what was
    /// read ([`Self::blur64`]) to be verified. See [`crate::plain`].
    const PLAIN: bool = false;

    /// `N` bytes from `off`, or nothing where they are outside the readable part.
    fn bytes<const N: usize>(&self, off: usize) -> Option<[u8; N]>;

    /// Length of the frame on the wire, which can exceed what is readable.
    fn len(&self) -> usize;

    /// The same number. In the kernel its known range is forgotten (XOR with a word that is 0 and might be any), so that the verifier
    /// sees one state where branches and loops would otherwise leave it thousands.
    #[inline(always)]
    fn blur64(&self, n: u64) -> u64 {
        n
    }

    /// [`Self::blur64`] again, of a number that was blurred before: what branches since then have told of it is forgotten.
    #[inline(always)]
    fn forget64(&self, n: u64) -> u64 {
        n
    }

    /// The same frame, with nothing known of it: what earlier reads proved readable must be proved again. See
    /// [`Self::blur64`].
    #[inline(always)]
    fn refreshed(&self) -> Self
    where
        Self: Sized + Clone,
    {
        self.clone()
    }

    /// [`Self::blur64`] of a byte.
    #[inline(always)]
    fn blur(&self, n: u8) -> u8 {
        self.blur64(n as u64) as u8
    }

    /// What a step of the decision answers, blurred. A plain packet's way is short enough to be verified with its answers known, and then
    /// the compiler makes jumps of them, which cost nothing.
    #[inline(always)]
    fn answer(&self, n: u8) -> u8 {
        if Self::PLAIN { n } else { self.blur(n) }
    }

    /// [`Self::answer`] of a word.
    #[inline(always)]
    fn answer64(&self, n: u64) -> u64 {
        if Self::PLAIN { n } else { self.blur64(n) }
    }

    /// Whether the frame has no byte at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One byte.
    #[inline(always)]
    fn u8(&self, off: usize) -> Option<u8> {
        self.bytes::<1>(off).map(|[b]| b)
    }

    /// A big-endian 16-bit number.
    #[inline(always)]
    fn be16(&self, off: usize) -> Option<u16> {
        self.bytes::<2>(off).map(u16::from_be_bytes)
    }

    /// A big-endian 32-bit number.
    #[inline(always)]
    fn be32(&self, off: usize) -> Option<u32> {
        self.bytes::<4>(off).map(u32::from_be_bytes)
    }
}

/// A frame in host memory, possibly snapped: `data` is what was captured, `length` what was on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a> {
    data: &'a [u8],
    length: usize,
}

impl<'a> Bytes<'a> {
    /// A frame that was captured whole.
    pub fn new(data: &'a [u8]) -> Self {
        Self { data, length: data.len() }
    }

    /// A frame of which only the head was captured.
    pub fn snapped(data: &'a [u8], length: usize) -> Self {
        Self { data, length: length.max(data.len()) }
    }

    /// What was captured.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }
}

impl Frame for Bytes<'_> {
    fn bytes<const N: usize>(&self, off: usize) -> Option<[u8; N]> {
        // The same bound as in the kernel, where the verifier wants one.
        if off > MAX_OFFSET {
            return None;
        }
        self.data.get(off..off.checked_add(N)?)?.try_into().ok()
    }

    fn len(&self) -> usize {
        self.length
    }
}

/// No header is looked for behind this offset: the verifier wants a bound, and no sane chain of headers reaches it.
pub const MAX_OFFSET: usize = 1023;
