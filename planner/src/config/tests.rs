use super::*;

fn faults(source: &str) -> Vec<String> {
    parse_config(source.as_bytes())
        .faults
        .iter()
        .map(|fault| format!("{} {}: {}", fault.position, fault.code, fault.message))
        .collect()
}

#[test]
fn every_key_is_read() {
    let source = r#"
services = ["services/*", "cmd/**"]
platforms = ["linux/amd64", "linux/arm64"]
cgo = true
tags = ["netgo"]
build-flags = ["-ldflags=-s -w"]
go = "1.26"
back-edges = ["ex.com/shop/api"]

[[service]]
dir = "services/api/"
name = "gateway"
platforms = ["linux/arm64"]
cgo = false
tags = []
assets = ["deploy/api/**"]
inputs = ["proto/*.proto"]
exclude = ["**/*.md"]
dockerfile = "./services/api/Dockerfile"
context = "services/api"

[[service]]
dir = "web"
kind = "dockerfile"
dockerfile = "web/Dockerfile"

[groups]
edge = ["gateway", "web"]

[[rule]]
paths = ["docs/**"]
affects = "none"

[[rule]]
paths = ["proto/**", "*.env"]
affects = ["worker", "@edge"]

[[rule]]
paths = ["scripts/**"]
affects = "all"
"#;
    let parsed = parse_config(source.as_bytes());
    assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
    let config = parsed.value;
    assert_eq!(config.services.len(), 2);
    assert_eq!(config.defaults.cgo, Some(Cgo::Enabled));
    assert_eq!(
        config.defaults.back_edges,
        Some(vec!["ex.com/shop/api".to_owned()])
    );
    let service = &config.service[0].value;
    assert_eq!(service.dir.as_str(), "services/api");
    assert_eq!(service.name.as_ref().unwrap().as_str(), "gateway");
    assert_eq!(service.settings.tags, Some(Vec::new()));
    let files = &service.files;
    let counts = (files.assets.len(), files.inputs.len(), files.exclude.len());
    assert_eq!(counts, (1, 1, 1));
    let dockerfile = files.dockerfile.as_ref().unwrap();
    assert_eq!(dockerfile.value.as_str(), "services/api/Dockerfile");
    assert_eq!(files.context.as_ref().unwrap().as_str(), "services/api");
    assert_eq!(config.service[1].value.kind, ServiceKind::Dockerfile);
    let (edge, members) = config.groups.first_key_value().unwrap();
    assert_eq!((edge.as_str(), members.len()), ("edge", 2));
    assert_eq!(config.rules[0].value.affects, Affected::None);
    let Affected::These(terms) = &config.rules[1].value.affects else {
        panic!("{:?}", config.rules);
    };
    let name = |text: &str| text.parse().unwrap();
    assert_eq!(terms[0].value, ServiceTerm::Service(name("worker")));
    assert_eq!(terms[1].value, ServiceTerm::Group(name("edge")));
    assert_eq!(config.rules[2].value.affects, Affected::All);
}

#[test]
fn every_fault_is_reported_with_its_place() {
    let cases: [(&str, &[&str]); 20] = [
        (
            "platforms = [\"linux/amd64\", 3]\ngo = 1.26",
            &[
                "1:29 invalid-value: `platforms` holds strings, not a value of type integer",
                "2:6 invalid-value: `go` is a string, not a value of type float",
            ],
        ),
        (
            "runtime = \"alpin\"",
            &[
                "1:11 invalid-value: `alpin` is no runtime; did you mean `alpine`? An image that is called so is written with its tag or digest",
            ],
        ),
        (
            "[[rule]]\npaths = [\"a\"]\naffects = \"some\"",
            &[
                "3:11 invalid-value: `affects` is \"all\", \"none\", or a list of services and @groups",
            ],
        ),
        (
            "[[rule]]\npath = [\"a\"]\naffects = \"all\"",
            &[
                "1:1 invalid-value: a [[rule]] needs `paths`",
                "2:1 unknown-key: unknown key `path`; did you mean `paths`?",
            ],
        ),
        (
            "[groups]\n\"A B\" = [\"api\"]",
            &[
                "2:1 invalid-value: `A B` is no service name: use 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends",
            ],
        ),
        (
            "[[service]]\ndir = \"x\"\nkind = \"node\"",
            &["3:8 invalid-value: `node` is no kind of service; there are `go` and `dockerfile`"],
        ),
        (
            "[[service]]\ndir = \"x\"\nkind = \"dockerfile\"",
            &[
                "1:1 invalid-value: a service of the kind `dockerfile` needs `dockerfile`, the path of it",
            ],
        ),
        (
            "platform = []\nservcies = []",
            &[
                "1:1 unknown-key: unknown key `platform`; did you mean `platforms`?",
                "2:1 unknown-key: unknown key `servcies`; did you mean `services`?",
            ],
        ),
        (
            "colour = 1",
            &[
                "1:1 unknown-key: unknown key `colour`; known keys are back-edges, build-flags, cgo, compile-ahead, credentials, cut-go-image, cut-manifests, go, go-image, gonosumdb, goprivate, goproxy, groups, platforms, profile, prove, rule, runtime, service, services, tags, version-variable",
            ],
        ),
        (
            "cgo = \"yes\"",
            &["1:7 invalid-value: `cgo` is true or false, not a value of type string"],
        ),
        (
            "go = \"1.x\"",
            &[
                "1:6 invalid-value: `1.x` is no Go version; write it as `1.26`, `1.26.3` or `1.26rc1`",
            ],
        ),
        (
            "tags = [\"a b\", \"c\", 3]",
            &[
                "1:9 invalid-value: `a b` is no build tag: use letters, digits, `_` and `.`",
                "1:21 invalid-value: `tags` holds strings, not a value of type integer",
            ],
        ),
        (
            "[[service]]\nname = \"x\"",
            &["1:1 invalid-value: a [[service]] needs `dir`, the directory of its main package"],
        ),
        (
            "[[service]]\ndir = \"../x\"",
            &["2:7 invalid-value: `../x` leads out of the root"],
        ),
        (
            "[[service]]\ndir = \"x\"\n[[service]]\ndir = \"x\"",
            &["3:1 conflict: the service directory `x` is declared twice; merge the tables"],
        ),
        (
            "service = 1",
            &[
                "1:11 invalid-value: `service` is an array of tables: write [[service]], not a value of type integer",
            ],
        ),
        (
            "build-flags = [\"-tags=x\"]",
            &[
                "1:16 invalid-value: the build flag `-tags=x` would change which files are built; use the key `tags`",
            ],
        ),
        (
            "runtime = \"Alpine\"\nprofile = \"fast\"\nprove = 1\ngoproxy = \"https://a:b@c\"",
            &[
                "1:11 invalid-value: `Alpine` is no image reference: a part of its name is not made of lower-case letters and digits, separated by `.`, `_`, `__` or dashes",
                "2:11 invalid-value: `fast` is no profile; there are `layers` and `mounts`",
                "3:9 invalid-value: `prove` is true or false, not a value of type integer",
                "4:11 invalid-value: `https://a:b@c` is no list of module sources: it holds a user or a password, which would be readable in the image; use a secret",
            ],
        ),
        (
            "goproxy = \"https://a, direct\"\ngoprivate = \"ex.com\\u001b[1m\"\n[[service]]\ndir = \"a\"\n  gonosumdb = \"ex.com \"",
            &[
                "1:11 invalid-value: `https://a, direct` is no list of module sources: it holds white space; separate the sources by commas alone",
                "2:13 invalid-value: `ex.com\\u{1b}[1m` is no list of module sources: it holds a control character",
                "5:15 invalid-value: `ex.com ` is no list of module sources: it holds white space; separate the sources by commas alone",
            ],
        ),
        (
            "platforms = []",
            &["1:13 invalid-value: name at least one platform"],
        ),
    ];
    for (source, expected) in cases {
        assert_eq!(faults(source), expected, "{source}");
    }
}

#[test]
fn a_syntax_error_hides_no_other_fault() {
    let found = faults("go = 1.2.3\ncolour = 1\n");
    assert!(
        found
            .iter()
            .any(|fault| fault.starts_with("1:") && fault.contains("syntax")),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|fault| fault.contains("unknown key `colour`")),
        "{found:?}"
    );
}

#[test]
fn what_is_not_utf8_is_a_fault() {
    assert_eq!(
        parse_config(b"a = 1\n\xff").faults[0].position,
        Position { line: 2, column: 1 }
    );
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(source: Vec<u8>) {
        parse_config(&source);
    }

    #[test]
    fn no_likely_text_makes_the_reader_panic(
        words in proptest::collection::vec(
            proptest::sample::select(vec!["[[service]]", "dir", "=", "\"a\"", "[", "]", "{", "}", "\n", "cgo", "true", ",", "."]),
            0..40,
        )
    ) {
        parse_config(words.join(" ").as_bytes());
    }
}
