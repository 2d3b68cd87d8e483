//! Scratch.
mod common;
use common::random::{many_v4, many_v6};
use std::time::Instant;
use weir_datapath::{Object, Sizes, Tables};
use weir_policy::model::Policy;
use weir_policy::{TableImage, diff};
#[test]
fn scratch() {
    for (what, list) in [("v4", many_v4(1_000_000)), ("v6", many_v6(1_000_000))] {
        for _ in 0..3 {
            let sizes = Sizes::for_machine();
            let object = Object::load(&sizes, None).unwrap();
            let mut tables = Tables::new(&object, &sizes, TableImage::empty()).unwrap();
            tables.initialise().unwrap();
            let mut policy = Policy { enforce_node: true, lists: list.clone(), ..Policy::default() };
            policy.names.intern("one");
            let t = Instant::now();
            let image = common::policy::image(&policy);
            let c = t.elapsed();
            let t = Instant::now();
            let d = diff(&TableImage::empty(), &image);
            let dd = t.elapsed();
            for s in &d.steps {
                print!("{} ", s.changes());
            }
            println!();
            let t = Instant::now();
            let copy = image.clone();
            let cc = t.elapsed();
            drop(copy);
            let t = Instant::now();
            tables.apply(&image).unwrap();
            println!("{what} compile {c:?} diff {dd:?} clone {cc:?} apply {:?}", t.elapsed());
            let t = Instant::now();
            drop(object);
            drop(tables);
            println!("drop {:?}", t.elapsed());
        }
    }
}
