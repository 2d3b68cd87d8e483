//! xdp-filter of the xdp-tools, as Debian ships it: the ready-made XDP packet filter that Weir is measured against.
//!
//! Its objects are loaded as they are. Layout of maps and flags: `xdp-filter/common_kern_user.h` in the xdp-tools sources.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use aya::maps::{MapData, PerCpuHashMap, PerCpuValues};
use aya::programs::{TestRun, TestRunOptions, Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader, Pod};

use super::object::attach;
use super::path::Attached;
use super::{Error, LabInterface};

/// An entry that counts as a source address.
const SOURCE: u64 = 1;

/// Which of its objects. They are named after what becomes of everything that is not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// Drops listed addresses, passes others; looks at IP addresses only.
    DropListedIp,
    /// Drops what is listed, passes others; looks at MAC addresses, IP addresses and ports.
    DropListedAll,
    /// Passes listed addresses, drops others; looks at IP addresses only.
    PassListedIp,
    /// Passes what is listed, drops others; looks at everything.
    PassListedAll,
}

impl Variant {
    /// The name of the program, and of its object without the ending.
    pub fn name(self) -> &'static str {
        match self {
            Variant::DropListedIp => "xdpfilt_alw_ip",
            Variant::DropListedAll => "xdpfilt_alw_all",
            Variant::PassListedIp => "xdpfilt_dny_ip",
            Variant::PassListedAll => "xdpfilt_dny_all",
        }
    }

    /// Where its object is, if xdp-tools are installed.
    pub fn find(self) -> Option<PathBuf> {
        let path = format!("/usr/lib/{}-linux-gnu/bpf/{}.o", std::env::consts::ARCH, self.name());
        Some(PathBuf::from(path)).filter(|path| path.is_file())
    }
}

/// A loaded xdp-filter.
pub struct XdpFilter {
    ebpf: Ebpf,
    variant: Variant,
}

impl XdpFilter {
    /// Loads the object at `path`. Its maps insist on pins: `pins` is a fresh directory on a bpf filesystem.
    pub fn load(variant: Variant, path: &Path, pins: &Path) -> Result<XdpFilter, Error> {
        let io = |what: String| move |source| Error::Io { what, source };
        std::fs::create_dir_all(pins).map_err(io(format!("cannot make {}", pins.display())))?;
        let ebpf = EbpfLoader::new().default_map_pin_directory(pins).load_file(path)?;
        let mut filter = XdpFilter { ebpf, variant };
        filter.program()?.load().map_err(|source| Error::Program { what: variant.name(), source })?;
        Ok(filter)
    }

    /// Lists source addresses.
    pub fn list(&mut self, sources: impl IntoIterator<Item = IpAddr>) -> Result<(), Error> {
        for source in sources {
            match source {
                IpAddr::V4(v4) => self.put("filter_ipv4", v4.octets())?,
                IpAddr::V6(v6) => self.put("filter_ipv6", v6.octets())?,
            }
        }
        Ok(())
    }

    /// Attaches it.
    pub fn attach(&mut self, interface: &LabInterface) -> Result<Attached, Error> {
        let name = self.variant.name();
        attach(self.program()?, name, interface, XdpMode::Driver)
    }

    /// Runs it on a frame `repeat` times (`BPF_PROG_TEST_RUN`): what it returned, and the average time of a run.
    pub fn time(&mut self, frame: &[u8], repeat: u32) -> Result<crate::Run, Error> {
        let what = self.variant.name();
        let options = TestRunOptions { data_in: Some(frame), repeat, ..TestRunOptions::default() };
        let done = self.program()?.test_run(options).map_err(|source| Error::Program { what, source })?;
        Ok(crate::Run { returned: done.return_value, each: done.duration })
    }

    fn program(&mut self) -> Result<&mut Xdp, Error> {
        let what = self.variant.name();
        let program = self.ebpf.program_mut(what).ok_or(Error::Missing(what))?;
        program.try_into().map_err(|source| Error::Program { what, source })
    }

    fn put<K: Pod>(&mut self, map: &'static str, key: K) -> Result<(), Error> {
        let cpus = aya::util::nr_cpus().map_err(|(what, source)| Error::Io { what: what.to_owned(), source })?;
        let value = PerCpuValues::try_from(vec![SOURCE; cpus])
            .map_err(|source| Error::Io { what: "per-CPU values".to_owned(), source })?;
        let map = self.ebpf.map_mut(map).ok_or(Error::Missing(map))?;
        let mut map: PerCpuHashMap<&mut MapData, K, u64> = map.try_into()?;
        Ok(map.insert(key, value, 0)?)
    }
}
