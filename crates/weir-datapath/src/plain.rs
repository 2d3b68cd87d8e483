//! Which types may cross into the kernel as bytes.

use weir_abi::sample::SampleBudget;
use weir_abi::{
    Cell64, Config, Counter, FlowLine, FragmentSlot, Lengths6, Part4, PrefixEntry, PrefixKey, RuleTables, SourceExtra,
    SourceLine, TargetCells, TargetKey, TargetPolicy,
};

/// Plain data: `repr(C)`, no padding that is not a field, every bit pattern valid.
///
/// # Safety
/// The implementor has the layout that the kernel program was compiled with, and any bytes of its size are a value of it.
pub unsafe trait Plain: Sized {}

macro_rules! plain {
    ($($t:ty),*) => {
        $(
            // SAFETY: integers, or `repr(C)` structures of integers with explicit padding and size asserts (`weir-abi`).
            unsafe impl Plain for $t {}
        )*
    };
}

plain!(
    u32,
    u64,
    Cell64,
    Config,
    Counter,
    FlowLine,
    FragmentSlot,
    Lengths6,
    Part4,
    PrefixEntry,
    PrefixKey,
    RuleTables,
    SourceExtra,
    SourceLine,
    TargetCells
);
plain!(SampleBudget, TargetKey, TargetPolicy);
