//! Kernel and first file system of the virtual machine: Debian's packages, unpacked below `target/`, installed nowhere.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result};

use crate::setup::apt;
use crate::sh::{self, say};

/// What it takes to make and run one, by the program that shows whether it is there.
const TOOLS: [(&str, &str); 3] =
    [("qemu-system-x86_64", "qemu-system-x86"), ("busybox", "busybox-static"), ("depmod", "kmod")];

/// The name of the newest kernel package of this Debian release; nothing where the package lists are missing.
const NEWEST: &str =
    "apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \\(linux-image-[0-9].*\\)/\\1/p' | head -n 1";

/// Modules that are loaded at the start, with those that they need.
const MODULES: &str = "virtio_pci 9pnet_virtio 9p veth bridge sch_ingress cls_bpf act_bpf nf_tables";

/// What runs first in it: mounts, the job, the end.
const INIT: &str = r#"#!/bin/sh
mount -t proc proc /proc; mount -t devtmpfs dev /dev
for module in /modules/*; do insmod $module; done 2>/dev/null
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,ro,cache=loose root /new
mount -t proc proc /new/proc; mount -t sysfs sys /new/sys; mount -t devtmpfs dev /new/dev; mount -t tmpfs tmp /new/run
mount -t bpf bpf /new/sys/fs/bpf
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 share /new/mnt
chroot /new /bin/sh /mnt/job >/dev/ttyS0 2>/dev/ttyS1
poweroff -f
"#;

/// Makes an image: `$1` directory, `$2` kernel package, `$3` modules, `$4` init.
const MAKE: &str = r#"
set -eu
rm -rf "$1"; mkdir -p "$1"; cd "$1"
apt-get download -qq -o APT::Sandbox::User=root "$2"
dpkg-deb --extract ./*.deb root
modules=root/lib/modules; [ -d "$modules" ] || modules=root/usr/lib/modules
version=$(ls "$modules")
[ "$modules" = root/lib/modules ] || { mkdir -p root/lib; ln -s ../usr/lib/modules root/lib/modules; }
depmod -b root "$version"
mkdir -p first/bin first/proc first/dev first/new first/modules
cp "$(command -v busybox)" first/bin/busybox
for name in sh mount insmod chroot poweroff; do ln -s busybox first/bin/$name; done
printf '%s' "$4" >first/init; chmod 755 first/init
number=100
for module in $3; do modprobe -d root -S "$version" --show-depends "$module" | sed -n 's/^insmod //p'; done |
awk '!seen[$1]++ {print $1}' | while read -r file; do
    number=$((number + 1)); name=first/modules/$number
    case $file in *.xz) busybox xzcat "$file" >$name;; *) cp "$file" $name;; esac
done
(cd first && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >initrd.part
mv root/boot/vmlinuz-* kernel
rm -rf root first ./*.deb
mv initrd.part initrd
"#;

/// Sees to it that there is an image of the newest kernel of this Debian release.
pub fn ensure(dir: &Path) -> Result<()> {
    let missing = TOOLS.iter().filter(|(program, _)| sh::which(program).is_none()).map(|(_, package)| *package);
    let missing = missing.collect::<Vec<_>>();
    if !missing.is_empty() {
        say(format!("installing Debian packages: {}", missing.join(", ")));
        apt::install(&missing)?;
    }
    let mut package = newest()?;
    if package.is_empty() {
        say("refreshing the package lists, for the kernel");
        sh::run(sh::as_root("apt-get").args(["update", "-qq"]))?;
        package = newest()?;
    }
    anyhow::ensure!(
        !package.is_empty(),
        "no package linux-image-amd64 is known here, from which the kernel would come"
    );
    let image = dir.join(&package);
    if !image.join("initrd").is_file() {
        say(format!("unpacking {package} for a virtual machine (70 MB)"));
        let mut make = Command::new("sh");
        make.args(["-c", MAKE, "image"]).arg(&image).args([&package, MODULES, INIT]).env("PATH", path());
        sh::run(&mut make).with_context(|| format!("cannot make a virtual machine of {package}"))?;
    }
    fs::write(dir.join("current"), package)?;
    Ok(())
}

/// The image that was made last.
pub fn current(dir: &Path) -> Result<PathBuf> {
    let name =
        fs::read_to_string(dir.join("current")).context("no virtual machine yet: `cargo xtask test --only vm`")?;
    Ok(dir.join(name))
}

fn newest() -> Result<String> {
    Ok(sh::output(Command::new("sh").args(["-c", NEWEST]))?.trim().to_owned())
}

/// With root's programs.
fn path() -> String {
    format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default())
}
