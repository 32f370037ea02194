//! What a run is compared with.
//!
//! In: what a CI says, typed. Out: [`BaselineChoice`]s. A commit is compared with only where its images must have been
//! built: a choice that is too old costs a rebuild, one that is wrong leaves a stale image. It must never hold a text
//! that git could take for anything but an object id.

use std::{fmt, str::FromStr};

/// The id of a commit: 40 or 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitSha(String);

/// Why a text is no commit id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no commit id", .0.escape_debug())]
pub struct CommitShaError(String);

impl CommitSha {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the id that stands for no commit.
    pub fn is_zero(&self) -> bool {
        self.0.bytes().all(|byte| byte == b'0')
    }
}

impl FromStr for CommitSha {
    type Err = CommitShaError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if matches!(text.len(), 40 | 64) && text.bytes().all(is_hex) {
            Ok(Self(text.to_owned()))
        } else {
            // The start tells what it was meant to be.
            Err(CommitShaError(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for CommitSha {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The commit that is checked out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckedOut {
    /// Its parents, in order; they are known even where a shallow clone does not hold them.
    pub parents: Vec<CommitSha>,
}

/// What a plan is to be compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaselineChoice {
    /// Nothing, and why: everything is built.
    Nothing(String),
    /// This commit itself: its images have been built.
    Commit(CommitSha),
    /// The best common ancestor of this commit and the one that is checked out.
    CommonAncestor(CommitSha),
}

#[cfg(test)]
mod tests {
    use super::CommitSha;

    #[test]
    fn only_whole_hexadecimal_ids_are_ids() {
        let long = "a".repeat(40);
        assert!(long.parse::<CommitSha>().is_ok());
        assert!("0".repeat(40).parse::<CommitSha>().unwrap().is_zero());
        assert!(!long.parse::<CommitSha>().unwrap().is_zero());
        for text in [
            "",
            "abc",
            "--upload-pack=x",
            "HEAD",
            &"A".repeat(40),
            &format!("{}\n", "a".repeat(39)),
            &"a".repeat(41),
        ] {
            assert!(text.parse::<CommitSha>().is_err(), "{text:?}");
        }
    }
}
