//! go.sum and go.work.sum.

/// One line of a checksum file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleSum {
    /// The module path.
    pub path: String,
    /// The version, without the `/go.mod` suffix.
    pub version: String,
    /// What the hash is over.
    pub subject: SumSubject,
    /// The hash as written, algorithm included (`h1:…`).
    pub hash: String,
}

/// What a checksum is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SumSubject {
    /// The module's whole content.
    Zip,
    /// Its go.mod alone.
    GoMod,
}
