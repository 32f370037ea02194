use super::*;
use crate::parse::c_file::IncludeForm;

fn parse(source: &str) -> GoFile {
    parse_go_file(source.as_bytes())
}

fn imports(source: &str) -> Vec<String> {
    parse(source)
        .imports
        .into_iter()
        .map(|import| import.value)
        .collect()
}

#[test]
fn imports_are_read_in_every_form() {
    let cases: [(&str, &[&str]); 18] = [
        ("package a", &[]),
        ("package a;import \"x\"", &["x"]),
        ("\u{feff}package a\nimport \"x\"\n", &["x"]),
        (
            "package a\nimport (\n\t_ \"x\"\n\t. \"y\"\n\tz `q`\n)\nvar s = 1",
            &["x", "y", "q"],
        ),
        ("package a\nimport (\"x\"; \"y\")", &["x", "y"]),
        ("package a\nimport ()\nimport \"x\"", &["x"]),
        (
            "package /* c */ a // c\nimport /* c */ \"x\" /* c\n */\nimport \"y\"",
            &["x", "y"],
        ),
        ("package a\nimport \"\\u0078/y\"", &["x/y"]),
        ("package a\nvar x int\nimport \"late\"", &[]),
        ("package a\nimport \"x\"\nthis is { no Go", &["x"]),
        ("package a\r\nimport \"x\"\r\n", &["x"]),
        ("// c\n\n/* c */\npackage a\nimport \"x\"", &["x"]),
        // The header ends with the first byte that is no import, so what follows is never looked at.
        ("package a\nimport \"x\" \"y\"", &["x"]),
        ("package a\nimport \"x\"\n# bad", &["x"]),
        ("package a}\nimport \"x\"", &[]),
        ("package a)\nimport \"x\"", &[]),
        ("package a /* \n */ import \"x\"", &["x"]),
        ("package a\nimport \u{e9} \"x\"", &["x"]),
    ];
    for (source, expected) in cases {
        let file = parse(source);
        assert_eq!(
            file.state,
            HeaderState::Complete,
            "{source:?} {:?}",
            file.faults
        );
        assert_eq!(imports(source), expected, "{source:?}");
        assert_eq!(file.package.unwrap().value, "a", "{source:?}");
    }
}

#[test]
fn a_syntax_error_up_to_the_imports_loses_them() {
    let sources = [
        "",
        "// only a comment\n",
        "package",
        "package 1x",
        "package func",
        "package a import \"x\"",
        "package a\nimport x",
        "package a\nimport 'x'",
        "package a\nimport (\n\"x\"\n",
        "package a\nimport \"x y\"",
        "package a\nimport \"\"",
        "package a\nimport \"a\\q\"",
        "package a\nimport (\"x\" \"y\")",
        "package a /* open",
        "package a\nimport (\"x\", \"y\")",
        "package a\nimport . (\"x\")",
        "package a\nimport ((\"x\"))",
    ];
    for source in sources {
        let file = parse(source);
        assert_eq!(file.state, HeaderState::ImportsLost, "{source:?}");
        assert!(
            file.imports.is_empty() && !file.faults.is_empty(),
            "{source:?}"
        );
    }
}

#[test]
fn a_nul_byte_or_a_broken_constraint_makes_a_file_invalid() {
    for source in [
        "package a\0\nimport \"x\"",
        "//go:build linux // note\npackage a",
        "//go:build linux\n//go:build amd64\npackage a",
        "//go:build\npackage a",
    ] {
        assert_eq!(parse(source).state, HeaderState::Invalid, "{source:?}");
    }
    assert_eq!(parse("package a\nvar x = 1\0").state, HeaderState::Complete);
}

#[test]
fn constraints_count_where_the_toolchain_reads_them() {
    let cases = [
        ("//go:build windows\npackage a", false),
        ("  //go:build windows\npackage a", false),
        ("/* c */\n//go:build windows\npackage a", false),
        ("/* c */ //go:build windows\npackage a", true),
        ("/*\n//go:build windows\n*/\npackage a", true),
        ("package a\n//go:build windows\n", true),
        ("// go:build windows\npackage a", true),
        ("// +build windows\npackage a", true),
        ("// +build windows\n\npackage a", false),
        ("//+build windows\n\npackage a", false),
        (
            "// +build windows linux\n// +build amd64\n\npackage a",
            false,
        ),
        ("/* c */\n// +build windows\n\npackage a", true),
        ("//go:build linux\n// +build windows\n\npackage a", true),
        ("\r\n//go:build windows\r\n\r\npackage a\r\n", false),
    ];
    for (source, expected) in cases {
        let holds = match parse(source).constraint {
            ConstraintHeader::Absent => true,
            ConstraintHeader::Present(constraint) => constraint.holds(&|tag| tag == "linux"),
            ConstraintHeader::Broken => panic!("{source:?}"),
        };
        assert_eq!(holds, expected, "{source:?}");
    }
}

#[test]
fn embed_patterns_are_read_from_line_comments_alone() {
    let head = "package a\nimport \"embed\"\n";
    let cases: [(&str, &[&str]); 12] = [
        ("//go:embed a b\nvar x embed.FS", &["a", "b"]),
        ("\t//go:embed \"sp ace\" `q` c", &["sp ace", "q", "c"]),
        ("var x int //go:embed a", &["a"]),
        ("func f() {\n//go:embed a\n}", &["a"]),
        ("/*\n//go:embed a\n*/", &[]),
        ("var s = `\n//go:embed a\n`", &[]),
        ("var s = \"\\\"//go:embed a\"", &[]),
        ("var c = '\"' //go:embed a", &["a"]),
        ("var c = '\\'' //go:embed a", &["a"]),
        ("//go:embedx a\n// go:embed a", &[]),
        ("//go:embed a // note\r\n", &["a", "//", "note"]),
        ("//go:embed \"open", &[]),
    ];
    for (body, expected) in cases {
        let file = parse(&format!("{head}{body}"));
        let patterns: Vec<String> = file
            .embed_patterns
            .into_iter()
            .map(|pattern| pattern.value)
            .collect();
        assert_eq!(patterns, expected, "{body:?}");
    }
    assert!(
        parse("package a\n//go:embed a\nvar x string")
            .embed_patterns
            .is_empty()
    );
    let file = parse("//go:embed early\npackage a\nimport _ \"embed\"");
    assert_eq!(file.embed_patterns.len(), 1);
}

fn directives(source: &str) -> Vec<String> {
    parse(source)
        .cgo
        .unwrap_or_default()
        .directives
        .into_iter()
        .flat_map(|directive| directive.value.arguments)
        .collect()
}

#[test]
fn the_cgo_preamble_is_the_comment_right_above_the_import() {
    let cases: [(&str, &[&str]); 10] = [
        ("package a\n// #cgo CFLAGS: -Ix\nimport \"C\"", &["-Ix"]),
        (
            "package a\n/*\n#cgo CFLAGS: -Ix\n*/\nimport \"C\"",
            &["-Ix"],
        ),
        ("package a\n//#cgo CFLAGS: -Ix\nimport \"C\"", &["-Ix"]),
        ("package a\n// #cgo CFLAGS: -Ix\n\nimport \"C\"", &[]),
        ("package a\n/*\n#cgo CFLAGS: -Ix\n*/ import \"C\"", &[]),
        (
            "package a\n// #cgo CFLAGS: -Ix\n/* y */\nimport \"C\"",
            &["-Ix"],
        ),
        (
            "package a\nimport (\n// #cgo CFLAGS: -Ix\n\"C\"\n\"fmt\"\n)",
            &["-Ix"],
        ),
        (
            "package a\n// #cgo CFLAGS: -Ix\nimport (\n\"C\"\n)",
            &["-Ix"],
        ),
        (
            "package a\n// #cgo CFLAGS: -Ix\nimport (\n\"C\"\n\"fmt\"\n)",
            &[],
        ),
        (
            "package a // x\n// #cgo CFLAGS: -Ix\nimport \"C\"",
            &["-Ix"],
        ),
    ];
    for (source, expected) in cases {
        assert_eq!(directives(source), expected, "{source:?}");
    }
}

#[test]
fn a_preamble_names_the_headers_that_it_includes() {
    let file = parse(
        "package a\n/*\n#include <stdio.h>\n#include \"x.h\"\n*/\nimport \"C\"\nimport \"fmt\"",
    );
    let includes: Vec<(IncludeForm, String)> = file
        .cgo
        .unwrap()
        .includes
        .into_iter()
        .map(|include| (include.value.form, include.value.target))
        .collect();
    assert_eq!(
        includes,
        [
            (IncludeForm::Angled, "stdio.h".to_owned()),
            (IncludeForm::Quoted, "x.h".to_owned())
        ]
    );
    assert_eq!(file.imports[0].value, "fmt");
}

#[test]
fn debug_settings_stand_before_the_package_clause() {
    let file = parse(
        "//go:debug http2client=0\n\n//go:debug panicnil=1\npackage main\n//go:debug late=1\n",
    );
    let settings: Vec<String> = file
        .debug_settings
        .into_iter()
        .map(|setting| setting.value)
        .collect();
    assert_eq!(settings, ["http2client=0", "panicnil=1"]);
}

#[test]
fn faults_have_places() {
    let file = parse("package a\n\nimport (\n\t\"x\" y\n)\n");
    assert_eq!(file.faults[0].position, Position { line: 4, column: 6 });
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(source: Vec<u8>) {
        parse_go_file(&source);
    }

    #[test]
    fn no_likely_text_makes_the_parser_panic(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "package ", "a", "import ", "\"C\"", "\"embed\"", "(", ")", "\n", ";", "// #cgo X: y", "/*", "*/",
                "//go:embed ", "`", "'", "\\", "//go:build ", "linux", "&&", "\r", "\u{e9}", "\0",
            ]),
            0..40,
        )
    ) {
        parse_go_file(words.concat().as_bytes());
    }

    #[test]
    fn a_complete_header_within_a_prefix_says_the_same_as_the_whole(tail in "[ -~\n]{0,80}") {
        let prefix = "package a\nimport \"x\"\nvar y int\n";
        let source = format!("{prefix}{tail}");
        proptest::prop_assert!(parse_header_within(prefix.as_bytes()).is_some());
        proptest::prop_assert_eq!(imports(&source), ["x"]);
    }
}
