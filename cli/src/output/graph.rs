//! The graph of modules or packages that every format draws, and its form for people.

use super::{
    printable,
    style::{self, paint},
};
use crate::{arguments::Nodes, planning::Planned};
use rebake_planner::{
    decide::{Reason, Verdict},
    discover::service_name::ServiceName,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// Nodes with what they point to: services, and packages or modules.
pub(crate) struct Picture {
    /// The services by name, each with the node of its main package.
    pub(crate) services: BTreeMap<String, String>,
    /// The nodes by name, each with the nodes that it imports.
    pub(crate) nodes: BTreeMap<String, BTreeSet<String>>,
    /// The nodes that hold what changed.
    pub(crate) changed: BTreeSet<String>,
    kind: Nodes,
}

impl Picture {
    /// What a plan is made of, or one of its services.
    pub(crate) fn of(planned: &Planned, service: Option<&ServiceName>, kind: Nodes) -> Self {
        let packages = planned.plan.packages(service);
        let module_of: BTreeMap<&str, &str> = packages
            .iter()
            .map(|package| (package.import_path.as_str(), package.module.as_str()))
            .collect();
        let node_of = |import_path: &str| match kind {
            Nodes::Packages => import_path.to_owned(),
            Nodes::Modules => (*module_of.get(import_path).unwrap_or(&import_path)).to_owned(),
        };
        let mut nodes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for package in &packages {
            let from = node_of(&package.import_path);
            let edges = nodes.entry(from.clone()).or_default();
            edges.extend(
                package
                    .imports
                    .iter()
                    .map(|import| node_of(import))
                    .filter(|to| *to != from),
            );
        }
        let services = planned
            .plan
            .images
            .iter()
            .filter(|image| service.is_none_or(|service| *service == image.inputs.service))
            .map(|image| {
                (
                    image.inputs.service.to_string(),
                    node_of(&image.inputs.main),
                )
            })
            .collect();
        Self {
            services,
            nodes,
            changed: BTreeSet::new(),
            kind,
        }
    }

    /// The part that lies on a shortest way from a change to a service, with what changed marked.
    pub(crate) fn affected(self, planned: &Planned, service: Option<&ServiceName>) -> Self {
        let module_of: BTreeMap<String, String> = planned
            .plan
            .packages(service)
            .into_iter()
            .map(|package| (package.import_path, package.module))
            .collect();
        let node_of = |import_path: &String| match self.kind {
            Nodes::Packages => import_path.clone(),
            Nodes::Modules => module_of.get(import_path).unwrap_or(import_path).clone(),
        };
        let mut kept: BTreeSet<String> = BTreeSet::new();
        let mut changed: BTreeSet<String> = BTreeSet::new();
        let mut services: BTreeMap<String, String> = BTreeMap::new();
        for image in planned.images_of(service) {
            if image.verdict == Verdict::Rebuild {
                let main = node_of(&image.inputs.main);
                kept.insert(main.clone());
                services.insert(image.inputs.service.to_string(), main);
            }
            for reason in &image.reasons {
                if let Reason::File { via, .. } = reason {
                    changed.extend(via.first().map(node_of));
                    kept.extend(via.iter().map(node_of));
                }
            }
        }
        let nodes = self
            .nodes
            .into_iter()
            .filter(|(node, _)| kept.contains(node))
            .map(|(node, edges)| (node, edges.intersection(&kept).cloned().collect()))
            .collect();
        Self {
            services,
            nodes,
            changed,
            kind: self.kind,
        }
    }
}

/// Renders the graph as an indented list.
pub(crate) fn render(picture: &Picture) -> String {
    let mut text = String::new();
    for (service, main) in &picture.services {
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "{} {}",
            paint(style::HEADING, service),
            paint(style::FAINT, &printable(main))
        );
    }
    for (node, edges) in &picture.nodes {
        let mark = if picture.changed.contains(node) {
            paint(style::REBUILD, " changed")
        } else {
            String::new()
        };
        let _ = writeln!(text, "\n{}{mark}", printable(node));
        for edge in edges {
            let _ = writeln!(text, "  {} {}", paint(style::FAINT, "→"), printable(edge));
        }
    }
    text
}
