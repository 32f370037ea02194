//! A sign of life, for plans that take longer than anybody expects.
//!
//! It shows on a terminal alone, on stderr, and leaves nothing behind. Most plans are over before it starts.

use std::{
    io::{IsTerminal as _, Write as _},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Before that nobody wonders.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often the time is brought up to date.
const TICK: Duration = Duration::from_millis(200);

/// Whether the user wants to hear more than failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Talk {
    Wanted,
    Unwanted,
}

/// Shown until it is dropped.
pub(crate) struct Progress {
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Starts to wait; nothing ever shows where stderr is no terminal, or talk is not wanted.
    pub(crate) fn start(what: &'static str, talk: Talk) -> Self {
        if talk == Talk::Unwanted || !std::io::stderr().is_terminal() {
            return Self { running: None };
        }
        let (stop, stopped) = channel();
        let started = Instant::now();
        let thread = std::thread::spawn(move || {
            let mut wait = PATIENCE;
            let mut is_shown = false;
            while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                // A closed stderr is no reason to fail.
                let _ = write!(std::io::stderr(), "\r{}", line(what, started.elapsed()));
                is_shown = true;
                wait = TICK;
            }
            if is_shown {
                let _ = write!(std::io::stderr(), "\r\u{1b}[K");
            }
        });
        Self {
            running: Some((stop, thread)),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            // What it shows must be gone before anything else is printed.
            let _ = thread.join();
        }
    }
}

fn line(what: &str, elapsed: Duration) -> String {
    format!("{what}… {:.1} s", elapsed.as_secs_f32())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_takes_how_long() {
        assert_eq!(
            line("planning", Duration::from_millis(1500)),
            "planning… 1.5 s"
        );
    }

    #[test]
    fn it_ends_at_once_when_it_is_not_needed_any_more() {
        drop(Progress::start("planning", Talk::Wanted));
        assert!(
            Progress::start("planning", Talk::Unwanted)
                .running
                .is_none()
        );
    }
}
