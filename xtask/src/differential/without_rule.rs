//! The negative control: a tree in which one of Go's rules can't be seen.
//!
//! In: a tree and a rule. Out: the same tree, in which the planner can't know what the rule rests on. A comparison that
//! finds no difference then is worth nothing.

use clap::ValueEnum;
use rebake_planner::{
    path::RepoPath,
    tree::{FileMode, Listing, ReadLimit, SourceTree, TreeError},
};

/// A rule that can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rule {
    /// `//go:build` lines decide whether a file is built.
    Constraints,
    /// `//go:embed` comments name files.
    Embed,
    /// A go.mod below a module cuts it.
    NestedModules,
}

/// A tree without what one rule rests on.
pub(crate) struct WithoutRule<'tree> {
    pub(crate) tree: &'tree dyn SourceTree,
    pub(crate) rule: Rule,
}

impl SourceTree for WithoutRule<'_> {
    fn list(&self, directory: &RepoPath) -> Result<Listing, TreeError> {
        let mut listing = self.tree.list(directory)?;
        if self.rule == Rule::NestedModules && !directory.is_root() {
            listing.entries.retain(|entry| &*entry.name != "go.mod");
        }
        Ok(listing)
    }

    fn read(&self, file: &RepoPath, limit: ReadLimit) -> Result<Vec<u8>, TreeError> {
        let content = self.tree.read(file, limit)?;
        let hidden: &[u8] = match self.rule {
            Rule::Constraints => b"//go:build",
            Rule::Embed => b"//go:embed",
            Rule::NestedModules => return Ok(content),
        };
        Ok(replace(&content, hidden))
    }

    fn read_link(&self, link: &RepoPath) -> Result<String, TreeError> {
        self.tree.read_link(link)
    }

    fn mode(&self, file: &RepoPath) -> Result<FileMode, TreeError> {
        self.tree.mode(file)
    }
}

/// Turns every occurrence of a directive into a plain comment of the same length.
fn replace(content: &[u8], directive: &[u8]) -> Vec<u8> {
    let mut replaced = content.to_vec();
    let mut start = 0;
    while let Some(found) = replaced[start..]
        .windows(directive.len())
        .position(|window| window == directive)
    {
        replaced[start + found + 2] = b' ';
        start += found + directive.len();
    }
    replaced
}
