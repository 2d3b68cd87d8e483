//! A virtual machine with Debian's own kernel: tests of what the running kernel may not have (program extensions), and of
//! what an older kernel makes of ours.
//!
//! It sees this machine's files read-only and runs one test binary each time it boots, which takes seconds. Emulated, since
//! nested virtualisation is not to be had everywhere.

mod image;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Result, bail};

use crate::project::Project;
use crate::sh;

/// Tests of other rings that run here as well: an older kernel's verifier and helpers are not the running kernel's.
pub const ALSO: [&str; 3] = ["kernel_privileges", "kernel_samples", "kernel_verifier"];

/// One binary may take so long, emulated.
const LIMIT: Duration = Duration::from_secs(900);

/// Why there is none on this machine.
pub fn lacking() -> Option<String> {
    let arch = env::consts::ARCH;
    (arch != "x86_64").then(|| format!("the virtual machine is one of x86_64, this is {arch}"))
}

/// Sees to its kernel and first file system.
pub fn prepare(project: &Project) -> Result<()> {
    image::ensure(&dir(project))
}

/// Makes cargo run test binaries in it.
pub fn run_in(cargo: &mut Command) {
    let own = env::current_exe().unwrap_or_else(|_| "xtask".into());
    cargo.env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER", format!("{} vm-run", own.display()));
}

fn dir(project: &Project) -> std::path::PathBuf {
    project.target.join("vm")
}

/// Boots, runs a test binary with its arguments in the present directory, and gives back whether it succeeded.
pub fn run(project: &Project, binary: &OsString, args: &[String]) -> Result<bool> {
    let image = image::current(&dir(project))?;
    let share = dir(project).join(format!("run-{}", std::process::id()));
    fs::create_dir_all(&share)?;
    let result = boot(&image, &share, binary, args);
    fs::remove_dir_all(&share)?;
    result
}

fn boot(image: &Path, share: &Path, binary: &OsString, args: &[String]) -> Result<bool> {
    let words = std::iter::once(binary.to_string_lossy().into_owned()).chain(args.iter().cloned());
    let words = words.map(|word| quoted(&word)).collect::<Vec<_>>().join(" ");
    let here = quoted(&env::current_dir()?.display().to_string());
    let job = format!(
        "export HOME=/run TMPDIR=/run/tmp PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         mkdir -p /run/netns /run/tmp\n\
         ip link set lo up\n\
         cd {here} && {words} --color=never\n\
         echo $? >/mnt/status\n"
    );
    fs::write(share.join("job"), job)?;
    let shared =
        |id: &str, path: &Path, more: &str| format!("local,id={id},path={},security_model=none{more}", path.display());
    let mut qemu = sh::as_root("qemu-system-x86_64");
    qemu.args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "4G"]);
    qemu.args(["-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot"]);
    // The tests' two streams are two serial lines; what the kernel says goes with the errors.
    qemu.args(["-chardev", "file,id=out,path=/dev/stdout", "-serial", "chardev:out"]);
    qemu.args(["-chardev", "file,id=err,path=/dev/stderr", "-serial", "chardev:err"]);
    qemu.arg("-kernel").arg(image.join("kernel")).arg("-initrd").arg(image.join("initrd"));
    qemu.args(["-append", "console=ttyS1 loglevel=3 panic=-1"]);
    qemu.arg("-fsdev").arg(shared("root", Path::new("/"), ",readonly=on,multidevs=remap"));
    qemu.args(["-device", "virtio-9p-pci,fsdev=root,mount_tag=root"]);
    qemu.arg("-fsdev").arg(shared("share", share, ""));
    qemu.args(["-device", "virtio-9p-pci,fsdev=share,mount_tag=share"]);
    if !sh::succeeds_within(qemu.stdin(Stdio::null()), LIMIT)? {
        bail!("the virtual machine did not end well; its own words stand above");
    }
    match fs::read_to_string(share.join("status")) {
        Ok(status) => Ok(status.trim() == "0"),
        Err(_) => bail!("the virtual machine ended before the tests did; what it said stands above"),
    }
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    //! Words for the shell.
    use super::quoted;

    #[test]
    fn words_reach_the_shell_whole() {
        let word = "it's $HOME; `rm`";
        let said =
            super::sh::output(std::process::Command::new("sh").args(["-c", &format!("printf %s {}", quoted(word))]));
        assert_eq!(said.unwrap(), word);
    }
}
