//! Notices changes of the policy directory: by inotify, and by looking every few seconds where that is not to be had
//! (network file systems, exhausted watches). A burst of changes counts once.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
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
pub struct Watch<F> {
    path: PathBuf,
    extra: F,
    hints: mpsc::Receiver<()>,
    /// Gone when there are no change notices here; held, because dropping it ends them.
    watcher: Option<notify::RecommendedWatcher>,
    last: u64,
}

impl<F: Fn() -> Vec<PathBuf>> Watch<F> {
    /// Watches from now on. Files elsewhere that count, too, are given by `extra`, asked anew each time.
    pub fn new(path: PathBuf, extra: F) -> Self {
        let (hint, hints) = mpsc::channel::<()>(1);
        let watched = if path.is_dir() { path.clone() } else { path.parent().map(Path::to_path_buf).unwrap_or_default() };
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
        let last = fingerprint(&path, &extra());
        Self { path, extra, hints, watcher, last }
    }

    /// Comes back after the next change.
    pub async fn changed(&mut self) {
        loop {
            if self.watcher.is_none() {
                tokio::time::sleep(LOOK).await;
            } else if let Ok(Some(())) = timeout(LOOK, self.hints.recv()).await {
                self.settle().await;
            }
            let now = fingerprint(&self.path, &(self.extra)());
            if now != self.last {
                self.last = now;
                return;
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

/// Names, sizes, times and identities of what lies there. Times alone would miss a file put in place by a rename.
fn fingerprint(path: &Path, extra: &[PathBuf]) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let mut files: Vec<PathBuf> = match fs::read_dir(path) {
        Ok(entries) => entries.filter_map(|e| e.ok().map(|e| e.path())).collect(),
        Err(_) => vec![path.to_path_buf()],
    };
    files.extend_from_slice(extra);
    files.sort();
    let mut hash = DefaultHasher::new();
    for file in files {
        file.hash(&mut hash);
        if let Ok(meta) = fs::metadata(&file) {
            (meta.len(), meta.mtime(), meta.mtime_nsec(), meta.ino()).hash(&mut hash);
        }
    }
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn a_burst_of_changes_counts_once_and_reading_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let seen = AtomicUsize::new(0);
        let mut watch = Watch::new(dir.path().to_path_buf(), Vec::new);
        let watching = async {
            loop {
                watch.changed().await;
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
