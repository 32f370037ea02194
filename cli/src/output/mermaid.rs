//! The graph for Mermaid, which Markdown pages draw.

use super::graph::Picture;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// As many edges as a page draws, unless its owner configures Mermaid otherwise.
///
/// Source: mermaid-js/mermaid (`maxEdges` in `defaultConfig.ts`).
const MOST_EDGES: usize = 500;

/// What to do about a graph that pages refuse to draw.
pub(crate) fn too_large(picture: &Picture) -> Option<String> {
    let edges = picture.nodes.values().map(BTreeSet::len);
    let edges = picture.services.len() + edges.sum::<usize>();
    (edges > MOST_EDGES).then(|| {
        format!(
            "this graph has {edges} edges, and pages draw a Mermaid graph of {MOST_EDGES} at most; name a service, or use --affected, --nodes modules or --format html\n"
        )
    })
}

/// Renders the graph as a flow chart. Nodes are numbered, since Mermaid takes few characters in their names.
pub(crate) fn render(picture: &Picture) -> String {
    let number: BTreeMap<&str, usize> = picture
        .nodes
        .keys()
        .enumerate()
        .map(|(number, node)| (node.as_str(), number))
        .collect();
    let mut text = String::from("flowchart LR\n");
    for (index, (service, main)) in picture.services.iter().enumerate() {
        // Writing to a string can't fail.
        let _ = writeln!(text, "  s{index}([\"{}\"])", label(service));
        if let Some(main) = number.get(main.as_str()) {
            let _ = writeln!(text, "  s{index} --> n{main}");
        }
    }
    for (node, edges) in &picture.nodes {
        let Some(from) = number.get(node.as_str()) else {
            continue;
        };
        let class = if picture.changed.contains(node) {
            ":::changed"
        } else {
            ""
        };
        let _ = writeln!(text, "  n{from}[\"{}\"]{class}", label(node));
        for to in edges.iter().filter_map(|edge| number.get(edge.as_str())) {
            let _ = writeln!(text, "  n{from} --> n{to}");
        }
    }
    if !picture.changed.is_empty() {
        text.push_str("  classDef changed fill:#ffe0b3,stroke:#b35900\n");
    }
    text
}

/// The text of a label: whatever could end it, or be markup in it, as a character reference.
fn label(text: &str) -> String {
    let mut label = String::with_capacity(text.len());
    for character in super::printable(text).chars() {
        match character {
            '"' | '<' | '>' | '&' | '#' | ';' | '`' | '\\' => {
                let _ = write!(label, "#{};", u32::from(character));
            }
            other => label.push(other),
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_its_label() {
        assert_eq!(label("a\"]<script>#"), "a#34;]#60;script#62;#35;");
    }
}
