//! How long a million random prefixes take to compile, by phase: `cargo run --release -p weir-policy --example compile_million`.

use std::time::{Duration, Instant};

use weir_abi::Addr;
use weir_policy::explain::Index;
use weir_policy::lists;
use weir_policy::model::{ListEntry, NameTable, Verdict};
use weir_policy::{Prefix, TableImage, diff, patch};

const MILLION: usize = 1_000_000;

/// Xorshift (Marsaglia, 2003): the same prefixes at every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

fn main() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut four = |shortest: u64, hosts: u64| {
        let len = if random.below(100) < hosts { 32 } else { shortest + random.below(33 - shortest) };
        Prefix::new(Addr::v4(random.next() as u32), 96 + len as u8)
    };
    let mixed: Vec<Prefix> = (0..MILLION).filter_map(|_| four(20, 0)).collect();
    let hosts: Vec<Prefix> = (0..MILLION).filter_map(|_| four(24, 80)).collect();
    let six: Vec<Prefix> = (0..MILLION)
        .filter_map(|_| {
            let hi = 1 << 61 | random.next() >> 3;
            Prefix::new(Addr { hi, lo: random.next() }, 32 + random.below(97) as u8)
        })
        .collect();
    report("IPv4, /20 to /32", &mixed);
    report("IPv4, 80% hosts", &hosts);
    report("IPv6, /32 to /128", &six);
}

fn report(name: &str, prefixes: &[Prefix]) {
    let (entries, made) = best(|| {
        let verdict = |i: usize| if i.is_multiple_of(50) { Verdict::Allow } else { Verdict::Deny };
        prefixes.iter().enumerate().map(|(i, p)| ListEntry::new(*p, verdict(i), 1)).collect::<Vec<_>>()
    });
    let (lists, compiled) = best(|| lists::compile(&entries, &[], 1000).expect("random prefixes compile"));
    let (index, indexed) = best(|| Index::new(entries.clone()));
    let image = |lists: &lists::Lists| TableImage { lists: lists.image.clone(), ..TableImage::empty() };
    // Somewhere in the middle, so that neither end of a vector is favoured.
    let block = ListEntry::new(Prefix::host(prefixes[MILLION / 2].addr().masked(120)), Verdict::Deny, 0).until(2000);
    let more = lists::compile(&entries.iter().copied().chain([block]).collect::<Vec<_>>(), &[], 1000);
    let (empty, mut now, next) = (TableImage::empty(), image(&lists), image(&more.expect("one block more compiles")));
    let (load, loaded) = best(|| diff(&empty, &now));
    let (_, compared) = best(|| diff(&now, &next));
    let mut index = index;
    let (_, inserted) = best(|| (index.insert(block), index.remove(&block)));
    index.insert(block);
    let (one, patched) = best(|| patch(&now, &index, block.prefix, &NameTable::default(), 1000));
    let one = one.expect("in a block of its own").expect("compiles").diff;
    let changes = one.changes();
    let start = Instant::now();
    one.apply(&mut now);
    let applied = start.elapsed();
    assert!(now.lists == next.lists, "a patched image is a compiled one");
    println!(
        "{name}: {} parts, {} prefixes, {} slots with lengths",
        lists.image.parts4.len(),
        lists.image.prefixes.len(),
        lists.image.lengths.len()
    );
    println!("  make entries        {:>8.2} ms", ms(made));
    println!("  compile             {:>8.2} ms", ms(compiled));
    println!("  index               {:>8.2} ms", ms(indexed));
    println!("  diff from nothing   {:>8.2} ms, {} changes", ms(loaded), load.changes());
    println!("  diff, one block     {:>8.2} ms", ms(compared));
    println!("  patch, one block    {:>8.2} ms, {changes} changes", ms(patched));
    println!("    index in and out  {:>8.2} ms", ms(inserted));
    println!("    apply to image    {:>8.2} ms", ms(applied));
}

/// The best of five runs, and what the last one gave.
fn best<T>(mut f: impl FnMut() -> T) -> (T, Duration) {
    let mut least = Duration::MAX;
    loop {
        for left in (0..5).rev() {
            let start = Instant::now();
            let out = f();
            least = least.min(start.elapsed());
            if left == 0 {
                return (out, least);
            }
        }
    }
}

fn ms(d: Duration) -> f64 {
    d.as_secs_f64() * 1000.0
}
