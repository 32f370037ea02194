//! `rebake-floor`: lists a tree, reads and hashes files in it, and does nothing else.
//!
//! A plan of the same files is measured against this program, process against process.

use clap::Parser;
use rebake_benches::floor::{Files, run};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

/// List a tree, read and hash files in it, and do nothing else.
#[derive(Debug, Parser)]
#[command(name = "rebake-floor")]
struct Arguments {
    /// The root of the tree
    root: PathBuf,
    /// The files to read, one path a line, relative to the root (- for the standard input)
    #[arg(long, value_name = "FILE", required_unless_present = "all_go")]
    files: Option<PathBuf>,
    /// Read every file whose name ends in .go
    #[arg(long, conflicts_with = "files")]
    all_go: bool,
    /// Threads to use; all processors without it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    if let Some(threads) = arguments.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()?;
    }
    let files = match &arguments.files {
        None => Files::EveryGoFile,
        Some(path) => {
            let text = if path.as_os_str() == "-" {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text)?;
                text
            } else {
                std::fs::read_to_string(path)?
            };
            Files::Listed(text.lines().map(str::to_owned).collect())
        }
    };
    let done = run(&arguments.root, files)?;
    writeln!(
        std::io::stdout(),
        "{} {} entries, {} files, {} bytes",
        done.digest,
        done.entries,
        done.files,
        done.bytes
    )?;
    Ok(())
}
