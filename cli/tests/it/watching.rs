//! `rebake plan --watch` plans again when something changes.

use crate::shop::Shop;
use rebake_fixtures::entry::write_entries;
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

/// Far longer than any machine needs, so that only a plan that never comes fails.
const PATIENCE: Duration = Duration::from_secs(60);

struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn start(shop: &Shop, arguments: &[&str]) -> Self {
        Self::start_in(&shop.root(), arguments)
    }

    fn start_in(directory: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rebake"))
            .args(["plan", "--watch", "--format", "json"])
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    fn next(&self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keys(plan: &Value) -> Vec<&str> {
    let rows = plan["services"].as_array().unwrap();
    rows.iter()
        .map(|row| row["key"].as_str().unwrap_or("none"))
        .collect()
}

#[test]
fn a_change_is_planned_and_what_changes_nothing_is_not_shown() {
    let shop = Shop::new();
    let watching = Watching::start(&shop, &[]);
    let first = watching.next();
    // Neither changes a plan of a directory without git.
    shop.write("README.md", "# Shop\n");
    shop.write("internal/money/money_test.go", "package money\n");
    shop.write("internal/catalog/catalog.go", "package catalog // edited\n");
    let second = watching.next();
    assert_ne!(keys(&first), keys(&second));
    // What is broken is shown, and mended again.
    shop.write("rebake.toml", "no-such-key = 1\n");
    shop.write(
        "internal/catalog/catalog.go",
        "package catalog // edited again\n",
    );
    shop.remove("rebake.toml");
    let third = watching.next();
    assert_ne!(keys(&second), keys(&third));
}

#[cfg(unix)]
#[test]
fn an_edit_in_a_directory_that_a_link_leads_to_is_planned() {
    let shop = Shop::new();
    std::os::unix::fs::symlink("internal", shop.root().join("z")).unwrap();
    shop.commit_all();
    let watching = Watching::start(&shop, &["--base", "HEAD"]);
    assert_eq!(watching.next()["services"][0]["verdict"], "reuse");
    shop.write("internal/catalog/catalog.go", "package catalog // edited\n");
    assert_eq!(watching.next()["services"][0]["verdict"], "rebuild");
}

#[cfg(unix)]
#[test]
fn a_write_by_another_name_of_a_file_is_planned() {
    let shop = Shop::new();
    let read = shop.root().join("internal/catalog/catalog.go");
    let outside = shop.root().with_file_name("outside.go");
    std::fs::hard_link(&read, &outside).unwrap();
    shop.write("docs/README.md", "# Docs\n");
    let plan = shop.run(&["plan", "--format", "json"]).stdout;
    std::fs::write(shop.root().with_file_name("plan.json"), plan).unwrap();
    for arguments in [&[][..], &["--baseline", "../plan.json"]] {
        let watching = Watching::start(&shop, arguments);
        let first = watching.next();
        // It lies where nothing is watched.
        std::fs::write(&outside, "package catalog // edited\n").unwrap();
        let second = watching.next();
        assert_ne!(keys(&first), keys(&second), "{arguments:?}");
        // It lies where no plan looks, and had no other name before.
        let inside = shop.root().join("docs/cart.go");
        std::fs::hard_link(shop.root().join("services/cart/main.go"), &inside).unwrap();
        let text = std::fs::read_to_string(&inside).unwrap();
        std::fs::write(&inside, format!("{text}// edited\n")).unwrap();
        assert_ne!(keys(&second), keys(&watching.next()), "{arguments:?}");
        std::fs::remove_file(&inside).unwrap();
        std::fs::write(&outside, "package catalog\n").unwrap();
    }
}

#[test]
fn a_commit_is_a_change_of_what_is_compared_with() {
    let shop = Shop::new();
    shop.commit_all();
    let watching = Watching::start(&shop, &["--base", "HEAD"]);
    assert_eq!(watching.next()["services"][0]["verdict"], "reuse");
    shop.write("services/api/more.go", "package main\n");
    assert_eq!(watching.next()["services"][0]["verdict"], "rebuild");
    shop.commit_all();
    loop {
        if watching.next()["services"][0]["verdict"] == "reuse" {
            break;
        }
    }
}

#[test]
fn a_base_that_moves_is_compared_with_where_it_is() {
    let shop = Shop::new();
    shop.commit_all();
    shop.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    shop.write("services/api/more.go", "package main\n");
    shop.commit_all();
    let watching = Watching::start(&shop, &["--base", "origin/main"]);
    assert_eq!(watching.next()["services"][0]["verdict"], "rebuild");
    shop.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    assert_eq!(watching.next()["services"][0]["verdict"], "reuse");
}

#[test]
fn commits_are_seen_where_git_keeps_them_elsewhere() {
    let shop = Shop::new();
    let below = Shop::empty();
    below.write("README.md", "# Below\n");
    write_entries(&rebake_fixtures::demo(), &below.root().join("go")).unwrap();
    shop.commit_all();
    below.commit_all();
    shop.git(&["worktree", "add", "--quiet", "-b", "side", "../linked"]);
    let linked = shop.root().with_file_name("linked");
    for (git, root) in [(&shop, linked), (&below, below.root().join("go"))] {
        let watching = Watching::start_in(&root, &["--root", ".", "--base", "HEAD"]);
        assert_eq!(watching.next()["services"][0]["verdict"], "reuse");
        let main = root.join("services/api/more.go");
        std::fs::write(main, "package main\n").unwrap();
        assert_eq!(watching.next()["services"][0]["verdict"], "rebuild");
        let root = root.to_str().unwrap();
        git.git(&["-C", root, "add", "--all"]);
        git.git(&["-C", root, "commit", "--quiet", "--message=x"]);
        loop {
            if watching.next()["services"][0]["verdict"] == "reuse" {
                break;
            }
        }
    }
}
