//! Installing Debian packages without surprises: nothing is removed, no service is started.

use anyhow::{Context, Result, bail};

use crate::sh::{self, say};

/// Installs the packages that are its arguments. While `policy-rc.d` stands, packages start no services: the lab starts
/// its own nginx, in a namespace, and the one that the package would start on port 80 is nobody's wish.
/// `--no-remove`: a machine that runs the full nginx, or Debian's own rustc, must not lose it to ours.
const INSTALL: &str = r#"
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
fi
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-remove --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
"#;

/// Installs packages, lists refreshed first.
pub fn install(packages: &[&str]) -> Result<()> {
    if sh::which("apt-get").is_none() {
        bail!(
            "this is no Debian: install what brings {} with your package manager, then run `cargo xtask doctor`",
            packages.join(", ")
        );
    }
    if !sh::is_root() && sh::which("sudo").is_none() {
        bail!("installing packages needs root: run this as root, or install sudo");
    }
    // One broken source among many need not stop what the others have.
    if !sh::succeeds(sh::as_root("apt-get").args(["update", "-qq"]))? {
        say("apt-get update failed: going on with the package lists that are here");
    }
    sh::run(sh::as_root("sh").args(["-c", INSTALL, "setup"]).args(packages))
        .with_context(|| format!("cannot install {}", packages.join(", ")))
}
