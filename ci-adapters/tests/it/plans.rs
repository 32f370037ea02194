//! Plans as tests need them.

use rebake_planner::wire::PlanDocument;
use serde_json::{Value, json};

/// Texts that mean something to one of the places where they go.
pub(crate) const HOSTILE: &[&str] = &[
    "a'b\"c",
    "a\nb",
    "a\r\nb",
    "$(touch pwned)",
    "`touch pwned`",
    "::set-output name=x::y",
    "\n::add-mask::true",
    "##[add-mask]true",
    "${{ github.token }}",
    "$CI_JOB_TOKEN",
    "EOF\nany=false",
    "ghadelimiter<<EOF",
    "\u{1b}[2J\u{1b}]0;x\u{7}",
    "\u{202e}txt.exe",
    "\u{2028}x",
    "</details><script>alert(1)</script>",
    "| a | b |",
    "[x](https://example.com)",
    "![x](https://example.com/x.png)",
    "@everyone",
    "- !reference [x]",
    "key: value # comment",
    "&anchor *alias",
    "section_start:0:x",
];

/// A row of a service.
pub(crate) fn row(name: &str, verdict: &str, reasons: &[Value]) -> Value {
    row_for(name, "linux/amd64", verdict, reasons)
}

/// A row of a service on a platform.
pub(crate) fn row_for(name: &str, platform: &str, verdict: &str, reasons: &[Value]) -> Value {
    let key = "ab".repeat(32);
    json!({
        "name": name,
        "main": format!("example.com/shop/services/{name}"),
        "dir": format!("services/{name}"),
        "platform": platform,
        "key": key,
        "dependency_key": key,
        "tag": format!("k-{key}"),
        "tier": "module",
        "verdict": verdict,
        "reasons": reasons,
        "cache": {},
    })
}

/// A plan with these rows.
pub(crate) fn plan(rows: &[Value]) -> PlanDocument {
    serde_json::from_value(json!({
        "version": 1,
        "root": {"vcs": "git", "commit": "c".repeat(40), "dirty": false},
        "baseline": {"kind": "commit", "revision": "main", "commit": "b".repeat(40)},
        "services": rows,
        "removed": [],
        "unaffected": [],
        "excluded_mains": 0,
        "diagnostics": [],
    }))
    .unwrap()
}

/// A plan of many services that are all to be built.
pub(crate) fn plan_of(services: usize) -> PlanDocument {
    let rows: Vec<Value> = (0..services)
        .map(|number| {
            let reason = json!({
                "kind": "file-changed",
                "path": format!("services/s{number:05}/main.go"),
                "file_kind": "go",
                "old": null,
                "new": null,
                "via": [],
            });
            row(&format!("s{number:05}"), "rebuild", &[reason])
        })
        .collect();
    plan(&rows)
}

/// A plan in which every text that a repository chooses is this one.
pub(crate) fn hostile_plan(text: &str) -> PlanDocument {
    let mut plan = plan(&[
        row(
            "api",
            "rebuild",
            &[
                json!({"kind": "manifest-changed", "path": text, "name": text, "old": text, "new": text}),
                json!({"kind": "module-changed", "module": text, "old": text, "new": text}),
                json!({"kind": "baseline-unavailable", "message": text}),
                json!({"kind": "uncertain", "codes": [text]}),
            ],
        ),
        row("web", "reuse", &[json!({"kind": "unchanged"})]),
    ]);
    plan.removed = vec![text.to_owned()];
    plan.unaffected = vec![text.to_owned()];
    plan.diagnostics = serde_json::from_value(json!([{
        "code": text, "severity": "warning", "message": text, "path": text, "line": 1, "column": 1, "services": [text],
    }]))
    .unwrap();
    plan
}
