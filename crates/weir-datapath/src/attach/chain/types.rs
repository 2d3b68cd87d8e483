//! BTF of a dispatcher: kernels let a function be replaced only by one of the same type, and libxdp finds the version there.
//!
//! Format: the kernel's `Documentation/bpf/btf.rst`.

/// BTF type of `xdp_dispatcher` itself; that of `prog0` follows, and so on.
pub const DISPATCHER: u32 = 5;

const INT: u32 = 1;
const PTR: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const FUNC: u32 = 12;
const FUNC_PROTO: u32 = 13;
const VAR: u32 = 14;
const DATASEC: u32 = 15;
/// `BTF_FUNC_GLOBAL` and `BTF_VAR_GLOBAL_ALLOCATED`.
const GLOBAL: u32 = 1;
/// Bytes of the kernel's `struct xdp_md`.
const XDP_MD: u32 = 24;

/// The BTF type of the function in a slot.
pub fn function(slot: usize) -> u32 {
    DISPATCHER + 1 + slot as u32
}

/// The types of a dispatcher with so many slots.
pub fn of(slots: usize, version: u8) -> Vec<u8> {
    let (mut types, mut names) = (Vec::new(), vec![0u8]);
    let mut name = |text: &str| {
        let at = names.len() as u32;
        names.extend(text.bytes().chain([0]));
        at
    };
    let mut put = |words: &[u32]| types.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    let kind = |kind: u32, count: u32| kind << 24 | count;
    // 1: int, signed, 32 bits. 2: struct xdp_md, whose members nobody asks for. 3: a pointer to it.
    put(&[name("int"), kind(INT, 0), 4, 1 << 24 | 32]);
    put(&[name("xdp_md"), kind(STRUCT, 0), XDP_MD]);
    put(&[0, kind(PTR, 0), 2]);
    // 4: int (*)(struct xdp_md *ctx). 5 and on: the functions.
    put(&[0, kind(FUNC_PROTO, 1), 1, name("ctx"), 3]);
    put(&[name("xdp_dispatcher"), kind(FUNC, GLOBAL), 4]);
    for slot in 0..slots {
        put(&[name(&format!("prog{slot}")), kind(FUNC, GLOBAL), 4]);
    }
    // `__uint(dispatcher_version, N) SEC("xdp_metadata")`: a pointer to an array of N.
    let array = function(slots);
    put(&[0, kind(ARRAY, 0), 0, 1, 1, u32::from(version)]);
    put(&[0, kind(PTR, 0), array]);
    put(&[name("dispatcher_version"), kind(VAR, 0), array + 1, GLOBAL]);
    put(&[name("xdp_metadata"), kind(DATASEC, 1), 8, array + 2, 0, 8]);
    let (magic, format, flags, header) = (0xeb9fu16, 1u8, 0u8, 24u32);
    let lengths = [header, 0, types.len() as u32, types.len() as u32, names.len() as u32];
    let lengths = lengths.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<_>>();
    [&magic.to_ne_bytes()[..], &[format, flags], &lengths, &types, &names].concat()
}
