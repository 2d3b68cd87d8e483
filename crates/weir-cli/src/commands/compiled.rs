//! Policy files to tables without an agent: what `policy check` and `replay` share.

use std::net::IpAddr;
use std::path::Path;

use weir_agent::policy::Loaded;
use weir_agent::tables;
use weir_api::problem::Problem;
use weir_api::to_policy::{Clock, Context, Converted, to_policy};
use weir_policy::image::TableImage;

/// Ticks per second of most kernels (CONFIG_HZ). The running one's may differ; `weir run` uses that.
pub const HZ: u32 = 250;

/// A policy that `weir run` would take.
pub struct Compiled {
    /// Files read.
    pub files: usize,
    /// Objects in them.
    pub objects: usize,
    /// Targets.
    pub targets: usize,
    /// Entries of all lists.
    pub list_entries: usize,
    /// What has no effect here.
    pub warnings: Vec<Problem>,
    /// The tables.
    pub image: TableImage,
}

/// Converts and compiles as `weir run` would; `host` is what `nodes: {}` stands for, `path` what findings without a place
/// are about.
pub fn compiled(
    loaded: Result<Loaded, Vec<Problem>>,
    path: &Path,
    host: &[IpAddr],
    clock: Clock,
) -> Result<Compiled, Vec<Problem>> {
    let loaded = loaded?;
    let (names, sets) = Default::default();
    let context = Context { mode: None, host, files: &loaded.lists, clock, names, sets };
    let Converted { policy, warnings, places } = to_policy(&loaded.objects, context)?;
    match tables::build(&policy, None, clock) {
        Ok(tables) => Ok(Compiled {
            files: loaded.texts.yaml.len() + loaded.texts.lists.len(),
            objects: loaded.objects.len(),
            targets: policy.targets.len(),
            list_entries: policy.lists.len(),
            warnings,
            image: tables.image,
        }),
        Err(errors) => Err(tables::findings(&errors, &places, &path.display().to_string())),
    }
}
