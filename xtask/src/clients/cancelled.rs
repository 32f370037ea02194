//! A run that somebody cancels.
//!
//! In: a client that plays a CI service, a builder, and a text of the client's log. Out: nothing, once the text has come and
//! everything that the client has started is gone, as a runner ends all processes of a job. The builder rests meanwhile, so
//! that no build is faster than who cancels it. It must never end a process of anybody else.

use crate::builder::Builder;
use std::{
    collections::BTreeSet,
    error::Error,
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// As long as a run may take to get there.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs a client until its log holds a text, and ends it there.
pub(super) fn run_until(
    client: &mut Command,
    builder: &Builder,
    sign: &str,
) -> Result<(), Box<dyn Error>> {
    builder.pause()?;
    let result = run_and_end(client, sign);
    builder.resume()?;
    result
}

fn run_and_end(client: &mut Command, sign: &str) -> Result<(), Box<dyn Error>> {
    let log = tempfile::NamedTempFile::new()?;
    let mut child = client
        .stdin(Stdio::null())
        .stdout(log.reopen()?)
        .stderr(log.reopen()?)
        .spawn()?;
    let started = Instant::now();
    let said = || -> std::io::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(log.path())?).into_owned())
    };
    let reached = loop {
        if said()?.contains(sign) {
            break true;
        }
        if child.try_wait()?.is_some() || started.elapsed() > PATIENCE {
            break false;
        }
        thread::sleep(Duration::from_millis(20));
    };
    end(child.id())?;
    child.wait()?;
    if reached {
        Ok(())
    } else {
        Err(format!("the run was never at {sign:?}:\n{}", said()?).into())
    }
}

/// Ends a process with all that it has started. They are stopped first, so that none starts another meanwhile.
fn end(root: u32) -> Result<(), Box<dyn Error>> {
    let mut found = BTreeSet::new();
    loop {
        let new: Vec<u32> = descendants(root)?
            .into_iter()
            .filter(|id| found.insert(*id))
            .collect();
        if new.is_empty() {
            break;
        }
        signal("STOP", &new)?;
    }
    signal("KILL", &found.into_iter().collect::<Vec<u32>>())
}

fn signal(name: &str, processes: &[u32]) -> Result<(), Box<dyn Error>> {
    // One that has ended by itself meanwhile is no fault.
    Command::new("kill")
        .arg(format!("-{name}"))
        .args(processes.iter().map(ToString::to_string))
        .stderr(Stdio::null())
        .status()?;
    Ok(())
}

/// A process and all that it has started, as far as their parents live.
fn descendants(root: u32) -> Result<BTreeSet<u32>, Box<dyn Error>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(id) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // Processes come and go.
        let Ok(text) = fs::read_to_string(format!("/proc/{id}/stat")) else {
            continue;
        };
        // `id (name) state parent`, where the name may hold anything.
        let parent = text
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        parents.extend(parent.map(|parent: u32| (id, parent)));
    }
    let mut found = BTreeSet::from([root]);
    loop {
        let before = found.len();
        for (id, parent) in &parents {
            if found.contains(parent) {
                found.insert(*id);
            }
        }
        if found.len() == before {
            return Ok(found);
        }
    }
}
