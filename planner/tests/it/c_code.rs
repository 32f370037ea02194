//! What C compilers, assemblers and linkers read beside the files of a package: each case was built by gcc, and gave another
//! program after the change.

use crate::rendering::render_plan;
use rebake_planner::{
    diagnostic::Code,
    emit::Build,
    path::RepoPath,
    plan::{Plan, PlanOptions, plan},
    target::Cgo,
    tree::memory::MemoryTree,
};

type Files = &'static [(&'static str, &'static str)];

/// A program, and a file whose change changes it.
struct Case {
    what: &'static str,
    /// The comment above `import "C"`.
    preamble: &'static str,
    files: Files,
    changed: &'static str,
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { what: "an #include of a macro", preamble: "#define H \"sub/x.h\"\n#include H", files: &[("cmd/api/sub/x.h", "1")], changed: "cmd/api/sub/x.h" },
    Case { what: "an #include of a macro from a flag", preamble: "#cgo CFLAGS: -I${SRCDIR}/../../inc -DH=Y\n#include H", files: &[("inc/y.h", "1")], changed: "inc/y.h" },
    Case { what: "what a file includes that a macro names", preamble: "#cgo CFLAGS: -I${SRCDIR}/../../inc\n#if 1\n#define H \"x.inc\"\n#endif\n#include H", files: &[("inc/x.inc", "#include \"deep/y.h\"\n"), ("inc/deep/y.h", "1")], changed: "inc/deep/y.h" },
    Case { what: "an #include of a macro, behind a linked directory", preamble: "#include H", files: &[("cmd/api/l", "-> ../../inc"), ("inc/y.h", "1")], changed: "inc/y.h" },
    Case { what: "a comment that ends before an #include", preamble: "#include \"a.h\"", files: &[("cmd/api/a.h", "/* x\n y */ #include \"../../inc/y.h\"\n"), ("inc/y.h", "1")], changed: "inc/y.h" },
    Case { what: "a byte order mark", preamble: "#include \"a.h\"", files: &[("cmd/api/a.h", "\u{feff}#include \"../../inc/y.h\"\n"), ("inc/y.h", "1")], changed: "inc/y.h" },
    Case { what: "#include_next", preamble: "#cgo CFLAGS: -I${SRCDIR}/../../a -I${SRCDIR}/../../b\n#include <x.h>", files: &[("a/x.h", "#include_next <x.h>\n"), ("b/x.h", "1")], changed: "b/x.h" },
    Case { what: "-isystem, which comes after -I", preamble: "#cgo CFLAGS: -isystem ${SRCDIR}/../../a -I${SRCDIR}/../../b\n#include <x.h>", files: &[("a/x.h", "5"), ("b/x.h", "1")], changed: "b/x.h" },
    Case { what: "a digraph", preamble: "#include \"a.h\"", files: &[("cmd/api/a.h", "%:include \"../../inc/y.h\"\n"), ("inc/y.h", "1")], changed: "inc/y.h" },
    Case { what: ".incbin in a string of C", preamble: "", files: &[("cmd/api/a.c", "__asm__(\"bl: .incbin \\\"data.bin\\\"\\n\");\n"), ("cmd/api/data.bin", "1")], changed: "cmd/api/data.bin" },
    Case { what: ".incbin behind a label", preamble: "", files: &[("cmd/api/b.S", "bl: .incbin \"data.bin\"\n"), ("cmd/api/data.bin", "1")], changed: "cmd/api/data.bin" },
    Case { what: "an absolute include directory", preamble: "#cgo CFLAGS: -I/home/me/src/shop/inc\n#include \"y.h\"", files: &[("inc/y.h", "1")], changed: "inc/y.h" },
    Case { what: "a header that a flag includes", preamble: "#cgo CFLAGS: -include y.h -I${SRCDIR}/../../inc", files: &[("inc/y.h", "1")], changed: "inc/y.h" },
    Case { what: "a directory for a system's headers", preamble: "#cgo CFLAGS: --sysroot=${SRCDIR}/../../sys\n#include <y.h>", files: &[("sys/usr/include/y.h", "1")], changed: "sys/usr/include/y.h" },
    Case { what: "Fortran's include", preamble: "", files: &[("cmd/api/a.f90", "      include 'x.inc'\n"), ("cmd/api/x.inc", "1")], changed: "cmd/api/x.inc" },
    Case { what: "an include of Go's assembler, from a file below", preamble: "", files: &[("cmd/api/a_amd64.s", "#include \"sub/b.inc\"\n"), ("cmd/api/sub/b.inc", "#include \"c.inc\"\n"), ("cmd/api/sub/c.inc", "2"), ("cmd/api/c.inc", "1")], changed: "cmd/api/c.inc" },
    Case { what: "a library whose directory another package names", preamble: "#cgo LDFLAGS: -lg", files: &[("p/p.go", "package p\n\n// #cgo LDFLAGS: -L${SRCDIR}/../lib\nimport \"C\"\n"), ("lib/libg.a", "1")], changed: "lib/libg.a" },
    Case { what: "a linker script", preamble: "#cgo LDFLAGS: -L${SRCDIR}/../../lib -lg", files: &[("lib/libg.a", "INPUT(libreal.a)\n"), ("lib/libreal.a", "1")], changed: "lib/libreal.a" },
    Case { what: "a linker script that names libraries", preamble: "#cgo LDFLAGS: -L${SRCDIR}/../../lib -l g", files: &[("lib/libg.so", "GROUP ( -lreal AS_NEEDED ( -lm ) )\n"), ("lib/libreal.so.1", "1")], changed: "lib/libreal.so.1" },
    Case { what: "a thin archive", preamble: "#cgo LDFLAGS: ${SRCDIR}/../../lib/libg.a", files: &[("lib/libg.a", "!<thin>\n//                                              6         `\ng.o/\n\n"), ("lib/g.o", "1")], changed: "lib/g.o" },
    Case { what: "a library below the directory where go runs", preamble: "#cgo LDFLAGS: lib/libg.a", files: &[("cmd/api/lib/libg.a", "5"), ("lib/libg.a", "1")], changed: "lib/libg.a" },
];

fn options() -> PlanOptions {
    let mut options = PlanOptions::new();
    options.cgo = Some(Cgo::Enabled);
    options
}

fn planned(preamble: &str, files: Files, changed: Option<&str>) -> Plan {
    let comment: String = preamble
        .lines()
        .map(|line| format!("// {line}\n"))
        .collect();
    let library = files.iter().any(|(path, _)| *path == "p/p.go");
    let import = if library {
        "import _ \"ex.com/m/p\"\n"
    } else {
        ""
    };
    let program = format!("package main\n\n{comment}import \"C\"\n{import}\nfunc main() {{}}\n");
    let mut tree = MemoryTree::new()
        .with_file("go.mod", "module ex.com/m\n\ngo 1.22\n")
        .and_then(|tree| tree.with_file("cmd/api/main.go", program.as_str()))
        .expect("clean paths");
    for (path, content) in files {
        tree = match content.strip_prefix("-> ") {
            Some(target) => tree.with_symlink(path, target),
            None if changed == Some(*path) => tree.with_file(path, format!("{content} 2").as_str()),
            None => tree.with_file(path, *content),
        }
        .expect("clean paths");
    }
    plan(&tree, &options()).expect("a plan")
}

#[test]
fn what_compilers_and_linkers_read_is_in_the_key() {
    let mut failures = String::new();
    for case in CASES {
        let before = planned(case.preamble, case.files, None);
        let after = planned(case.preamble, case.files, Some(case.changed));
        let (before_keys, after_keys) = (before.images[0].keys, after.images[0].keys);
        if before_keys.is_none() || after_keys.is_none() || before_keys == after_keys {
            failures += &format!("{}\n{}", case.what, render_plan(&before));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn a_build_sees_every_file_that_is_in_the_key() {
    let mut failures = String::new();
    for case in CASES {
        let plan = planned(case.preamble, case.files, None);
        let changed = RepoPath::new(case.changed).expect("a clean path");
        let sees = plan.builds().iter().any(|build| match build {
            Build::Emitted(build) => build.lets_in(&changed),
            Build::Kept(_) => false,
        });
        if !sees {
            failures += &format!("{}\n", case.what);
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn a_directory_above_a_linked_one_is_doubted() {
    let files: Files = &[
        ("cmd/api/l", "-> ../../inc"),
        ("inc/z", ""),
        ("inc2/y.h", "1"),
        ("cmd/api/inc2/y.h", "7"),
    ];
    let preamble = "#cgo CFLAGS: -I${SRCDIR}/l/../inc2\n#include \"y.h\"";
    let plan = planned(preamble, files, None);
    assert_eq!(plan.images[0].keys, None);
    assert_eq!(plan.images[0].doubts, [Code::Unreadable]);
}

#[test]
fn system_directories_and_other_libraries_change_nothing() {
    let files: Files = &[
        ("include/other.h", "1"),
        ("lib/libg.a", "!<arch>\n"),
        ("lib/libother.a", "!<arch>\n"),
    ];
    let preamble = "#cgo CFLAGS: -I/usr/include -O2\n#cgo LDFLAGS: -L${SRCDIR}/../../lib -lg -L/usr/lib -lm\n#include <stdio.h>";
    let before = planned(preamble, files, None);
    for changed in ["include/other.h", "lib/libother.a"] {
        let after = planned(preamble, files, Some(changed));
        assert!(before.images[0].keys.is_some(), "{}", render_plan(&before));
        assert_eq!(before.images[0].keys, after.images[0].keys, "{changed}");
    }
}
