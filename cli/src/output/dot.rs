//! The graph for Graphviz.

use super::graph::Picture;
use std::fmt::Write as _;

/// Renders the graph in the DOT language.
pub(crate) fn render(picture: &Picture) -> String {
    let mut text = String::from(
        "digraph rebake {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n",
    );
    for (service, main) in &picture.services {
        let name = quote(&format!("service {service}"));
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "  {name} [label={}, shape=ellipse, style=bold];",
            quote(service)
        );
        let _ = writeln!(text, "  {name} -> {};", quote(main));
    }
    for (node, edges) in &picture.nodes {
        let style = if picture.changed.contains(node) {
            " [style=filled, fillcolor=\"#ffe0b3\"]"
        } else {
            ""
        };
        let _ = writeln!(text, "  {}{style};", quote(node));
        for edge in edges {
            let _ = writeln!(text, "  {} -> {};", quote(node), quote(edge));
        }
    }
    text.push_str("}\n");
    text
}

/// A quoted identifier. Of the escapes in DOT only that of the quote is one; a backslash in front of anything
/// else would be taken for one in a label.
fn quote(text: &str) -> String {
    let printable = super::printable(text)
        .replace('\\', "\\\\")
        .replace('"', "\\\"");
    format!("\"{printable}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_its_quotes() {
        assert_eq!(quote("a\"b\\c\n"), r#""a\"b\\c\\u{a}""#);
    }
}
