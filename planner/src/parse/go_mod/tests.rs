use super::*;

fn strict(text: &str) -> Parsed<GoMod> {
    parse_go_mod(text.as_bytes(), Strictness::Strict)
}

fn faults(parsed: &[Fault]) -> Vec<String> {
    parsed
        .iter()
        .map(|fault| format!("{} {}: {}", fault.position, fault.code, fault.message))
        .collect()
}

#[test]
fn every_directive_is_read() {
    let text = r#"// A comment.
module "ex.com/shop" // Deprecated: no

go 1.26.0
toolchain go1.26.3
godebug http2client=0
godebug (
	panicnil=1
)
require ex.com/a v1.2.3
require (
	ex.com/b v0.1.0 // indirect
	ex.com/c v0.1.0 // indirect; why
	ex.com/d v0.1.0 // indirectly
	"ex.com/e/v2" v2.0.0 //indirect;x
)
exclude ex.com/a v1.2.2
replace ex.com/a => ../a
replace ex.com/b v0.1.0 => ex.org/b v0.2.0
retract [v1.0.0, v1.1.0]
tool ex.com/tool/cmd
ignore ./node_modules
require ()
"#;
    let parsed = strict(text);
    assert!(parsed.faults.is_empty(), "{:?}", faults(&parsed.faults));
    let go_mod = parsed.value;
    assert_eq!(go_mod.module.unwrap().value, "ex.com/shop");
    assert_eq!(go_mod.go.unwrap().value, "1.26.0");
    assert_eq!(go_mod.toolchain.unwrap().value, "go1.26.3");
    assert_eq!(
        go_mod.godebug[1].value,
        Godebug {
            key: "panicnil".into(),
            value: "1".into()
        }
    );
    let required: Vec<(&str, Directness)> = go_mod
        .require
        .iter()
        .map(|line| (&*line.value.module.path, line.value.directness))
        .collect();
    assert_eq!(
        required,
        [
            ("ex.com/a", Directness::Direct),
            ("ex.com/b", Directness::Indirect),
            ("ex.com/c", Directness::Indirect),
            ("ex.com/d", Directness::Direct),
            ("ex.com/e/v2", Directness::Direct),
        ]
    );
    assert_eq!(go_mod.exclude[0].value.version, "v1.2.2");
    assert_eq!(
        go_mod.replace[0].value.new,
        ReplacementTarget::Directory("../a".into())
    );
    assert_eq!(
        go_mod.replace[1].value.old_version.as_deref(),
        Some("v0.1.0")
    );
    assert_eq!(go_mod.retract[0].value, "[v1.0.0, v1.1.0]");
    assert_eq!(go_mod.tool[0].value, "ex.com/tool/cmd");
    assert_eq!(go_mod.ignore[0].value, "./node_modules");
}

/// Text behind `module ex.com/m`, and the faults that it has.
#[test]
fn every_fault_is_reported_with_its_place() {
    let cases: [(&str, &[&str]); 24] = [
        (
            "colour red",
            &["2:1 unknown-directive: unknown directive `colour`"],
        ),
        (
            "colour (\n\tred\n)",
            &["3:2 unknown-directive: unknown block `colour`"],
        ),
        (
            "require x (\n\ty\n)",
            &["2:1 unknown-directive: unknown block `require x`"],
        ),
        (
            "require ( ex.com/a v1.0.0 )",
            &["2:1 invalid-value: write it as `require module/path v1.2.3`"],
        ),
        (
            "require ex.com/a",
            &["2:1 invalid-value: write it as `require module/path v1.2.3`"],
        ),
        (
            "require ex.com/a master",
            &["2:1 invalid-value: `master` is no version; write it as v1.2.3"],
        ),
        (
            "require ex.com/a v1.2",
            &["2:1 invalid-value: `v1.2` is not a canonical version; run `go mod tidy`"],
        ),
        (
            "require ex.com/a v2.0.0",
            &["2:1 invalid-value: `ex.com/a` should be at v0 or v1, not v2.0.0"],
        ),
        (
            "go 1.26\ngo 1.26",
            &["3:1 conflict: `go` is said twice; remove one line"],
        ),
        (
            "go \"1.26\"",
            &["2:1 invalid-value: `\\\"1.26\\\"` is no Go version; write it as 1.26.0"],
        ),
        (
            "go (\n\t1.26\n)",
            &["3:2 unknown-directive: unknown block `go`"],
        ),
        (
            "toolchain 1.26",
            &["2:1 invalid-value: `1.26` is no toolchain; write it as go1.26.0 or default"],
        ),
        (
            "godebug x",
            &["2:1 invalid-value: write it as `godebug key=value`"],
        ),
        (
            "replace ex.com/a => ex.com/b",
            &[
                "2:1 invalid-value: a replacement without a version must be a directory that starts with ./ or ../",
            ],
        ),
        (
            "replace ex.com/a => ../b v1.0.0",
            &["2:1 invalid-value: a replacement directory takes no version"],
        ),
        (
            "replace ex.com/a ../b",
            &[
                "2:1 invalid-value: write it as `replace module/path [v1.2.3] => other/module v1.4.0` or `… => ../directory`",
            ],
        ),
        (
            "replace ex.com/a => ex.com/b@v1",
            &["2:1 invalid-value: write the replacement as `path version`, not as `path@version`"],
        ),
        (
            "/* no */",
            &["2:1 syntax: comments start with //, not with /*"],
        ),
        (
            "require (\n\tex.com/a v1.0.0",
            &["2:1 syntax: the block is never closed; add a line with `)`"],
        ),
        (
            "require (\n) x",
            &["3:3 syntax: a closing parenthesis must end its line"],
        ),
        (
            "tool \"open",
            &["2:6 syntax: the string is not closed on its line"],
        ),
        (
            "tool `raw`",
            &[
                "2:1 invalid-value: ``raw`` holds a quote; only double quotes around a whole word are allowed",
            ],
        ),
        (
            "tool a\u{a0}b",
            &["2:7 syntax: unexpected character `\\u{a0}`"],
        ),
        (
            "require ex.com/a v1\nexclude x\ncolour",
            &[
                "2:1 invalid-value: `v1` is not a canonical version; run `go mod tidy`",
                "3:1 invalid-value: write it as `exclude module/path v1.2.3`",
                "4:1 unknown-directive: unknown directive `colour`",
            ],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(
            faults(&strict(&format!("module ex.com/m\n{text}\n")).faults),
            expected,
            "{text:?}"
        );
    }
}

#[test]
fn a_main_module_needs_a_path_that_go_accepts() {
    let cases = [
        (
            "",
            Some(
                "1:1 invalid-value: there is no module declaration; add `module example.com/path`",
            ),
        ),
        ("module go", Some("1:1 invalid-value: `go` is reserved")),
        ("module ex.com/a//c", None),
        (
            "module \"ex.com/a b\"",
            Some("1:1 invalid-value: `ex.com/a b` is no module path: invalid char ' '"),
        ),
        (
            "\u{feff}module ex.com/a",
            Some("1:1 syntax: unexpected character `\\u{feff}`"),
        ),
        ("module ex.com/a\r\n", None),
        ("\tmodule ex.com/a", None),
        ("module foo", None),
    ];
    for (text, expected) in cases {
        let found = faults(&strict(text).faults);
        assert_eq!(found.first().map(String::as_str), expected, "{text:?}");
    }
}

#[test]
fn a_dependency_may_say_what_a_main_module_may_not() {
    let text = "module ex.com/a\ngo 1.22.x\ncolour red\nreplace nonsense\nexclude nonsense\nrequire ex.com/b v1.2\nretract odd\ntoolchain x\ngo (\n1.2\n)\nignore a\n";
    let parsed = parse_go_mod(text.as_bytes(), Strictness::Lax);
    assert!(!parsed.has_errors(), "{:?}", faults(&parsed.faults));
    assert_eq!(parsed.value.go.unwrap().value, "1.22");
    assert_eq!(parsed.value.unknown[0].value, "colour red");
    assert_eq!(parsed.value.require[0].value.module.version, "v1.2.0");
    assert_eq!(parsed.value.ignore.len(), 1);
    assert!(parsed.value.replace.is_empty() && parsed.value.retract.is_empty());
}

#[test]
fn go_work_has_directives_of_its_own() {
    let text = "go 1.26\ntoolchain default\nuse .\nuse (\n\t./a\n\t\"../b\" // why\n)\nreplace ex.com/a => ./a\ngodebug x=1\n";
    let parsed = parse_go_work(text.as_bytes());
    assert!(parsed.faults.is_empty(), "{:?}", faults(&parsed.faults));
    let used: Vec<&str> = parsed.value.r#use.iter().map(|line| &*line.value).collect();
    assert_eq!(used, [".", "./a", "../b"]);
    let parsed = parse_go_work(b"module ex.com/a\nrequire ex.com/b v1.0.0\nuse a b\n");
    assert_eq!(
        faults(&parsed.faults),
        [
            "1:1 unknown-directive: unknown directive `module`",
            "2:1 unknown-directive: unknown directive `require`",
            "3:1 invalid-value: `use` takes exactly one argument",
        ]
    );
    assert_eq!(parsed.value.unknown.len(), 2);
}

#[test]
fn a_million_lines_are_read_in_one_pass() {
    let text = format!(
        "module ex.com/m\nrequire (\n{})\n",
        "\tex.com/a v1.0.0 // indirect\n".repeat(1_000_000)
    );
    let parsed = strict(&text);
    assert_eq!(parsed.value.require.len(), 1_000_000);
    assert!(parsed.faults.is_empty());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(text: Vec<u8>) {
        parse_go_mod(&text, Strictness::Strict);
        parse_go_mod(&text, Strictness::Lax);
        parse_go_work(&text);
    }

    #[test]
    fn no_likely_text_makes_the_parser_panic(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "module", " ", "ex.com/a", "v1.0.0", "(", ")", "\n", "=>", "../x", "//", "/*", "\"", "`", "[", ",", "]",
                "require", "replace", "go", "1.2", "retract", "\\", "\r", "use", "godebug", "a=b",
            ]),
            0..40,
        )
    ) {
        let text = words.concat();
        parse_go_mod(text.as_bytes(), Strictness::Strict);
        parse_go_mod(text.as_bytes(), Strictness::Lax);
        parse_go_work(text.as_bytes());
    }

    #[test]
    fn what_is_written_well_is_read_back(
        requirements in proptest::collection::vec(("[a-z]{1,8}\\.com/[a-z]{1,8}", 0u8..2, 0u8..99, 0u8..99), 0..8),
        replaced in "[a-z./-]{1,12}",
    ) {
        let mut text = String::from("module ex.com/m\n\ngo 1.26\n\nrequire (\n");
        for (path, major, minor, patch) in &requirements {
            text.push_str(&format!("\t{path} v{major}.{minor}.{patch}\n"));
        }
        text.push_str(&format!(")\n\nreplace ex.com/x => \"./{replaced}\"\n"));
        let parsed = strict(&text);
        proptest::prop_assert!(parsed.faults.is_empty(), "{:?}", faults(&parsed.faults));
        let read: Vec<String> = parsed
            .value
            .require
            .iter()
            .map(|line| format!("{} {}", line.value.module.path, line.value.module.version))
            .collect();
        let written: Vec<String> = requirements
            .iter()
            .map(|(path, major, minor, patch)| format!("{path} v{major}.{minor}.{patch}"))
            .collect();
        proptest::prop_assert_eq!(read, written);
        proptest::prop_assert_eq!(
            &parsed.value.replace[0].value.new,
            &ReplacementTarget::Directory(format!("./{replaced}"))
        );
    }
}
