//! Any bytes as a .dockerignore.
#![no_main]

#[expect(dead_code, reason = "each target uses one of the shared functions")]
#[path = "../../tests/it/parser_invariants.rs"]
mod parser_invariants;

libfuzzer_sys::fuzz_target!(|source: &[u8]| parser_invariants::dockerignore(source));
