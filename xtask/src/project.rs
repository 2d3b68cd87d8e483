//! Where things are: the repository, its target directory, the reference material beside it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The places every command needs.
pub struct Project {
    pub root: PathBuf,
    /// The outer target directory; the kernel objects are built in a directory of their own inside.
    pub target: PathBuf,
}

impl Project {
    /// Finds the repository. Cargo names this crate's home when it runs us; a copied binary falls back on where it
    /// was compiled.
    pub fn locate() -> Result<Project> {
        let home = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let root = home.parent().context("xtask does not stand inside the repository")?.to_owned();
        // Cargo leaves a tag at the top of its target directory, wherever the configuration put that.
        let this = env::current_exe().context("cannot tell where this program is")?;
        let target = this.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file());
        let target = target.map_or_else(|| root.join("target"), Path::to_owned);
        Ok(Project { root, target })
    }

    /// Captures and other reference material that is too large for the repository: `../shared`, or `WEIR_SHARED`.
    pub fn shared(&self) -> PathBuf {
        env::var_os("WEIR_SHARED").map_or_else(|| self.root.join("../shared"), PathBuf::from)
    }

    /// The nested workspaces, which cargo's `--workspace` does not reach. `fuzz/` may not exist yet.
    pub fn nested_workspaces(&self) -> Vec<PathBuf> {
        let dirs = ["ebpf", "fuzz"].iter().map(|dir| self.root.join(dir));
        dirs.filter(|dir| dir.join("Cargo.toml").is_file()).collect()
    }

    /// A cargo command at the root.
    pub fn cargo(&self) -> Command {
        self.cargo_in(&self.root)
    }

    /// A cargo command in another workspace: the cargo that runs us.
    pub fn cargo_in(&self, workspace: &Path) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(workspace);
        // What cargo told this process about xtask is not meant for the next one.
        command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
        command
    }

    /// A binary as `cargo build --release` leaves it.
    pub fn release_binary(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// A path as a person standing in the repository would write it.
    pub fn relative<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}
