//! Pointers that Git LFS puts into a commit in place of a file.
//!
//! In: a file's bytes. Out: whether they are such a pointer. It must never take more than the first
//! kilobyte into account: a longer file is content.
//!
//! Source: <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>.

/// The longest pointer that the specification allows, in bytes.
pub(crate) const LONGEST_POINTER: usize = 1024;

/// Whether these bytes are a Git LFS pointer and not the file that it stands for: the version line
/// first, an `oid` and a `size` line, and at most 1024 bytes.
pub fn is_lfs_pointer(content: &[u8]) -> bool {
    if content.len() > LONGEST_POINTER {
        return false;
    }
    let mut lines = content.split(|byte| *byte == b'\n');
    let version = lines.next().unwrap_or_default();
    if !version.starts_with(b"version https://git-lfs.github.com/spec/v1") {
        return false;
    }
    let (mut has_oid, mut has_size) = (false, false);
    for line in lines {
        if let Some(oid) = line.strip_prefix(b"oid ") {
            has_oid |= !oid.trim_ascii().is_empty();
        } else if let Some(size) = line.strip_prefix(b"size ") {
            let digits = size.trim_ascii_end();
            has_size |= !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        }
    }
    has_oid && has_size
}
