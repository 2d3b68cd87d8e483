//! Builds the kernel objects and hands their paths to the crate: `WEIR_EBPF_OBJECT` is the shipped program,
//! `WEIR_LAB_EBPF_OBJECT` the lab's traffic generator (only with the feature `traffic`).
//!
//! `WEIR_EBPF_SKIP=1` writes empty objects instead, for editors and documentation builds without the BPF compiler.

#[path = "build/ebpf.rs"]
mod ebpf;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The weir crates that the kernel program is compiled from, beside `ebpf/` itself.
const SHARED_CRATES: [&str; 3] = ["weir-abi", "weir-wire", "weir-core"];

fn main() {
    if let Err(error) = run() {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run this through cargo")?);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .ok_or("this crate does not stand in <root>/crates/weir-datapath")?;
    watch(root)?;

    let mut wanted = vec![(ebpf::SHIPPED, "WEIR_EBPF_OBJECT")];
    if env::var_os("CARGO_FEATURE_TRAFFIC").is_some() {
        wanted.push((ebpf::LAB, "WEIR_LAB_EBPF_OBJECT"));
    }
    let objects = wanted
        .into_iter()
        .map(|(package, variable)| (package, variable, out.join(format!("{package}.o"))))
        .collect::<Vec<_>>();

    if env::var_os("WEIR_EBPF_SKIP").is_some_and(|value| value == "1") {
        for (_, _, object) in &objects {
            fs::write(object, [])?;
        }
    } else {
        let builder = ebpf::Builder::new(root, &target_dir(&out).join("ebpf"))?;
        for (package, _, object) in &objects {
            // Copied, so that a later build of the nested workspace cannot change what this build embedded.
            fs::copy(builder.build(package)?, object)?;
        }
    }
    for (_, variable, object) in &objects {
        println!("cargo:rustc-env={variable}={}", object.display());
    }
    Ok(())
}

/// Names everything whose change must rebuild the objects. `ebpf/target`, should somebody have one, is left out:
/// it changes by being built.
fn watch(root: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=WEIR_EBPF_SKIP");
    for name in ["build.rs", "build"] {
        println!("cargo:rerun-if-changed={name}");
    }
    for name in SHARED_CRATES {
        let home = root.join("crates").join(name);
        println!("cargo:rerun-if-changed={}", home.join("src").display());
        println!("cargo:rerun-if-changed={}", home.join("Cargo.toml").display());
    }
    let workspace = root.join("ebpf");
    let entries = fs::read_dir(&workspace)
        .map_err(|error| format!("cannot read {}: {error}; the clone is incomplete", workspace.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_name() != "target" {
            println!("cargo:rerun-if-changed={}", entry.path().display());
        }
    }
    Ok(())
}

/// The outer target directory, found by the tag that cargo leaves at its top. The nested build gets a directory in
/// it, never the same one: the outer cargo holds that one's lock while it waits for this script.
fn target_dir(out: &Path) -> &Path {
    out.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file()).unwrap_or(out)
}
