//! The seeds of the fuzz targets: every golden packet, in the form that its target reads. They are files, because the fuzzer wants
//! files; this test keeps them equal to the packets. `WEIR_BLESS=1 cargo test -p weir-wire --test fuzz_seeds` writes them anew.
//!
//! A file that a fuzzer found is put beside them under a name that says what it shows, and is run here from then on.

mod common;
mod packets;

use common::targets;
use packets::{dns, frame, tcp, tunnel};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Where the seeds of a target are.
fn directory(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target)
}

/// Seeds by target and name.
fn seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (name, data) in packets::all() {
        seeds.push(("packet", name.to_owned(), data));
    }
    let lists: [(&str, &[u8]); 6] = [
        ("linux", &tcp::OPTIONS_LINUX),
        ("windows", &tcp::OPTIONS_WINDOWS),
        ("macos", &tcp::OPTIONS_MACOS),
        ("mss-only", &tcp::OPTIONS_MSS_ONLY),
        ("timestamps", &tcp::OPTIONS_TIMESTAMPS),
        ("lying", &[4, 2, 2, 9]),
    ];
    for (name, list) in lists {
        seeds.push(("tcp_options", name.to_owned(), list.to_vec()));
    }
    for (name, data) in dns::all() {
        seeds.push(("dns", name.to_owned(), data[42..].to_vec()));
    }
    for (name, data) in tunnel::all() {
        let (choice, from) = match name {
            "vxlan" => (0, 42),
            "vxlan-tagged" => (1, 42),
            "geneve" | "geneve-ip4" => (2, 42),
            "six-in-four" => (4, 34),
            "four-in-six" => (3, 54),
            _ => (3, 34),
        };
        seeds.push(("tunnel", name.to_owned(), frame(&[&[choice], &data[from..]])));
    }
    seeds
}

#[test]
fn the_files_are_the_golden_packets() {
    let bless = env::var_os("WEIR_BLESS").is_some();
    for (target, name, data) in seeds() {
        let file = directory(target).join(format!("{name}.bin"));
        if bless {
            fs::create_dir_all(directory(target)).unwrap();
            fs::write(&file, &data).unwrap();
        }
        assert!(
            fs::read(&file).is_ok_and(|found| found == data),
            "{} differs; run WEIR_BLESS=1 cargo test -p weir-wire --test fuzz_seeds",
            file.display()
        );
    }
}

#[test]
fn every_seed_and_every_past_find_is_survived() {
    for (target, run) in targets::ALL {
        let mut files: Vec<_> = fs::read_dir(directory(target)).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{target} has no seeds");
        for file in files {
            run(&fs::read(file).unwrap());
        }
    }
}

#[test]
fn every_target_has_its_program() {
    for (target, _) in targets::ALL {
        let program = directory(target).join("../../fuzz_targets").join(format!("{target}.rs"));
        assert!(program.is_file(), "{} is missing", program.display());
    }
}
