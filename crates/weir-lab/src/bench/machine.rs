//! Which machine the figures are from: without that they mean nothing.

use std::fs;

use serde::Serialize;
use weir_datapath::clock;

/// A machine.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Cores.
    pub cores: usize,
    /// Memory.
    pub memory_mib: u64,
    /// The kernel's version.
    pub kernel: String,
    /// Its ticks a second.
    pub tick_hz: u32,
    /// A virtual machine under this hypervisor, as far as it can be told.
    pub virtual_machine: bool,
    /// Tasks that wanted a core when the bench began, on average: a busy machine blurs figures.
    pub load: String,
}

impl Machine {
    /// This one.
    pub fn this() -> Machine {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
        let memory = value(&memory, "MemTotal").and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        Machine {
            cpu: value(&cpu, "model name").unwrap_or("unknown").to_owned(),
            cores: cpu.lines().filter(|line| line.starts_with("processor")).count(),
            memory_mib: memory.unwrap_or(0) / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            tick_hz: clock::tick_hz(),
            virtual_machine: value(&cpu, "flags")
                .is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor")),
            load: read("/proc/loadavg").split_whitespace().take(3).collect::<Vec<_>>().join(" "),
        }
    }
}

/// What stands behind a name and a colon.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.split(':').next().is_some_and(|first| first.trim() == name))?;
    Some(line.split_once(':')?.1.trim())
}
