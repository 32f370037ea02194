//! go.mod and go.work.
//!
//! In: the bytes of the file. Out: a [`GoMod`] or [`GoWork`] with every directive that could be understood, and
//! every fault. Unknown directives are kept. It must never know another file.
//!
//! Source: golang.org/x/mod/modfile (`parseToFile`, `ParseWork`), cmd/go/internal/modload (`loadModFile`,
//! `ReadModFile`), for what the toolchain checks in one file alone.

mod directive;
mod syntax;
#[cfg(test)]
mod tests;

use crate::{
    diagnostic::{Code, Fault, Located, Parsed, Severity},
    module_path::check_import_path,
};
use syntax::{Form, Line};

/// How strictly to read a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// As the Go toolchain reads the main module's and workspace modules' go.mod: unknown directives are errors.
    Strict,
    /// As it reads a dependency's go.mod (a replacement directory): only what a dependency may say counts.
    Lax,
}

/// A go.mod file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoMod {
    /// `module` path.
    pub module: Option<Located<String>>,
    /// `go` version as written (lax reading truncates what it must).
    pub go: Option<Located<String>>,
    /// `toolchain` name as written.
    pub toolchain: Option<Located<String>>,
    /// `godebug` settings, in order.
    pub godebug: Vec<Located<Godebug>>,
    /// `require`d modules, in order.
    pub require: Vec<Located<Requirement>>,
    /// `exclude`d module versions.
    pub exclude: Vec<Located<ModuleVersion>>,
    /// `replace`ments.
    pub replace: Vec<Located<Replacement>>,
    /// `retract`ed versions or intervals, as written: they change no binary.
    pub retract: Vec<Located<String>>,
    /// `tool` packages.
    pub tool: Vec<Located<String>>,
    /// `ignore`d directories.
    pub ignore: Vec<Located<String>>,
    /// Directives that this version does not know, whole.
    pub unknown: Vec<Located<String>>,
}

/// A go.work file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoWork {
    /// `go` version as written.
    pub go: Option<Located<String>>,
    /// `toolchain` name as written.
    pub toolchain: Option<Located<String>>,
    /// `godebug` settings, in order.
    pub godebug: Vec<Located<Godebug>>,
    /// `use`d directories as written (unquoted).
    pub r#use: Vec<Located<String>>,
    /// `replace`ments.
    pub replace: Vec<Located<Replacement>>,
    /// Directives that this version does not know, whole.
    pub unknown: Vec<Located<String>>,
}

/// One `godebug key=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Godebug {
    /// The setting.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// A module at a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleVersion {
    /// The module path.
    pub path: String,
    /// The canonical version.
    pub version: String,
}

/// One required module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The module and the version that is required.
    pub module: ModuleVersion,
    /// Whether the line says `// indirect`. It never affects a build, but tells of back edges.
    pub directness: Directness,
}

/// Whether a requirement is marked `// indirect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directness {
    /// No such comment.
    Direct,
    /// Marked `// indirect`.
    Indirect,
}

/// One `replace old [version] => new`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The module path that is replaced.
    pub old_path: String,
    /// The only version that is replaced; nothing replaces all versions.
    pub old_version: Option<String>,
    /// By what.
    pub new: ReplacementTarget,
}

/// What replaces a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplacementTarget {
    /// A directory, as written.
    Directory(String),
    /// Another module.
    Module(ModuleVersion),
}

/// Reads a go.mod.
pub fn parse_go_mod(text: &[u8], strictness: Strictness) -> Parsed<GoMod> {
    let (lines, faults) = syntax::split(text);
    let mut reader = Reader { strictness, faults };
    let mut go_mod = GoMod::default();
    for line in &lines {
        reader.go_mod_line(&mut go_mod, line);
    }
    if strictness == Strictness::Strict {
        reader.check_module(&go_mod);
    }
    reader.finish(go_mod)
}

/// Reads a go.work.
pub fn parse_go_work(text: &[u8]) -> Parsed<GoWork> {
    let (lines, faults) = syntax::split(text);
    let mut reader = Reader {
        strictness: Strictness::Strict,
        faults,
    };
    let mut go_work = GoWork::default();
    for line in &lines {
        reader.go_work_line(&mut go_work, line);
    }
    reader.finish(go_work)
}

struct Reader {
    strictness: Strictness,
    faults: Vec<Fault>,
}

impl Reader {
    fn finish<Value>(mut self, value: Value) -> Parsed<Value> {
        self.faults.sort_by_key(|fault| fault.position);
        Parsed {
            value,
            faults: self.faults,
        }
    }

    fn fault(&mut self, code: Code, line: &Line<'_>, message: String) {
        self.faults.push(Fault {
            code,
            severity: Severity::Error,
            message,
            position: line.position,
        });
    }

    /// Adds the value of a line to a list, or the fault that it has.
    fn add<Value>(
        &mut self,
        list: &mut Vec<Located<Value>>,
        line: &Line<'_>,
        value: Result<Value, String>,
    ) {
        match value {
            Ok(value) => list.push(Located {
                value,
                position: line.position,
            }),
            Err(message) => self.fault(Code::InvalidValue, line, message),
        }
    }

    /// Takes the value of a line that may stand only once.
    fn set(
        &mut self,
        slot: &mut Option<Located<String>>,
        line: &Line<'_>,
        value: Result<String, String>,
    ) {
        if slot.is_some() {
            return self.fault(
                Code::Conflict,
                line,
                format!("`{}` is said twice; remove one line", line.verb),
            );
        }
        match value {
            Ok(value) => {
                *slot = Some(Located {
                    value,
                    position: line.position,
                });
            }
            Err(message) => self.fault(Code::InvalidValue, line, message),
        }
    }

    fn unknown(&mut self, list: &mut Vec<Located<String>>, line: &Line<'_>) {
        let mut text = line.verb.clone().into_owned();
        for argument in &line.arguments {
            text.push(' ');
            text.push_str(&argument.text);
        }
        let message = match line.form {
            Form::Single => format!("unknown directive `{}`", line.verb.escape_debug()),
            Form::InBlock | Form::OddBlock => {
                format!("unknown block `{}`", line.verb.escape_debug())
            }
        };
        let severity = match self.strictness {
            Strictness::Strict => Severity::Error,
            Strictness::Lax => Severity::Note,
        };
        self.faults.push(Fault {
            code: Code::UnknownDirective,
            severity,
            message,
            position: line.position,
        });
        list.push(Located {
            value: text,
            position: line.position,
        });
    }

    fn go_mod_line(&mut self, go_mod: &mut GoMod, line: &Line<'_>) {
        let strictness = self.strictness;
        let is_lax = strictness == Strictness::Lax;
        let string = |line: &Line<'_>| directive::only_argument(line)?.string();
        match (&*line.verb, line.form) {
            // Of these a dependency's go.mod may say whatever it likes.
            ("toolchain" | "godebug" | "exclude" | "replace" | "tool", _) if is_lax => {}
            ("go", Form::InBlock) if is_lax => {}
            ("module", Form::Single | Form::InBlock) => {
                self.set(&mut go_mod.module, line, string(line));
            }
            ("go", Form::Single) => {
                self.set(
                    &mut go_mod.go,
                    line,
                    directive::go_version(line, strictness),
                );
            }
            ("toolchain", Form::Single) => {
                self.set(&mut go_mod.toolchain, line, directive::toolchain(line));
            }
            ("godebug", Form::Single | Form::InBlock) => {
                self.add(&mut go_mod.godebug, line, directive::godebug(line));
            }
            ("require", Form::Single | Form::InBlock) => {
                let requirement =
                    directive::module_version(line, strictness).map(|module| Requirement {
                        module,
                        directness: directness(line),
                    });
                self.add(&mut go_mod.require, line, requirement);
            }
            ("exclude", Form::Single | Form::InBlock) => {
                self.add(
                    &mut go_mod.exclude,
                    line,
                    directive::module_version(line, strictness),
                );
            }
            ("replace", Form::Single | Form::InBlock) => {
                self.add(
                    &mut go_mod.replace,
                    line,
                    directive::replacement(line, strictness),
                );
            }
            ("retract", Form::Single | Form::InBlock) => {
                let retraction = directive::retraction(line);
                // A dependency may retract in ways that only a newer Go knows.
                if !is_lax || retraction.is_ok() {
                    self.add(&mut go_mod.retract, line, retraction);
                }
            }
            ("tool", Form::Single | Form::InBlock) => {
                self.add(&mut go_mod.tool, line, string(line));
            }
            ("ignore", Form::Single | Form::InBlock) => {
                self.add(&mut go_mod.ignore, line, string(line));
            }
            _ => self.unknown(&mut go_mod.unknown, line),
        }
    }

    fn go_work_line(&mut self, go_work: &mut GoWork, line: &Line<'_>) {
        let string = |line: &Line<'_>| directive::only_argument(line)?.string();
        match (&*line.verb, line.form) {
            ("go", Form::Single) => {
                self.set(
                    &mut go_work.go,
                    line,
                    directive::go_version(line, Strictness::Strict),
                );
            }
            ("toolchain", Form::Single) => {
                self.set(&mut go_work.toolchain, line, directive::toolchain(line));
            }
            ("godebug", Form::Single | Form::InBlock) => {
                self.add(&mut go_work.godebug, line, directive::godebug(line));
            }
            ("use", Form::Single | Form::InBlock) => {
                self.add(&mut go_work.r#use, line, string(line));
            }
            ("replace", Form::Single | Form::InBlock) => {
                self.add(
                    &mut go_work.replace,
                    line,
                    directive::replacement(line, Strictness::Strict),
                );
            }
            _ => self.unknown(&mut go_work.unknown, line),
        }
    }

    /// What cmd/go demands of a main module beyond the grammar.
    fn check_module(&mut self, go_mod: &GoMod) {
        let Some(module) = &go_mod.module else {
            let is_reported = self
                .faults
                .iter()
                .any(|fault| fault.severity == Severity::Error);
            if !is_reported {
                self.faults.push(Fault {
                    code: Code::InvalidValue,
                    severity: Severity::Error,
                    message: "there is no module declaration; add `module example.com/path`"
                        .to_owned(),
                    position: crate::diagnostic::Position::START,
                });
            }
            return;
        };
        let problem = if matches!(module.value.as_str(), "go" | "toolchain") {
            Some("is reserved".to_owned())
        } else {
            check_import_path(&module.value)
                .err()
                .map(|error| format!("is no module path: {error}"))
        };
        if let Some(problem) = problem {
            self.faults.push(Fault {
                code: Code::InvalidValue,
                severity: Severity::Error,
                message: format!("`{}` {problem}", module.value.escape_debug()),
                position: module.position,
            });
        }
    }
}

/// Source: golang.org/x/mod/modfile/rule.go (`isIndirect`).
fn directness(line: &Line<'_>) -> Directness {
    let mut words = line
        .comment
        .iter()
        .flat_map(|comment| comment.split_whitespace());
    let is_indirect = matches!(
        (words.next(), words.next()),
        (Some("indirect"), None) | (Some("indirect;"), Some(_))
    );
    if is_indirect {
        Directness::Indirect
    } else {
        Directness::Direct
    }
}
