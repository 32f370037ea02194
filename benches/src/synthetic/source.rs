//! The Go files of a generated monorepo.
//!
//! In: a package's directory, imports and numbers. Out: paths and texts of files that compile.

use super::manifest::write_infallibly;
use super::random::Random;
use super::{MODULE, NewFile, Shape};
use std::collections::BTreeSet;

/// What a package imports, beside the standard library.
#[derive(Default)]
pub(super) struct PackageImports(BTreeSet<String>);

impl PackageImports {
    pub(super) fn add_first_party(&mut self, directory: Option<String>) {
        self.0
            .extend(directory.map(|directory| format!("{MODULE}/{directory}")));
    }

    pub(super) fn add_third_party(&mut self, path: Option<String>) {
        self.0.extend(path);
    }
}

/// Packages of the standard library, each with an expression that uses it and is a string.
const STANDARD: [(&str, &str); 6] = [
    ("fmt", "fmt.Sprint(value)"),
    ("path", "path.Join(\"a\", \"b\")"),
    ("strconv", "strconv.Itoa(value)"),
    ("strings", "strings.Repeat(\"x\", 3)"),
    ("time", "time.Duration(value).String()"),
    ("unicode/utf8", "string(rune(utf8.RuneSelf))"),
];

/// One of the Go files of a package that is no main package.
pub(super) struct GoFile<'p> {
    pub(super) directory: &'p str,
    pub(super) number: u32,
    pub(super) of: u32,
    pub(super) imports: &'p PackageImports,
    pub(super) length: u32,
}

impl GoFile<'_> {
    pub(super) fn source(&self, random: &mut Random) -> NewFile {
        let Self {
            directory,
            number,
            of,
            imports,
            length,
        } = self;
        let package = last_element(directory);
        let prefix = format!("step{number:02}");
        let mut text = String::with_capacity(*length as usize + 1024);
        if *number == 0 {
            write_infallibly(
                &mut text,
                format_args!("// Package {package} is generated.\n"),
            );
        }
        write_infallibly(&mut text, format_args!("package {package}\n\nimport (\n"));
        // Two neighbours of the table, so that the imports are sorted.
        let first = random.below(STANDARD.len() as u32 - 1) as usize;
        let standard = &STANDARD[first..first + 2];
        for (path, _) in standard {
            write_infallibly(&mut text, format_args!("\t\"{path}\"\n"));
        }
        // A package's imports are spread over its files.
        let mine: Vec<&String> = (imports.0.iter().zip(0_u32..))
            .filter_map(|(path, index)| (index % of == *number).then_some(path))
            .collect();
        write_imports(&mut text, &mine);
        write_infallibly(
            &mut text,
            format_args!("\nfunc {prefix}Label(value int) string {{\n\treturn "),
        );
        for (index, (_, expression)) in standard.iter().enumerate() {
            let join = if index == 0 { "" } else { " + " };
            write_infallibly(&mut text, format_args!("{join}{expression}"));
        }
        text.push_str("\n}\n");
        write_uses(&mut text, &prefix, &mine);
        if *number == 0 {
            let value = random.below(1000);
            write_infallibly(
                &mut text,
                format_args!(
                    "\n// Value is what importers use.\nfunc Value() int {{\n\treturn {value}\n}}\n"
                ),
            );
        }
        fill(&mut text, &prefix, *length, random);
        (format!("{directory}/{prefix}.go"), text)
    }
}

pub(super) fn test(directory: &str, number: u32, length: u32, random: &mut Random) -> NewFile {
    let package = last_element(directory);
    let prefix = format!("test{number:02}");
    let mut text = format!(
        "package {package}\n\nimport \"testing\"\n\nfunc TestValue{number:02}(t *testing.T) {{\n\
         \tif Value() < 0 {{\n\t\tt.Fail()\n\t}}\n}}\n"
    );
    fill(&mut text, &prefix, length, random);
    (format!("{directory}/value{number:02}_test.go"), text)
}

pub(super) fn main_package(
    directory: &str,
    service: u32,
    imports: &PackageImports,
    shape: &Shape,
) -> Vec<NewFile> {
    let mine: Vec<&String> = imports.0.iter().collect();
    let mut text =
        format!("// Command service{service:04} is generated.\npackage main\n\nimport (\n");
    text.push_str("\t\"fmt\"\n");
    write_imports(&mut text, &mine);
    write_uses(&mut text, "main", &mine);
    text.push_str("\nfunc main() {\n\tfmt.Println(mainUses");
    let embedded = shape.embedded_per_service;
    text.push_str(if embedded > 0 {
        ", assets)\n}\n"
    } else {
        ")\n}\n"
    });
    let mut files = vec![(format!("{directory}/main.go"), text)];
    if embedded > 0 {
        files.push((
            format!("{directory}/assets.go"),
            "package main\n\nimport \"embed\"\n\n//go:embed assets/*.json\nvar assets embed.FS\n"
                .to_owned(),
        ));
    }
    for number in 0..embedded {
        files.push((
            format!("{directory}/assets/text{number:02}.json"),
            format!("{{\"service\": {service}, \"text\": {number}}}\n"),
        ));
    }
    files
}

/// The rest of an import block.
fn write_imports(text: &mut String, paths: &[&String]) {
    if !paths.is_empty() {
        text.push('\n');
    }
    for path in paths {
        write_infallibly(text, format_args!("\t\"{path}\"\n"));
    }
    text.push_str(")\n");
}

/// A variable that uses every import.
fn write_uses(text: &mut String, prefix: &str, paths: &[&String]) {
    write_infallibly(text, format_args!("\nvar {prefix}Uses = []int{{"));
    if !paths.is_empty() {
        text.push('\n');
    }
    for path in paths {
        let name = last_element(path);
        write_infallibly(text, format_args!("\t{name}.Value(),\n"));
    }
    text.push_str("}\n");
}

/// Functions that nobody calls, up to the wanted length.
fn fill(text: &mut String, prefix: &str, length: u32, random: &mut Random) {
    let mut number = 0;
    while text.len() < length as usize {
        let (factor, summand, mask) = (random.next() >> 40, random.below(1000), random.below(9999));
        write_infallibly(
            text,
            format_args!(
                "\n// {prefix}Number{number} mixes its argument with fixed numbers.\n\
                 func {prefix}Number{number}(value int) int {{\n\
                 \tvalue = value*{factor} + {summand}\n\treturn value ^ {mask}\n}}\n"
            ),
        );
        number += 1;
    }
}

fn last_element(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
