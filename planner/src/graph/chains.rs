//! The shortest chains of imports.
//!
//! In: a [`PackageGraph`] and a main package. Out: for a file, the packages from one that holds it to the main package.
//! Of several shortest chains it must always yield the same one.

use super::load::PackageGraph;
use crate::path::RepoPath;
use petgraph::graph::NodeIndex;
use std::collections::VecDeque;

/// The ways from a main package to everything that it reaches.
pub(crate) struct Chains<'graph> {
    graph: &'graph PackageGraph,
    /// How each package was first reached: from which one, after how many steps. The main package came from itself.
    reached: Vec<Option<(NodeIndex, usize)>>,
}

impl PackageGraph {
    /// The ways from a main package to everything that it reaches.
    pub(crate) fn chains_from(&self, main: &str) -> Chains<'_> {
        Chains::of(self, main)
    }
}

impl<'graph> Chains<'graph> {
    fn of(graph: &'graph PackageGraph, main: &str) -> Self {
        let mut reached = vec![None; graph.node_count()];
        let mut pending = VecDeque::new();
        if let Some(start) = graph.node(main) {
            reached[start.index()] = Some((start, 0));
            pending.push_back((start, 0));
        }
        // Breadth first, neighbours in the order of their import paths.
        while let Some((index, steps)) = pending.pop_front() {
            for neighbour in graph.sorted_neighbours(index) {
                if reached[neighbour.index()].is_none() {
                    reached[neighbour.index()] = Some((index, steps + 1));
                    pending.push_back((neighbour, steps + 1));
                }
            }
        }
        Self { graph, reached }
    }

    /// The import paths from the nearest package that holds a file to the main package, both included; nothing where no
    /// package that is reached holds it.
    pub(crate) fn to_file(&self, file: &RepoPath) -> Option<Vec<String>> {
        self.nearest(self.graph.holders(file).iter().copied())
    }

    /// The import paths from the package in a directory to the main package.
    pub(crate) fn to_directory(&self, directory: &RepoPath) -> Option<Vec<String>> {
        self.nearest(self.graph.nodes_in(directory))
    }

    fn nearest(&self, packages: impl Iterator<Item = NodeIndex>) -> Option<Vec<String>> {
        let (_, mut at) = packages
            .filter_map(|index| Some((self.reached[index.index()]?.1, index)))
            .min()?;
        let mut chain = vec![self.graph.import_path(at).to_owned()];
        while let Some((from, steps)) = self.reached[at.index()]
            && steps > 0
        {
            at = from;
            chain.push(self.graph.import_path(at).to_owned());
        }
        Some(chain)
    }
}
