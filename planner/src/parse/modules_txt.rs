//! vendor/modules.txt.
//!
//! In: the bytes of the file. Out: [`ModulesTxt`]. The toolchain ignores every line that it does not understand, and
//! so does this parser. It must never judge whether the file agrees with go.mod.
//!
//! Source: cmd/go/internal/modload/vendor.go (`readVendorList`), cmd/go/internal/modload/init.go
//! (`modulesTextIsForWorkspace`).

use crate::{
    diagnostic::{Code, Fault, Located, Parsed, Position, Severity},
    module_path::check_import_path,
    module_version::is_version,
    parse::go_mod::{ModuleVersion, ReplacementTarget},
};

/// A vendor/modules.txt file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModulesTxt {
    /// Whether its first line says `## workspace`.
    pub scope: VendorScope,
    /// The modules, in order.
    pub modules: Vec<Located<VendoredModule>>,
    /// The replacements that are listed without packages (`# old [v] => new` at the end of the file).
    pub replacements: Vec<Located<VendoredReplacement>>,
}

/// What a vendor directory was made for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VendorScope {
    /// One module.
    #[default]
    Module,
    /// A workspace.
    Workspace,
}

/// One module of vendor/modules.txt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendoredModule {
    /// The module and version.
    pub module: ModuleVersion,
    /// Its replacement, where it has one.
    pub replacement: Option<ReplacementTarget>,
    /// Whether it is marked `## explicit`.
    pub explicit: Explicitness,
    /// The `go` version of its `##` line.
    pub go: Option<String>,
    /// The import paths of the vendored packages.
    pub packages: Vec<String>,
}

/// Whether a go.mod names the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Explicitness {
    /// Marked `## explicit`.
    Explicit,
    /// Not marked.
    #[default]
    Implicit,
}

/// A replacement line without packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendoredReplacement {
    /// The module that is replaced.
    pub old_path: String,
    /// The only version that is replaced; nothing replaces all.
    pub old_version: Option<String>,
    /// By what.
    pub new: ReplacementTarget,
}

/// Reads a vendor/modules.txt.
pub fn parse_modules_txt(text: &[u8]) -> Parsed<ModulesTxt> {
    let mut parsed = Parsed {
        value: ModulesTxt::default(),
        faults: Vec::new(),
    };
    let mut current = Current::Nothing;
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let position = Position {
            line: number,
            column: 1,
        };
        let Ok(line) = std::str::from_utf8(line) else {
            parsed.faults.push(Fault {
                code: Code::Syntax,
                severity: Severity::Error,
                message: "the line is not UTF-8; run `go mod vendor`".to_owned(),
                position,
            });
            continue;
        };
        if number == 1
            && let Some(annotations) = line.strip_prefix("## ")
            && annotations
                .split(';')
                .any(|entry| entry.trim() == "workspace")
        {
            parsed.value.scope = VendorScope::Workspace;
        }
        if line.starts_with("# ") {
            current = parsed.value.head(line, position);
        } else if let Some(annotations) = line.strip_prefix("## ") {
            if let Current::Module(index) = current {
                parsed.value.modules[index].value.annotate(annotations);
            }
        } else if let Current::Module(index) = current {
            let mut words = line.split_whitespace();
            if let (Some(package), None) = (words.next(), words.next())
                && check_import_path(package).is_ok()
            {
                parsed.value.modules[index]
                    .value
                    .packages
                    .push(package.to_owned());
            }
        }
    }
    parsed
}

/// What the lines behind a head belong to.
#[derive(Clone, Copy)]
enum Current {
    Nothing,
    Module(usize),
}

impl ModulesTxt {
    /// Reads a line that starts with `# `: a module, a replacement without version, or nothing known.
    fn head(&mut self, line: &str, position: Position) -> Current {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (Some(path), Some(third)) = (words.get(1), words.get(2)) else {
            return Current::Nothing;
        };
        if is_version(third) {
            let module = VendoredModule {
                module: ModuleVersion {
                    path: (*path).to_owned(),
                    version: (*third).to_owned(),
                },
                replacement: replacement(&words[3..]),
                explicit: Explicitness::Implicit,
                go: None,
                packages: Vec::new(),
            };
            self.modules.push(Located {
                value: module,
                position,
            });
            return Current::Module(self.modules.len() - 1);
        }
        if *third == "=>"
            && let Some(new) = replacement(&words[2..])
        {
            let value = VendoredReplacement {
                old_path: (*path).to_owned(),
                old_version: None,
                new,
            };
            self.replacements.push(Located { value, position });
        }
        Current::Nothing
    }
}

impl VendoredModule {
    fn annotate(&mut self, annotations: &str) {
        for entry in annotations.split(';').map(str::trim) {
            if entry == "explicit" {
                self.explicit = Explicitness::Explicit;
            } else if let Some(go) = entry.strip_prefix("go ") {
                self.go = Some(go.to_owned());
            }
        }
    }
}

/// Reads `=> directory` or `=> path version`; anything else is ignored.
fn replacement(words: &[&str]) -> Option<ReplacementTarget> {
    match words {
        ["=>", directory] => Some(ReplacementTarget::Directory((*directory).to_owned())),
        ["=>", path, version] if is_version(version) => {
            Some(ReplacementTarget::Module(ModuleVersion {
                path: (*path).to_owned(),
                version: (*version).to_owned(),
            }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_packages_and_replacements_are_read() {
        let text = "## workspace\n# ex.com/a v1.2.3\n## explicit; go 1.22\nex.com/a\nex.com/a/b\n# ex.com/c v1.0.0 => ../c\n## explicit\nex.com/c\n# ex.com/d v1.0.0 => ex.org/d v1.1.0\n# ex.com/e => ./e\n# ex.com/f\nignored line here\n# odd thing\nex.com/nobody\n";
        let parsed = parse_modules_txt(text.as_bytes());
        assert!(parsed.faults.is_empty());
        let value = parsed.value;
        assert_eq!(value.scope, VendorScope::Workspace);
        let modules: Vec<(&str, usize, Option<&str>)> = value
            .modules
            .iter()
            .map(|module| {
                (
                    &*module.value.module.path,
                    module.value.packages.len(),
                    module.value.go.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            modules,
            [
                ("ex.com/a", 2, Some("1.22")),
                ("ex.com/c", 1, None),
                ("ex.com/d", 0, None)
            ]
        );
        assert_eq!(value.modules[0].value.explicit, Explicitness::Explicit);
        assert_eq!(value.modules[2].value.explicit, Explicitness::Implicit);
        assert_eq!(value.replacements[0].value.old_path, "ex.com/e");
        assert_eq!(value.replacements[0].position.line, 10);
    }

    #[test]
    fn only_the_first_line_tells_of_a_workspace() {
        assert_eq!(
            parse_modules_txt(b"\n## workspace\n").value.scope,
            VendorScope::Module
        );
        assert_eq!(parse_modules_txt(b"").value.scope, VendorScope::Module);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(text: Vec<u8>) {
            parse_modules_txt(&text);
        }

        #[test]
        fn no_likely_text_makes_the_parser_panic(
            words in proptest::collection::vec(
                proptest::sample::select(vec!["# ", "## ", "ex.com/a", " v1.0.0", " => ", "../x", "\n", "explicit", ";", "go 1.2"]),
                0..40,
            )
        ) {
            parse_modules_txt(words.concat().as_bytes());
        }
    }
}
