//! Cells of map values that several CPUs read and write: relaxed atomics on the host, plain aligned words in the kernel.
//!
//! The BPF target gives Rust no 32-bit atomics, yet its aligned loads and stores are single instructions. Additions that must
//! not be lost go through `weir_core::Env::add32` and `add64`.

macro_rules! cell {
    ($name:ident, $int:ty, $atomic:ty, $doc:literal) => {
        #[doc = $doc]
        #[repr(transparent)]
        #[derive(Debug, Default)]
        pub struct $name(#[cfg(target_arch = "bpf")] core::cell::Cell<$int>, #[cfg(not(target_arch = "bpf"))] $atomic);

        impl $name {
            /// A cell with a value.
            pub const fn new(value: $int) -> Self {
                #[cfg(target_arch = "bpf")]
                return Self(core::cell::Cell::new(value));
                #[cfg(not(target_arch = "bpf"))]
                return Self(<$atomic>::new(value));
            }

            /// The value now.
            #[inline(always)]
            pub fn load(&self) -> $int {
                #[cfg(target_arch = "bpf")]
                return self.0.get();
                #[cfg(not(target_arch = "bpf"))]
                return self.0.load(core::sync::atomic::Ordering::Relaxed);
            }

            /// Sets the value.
            #[inline(always)]
            pub fn store(&self, value: $int) {
                #[cfg(target_arch = "bpf")]
                self.0.set(value);
                #[cfg(not(target_arch = "bpf"))]
                self.0.store(value, core::sync::atomic::Ordering::Relaxed);
            }

            /// Where the value is, for an atomic addition by the environment.
            #[inline(always)]
            pub fn as_ptr(&self) -> *mut $int {
                self.0.as_ptr()
            }

            /// Adds without losing other threads' additions.
            #[cfg(not(target_arch = "bpf"))]
            pub fn add(&self, n: $int) {
                self.0.fetch_add(n, core::sync::atomic::Ordering::Relaxed);
            }
        }
    };
}

cell!(Cell32, u32, core::sync::atomic::AtomicU32, "A 32-bit word shared between CPUs.");
cell!(Cell64, u64, core::sync::atomic::AtomicU64, "A 64-bit word shared between CPUs.");

const _: () = assert!(size_of::<Cell32>() == 4 && size_of::<Cell64>() == 8);
