//! What holds for every parser, whatever the bytes.
//!
//! In: any bytes. Out: nothing; a broken invariant panics. The property tests beside this file and the fuzz targets
//! share it, so it must use nothing but the planner's public functions.

use rebake_planner::{
    config::parse_config,
    diagnostic::{Fault, Located, Position},
    discover::context_pattern::ContextPattern,
    parse::{
        c_file,
        constraint::{
            Constraint, parse_cgo_condition, parse_go_build, parse_plus_build, split_go_build,
            split_plus_build,
        },
        constraint_header::ConstraintHeader,
        dockerfile::{ReadSource, parse_dockerfile},
        dockerignore::parse_dockerignore,
        embed_pattern::parse_embed_pattern,
        go_file::{GoFile, parse_go_file, parse_header_within},
        go_mod::{Strictness, parse_go_mod, parse_go_work},
        go_sum::parse_go_sum,
        modules_txt::parse_modules_txt,
    },
};
use std::fmt::Debug;

/// A parser's invariants, as a function over any bytes.
pub(crate) type Invariant = fn(&[u8]);

/// Every parser with its invariants, under the name of its fuzz target.
pub(crate) const ALL: [(&str, Invariant); 11] = [
    ("go_mod", go_mod),
    ("go_work", go_work),
    ("go_sum", go_sum),
    ("modules_txt", modules_txt),
    ("go_file", go_file),
    ("c_file", c_source),
    ("embed_pattern", embed_pattern),
    ("build_constraint", build_constraint),
    ("config", config),
    ("dockerfile", dockerfile),
    ("dockerignore", dockerignore),
];

/// go.mod, read as a main module's and as a dependency's.
pub(crate) fn go_mod(source: &[u8]) {
    let places = Places::of(source);
    for strictness in [Strictness::Strict, Strictness::Lax] {
        let parsed = same_twice(|| parse_go_mod(source, strictness));
        places.check_faults(&parsed.faults);
        let value = &parsed.value;
        let single = [&value.module, &value.go, &value.toolchain];
        places.check(single.into_iter().flatten());
        places.check(&value.godebug);
        places.check(&value.require);
        places.check(&value.exclude);
        places.check(&value.replace);
        places.check(&value.retract);
        places.check(&value.tool);
        places.check(&value.ignore);
        places.check(&value.unknown);
    }
    let strict = parse_go_mod(source, Strictness::Strict);
    let lax = parse_go_mod(source, Strictness::Lax);
    if !strict.has_errors() {
        assert!(
            !lax.has_errors(),
            "a dependency may say what a main module may: {:?}",
            lax.faults
        );
        assert_eq!(strict.value.module, lax.value.module);
        assert_eq!(strict.value.require, lax.value.require);
    }
    if strict.value.module.is_none() {
        assert!(strict.has_errors(), "a main module has a path");
    }
    if !strict.value.unknown.is_empty() {
        assert!(strict.has_errors(), "what is unknown leaves a doubt");
    }
}

/// go.work.
pub(crate) fn go_work(source: &[u8]) {
    let places = Places::of(source);
    let parsed = same_twice(|| parse_go_work(source));
    places.check_faults(&parsed.faults);
    let value = &parsed.value;
    places.check([&value.go, &value.toolchain].into_iter().flatten());
    places.check(&value.godebug);
    places.check(&value.r#use);
    places.check(&value.replace);
    places.check(&value.unknown);
    if !value.unknown.is_empty() {
        assert!(parsed.has_errors(), "what is unknown leaves a doubt");
    }
}

/// go.sum and go.work.sum.
pub(crate) fn go_sum(source: &[u8]) {
    let places = Places::of(source);
    let parsed = same_twice(|| parse_go_sum(source));
    places.check_faults(&parsed.faults);
    places.check(&parsed.value);
    for sum in &parsed.value {
        let sum = &sum.value;
        for field in [&sum.path, &sum.version, &sum.hash] {
            assert!(
                !field.contains(char::is_whitespace),
                "a field holds no space"
            );
        }
    }
}

/// vendor/modules.txt.
pub(crate) fn modules_txt(source: &[u8]) {
    let places = Places::of(source);
    let parsed = same_twice(|| parse_modules_txt(source));
    places.check_faults(&parsed.faults);
    places.check(&parsed.value.modules);
    places.check(&parsed.value.replacements);
}

/// A Go file, whole and by its first bytes.
pub(crate) fn go_file(source: &[u8]) {
    let places = Places::of(source);
    let whole = same_twice(|| parse_go_file(source));
    places.check_faults(&whole.faults);
    places.check(&whole.package);
    places.check(&whole.imports);
    places.check(&whole.embed_patterns);
    places.check(&whole.debug_settings);
    if let Some(cgo) = &whole.cgo {
        places.check(&cgo.directives);
        places.check(&cgo.includes);
    }
    check_constraint(&whole.constraint);
    assert!(whole.imports.iter().all(|import| import.value != "C"));
    // The first bytes of any length say the same, as soon as they say that they hold the header.
    let prefixes = if source.len() < 16 * 1024 { 64 } else { 4 };
    let step = (source.len() / prefixes).max(1);
    for length in (0..source.len()).step_by(step) {
        let prefix = &source[..length];
        if let Some(of_prefix) = parse_header_within(prefix) {
            assert_eq!(
                of_prefix,
                without_embed_patterns(whole.clone()),
                "the header is complete within {length} bytes"
            );
        }
    }
}

/// The patterns may stand anywhere in the file, so a prefix can't tell them.
fn without_embed_patterns(mut file: GoFile) -> GoFile {
    file.embed_patterns.clear();
    file
}

/// A C, assembler or similar file.
pub(crate) fn c_source(source: &[u8]) {
    let includes = same_twice(|| c_file::includes(source));
    Places::of(source).check(&includes);
    check_constraint(&same_twice(|| c_file::parse_constraint(source)));
}

/// The pattern, and after a line end a name to match.
pub(crate) fn embed_pattern(source: &[u8]) {
    let text = String::from_utf8_lossy(source);
    let (pattern_text, name) = text.split_once('\n').unwrap_or((&text, "name"));
    let Ok(pattern) = same_twice(|| parse_embed_pattern(pattern_text)) else {
        return;
    };
    assert!(!pattern.elements().is_empty(), "a pattern has an element");
    let glob = pattern_text.strip_prefix("all:").unwrap_or(pattern_text);
    for (element, element_text) in pattern.elements().iter().zip(glob.split('/')) {
        let matches = element.matches(name);
        assert_eq!(matches, element.matches(name));
        if !element_text.contains(['*', '?', '[', '\\']) {
            assert!(!element.has_wildcard());
            assert!(element.matches(element_text), "a plain name matches itself");
            assert_eq!(matches, name == element_text);
        }
        if element_text == "*" {
            assert!(matches, "a star matches every name");
        }
    }
}

/// Build constraints in each of their forms.
pub(crate) fn build_constraint(source: &[u8]) {
    let text = String::from_utf8_lossy(source);
    for line in text.lines() {
        let expressions = [Some(line), split_go_build(line), split_plus_build(line)];
        for expression in expressions.into_iter().flatten() {
            check_expression(expression);
        }
    }
}

fn check_expression(expression: &str) {
    match same_twice(|| parse_go_build(expression)) {
        Ok(constraint) => walk_constraint(&constraint),
        Err(error) => assert!(error.offset <= expression.len(), "{error:?}"),
    }
    match same_twice(|| parse_plus_build(expression)) {
        Ok(constraint) => walk_constraint(&constraint),
        Err(error) => assert!(error.offset <= expression.len(), "{error:?}"),
    }
    walk_constraint(&parse_cgo_condition(expression));
}

/// rebake.toml.
pub(crate) fn config(source: &[u8]) {
    let places = Places::of(source);
    let parsed = same_twice(|| {
        // Only what compares: settings hold globs, which don't.
        let parsed = parse_config(source);
        (format!("{:?}", parsed.value), parsed.faults)
    });
    places.check_faults(&parsed.1);
    if std::str::from_utf8(source).is_err() {
        assert!(!parsed.1.is_empty(), "what is no UTF-8 is no TOML");
    }
}

/// A Dockerfile.
pub(crate) fn dockerfile(source: &[u8]) {
    let places = Places::of(source);
    let parsed = same_twice(|| parse_dockerfile(source));
    places.check_faults(&parsed.faults);
    places.check(&parsed.value.reads);
    for read in &parsed.value.reads {
        assert!(read.value.stage <= parsed.value.stages.len());
        if let ReadSource::Pattern(pattern) = &read.value.source
            && let Ok(ContextPattern::Paths(paths)) = ContextPattern::parse(pattern)
        {
            assert!(!paths.holds("a") || paths.holds("a/b"), "{pattern}");
        }
    }
}

/// A `.dockerignore`, asked about a path.
pub(crate) fn dockerignore(source: &[u8]) {
    let places = Places::of(source);
    let parsed = parse_dockerignore(source);
    places.check_faults(&parsed.faults);
    for path in ["a", "a/b.md", "services/api/main.go"] {
        assert_eq!(
            parsed.value.keeps_out(path),
            parse_dockerignore(source).value.keeps_out(path)
        );
    }
    // What comes last decides.
    let all_out = [source, b"\n**\n"].concat();
    assert!(parse_dockerignore(&all_out).value.keeps_out("a/b"));
}

fn same_twice<Value: PartialEq + Debug>(parse: impl Fn() -> Value) -> Value {
    let value = parse();
    assert_eq!(value, parse(), "the same bytes give the same answer");
    value
}

fn check_constraint(header: &ConstraintHeader) {
    if let ConstraintHeader::Present(constraint) = header {
        walk_constraint(constraint);
    }
}

/// Whatever parses can be asked, copied and dropped without trouble.
fn walk_constraint(constraint: &Constraint) {
    let everything = constraint.holds(&|_| true);
    let nothing = constraint.holds(&|_| false);
    let tags = constraint.tags();
    assert!(!tags.is_empty());
    let negated = Constraint::Not(Box::new(constraint.clone()));
    assert_eq!(negated.holds(&|_| true), !everything);
    assert_eq!(negated.holds(&|_| false), !nothing);
}

/// Where the lines of a file end.
struct Places {
    line_lengths: Vec<usize>,
}

impl Places {
    fn of(source: &[u8]) -> Self {
        let lines = source.split(|byte| *byte == b'\n');
        Self {
            line_lengths: lines.map(<[u8]>::len).collect(),
        }
    }

    fn check_faults(&self, faults: &[Fault]) {
        for fault in faults {
            self.check_position(fault.position);
            assert!(!fault.message.is_empty());
            assert!(
                !fault.message.contains(char::is_control),
                "a message is one line that a terminal can show: {:?}",
                fault.message
            );
        }
        assert!(
            faults.is_sorted_by_key(|fault| fault.position),
            "faults stand in the order of the file: {faults:?}"
        );
    }

    fn check<'a, Value: 'a>(&self, values: impl IntoIterator<Item = &'a Located<Value>>) {
        for value in values {
            self.check_position(value.position);
        }
    }

    /// A place is a byte of the file, or the one behind a line's last.
    fn check_position(&self, position: Position) {
        assert!(position.line >= 1 && position.column >= 1, "{position}");
        let length = self.line_lengths.get(position.line as usize - 1);
        assert!(
            length.is_some_and(|length| position.column as usize <= length + 1),
            "{position} lies outside of the file"
        );
    }
}
