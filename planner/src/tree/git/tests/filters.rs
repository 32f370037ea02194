use super::sandbox::{Sandbox, path};
use crate::path::RepoPath;
use crate::tree::git::{CheckoutFilter, WorkTreeState, is_lfs_pointer};

#[test]
fn lfs_pointers_are_told_from_content() {
    let oid = format!("oid sha256:{}\n", "4d7a".repeat(16));
    let version = "version https://git-lfs.github.com/spec/v1\n";
    let rows = [
        (format!("{version}{oid}size 12345\n"), true),
        (format!("{version}ext-0-foo sha256:ab\n{oid}size 0\n"), true),
        (format!("{version}{oid}"), false),
        (format!("{version}size 1\n"), false),
        (format!("{version}{oid}size x\n"), false),
        (format!("{oid}{version}size 1\n"), false),
        (format!("{version}{oid}size 1\n{}", "x".repeat(1024)), false),
        (String::new(), false),
        ("package main\n".to_owned(), false),
    ];
    for (content, expected) in rows {
        assert_eq!(is_lfs_pointer(content.as_bytes()), expected, "{content:?}");
    }
}

fn filters(pairs: &[(RepoPath, CheckoutFilter)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(path, filter)| (path.to_string(), filter.to_string()))
        .collect()
}

const ATTRIBUTES: &str = "\
# comment
*.txt text
*.bat text eol=crlf
*.sh eol=lf
*.both eol=crlf ident
*.psd filter=lfs diff=lfs merge=lfs -text
*.secret filter=crypt
*.utf16 working-tree-encoding=UTF-16LE
*.utf8 working-tree-encoding=utf-8
*.old crlf
*.auto text=auto eol=crlf
[attr]windows text eol=crlf
*.win windows
*.png binary eol=crlf
/anchored.dat filter=lfs
sub/** filter=none-at-all
sub/plain !filter
";

#[test]
fn attributes_name_the_conversions_of_a_checkout() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/.gitattributes", ATTRIBUTES);
    sandbox.write(
        "repo/deep/er/.gitattributes",
        "*.bat -text\n*.psd -filter\n[attr]no filter=x\n*.no no\n",
    );
    sandbox.write("repo/linked/x.txt", "x");
    let files = [
        "a.txt",
        "a.bat",
        "a.sh",
        "a.both",
        "a.psd",
        "a.secret",
        "a.utf16",
        "a.utf8",
        "a.old",
        "a.auto",
        "a.win",
        "a.png",
        "a.go",
        "anchored.dat",
        "deep/anchored.dat",
        "deep/er/a.bat",
        "deep/er/a.psd",
        "deep/er/a.no",
        "deep/b.bat",
        "sub/x",
        "sub/plain",
    ];
    for file in files {
        sandbox.write(&format!("repo/{file}"), "x\n");
    }
    sandbox.commit("repo");
    let paths: Vec<RepoPath> = files.iter().map(|file| path(file)).collect();
    let expected: Vec<(String, String)> = [
        ("a.bat", "eol=crlf"),
        ("a.both", "eol=crlf"),
        ("a.both", "ident"),
        ("a.psd", "filter=lfs"),
        ("a.secret", "filter=crypt"),
        ("a.utf16", "working-tree-encoding=UTF-16LE"),
        ("a.auto", "eol=crlf"),
        ("a.win", "eol=crlf"),
        ("anchored.dat", "filter=lfs"),
        ("deep/b.bat", "eol=crlf"),
        ("sub/x", "filter=none-at-all"),
    ]
    .map(|(path, filter)| (path.to_owned(), filter.to_owned()))
    .into();
    let of_commit = sandbox.head_tree("repo").checkout_filters(&paths).unwrap();
    assert_eq!(filters(&of_commit), expected);
    let state = WorkTreeState::read(&sandbox.repository("repo"), &RepoPath::root()).unwrap();
    assert_eq!(filters(&state.checkout_filters(&paths).unwrap()), expected);

    // The real git decides: which files does a checkout write with CRLF?
    sandbox.git("repo", &["rm", "--quiet", "-r", "--cached", "."]);
    sandbox.git("repo", &["reset", "--hard", "--quiet"]);
    for file in files {
        std::fs::remove_file(sandbox.path("repo").join(file)).unwrap();
    }
    sandbox.git("repo", &["checkout", "--quiet", "--", "."]);
    for file in files {
        let content = std::fs::read(sandbox.path("repo").join(file)).unwrap();
        let named = expected.contains(&(file.to_owned(), "eol=crlf".to_owned()));
        assert_eq!(content == b"x\r\n", named, "{file}");
    }
}

#[test]
fn attributes_above_the_root_count() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/.gitattributes", "*.bin filter=lfs\n");
    sandbox.write("repo/service/a.bin", "x");
    sandbox.commit("repo");
    let repository = sandbox.repository("repo");
    let head = repository.head().unwrap().unwrap();
    let root = path("service");
    let asked = [path("a.bin")];
    let expected = [(path("a.bin"), CheckoutFilter::Lfs)];
    let tree = repository.tree(head, &root).unwrap();
    assert_eq!(tree.checkout_filters(&asked).unwrap(), expected);
    let state = WorkTreeState::read(&repository, &root).unwrap();
    assert_eq!(state.checkout_filters(&asked).unwrap(), expected);
}

#[test]
fn the_configuration_of_the_repository_decides_line_ends_of_its_work_tree_only() {
    let sandbox = Sandbox::with_repository();
    sandbox.write(
        "repo/.gitattributes",
        "*.txt text\n*.lf eol=lf\n*.bin -text\n",
    );
    sandbox.commit("repo");
    let asked = [path("a.txt"), path("a.lf"), path("a.bin"), path("a.go")];
    type Row = (
        &'static [(&'static str, &'static str)],
        &'static [&'static str],
    );
    let rows: [Row; 5] = [
        (&[], &[]),
        (&[("core.eol", "crlf")], &["a.txt"]),
        (
            &[("core.eol", "lf"), ("core.autocrlf", "true")],
            &["a.txt", "a.go"],
        ),
        (&[("core.autocrlf", "input")], &[]),
        (&[("core.autocrlf", "false")], &[]),
    ];
    for (settings, expected) in rows {
        for (key, value) in settings {
            sandbox.git("repo", &["config", key, value]);
        }
        let repository = sandbox.repository("repo");
        let state = WorkTreeState::read(&repository, &RepoPath::root()).unwrap();
        let found = state.checkout_filters(&asked).unwrap();
        let names: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(names, expected, "{settings:?}");
        let commit = sandbox.head_tree("repo").checkout_filters(&asked).unwrap();
        assert_eq!(commit, [], "{settings:?}");
        for (key, _) in settings {
            sandbox.git("repo", &["config", "--unset", key]);
        }
    }
}

#[test]
fn info_attributes_come_first_and_stay_on_this_machine() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/.gitattributes", "*.a filter=lfs\n");
    sandbox.write("repo/.git/info/attributes", "*.a -filter\n*.b filter=lfs\n");
    sandbox.commit("repo");
    let asked = [path("x.a"), path("x.b")];
    let state = WorkTreeState::read(&sandbox.repository("repo"), &RepoPath::root()).unwrap();
    let expected = [(path("x.b"), CheckoutFilter::Lfs)];
    assert_eq!(state.checkout_filters(&asked).unwrap(), expected);
    let expected = [(path("x.a"), CheckoutFilter::Lfs)];
    assert_eq!(
        sandbox.head_tree("repo").checkout_filters(&asked).unwrap(),
        expected
    );
}

#[test]
fn macros_that_name_themselves_and_each_other_end() {
    let sandbox = Sandbox::with_repository();
    let attributes = "[attr]a b filter=lfs\n[attr]b a b\n* a\n*.off -a\n";
    sandbox.write("repo/.gitattributes", attributes);
    sandbox.commit("repo");
    let asked = [path("x"), path("x.off")];
    let found = sandbox.head_tree("repo").checkout_filters(&asked).unwrap();
    assert_eq!(found, [(path("x"), CheckoutFilter::Lfs)]);
    assert_eq!(
        sandbox.git("repo", &["check-attr", "filter", "x"]),
        "x: filter: lfs"
    );
    let off = sandbox.git("repo", &["check-attr", "filter", "x.off"]);
    assert_eq!(off, "x.off: filter: unspecified");
}

#[test]
fn an_attribute_file_that_would_cost_too_much_is_an_error() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/sub/.gitattributes", "a eol=lf\n".repeat(200_000));
    sandbox.commit("repo");
    let tree = sandbox.head_tree("repo");
    assert_eq!(tree.checkout_filters(&[path("x")]).unwrap(), []);
    let error = tree.checkout_filters(&[path("sub/x")]).unwrap_err();
    assert_eq!(error.path, path("sub/.gitattributes"));
}
