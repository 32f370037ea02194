//! The parsers' invariants over arbitrary and over nearly well-formed bytes, and over the corpus of the fuzz targets.

use crate::parser_invariants::{ALL, Invariant};
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};
use std::{fs, path::Path};

/// What the grammars are made of: random bytes alone would never get past the first line.
const FRAGMENTS: [&str; 122] = [
    "module",
    "go",
    "toolchain",
    "godebug",
    "require",
    "exclude",
    "replace",
    "retract",
    "tool",
    "ignore",
    "use",
    "default=go1.21",
    "1.22",
    "go1.22.1",
    "ex.com/m",
    "ex.com/m/v2",
    "v1.2.3",
    "v2.0.0",
    "v0.0.0-20240101000000-abcdefabcdef",
    "v1.0.0/go.mod",
    "h1:abc=",
    "=>",
    "./lib",
    "../x",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    "//",
    "/*",
    "*/",
    "// indirect",
    "\n",
    "\r\n",
    "\n\n",
    " ",
    "\t",
    "\"",
    "'",
    "`",
    "\\",
    "\"a\"",
    "`a`",
    "\\\"",
    "\\x",
    "# ",
    "## ",
    "## explicit",
    "## explicit; go 1.20",
    "## workspace",
    "package main",
    "package",
    "import",
    "import \"C\"",
    "import \"embed\"",
    "_ \"embed\"",
    "import (",
    "\"C\"",
    "fmt",
    "func main() {}",
    ";",
    ".",
    "//go:build",
    "//go:build linux",
    "// +build",
    "// +build linux,!cgo darwin",
    "linux",
    "&&",
    "||",
    "!",
    "//go:embed",
    "//go:embed all:x *.txt",
    "//go:debug a=b",
    "#cgo",
    "#cgo CFLAGS: -I${SRCDIR}/x",
    "#cgo linux,!arm64 LDFLAGS: -lx",
    "#include",
    "#include \"x.h\"",
    "#include <y.h>",
    "#include Z",
    "# include",
    "all:",
    "*",
    "?",
    "[a-z]",
    "[^x]",
    "a/b",
    "services",
    "FROM a",
    "COPY",
    "COPY --from=x a b",
    "ADD [\"a\", \"b\"]",
    "RUN --mount=target=.",
    "<<EOF",
    "EOF",
    "# escape=`",
    "!a",
    "**/*.md",
    "[[service]]",
    "[service]",
    "dir = \"services/api\"",
    "name = \"api\"",
    "services = [\"services/**\"]",
    "platforms = [\"linux/arm64\"]",
    "cgo = true",
    "tags = [\"a\"]",
    "go = \"1.22\"",
    "assets = [\"**\"]",
    "build-flags = [\"-v\"]",
    "back-edges = []",
    "=",
    "[a.b",
    "'''",
    "\u{feff}",
    "\u{0}",
    "\u{e9}",
    "\u{2028}",
    "\u{202e}",
    "x",
];

fn nearly_well_formed() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        12 => select(FRAGMENTS.as_slice()).prop_map(|text| text.as_bytes().to_vec()),
        4 => Just(b"\n".to_vec()),
        4 => Just(b" ".to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn hold(invariant: Invariant, bytes: impl Strategy<Value = Vec<u8>>) {
    let mut runner = TestRunner::new(Config {
        cases: 512,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&bytes, |bytes| {
        invariant(&bytes);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

#[test]
fn every_parser_holds_its_invariants_on_any_bytes() {
    for (_, invariant) in ALL {
        hold(invariant, any::<Vec<u8>>());
    }
}

#[test]
fn every_parser_holds_its_invariants_on_nearly_well_formed_text() {
    for (_, invariant) in ALL {
        hold(invariant, nearly_well_formed());
    }
}

#[test]
fn every_parser_holds_its_invariants_on_the_fuzz_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, invariant) in ALL {
        let mut count = 0;
        for entry in fs::read_dir(corpus.join(name)).expect("every target has a corpus") {
            let path = entry.expect("the corpus can be listed").path();
            let bytes = fs::read(&path).expect("the corpus can be read");
            invariant(&bytes);
            count += 1;
        }
        assert!(count > 0, "the corpus of {name} is empty");
    }
}

/// Repetitions that are cheap to write: none may take time that grows with the square of its length, or stack that grows
/// with it.
#[test]
fn long_repetitions_cost_no_more_than_their_length() {
    let repeated = [
        ("go_mod", "require (\n", "ex.com/m v1.0.0\n"),
        ("go_mod", "", "(\n"),
        ("go_mod", "", "unknown line\n"),
        ("go_mod", "", "\""),
        ("go_work", "use (\n", "./x\n"),
        ("go_sum", "", "ex.com/m v1.0.0 h1:x=\n"),
        ("modules_txt", "", "# ex.com/m v1.0.0\n"),
        ("go_file", "// c\n\n", "// +build a\n"),
        ("go_file", "", "/**/"),
        ("go_file", "", "/**/\n"),
        ("go_file", "", "\u{2028}"),
        ("go_file", "package m\n", "import \"a\"\n"),
        ("go_file", "package m\nimport (\n", "\"a\"\n"),
        ("go_file", "package m\nimport \"embed\"\n", "//go:embed x\n"),
        ("go_file", "package m\nimport \"embed\"\n", "\"/*"),
        ("go_file", "package m\n/*\n", "#include \"x.h\"\n"),
        ("go_file", "package m\n", "// #cgo CFLAGS: -I.\n"),
        ("c_file", "// c\n\n", "// +build a\n"),
        ("c_file", "", "#include \"x.h\" \\\n"),
        ("embed_pattern", "", "*a"),
        ("build_constraint", "//go:build ", "!(a || "),
        ("build_constraint", "//go:build a", " && a"),
        ("build_constraint", "// +build a", ",a"),
        ("config", "", "[[service]]\n"),
        ("config", "a = ", "["),
        ("config", "a = ", "{b="),
        ("config", "", "a.a."),
        ("config", "", "\r"),
        ("dockerfile", "FROM a\n", "COPY a b\n"),
        ("dockerfile", "FROM a\nRUN ", "<<E "),
        ("dockerfile", "FROM a\nCOPY ", "a \\\n"),
        ("dockerfile", "FROM a\nCOPY [", "\"a\","),
        ("dockerignore", "", "*"),
        ("dockerignore", "", "a\n!b\n"),
    ];
    for (name, start, piece) in repeated {
        let (_, invariant) = ALL
            .into_iter()
            .find(|(known, _)| *known == name)
            .expect("a parser of that name");
        invariant(format!("{start}{}\n", piece.repeat(100_000)).as_bytes());
    }
}
