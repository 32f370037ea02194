//! Syntax: bytes in, typed syntax with places and faults out.
//!
//! In: the bytes of one file. Out: [`Parsed`](crate::diagnostic::Parsed): what could be understood and every fault, not just the
//! first. A parser must never read a file, know another file, or stop at the first fault; it never
//! panics, whatever the bytes. nom is private to this stage.

pub mod constraint;
pub mod file_name;
// go_file
pub mod go_mod;
pub mod go_sum;
pub mod modules_txt;
