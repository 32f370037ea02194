//! Inputs for people: a line a service, or one service whole.

use super::{
    count,
    plan::heading,
    printable,
    style::{self, paint},
    table::{Cell, table},
};
use crate::planning::Planned;
use rebake_planner::{
    discover::service_name::ServiceName, file_kind::FileKind, plan::PlannedImage,
};
use std::{collections::BTreeMap, fmt::Write as _};

/// As many digits of a digest as tell contents apart at a glance.
const DIGEST_DIGITS: usize = 12;

/// Renders all services as counts, or one with every input.
pub(crate) fn render(planned: &Planned, service: Option<&ServiceName>) -> String {
    match service {
        None => all(planned),
        Some(service) => {
            let images = planned
                .plan
                .images
                .iter()
                .filter(|image| image.inputs.service == *service);
            images.map(one).collect::<Vec<_>>().join("\n")
        }
    }
}

fn all(planned: &Planned) -> String {
    let rows: Vec<Vec<Cell>> = planned
        .plan
        .images
        .iter()
        .map(|image| {
            let files = &image.inputs.files;
            let number = |is_counted: fn(FileKind) -> bool| {
                Cell::number(files.iter().filter(|file| is_counted(file.kind)).count())
            };
            vec![
                Cell::text(image.inputs.service.as_str()),
                Cell::text(image.inputs.platform.to_string()),
                number(|kind| matches!(kind, FileKind::Go | FileKind::Cgo)),
                number(|kind| kind == FileKind::Embed),
                number(|kind| {
                    !matches!(
                        kind,
                        FileKind::Go | FileKind::Cgo | FileKind::Embed | FileKind::Manifest
                    )
                }),
                number(|kind| kind == FileKind::Manifest),
                Cell::number(image.inputs.modules.len()),
                Cell::text(image.inputs.tier.as_str()),
            ]
        })
        .collect();
    let mut text = heading(&planned.plan, &planned.name, None);
    text.push_str(&table(
        &[
            "SERVICE",
            "PLATFORM",
            "GO",
            "EMBEDDED",
            "OTHER",
            "MANIFESTS",
            "MODULES",
            "TIER",
        ],
        &rows,
    ));
    text.push_str(&paint(
        style::FAINT,
        "\n`rebake inputs SERVICE` lists every one of them\n",
    ));
    text
}

fn one(image: &PlannedImage) -> String {
    let inputs = &image.inputs;
    let key = image
        .keys
        .map_or_else(|| "unknown".to_owned(), |keys| keys.image.to_hex());
    let mut text = format!(
        "{} {}\n",
        paint(style::HEADING, inputs.service.as_str()),
        paint(style::FAINT, &format!("· {} · key {key}", inputs.platform)),
    );
    let mut kinds: BTreeMap<FileKind, usize> = BTreeMap::new();
    for file in &inputs.files {
        *kinds.entry(file.kind).or_default() += 1;
    }
    let kinds: Vec<String> = kinds
        .iter()
        .map(|(kind, number)| format!("{number} {kind}"))
        .collect();
    // Writing to a string can't fail.
    let _ = writeln!(
        text,
        "\n{} ({})",
        paint(style::HEADING, &count(inputs.files.len(), "file", "files")),
        kinds.join(", ")
    );
    let rows: Vec<Vec<Cell>> = inputs
        .files
        .iter()
        .map(|file| {
            vec![
                Cell::text(file.kind.as_str()),
                Cell::styled(&file.digest.to_hex()[..DIGEST_DIGITS], style::FAINT),
                Cell::text(printable(file.path.as_str())),
            ]
        })
        .collect();
    text.push_str(&table(&["KIND", "DIGEST", "PATH"], &rows));
    let _ = writeln!(
        text,
        "\n{} (tier {})",
        paint(
            style::HEADING,
            &count(inputs.modules.len(), "module", "modules")
        ),
        inputs.tier
    );
    for module in inputs.modules.iter() {
        let replacement = module
            .replacement
            .as_ref()
            .map(|replacement| format!(" => {replacement}"))
            .unwrap_or_default();
        let _ = writeln!(
            text,
            "  {}",
            printable(&format!("{} {}{replacement}", module.path, module.version))
        );
    }
    let _ = writeln!(text, "\n{}", paint(style::HEADING, "settings"));
    let mut rows: Vec<Vec<Cell>> = inputs
        .settings
        .iter()
        .map(|(setting, value)| vec![Cell::text(setting.as_str()), Cell::text(printable(value))])
        .collect();
    rows.extend(inputs.facts.iter().map(|fact| {
        let name = format!("{}: {}", fact.manifest, fact.name);
        vec![
            Cell::text(printable(&name)),
            Cell::text(printable(&fact.value)),
        ]
    }));
    text.push_str(&table(&["NAME", "VALUE"], &rows));
    text
}
