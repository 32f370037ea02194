//! The vendor directory of a module or a workspace.
//!
//! In: vendor/modules.txt. Out: which packages it vendors from which module. It must never be used where the toolchain
//! would ignore it; [`vendor_consistency`](super::vendor_consistency) holds it to the manifests.
//!
//! Source: cmd/go/internal/modload/vendor.go, and `setDefaultBuildMod` in init.go.

use crate::{
    diagnostic::{Diagnostic, Position},
    discover::manifest,
    parse::modules_txt::{ModulesTxt, VendorScope, VendoredModule, parse_modules_txt},
    path::RepoPath,
    tree::{TreeError, view::TreeView},
};
use foldhash::{HashMap, HashMapExt as _};

/// A vendor directory that the toolchain uses.
#[derive(Debug)]
pub(crate) struct Vendor {
    pub(crate) directory: RepoPath,
    pub(super) text: ModulesTxt,
    /// The faults of modules.txt.
    pub(super) problems: Vec<Diagnostic>,
    /// The index of the module that provides a package.
    package_module: HashMap<String, usize>,
}

impl Vendor {
    /// The vendor directory beside go.mod or go.work, when it is of that scope.
    pub(crate) fn find(
        view: &TreeView<'_>,
        beside: &RepoPath,
        scope: VendorScope,
    ) -> Result<Option<Self>, TreeError> {
        let directory = beside.child("vendor");
        if view.directory(&directory)?.is_none() {
            return Ok(None);
        }
        let content = manifest::read_beside(view, &directory, "modules.txt")?;
        let parsed = parse_modules_txt(content.as_deref().unwrap_or_default());
        if parsed.value.scope != scope {
            return Ok(None);
        }
        let problems = manifest::diagnose(&directory.child("modules.txt"), &parsed.faults);
        let mut package_module = HashMap::new();
        for (index, module) in parsed.value.modules.iter().enumerate() {
            for package in &module.value.packages {
                package_module.insert(package.clone(), index);
            }
        }
        Ok(Some(Self {
            directory,
            text: parsed.value,
            problems,
            package_module,
        }))
    }

    /// Where modules.txt is, or would be.
    pub(crate) fn modules_txt_path(&self) -> RepoPath {
        self.directory.child("modules.txt")
    }

    /// The module that provides a package.
    pub(crate) fn module_of(&self, import_path: &str) -> Option<&VendoredModule> {
        self.package_module
            .get(import_path)
            .map(|index| &self.text.modules[*index].value)
    }

    /// The `go` versions of the vendored modules.
    pub(crate) fn go_lines(&self) -> impl Iterator<Item = (&str, Position)> {
        self.text
            .modules
            .iter()
            .filter_map(|module| module.value.go.as_deref().map(|go| (go, module.position)))
    }
}
