//! The exit codes, which other programs rely on.

use crate::shop::Shop;

#[test]
fn every_exit_code_means_what_the_help_says() {
    let shop = Shop::new();
    let cases: &[(&[&str], i32)] = &[
        (&["--help"], 0),
        (&["--version"], 0),
        (&["demo"], 0),
        (&["plan"], 0),
        (&["inputs"], 0),
        (&["inputs", "api"], 0),
        (&["graph"], 0),
        (&["graph", "api", "--format", "dot"], 0),
        (&["explain"], 0),
        (&["explain", "embed"], 0),
        (&["schema", "plan"], 0),
        // Nothing is in doubt, so there is nothing to be strict about.
        (&["plan", "--strict"], 0),
        // What is in doubt fails only who asks for it.
        (&["plan", "--go", "1.99"], 0),
        (&["plan", "--go", "1.99", "--strict"], 1),
        (&["plan", "--services", "nothing/**", "--strict"], 1),
        (&["plan", "--root", "nowhere"], 1),
        (&["plan", "--root", "go.mod"], 1),
        (&[], 2),
        (&["rebuild"], 2),
        (&["plan", "--no-such-flag"], 2),
        (&["plan", "--platform", "linux"], 2),
        (&["plan", "--go", "latest"], 2),
        (&["plan", "--tags", "a b"], 2),
        (&["plan", "--threads", "0"], 2),
        (&["plan", "--services", "["], 2),
        (&["plan", "--head", "main"], 2),
        (&["inputs", "nope"], 2),
        (&["inputs", "No Name"], 2),
        (&["explain", "nope"], 2),
        (&["schema"], 2),
        (&["plan", "--exit-code"], 3),
        // A failure counts more than a rebuild.
        (&["plan", "--go", "1.99", "--strict", "--exit-code"], 1),
    ];
    for (arguments, code) in cases {
        let answer = shop.run(arguments);
        assert_eq!(answer.code, *code, "{arguments:?}: {answer:?}");
    }
}

#[test]
fn without_images_nothing_must_be_rebuilt() {
    let answer = Shop::new().run(&["plan", "--services", "nothing/**", "--exit-code"]);
    assert_eq!(answer.code, 0, "{answer:?}");
}

#[cfg(unix)]
#[test]
fn a_tree_that_could_not_be_read_in_whole_fails_with_what_is_known() {
    let shop = Shop::new();
    std::fs::create_dir_all(shop.root().join("tools")).unwrap();
    std::os::unix::fs::symlink("nowhere", shop.root().join("tools/go.mod")).unwrap();
    let answer = shop.run(&["plan", "--exit-code"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stderr.contains("tools/go.mod"), "{answer:?}");
    assert!(answer.stdout.contains("api"), "{answer:?}");
}

#[test]
fn outside_of_every_tree_the_root_must_be_named() {
    let shop = Shop::new();
    std::fs::remove_file(shop.root().join("go.mod")).unwrap();
    let answer = shop.run(&["plan"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stderr.contains("--root"), "{answer:?}");
}
