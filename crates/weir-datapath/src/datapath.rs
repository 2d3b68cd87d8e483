//! The whole packet path of a node: load or adopt, apply tables, attach, read, detach.

use std::path::{Path, PathBuf};

use weir_abi::{maps, Config, Sample, ABI_VERSION};
use weir_policy::image::TableImage;

use crate::attach::{self, Attachment};
use crate::counters::Counters;
use crate::error::{sys, DatapathError, Result};
use crate::object::{Object, Sizes};
use crate::samples::Samples;
use crate::tables::{ApplyReport, Tables};

/// How to open a packet path.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Interfaces to protect.
    pub interfaces: Vec<String>,
    /// Directory of our pins, on a bpf filesystem.
    pub pins: PathBuf,
    /// Allow generic XDP where the driver has no native one.
    pub generic: bool,
    /// Sizes of the tables.
    pub sizes: Sizes,
}

/// A packet path.
pub struct Datapath {
    object: Object,
    tables: Tables,
    counters: Counters,
    samples: Samples,
    options: OpenOptions,
    attachments: Vec<Attachment>,
    adopted: bool,
}

impl Datapath {
    /// Loads the programs. Maps pinned by an agent before this one are adopted with all they hold, if their layout is ours;
    /// else fresh ones are made beside them, and the old ones go when [`Self::attach`] has switched the links over.
    pub fn open(options: OpenOptions) -> Result<Self> {
        make_dir(&options.pins)?;
        if !is_bpffs(&options.pins)? {
            return Err(DatapathError::NotBpffs(options.pins));
        }
        make_dir(&links_dir(&options.pins))?;
        let current = options.pins.join("maps");
        let adopted = fits(&current, &options.sizes);
        let dir = if adopted || !current.exists() { current } else { options.pins.join("maps-next") };
        if !adopted {
            remove_dir(&dir)?;
        }
        make_dir(&dir)?;
        let mut object = Object::load(&options.sizes, Some(&dir))?;
        let mut tables = Tables::new(&object, &options.sizes, TableImage::empty())?;
        if adopted {
            tables.read_back()?;
        } else {
            tables.initialise()?;
        }
        let counters = Counters::new(&object, &options.sizes)?;
        let samples = Samples::new(object.take_samples()?);
        Ok(Self { object, tables, counters, samples, options, attachments: Vec::new(), adopted })
    }

    /// Whether pinned tables were adopted.
    pub fn adopted(&self) -> bool {
        self.adopted
    }

    /// Puts tables in force.
    pub fn apply(&mut self, image: &TableImage) -> Result<ApplyReport> {
        self.tables.apply(image)
    }

    /// Carries out a small change, see [`Tables::patch`].
    pub fn patch(&mut self, change: weir_policy::Diff) -> Result<ApplyReport> {
        self.tables.patch(change)
    }

    /// Attaches to all interfaces. Apply tables first: what is attached then enforces from its first packet.
    pub fn attach(&mut self) -> Result<&[Attachment]> {
        let links = links_dir(&self.options.pins);
        let mut done = Vec::new();
        for interface in &self.options.interfaces {
            done.push(attach::attach(&mut self.object, &links, interface, self.options.generic)?);
        }
        self.attachments = done;
        let next = self.options.pins.join("maps-next");
        if next.exists() {
            // The links run the new programs now; nothing reads the old maps any more.
            let current = self.options.pins.join("maps");
            remove_dir(&current)?;
            std::fs::rename(&next, &current).map_err(|source| DatapathError::File { path: next, source })?;
        }
        Ok(&self.attachments)
    }

    /// Where it is attached.
    pub fn attachments(&self) -> &[Attachment] {
        &self.attachments
    }

    /// The tables.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The counters.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Moves waiting samples to the end of `out`.
    pub fn drain_samples(&mut self, out: &mut Vec<Sample>) {
        self.samples.drain(out);
    }

    /// One of `mask + 1` packets of a kind is sampled; `u32::MAX`: none.
    pub fn set_sampling(&self, pass_mask: u32, drop_mask: u32) {
        self.tables.configure(|c| {
            c.sample_pass_mask = pass_mask;
            c.sample_drop_mask = drop_mask;
        });
    }

    /// The kernel's tick now.
    pub fn now_ticks(&mut self) -> Result<u64> {
        self.object.tick()
    }

    /// Detaches and removes everything of ours; says what. See [`detach`].
    pub fn detach(self) -> Result<Vec<String>> {
        let pins = self.options.pins.clone();
        drop(self);
        detach(&pins)
    }
}

/// Detaches every link pinned under a directory and removes the pins, with or without an agent running.
pub fn detach(pins: &Path) -> Result<Vec<String>> {
    let mut gone = attach::detach_all(&links_dir(pins))?;
    for name in ["maps", "maps-next", "links"] {
        let dir = pins.join(name);
        if dir.exists() {
            let count = std::fs::read_dir(&dir).map(Iterator::count).unwrap_or(0);
            remove_dir(&dir)?;
            if count > 0 {
                gone.push(format!("{count} pins in {}", dir.display()));
            }
        }
    }
    match std::fs::remove_dir(pins) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(DatapathError::File { path: pins.into(), source }),
    }
    Ok(gone)
}

fn links_dir(pins: &Path) -> PathBuf {
    pins.join("links")
}

/// Whether maps pinned in a directory have the layout and the sizes that we would make.
fn fits(dir: &Path, sizes: &Sizes) -> bool {
    let Ok(fd) = crate::sys::object_get(&dir.join(maps::CONFIG)) else { return false };
    let Ok(config) = crate::sys::lookup::<u32, Config>(std::os::fd::AsFd::as_fd(&fd), &0) else { return false };
    config.is_some_and(|c| {
        c.abi == ABI_VERSION
            && c.targets == sizes.targets
            && c.source_mask == sizes.source_lines - 1
            && c.fragment_mask == sizes.fragment_slots - 1
            && c.cpus == sizes.cpus
    }) && maps::PINNED.iter().all(|name| dir.join(name).exists())
}

fn is_bpffs(path: &Path) -> Result<bool> {
    use std::os::unix::ffi::OsStrExt;
    const BPF_FS_MAGIC: i64 = 0xcafe_4a11;
    let name = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap_or_default();
    // SAFETY: zeros are a valid value of this plain structure.
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: a valid C string and a valid pointer.
    if unsafe { libc::statfs(name.as_ptr(), &raw mut stat) } != 0 {
        return Err(sys(format!("looking at {}", path.display()), std::io::Error::last_os_error()));
    }
    Ok(stat.f_type as i64 == BPF_FS_MAGIC)
}

fn make_dir(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|source| DatapathError::File { path: path.into(), source })
}

/// Removes a directory of pins; one level, as we make them.
fn remove_dir(path: &Path) -> Result<()> {
    let file = |source| DatapathError::File { path: path.into(), source };
    match std::fs::read_dir(path) {
        Ok(entries) => {
            for entry in entries.flatten() {
                std::fs::remove_file(entry.path()).map_err(file)?;
            }
            std::fs::remove_dir(path).map_err(file)
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(file(e)),
    }
}
