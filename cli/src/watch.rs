//! What happens below a root.
//!
//! In: a directory. Out: a signal whenever something changes there that could change a plan. Changes that come together
//! are one signal. It must never signal for what git writes while it is only asked, or it would answer itself.

use crate::failure::Failure;
use camino::{Utf8Path, Utf8PathBuf};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _, event::AccessKind};
use std::{
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::Duration,
};

/// An editor writes a file in several steps, and a checkout writes many files.
const TOGETHER: Duration = Duration::from_millis(50);

/// A directory that is watched as long as this lives.
pub(crate) struct Watch {
    root: Utf8PathBuf,
    events: Receiver<notify::Result<notify::Event>>,
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches a directory and all below it.
    pub(crate) fn new(root: &Utf8Path) -> Result<Self, Failure> {
        let failed = |error| Failure::Watch {
            path: root.to_owned(),
            error,
        };
        let (sender, events) = channel();
        let mut watcher = notify::recommended_watcher(sender).map_err(failed)?;
        // Events name real paths.
        let real = root.canonicalize_utf8().unwrap_or_else(|_| root.to_owned());
        watcher
            .watch(real.as_std_path(), RecursiveMode::Recursive)
            .map_err(failed)?;
        Ok(Self {
            root: real,
            events,
            _watcher: watcher,
        })
    }

    /// Waits until something changed, and then until nothing more does.
    pub(crate) fn wait(&self) -> Result<(), Failure> {
        loop {
            let Ok(event) = self.events.recv() else {
                // The watcher lives as long as this, so its channel stays open.
                return Ok(());
            };
            if self.matters(&event) {
                break;
            }
        }
        loop {
            match self.events.recv_timeout(TOGETHER) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn matters(&self, event: &notify::Result<notify::Event>) -> bool {
        match event {
            // What was lost may have mattered.
            Err(_) => true,
            Ok(event) => {
                !is_reading(event.kind)
                    && event
                        .paths
                        .iter()
                        .any(|path| path_matters(self.root.as_std_path(), path))
            }
        }
    }
}

fn is_reading(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Access(AccessKind::Open(_) | AccessKind::Read | AccessKind::Close(_))
    )
}

/// Whether a change of this path could change a plan. Of what git keeps, the commit that is checked out and the index
/// could: they tell what is compared with, and what is tracked.
fn path_matters(root: &Path, path: &Path) -> bool {
    let Ok(below) = path.strip_prefix(root) else {
        return true;
    };
    let mut elements = below.iter();
    if elements.next().is_none_or(|first| first != ".git") {
        return true;
    }
    let rest = elements.as_path();
    rest == Path::new("HEAD") || rest == Path::new("index") || rest.starts_with("refs/heads")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_s_own_files_matter_where_they_tell_what_is_checked_out() {
        let cases = [
            ("/r/a.go", true),
            ("/r/.github/x", true),
            ("/r/sub/.git/objects/ab", true),
            ("/r/.git/HEAD", true),
            ("/r/.git/index", true),
            ("/r/.git/refs/heads/main", true),
            ("/r/.git/index.lock", false),
            ("/r/.git/objects/ab/cd", false),
            ("/r/.git/logs/HEAD", false),
            ("/r/.git", false),
        ];
        for (path, expected) in cases {
            assert_eq!(
                path_matters(Path::new("/r"), Path::new(path)),
                expected,
                "{path}"
            );
        }
    }

    #[test]
    fn asking_is_no_change() {
        use notify::event::{AccessMode, CreateKind};
        assert!(is_reading(EventKind::Access(AccessKind::Open(
            AccessMode::Any
        ))));
        assert!(!is_reading(EventKind::Create(CreateKind::File)));
    }
}
