//! Notices changes of the policy directory: by inotify, and by looking every few seconds where that is not to be had
//! (network file systems, exhausted watches). A burst of changes counts once.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;

/// A change counts when the directory has been quiet for this long …
const QUIET: Duration = Duration::from_millis(200);
/// … or at the latest after this long.
const LATEST: Duration = Duration::from_secs(2);
/// How often the directory is looked at without a hint from the kernel.
const LOOK: Duration = Duration::from_secs(5);

/// A directory (or file) that is watched.
pub struct Watch {
    path: PathBuf,
    hints: mpsc::Receiver<()>,
    /// Gone when there are no change notices here; held, because dropping it ends them.
    watcher: Option<notify::RecommendedWatcher>,
    last: Stamps,
    last_extra: Stamps,
}

impl Watch {
    /// Watches from now on: to be made before the files are read for the first time.
    pub fn new(path: PathBuf) -> Self {
        let (hint, hints) = mpsc::channel::<()>(1);
        let watched =
            if path.is_dir() { path.clone() } else { path.parent().map(Path::to_path_buf).unwrap_or_default() };
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading the files is an event, too: without this filter every reload would cause the next.
            if event.map_or(true, |e| !e.kind.is_access()) {
                let _ = hint.try_send(());
            }
        })
        .and_then(|mut watcher| watcher.watch(&watched, RecursiveMode::NonRecursive).map(|()| watcher));
        let watcher = match watcher {
            Ok(watcher) => Some(watcher),
            Err(e) => {
                let every_s = LOOK.as_secs();
                warn!(directory = %watched.display(), error = %e, every_s, "no change notices here: looking instead");
                None
            }
        };
        let last = stamps(&files_of(&path));
        Self { path, hints, watcher, last, last_extra: Stamps::new() }
    }

    /// Where relative paths within the policy start.
    pub fn base(&self) -> PathBuf {
        if self.path.is_dir() {
            self.path.clone()
        } else {
            self.path.parent().map(Path::to_path_buf).unwrap_or_default()
        }
    }

    /// Comes back after the next change. Files elsewhere that count, too, are given by `extra`, asked anew each time.
    pub async fn changed(&mut self, extra: impl Fn() -> Vec<PathBuf>) {
        loop {
            let now = stamps(&files_of(&self.path));
            let elsewhere = stamps(&extra());
            // A file that is new among the others was read just now; in the directory it is a change.
            let other_changed =
                elsewhere.iter().any(|(path, stamp)| self.last_extra.get(path).is_some_and(|s| s != stamp));
            let changed = now != self.last || other_changed;
            (self.last, self.last_extra) = (now, elsewhere);
            if changed {
                return;
            }
            if self.watcher.is_none() {
                tokio::time::sleep(LOOK).await;
            } else if let Ok(Some(())) = timeout(LOOK, self.hints.recv()).await {
                self.settle().await;
            }
        }
    }

    /// Waits until a burst of changes is over.
    async fn settle(&mut self) {
        let latest = Instant::now() + LATEST;
        while Instant::now() < latest {
            let quiet = latest.min(Instant::now() + QUIET);
            if !matches!(timeout_at(quiet, self.hints.recv()).await, Ok(Some(()))) {
                return;
            }
        }
    }
}

/// Size, time and identity of files by path; none: it cannot be read. Times alone would miss a file put in place by a rename.
type Stamps = BTreeMap<PathBuf, Option<(u64, i64, i64, u64)>>;

fn stamps(files: &[PathBuf]) -> Stamps {
    let stamp = |path: &PathBuf| fs::metadata(path).ok().map(|m| (m.len(), m.mtime(), m.mtime_nsec(), m.ino()));
    files.iter().map(|path| (path.clone(), stamp(path))).collect()
}

/// What lies in a directory; a file stands for itself.
fn files_of(path: &Path) -> Vec<PathBuf> {
    match fs::read_dir(path) {
        Ok(entries) => entries.filter_map(|e| e.ok().map(|e| e.path())).collect(),
        Err(_) => vec![path.to_path_buf()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn a_burst_of_changes_counts_once_and_reading_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let seen = AtomicUsize::new(0);
        let mut watch = Watch::new(dir.path().to_path_buf());
        let watching = async {
            loop {
                watch.changed(Vec::new).await;
                seen.fetch_add(1, Ordering::SeqCst);
            }
        };
        let story = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            for i in 0..5 {
                fs::write(dir.path().join("a.yaml"), format!("{i}")).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(600)).await;
            assert_eq!(seen.load(Ordering::SeqCst), 1);
            let _ = fs::read_to_string(dir.path().join("a.yaml"));
            tokio::time::sleep(Duration::from_millis(400)).await;
            assert_eq!(seen.load(Ordering::SeqCst), 1);
            fs::write(dir.path().join("new"), "x").unwrap();
            fs::rename(dir.path().join("new"), dir.path().join("a.yaml")).unwrap();
            tokio::time::sleep(Duration::from_millis(600)).await;
            assert_eq!(seen.load(Ordering::SeqCst), 2);
        };
        tokio::select! { () = watching => {}, () = story => {} }
    }
}
