//! The stage that all others start from.
//!
//! In: a [`ServiceBuild`](super::ServiceBuild). Out: the Go image, or what builds read of it, with the settings of every
//! later stage. It must never leave out what a build may read: only of official images is it known what they hold where.

use super::{BUILD_CACHE, Dockerfile, MODULE_CACHE, Variant, go_flags, in_sources};
use crate::{
    emit::{
        EmitError,
        dockerfile::{Instruction, Link},
    },
    recipe::{GoImageScope, Profile},
    target::Cgo,
};

/// The stage that is the Go image, where the others start from a part of it.
pub(in crate::emit) const GO_IMAGE: &str = "go-image";

/// What no build of a program reads of the official Go image: tests, and the sources of the toolchain's own commands.
const UNREAD_OF_GO: [&str; 7] = [
    "usr/local/go/api",
    "usr/local/go/doc",
    "usr/local/go/misc",
    "usr/local/go/test",
    "usr/local/go/src/cmd",
    "usr/local/go/src/**/testdata",
    "usr/local/go/src/**/*_test.go",
];

/// What only C compilers read of it, in the variants that have them.
const UNREAD_WITHOUT_C: [&str; 3] = ["usr/include", "usr/lib/gcc", "usr/libexec/gcc"];

/// The environment of the official Go image, of all its variants for Linux, as far as commands read it.
///
/// Source: docker-library/golang (`Dockerfile-linux.template`).
const GO_IMAGE_ENVIRONMENT: [(&str, &str); 2] = [
    (
        "PATH",
        "/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ),
    ("GOPATH", "/go"),
];

impl Dockerfile<'_> {
    /// Only what can matter to the compiler differs between the stages: the settings are the same for all.
    pub(super) fn base(&mut self) -> Result<(), EmitError> {
        let build = self.build;
        self.push(Instruction::Blank);
        let (reason, platform) = match build.cgo {
            Cgo::Disabled => (
                "base: the Go toolchain, with the settings of every later stage. It runs on the builder's own platform.",
                "$BUILDPLATFORM",
            ),
            Cgo::Enabled => (
                "base: the Go toolchain, with the settings of every later stage. It runs on the image's platform, because \
                 cgo needs that platform's C toolchain.",
                "$TARGETPLATFORM",
            ),
        };
        if self.is_go_image_cut() {
            self.cut_go_image(platform);
        } else {
            self.comment(reason);
            self.push(Instruction::From {
                platform: Some(platform),
                base: build.recipe.go_image.to_string(),
                stage: "base",
            });
        }
        let cgo = match build.cgo {
            Cgo::Disabled => "0",
            Cgo::Enabled => "1",
        };
        let workspace = match build.layout.workspace() {
            Some(directory) => in_sources(&directory.child("go.work")),
            None => "off".to_owned(),
        };
        let mut settings: Vec<(&str, String)> = Vec::new();
        if self.is_go_image_cut() {
            settings.extend(GO_IMAGE_ENVIRONMENT.map(|(name, value)| (name, value.to_owned())));
        }
        settings.extend([
            ("CGO_ENABLED", cgo.to_owned()),
            ("GOFLAGS", go_flags(build, Variant::Release)?),
            ("GOWORK", workspace),
            ("GOTOOLCHAIN", "local".to_owned()),
            ("GOENV", "off".to_owned()),
            ("GOMODCACHE", MODULE_CACHE.to_owned()),
            ("GOCACHE", BUILD_CACHE.to_owned()),
        ]);
        let recipe = &build.recipe;
        for (name, value) in [
            ("GOPROXY", &recipe.module_proxy),
            ("GOPRIVATE", &recipe.private_modules),
            ("GONOSUMDB", &recipe.unsummed_modules),
        ] {
            if let Some(value) = value {
                settings.push((name, value.as_str().to_owned()));
            }
        }
        self.push(Instruction::Env(settings));
        self.push(Instruction::Workdir(in_sources(&build.module_directory)));
        Ok(())
    }

    /// Whether the stages start from a part of the Go image. A C toolchain is left whole.
    fn is_go_image_cut(&self) -> bool {
        let build = self.build;
        build.recipe.profile == Profile::Layers
            && build.recipe.go_image_scope == GoImageScope::Needed
            && build.recipe.go_image.is_official_go()
            && build.cgo == Cgo::Disabled
    }

    /// What builds read of the Go image, in a layer that caches carry in place of those of the image.
    fn cut_go_image(&mut self, platform: &'static str) {
        self.comment(
            "go-image: the Go toolchain. A runner that imports a cache does not fetch it.",
        );
        self.push(Instruction::From {
            platform: Some(platform),
            base: self.build.recipe.go_image.to_string(),
            stage: GO_IMAGE,
        });
        self.push(Instruction::Blank);
        self.comment(
            "base: what builds read of it, with the settings of every later stage. It runs on the builder's own platform.",
        );
        self.push(Instruction::From {
            platform: Some(platform),
            base: "scratch".to_owned(),
            stage: "base",
        });
        let mut exclude = UNREAD_OF_GO.to_vec();
        // Flags may ask for the linker of C even without cgo.
        if self.build.build_flags.is_empty() {
            exclude.extend(UNREAD_WITHOUT_C);
        }
        self.comment(
            "All that is not left out: this is no stage of the image.\nhadolint ignore=DL3067",
        );
        self.push(Instruction::CopyStage {
            stage: GO_IMAGE,
            link: Link::Stacked,
            exclude,
            source: "/".to_owned(),
            destination: "/".to_owned(),
        });
    }
}
