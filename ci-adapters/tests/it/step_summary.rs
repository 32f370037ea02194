//! The summary of a step on GitHub.

use crate::plans::{HOSTILE, hostile_plan, plan, plan_of, row, row_for};
use rebake_ci::github::{SUMMARY_LIMIT, SummaryFacts, step_summary};
use serde_json::json;
use std::time::Duration;

fn facts(limit: usize) -> SummaryFacts {
    SummaryFacts {
        took: Duration::from_millis(12),
        without_baseline: None,
        build_times: Vec::new(),
        limit,
    }
}

#[test]
fn the_summary_tells_verdicts_reasons_and_what_had_no_effect() {
    let changed = json!({
        "kind": "file-changed", "path": "internal/money/money.go", "file_kind": "go", "old": null, "new": null,
        "via": ["example.com/shop/internal/money", "example.com/shop/services/api"],
    });
    let unchanged = json!({"kind": "unchanged"});
    let mut plan = plan(&[
        row_for(
            "api",
            "linux/amd64",
            "rebuild",
            std::slice::from_ref(&changed),
        ),
        row_for(
            "api",
            "linux/arm64",
            "rebuild",
            std::slice::from_ref(&changed),
        ),
        row_for(
            "cart",
            "linux/amd64",
            "rebuild",
            &[json!({"kind": "service-added"})],
        ),
        row_for(
            "cart",
            "linux/arm64",
            "rebuild",
            &[json!({"kind": "uncertain", "codes": ["syntax"]})],
        ),
        row("web", "reuse", &[unchanged]),
    ]);
    plan.removed = vec!["old".to_owned()];
    plan.unaffected = vec!["README.md".to_owned()];
    plan.diagnostics = serde_json::from_value(json!([{
        "code": "syntax", "severity": "error", "message": "unexpected }", "path": "services/cart/main.go",
        "line": 7, "column": 1, "services": ["cart"],
    }]))
    .unwrap();
    insta::assert_snapshot!(step_summary(&plan, &facts(SUMMARY_LIMIT)));
}

#[test]
fn the_summary_says_why_there_was_nothing_to_compare_with() {
    let mut plan = plan(&[row("api", "rebuild", &[json!({"kind": "no-baseline"})])]);
    plan.baseline = None;
    let facts = SummaryFacts {
        without_baseline: Some("a tag was pushed, so everything is built".to_owned()),
        ..facts(SUMMARY_LIMIT)
    };
    let text = step_summary(&plan, &facts);
    assert!(
        text.contains("Compared with nothing&#58; a tag")
            || text.contains("Compared with nothing: a tag"),
        "{text}"
    );
}

#[test]
fn the_summary_tells_the_time_saved_where_it_was_measured_and_no_other() {
    let unchanged = json!({"kind": "unchanged"});
    let rows: Vec<_> = ["api", "cart", "web"]
        .iter()
        .map(|name| row(name, "reuse", std::slice::from_ref(&unchanged)))
        .collect();
    let saved = |seconds: &[u64]| {
        let facts = SummaryFacts {
            build_times: seconds.iter().map(|s| Duration::from_secs(*s)).collect(),
            ..facts(SUMMARY_LIMIT)
        };
        let text = step_summary(&plan(&rows), &facts);
        let line = text.lines().find(|line| line.starts_with("Saved: "));
        line.unwrap().to_owned()
    };
    assert_eq!(saved(&[]), "Saved: 3 builds");
    assert_eq!(saved(&[41]), "Saved: 3 builds; 1 of them last took 41 s");
    assert_eq!(
        saved(&[41, 20, 0]),
        "Saved: 3 builds, which last took 1 min 1 s"
    );
    assert_eq!(
        saved(&[3_600, 1_800, 59]),
        "Saved: 3 builds, which last took 1 h 30 min"
    );
    let nothing = plan(&[row("api", "rebuild", &[json!({"kind": "no-baseline"})])]);
    assert!(!step_summary(&nothing, &facts(SUMMARY_LIMIT)).contains("Saved"));
}

#[test]
fn a_page_that_the_runner_would_throw_away_ends_early_and_says_so() {
    for limit in [SUMMARY_LIMIT, 20_000, 4_000, 0] {
        let mut plan = plan_of(5_000);
        plan.unaffected = (0..100_000)
            .map(|number| format!("docs/{number}"))
            .collect();
        plan.removed = (0..5_000).map(|number| format!("old-{number}")).collect();
        let text = step_summary(&plan, &facts(limit));
        assert!(
            text.len() <= limit.max(4_000),
            "{} of {limit} bytes",
            text.len()
        );
        assert!(text.contains("5000 services to build"), "{text}");
        if limit < SUMMARY_LIMIT {
            assert!(text.contains("more rows do not fit here"), "{text}");
        } else {
            assert!(text.contains("more do not fit here"), "{text}");
        }
    }
}

#[test]
fn no_text_of_a_repository_is_markup() {
    for hostile in HOSTILE {
        let text = step_summary(&hostile_plan(hostile), &facts(SUMMARY_LIMIT));
        let plain = step_summary(&hostile_plan("x"), &facts(SUMMARY_LIMIT));
        // As many lines, cells and tags as with a plain text.
        assert_eq!(text.lines().count(), plain.lines().count(), "{hostile:?}");
        for mark in ["<", ">", " | "] {
            assert_eq!(
                text.replace("\\|", "").matches(mark).count(),
                plain.matches(mark).count(),
                "{hostile:?}: {text}"
            );
        }
        let unescaped = |mark: char| {
            text.match_indices(mark)
                .filter(|(at, _)| !text[..*at].ends_with('\\'))
                .count()
        };
        for mark in ['[', ']', '`', '*', '!', '$', '{'] {
            assert_eq!(unescaped(mark), 0, "{mark} in {text}");
        }
        assert!(!text.contains('@'), "{text}");
        assert!(
            !text.contains(|character: char| character.is_control() && character != '\n'),
            "{text:?}"
        );
        assert!(!text.contains(['\u{202e}', '\u{2028}']), "{text:?}");
    }
}
