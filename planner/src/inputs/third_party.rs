//! The third-party modules of an image, by tier.
//!
//! In: a build list and the packages that a main package reaches. Out: the tier and its modules. It must
//! never guess: what is not known exactly is a superset, and the tier says so. What a module's go.mod
//! requires is no bound on what its packages import, so requirements are never followed as if it were.

use super::{ManifestFact, ThirdPartyModule, Tier};
use crate::{
    graph::{
        build_list::{BuildList, Mode, ModuleSource, Passes},
        load::Package,
        vendor::Vendor,
    },
    parse::go_mod::{ModuleVersion, ReplacementTarget},
};
use foldhash::HashSet;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

/// What a build list says of third-party modules: the same for every image of the list, so worked out once.
#[derive(Default)]
pub(crate) struct Candidates(OnceLock<(Arc<Vec<ThirdPartyModule>>, Vec<ManifestFact>)>);

/// The tier of a closure with its modules, and the facts that stand behind them.
pub(crate) fn third_party(
    list: &BuildList,
    closure: &[&Arc<Package>],
    shared: &Candidates,
) -> (Tier, Arc<Vec<ThirdPartyModule>>, Vec<ManifestFact>) {
    if let Some(vendor) = &list.vendor {
        let (tier, modules, facts) = vendored(list, vendor, closure);
        return (tier, Arc::new(modules), facts);
    }
    if closure.iter().all(|package| package.third_party.is_empty()) {
        return (Tier::None, Arc::default(), Vec::new());
    }
    let (modules, facts) = shared.0.get_or_init(|| {
        let (modules, facts) = candidates(list);
        (Arc::new(modules), facts)
    });
    (Tier::Module, Arc::clone(modules), facts.clone())
}

/// Exactly the modules whose vendored packages are reached.
fn vendored(
    list: &BuildList,
    vendor: &Vendor,
    closure: &[&Arc<Package>],
) -> (Tier, Vec<ThirdPartyModule>, Vec<ManifestFact>) {
    let mut modules = BTreeSet::new();
    let mut facts = BTreeSet::new();
    let mut any = false;
    // A module has many packages.
    let mut seen = HashSet::default();
    for package in closure {
        if !package.local.directory.starts_with(&vendor.directory) {
            continue;
        }
        any = true;
        let Some(module) = vendor.module_of(&package.import_path) else {
            continue;
        };
        if !seen.insert(std::ptr::from_ref(module)) {
            continue;
        }
        let replacement = module
            .replacement
            .as_ref()
            .map(|replacement| match replacement {
                ReplacementTarget::Directory(directory) => directory.clone(),
                ReplacementTarget::Module(module) => format!("{} {}", module.path, module.version),
            });
        // The linker writes the checksum that go.sum holds into the binary.
        let summed = match &module.replacement {
            Some(ReplacementTarget::Module(replacement)) => Some(replacement),
            Some(ReplacementTarget::Directory(_)) => None,
            None => Some(&module.module),
        };
        modules.insert(ThirdPartyModule {
            path: module.module.path.clone(),
            version: module.module.version.clone(),
            sum: summed.and_then(|module| list.sums.get(module).map(str::to_owned)),
            replacement,
        });
        facts.insert(ManifestFact {
            manifest: vendor.modules_txt_path(),
            name: format!("go {}", module.module.path),
            value: module.go.clone().unwrap_or_default(),
        });
    }
    let tier = if any { Tier::Vendor } else { Tier::None };
    (
        tier,
        modules.into_iter().collect(),
        facts.into_iter().collect(),
    )
}

/// Every module that the build may link, as far as the manifests bound it.
fn candidates(list: &BuildList) -> (Vec<ThirdPartyModule>, Vec<ManifestFact>) {
    let mut modules: BTreeMap<ModuleVersion, ThirdPartyModule> = BTreeMap::new();
    for (path, module) in &list.modules {
        let ModuleSource::ThirdParty { replacement } = &module.source else {
            continue;
        };
        let required = ModuleVersion {
            path: path.clone(),
            version: module.version.clone(),
        };
        let sum = list
            .sums
            .get(replacement.as_ref().unwrap_or(&required))
            .map(str::to_owned);
        let row = ThirdPartyModule {
            path: path.clone(),
            version: module.version.clone(),
            sum,
            replacement: replacement
                .as_ref()
                .map(|module| format!("{} {}", module.path, module.version)),
        };
        modules.insert(required, row);
    }
    let mut facts = BTreeSet::new();
    // Where go.mod does not list everything, the selected versions depend on requirements that only
    // third-party modules state. What bounds them is every checksum, exclusion and replacement.
    let complete = list.mode == Mode::Module && list.passes == Passes::RootsFirst;
    if !complete {
        for (module, sum) in list.sums.iter() {
            modules
                .entry(module)
                .or_insert_with_key(|module| ThirdPartyModule {
                    path: module.path.clone(),
                    version: module.version.clone(),
                    sum: Some(sum.to_owned()),
                    replacement: None,
                });
        }
        for member in list.members.values() {
            for excluded in &member.go_mod.exclude {
                facts.insert(ManifestFact {
                    manifest: member.path(),
                    name: format!("exclude {} {}", excluded.value.path, excluded.value.version),
                    value: String::new(),
                });
            }
        }
        for (path, version, applied) in list.replacements.iter() {
            let value = match &applied.target {
                ReplacementTarget::Module(module) => format!("{} {}", module.path, module.version),
                ReplacementTarget::Directory(_) => continue,
            };
            let version = version
                .map(|version| format!(" {version}"))
                .unwrap_or_default();
            facts.insert(ManifestFact {
                manifest: applied.declared_in.clone(),
                name: format!("replace {path}{version}"),
                value,
            });
        }
    }
    (modules.into_values().collect(), facts.into_iter().collect())
}
