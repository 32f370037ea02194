//! The files that a plan reads, as `rebake inputs --format json` lists them.
//!
//! In: that document. Out: the services, and every path once.

use serde::Deserialize;
use std::collections::BTreeSet;

/// What all services of a plan need together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFiles {
    /// How many services there are, each counted once for all its platforms.
    pub services: usize,
    /// Paths relative to the root, sorted, each once.
    pub files: Vec<String>,
}

/// The parts of the document that matter here.
#[derive(Deserialize)]
struct Document {
    services: Vec<Service>,
}

#[derive(Deserialize)]
struct Service {
    name: String,
    #[serde(default)]
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    path: String,
}

impl PlannedFiles {
    /// Reads the document.
    ///
    /// # Errors
    /// When it is no JSON of this form.
    pub fn parse(document: &[u8]) -> Result<Self, serde_json::Error> {
        let document: Document = serde_json::from_slice(document)?;
        let mut names = BTreeSet::new();
        let mut files = BTreeSet::new();
        for service in document.services {
            names.insert(service.name);
            files.extend(service.files.into_iter().map(|file| file.path));
        }
        Ok(Self {
            services: names.len(),
            files: files.into_iter().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::PlannedFiles;

    #[test]
    fn a_shared_file_and_a_service_with_two_platforms_count_once() {
        let document = br#"{"version": 1, "services": [
            {"name": "api", "platform": "linux/amd64", "files": [
                {"path": "go.mod", "kind": "manifest"}, {"path": "api/main.go", "kind": "go"}]},
            {"name": "api", "platform": "linux/arm64", "files": [{"path": "go.mod"}]},
            {"name": "web", "platform": "linux/amd64"}]}"#;
        let expected = PlannedFiles {
            services: 2,
            files: vec!["api/main.go".to_owned(), "go.mod".to_owned()],
        };
        assert_eq!(PlannedFiles::parse(document).unwrap(), expected);
    }
}
