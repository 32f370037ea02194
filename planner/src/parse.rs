//! Syntax: bytes in, typed syntax with places and faults out.
//!
//! In: the bytes of one file. Out: [`Parsed`](crate::diagnostic::Parsed): what could be understood and every fault, not just the
//! first. A parser must never read a file, know another file, or stop at the first fault; it never
//! panics, whatever the bytes. nom is private to this stage.

pub mod c_file;
pub mod constraint;
pub mod constraint_header;
pub mod dockerfile;
pub mod dockerignore;
pub mod embed_pattern;
pub mod file_name;
pub mod go_file;
pub mod go_mod;
pub(crate) mod go_string;
pub mod go_sum;
mod header_reader;
mod leading_comments;
pub mod modules_txt;
