//! The graph as one page for people: nothing is fetched, and it stays readable with hundreds of services.
//!
//! In: a plan, compared or not, and the picture of its packages. Out: HTML. Everything that comes from a repository is
//! escaped where it is put in; the one script filters rows and holds no data.

use super::{graph::Picture, plan::compared_with, reasons};
use crate::planning::Planned;
use crate::standpoint::Standpoint;
use rebake_planner::{decide::Verdict, discover::service_name::ServiceName, plan::PlannedImage};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222;background:#fff}\
input{font:inherit;padding:.4rem .6rem;width:100%;box-sizing:border-box;margin:1rem 0}\
details{border-top:1px solid #ddd;padding:.4rem 0}summary{cursor:pointer}\
code,pre{font:13px/1.5 ui-monospace,monospace}pre{margin:.3rem 0 .8rem 1rem;white-space:pre-wrap;overflow-wrap:anywhere}\
.rebuild{color:#b35900}.reuse{color:#1a7f37}.faint{color:#777}ul{margin:.3rem 0;columns:2 24rem}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#111}details{border-color:#333}}";

/// Shows the rows that hold what is typed.
const SCRIPT: &str = "const f=document.getElementById('filter');f.addEventListener('input',()=>{const t=f.value.toLowerCase();\
for(const d of document.querySelectorAll('details.service'))d.hidden=!d.textContent.toLowerCase().includes(t)});";

/// Renders the page, of all services or of one.
pub(crate) fn render(
    planned: &Planned,
    service: Option<&ServiceName>,
    picture: &Picture,
) -> String {
    let images = planned.images_of(service);
    let title = format!("{} · rebake", planned.name);
    let rebuilt = images
        .iter()
        .filter(|image| image.verdict == Verdict::Rebuild)
        .count();
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n<h1>{name}</h1>\n<p>{images} images, {rebuilt} to rebuild, {packages} packages{since}</p>\n\
         <input id=\"filter\" type=\"search\" placeholder=\"Filter by service, file or package\" autofocus>\n",
        title = escaped(&title),
        name = escaped(&planned.name),
        images = images.len(),
        packages = picture.nodes.len(),
        since = escaped(&compared_with(planned.baseline.as_ref())),
    );
    let closures = closures(picture);
    for image in images {
        page.push_str(&section(image, &closures));
    }
    // Writing to a string can't fail.
    let _ = writeln!(page, "<script>{SCRIPT}</script>\n</html>");
    page
}

fn section(image: &PlannedImage, closures: &BTreeMap<&str, BTreeSet<&str>>) -> String {
    let (verdict, class) = match image.verdict {
        Verdict::Rebuild => ("rebuild", "rebuild"),
        Verdict::Reuse => ("reuse", "reuse"),
    };
    let service = image.inputs.service.as_str();
    let packages = closures.get(service);
    let mut section = format!(
        "<details class=\"service\"><summary><b>{}</b> <span class=\"faint\">{}</span> <span class=\"{class}\">{verdict}</span> \
         <span class=\"faint\">{} files, {} packages</span></summary>\n",
        escaped(service),
        escaped(&image.inputs.platform.to_string()),
        image.inputs.files.len(),
        packages.map_or(0, BTreeSet::len),
    );
    for reason in &image.reasons {
        let lines = reasons::long(reason, service, &Standpoint::root());
        let _ = writeln!(section, "<pre>{}</pre>", escaped(&lines.join("\n")));
    }
    section.push_str("<ul>\n");
    for package in packages.into_iter().flatten() {
        let _ = writeln!(section, "<li><code>{}</code>", escaped(package));
    }
    section.push_str("</ul></details>\n");
    section
}

/// What each service reaches.
fn closures(picture: &Picture) -> BTreeMap<&str, BTreeSet<&str>> {
    let reached = picture.services.iter().map(|(service, main)| {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut pending = vec![main.as_str()];
        while let Some(node) = pending.pop() {
            if let Some((node, edges)) = picture.nodes.get_key_value(node)
                && seen.insert(node)
            {
                pending.extend(edges.iter().map(String::as_str));
            }
        }
        (service.as_str(), seen)
    });
    reached.collect()
}

/// A text in which nothing is markup, between tags and in quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for line in text.split_inclusive('\n') {
        let (line, end) = line
            .strip_suffix('\n')
            .map_or((line, ""), |line| (line, "\n"));
        for character in super::printable(line).chars() {
            match character {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                other => escaped.push(other),
            }
        }
        escaped.push_str(end);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_of_a_name_is_markup() {
        assert_eq!(
            escaped("<script>'\"&\u{1b}\nb"),
            "&lt;script&gt;&#39;&quot;&amp;\\u{1b}\nb"
        );
    }
}
