//! The files of many packages, each hashed and sorted once for all services that reach them.
//!
//! In: packages and the tree. Out: [`PackageFiles`], from which the rows of any set of packages come out sorted
//! without sorting again. It must never leave out a file that can't be read without a problem that says so.

use super::InputFile;
use crate::{
    diagnostic::Diagnostic, discover::manifest::diagnose_unreadable, graph::load::Package,
    sources::Sources, tree::FileMode,
};
use foldhash::HashMap;
use rayon::prelude::*;
use std::sync::Arc;

/// The hashed files of packages.
pub(crate) struct PackageFiles {
    /// Every row of every package, sorted, without repetition.
    rows: Vec<InputFile>,
    /// The rows of each package, by import path.
    by_package: HashMap<String, OnePackage>,
}

struct OnePackage {
    rows: Vec<usize>,
    problems: Vec<Diagnostic>,
}

impl PackageFiles {
    /// Hashes the files of these packages, in parallel.
    pub(crate) fn hash<'a>(
        sources: &Sources<'_>,
        packages: impl Iterator<Item = &'a Arc<Package>>,
    ) -> Self {
        let packages: Vec<&Arc<Package>> = packages.collect();
        let hashed: Vec<(&str, Vec<InputFile>, Vec<Diagnostic>)> = packages
            .par_iter()
            .map(|package| hash_package(sources, package))
            .collect();
        let mut rows: Vec<InputFile> = hashed
            .iter()
            .flat_map(|(_, files, _)| files.iter().cloned())
            .collect();
        rows.par_sort_unstable();
        rows.dedup();
        let by_package = hashed
            .into_par_iter()
            .map(|(import_path, files, problems)| {
                // Every file is among the rows, since they were made of these files.
                let rows = files
                    .iter()
                    .filter_map(|file| rows.binary_search(file).ok())
                    .collect();
                (import_path.to_owned(), OnePackage { rows, problems })
            })
            .collect();
        Self { rows, by_package }
    }

    /// The files of some packages, sorted, without repetition.
    pub(crate) fn of<'a>(
        &self,
        packages: impl Iterator<Item = &'a Arc<Package>>,
    ) -> Vec<InputFile> {
        let mut indices: Vec<usize> = packages
            .filter_map(|package| self.by_package.get(&package.import_path))
            .flat_map(|package| package.rows.iter().copied())
            .collect();
        indices.sort_unstable();
        indices.dedup();
        indices
            .into_iter()
            .map(|index| self.rows[index].clone())
            .collect()
    }

    /// What of a package's files could not be hashed.
    pub(crate) fn problems(&self, package: &Package) -> &[Diagnostic] {
        self.by_package
            .get(&package.import_path)
            .map_or(&[], |package| &package.problems)
    }
}

fn hash_package<'a>(
    sources: &Sources<'_>,
    package: &'a Package,
) -> (&'a str, Vec<InputFile>, Vec<Diagnostic>) {
    let mut files = Vec::with_capacity(package.files.len());
    let mut problems = Vec::new();
    for file in &package.files {
        let digest = match file.digest {
            Some(known) => Ok(known),
            None => sources.input_digest(&file.path),
        };
        match digest {
            Ok(digest) => {
                files.push(InputFile {
                    path: file.path.clone(),
                    kind: file.kind,
                    digest,
                    mode: FileMode::Regular,
                });
            }
            Err(error) => problems.push(diagnose_unreadable(&error)),
        }
    }
    (&package.import_path, files, problems)
}
