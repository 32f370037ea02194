//! The `rebake` command.

fn main() {}
