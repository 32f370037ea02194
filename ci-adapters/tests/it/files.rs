//! No test is forgotten.

use std::{fs, path::Path};

#[test]
fn every_file_of_tests_is_a_module_of_this_binary() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = fs::read_to_string(directory.join("main.rs")).unwrap();
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        if !is_rust || name == "main" {
            continue;
        }
        assert!(
            main.contains(&format!("\nmod {name};\n")),
            "tests/it/main.rs does not declare `mod {name};`, so its tests never run"
        );
    }
}
