//! Dockerfiles as values.
//!
//! In: [`Instruction`]s. Out: text. Every value is escaped here, and nowhere else, so that no path, name or setting can
//! become an instruction, a flag, a pattern or a variable. What can't be written is refused: never written raw.
//!
//! Source: moby/buildkit frontend/dockerfile/parser (`parser.go`, `line_parsers.go`), frontend/dockerfile/shell
//! (`lex.go`), and docs in frontend/dockerfile/docs/reference.md.

use super::EmitError;
use crate::path::RepoPath;
use std::fmt::Write as _;

/// The longest line before a list is broken into several.
const WIDTH: usize = 100;

/// One instruction, or what stands between instructions.
#[derive(Debug, Clone)]
pub(super) enum Instruction {
    /// A comment of one or more lines.
    Comment(String),
    /// An empty line.
    Blank,
    /// `FROM`.
    From {
        platform: Option<&'static str>,
        /// An image or a stage.
        base: String,
        stage: &'static str,
    },
    /// `ARG`, without a value.
    Arg(Vec<&'static str>),
    /// `ARG` with a value.
    ArgOr(&'static str, &'static str),
    /// `ENV`.
    Env(Vec<(&'static str, String)>),
    /// `WORKDIR`.
    Workdir(String),
    /// `COPY` of paths of the context.
    CopyContext {
        sources: Vec<Source>,
        /// Paths that are left out.
        exclude: Vec<Source>,
        destination: String,
    },
    /// `COPY --from`.
    CopyStage {
        stage: &'static str,
        link: Link,
        /// Patterns of what is left out.
        exclude: Vec<&'static str>,
        source: String,
        destination: String,
    },
    /// `RUN`, without a shell.
    Run {
        network: Network,
        mounts: Vec<Mount>,
        command: Vec<String>,
    },
    /// `USER`, by number.
    User(&'static str),
    /// `ENTRYPOINT`.
    Entrypoint(Vec<String>),
}

/// What is copied from the context, or left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A path of the repository: escaped.
    Path(RepoPath),
    /// All files of a name that is ours, wherever they are.
    Everywhere(&'static str),
}

/// Whether a layer stands by itself, so that it is used again when those below it change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Linked,
    Stacked,
}

/// Whether a step may reach out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    Default,
    None,
}

/// What a step sees beside its own file system.
#[derive(Debug, Clone)]
pub(super) enum Mount {
    /// A path of the context, read-only.
    Context { source: RepoPath, target: String },
    /// A directory of another stage.
    Stage {
        stage: &'static str,
        source: String,
        target: String,
        writes: Writes,
    },
    /// A cache of the builder.
    Cache { id: String, target: &'static str },
    /// The secret `netrc`.
    Netrc,
    /// The ssh agent.
    Ssh,
}

/// What becomes of writes to a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writes {
    Refused,
    /// Allowed, and thrown away when the step ends.
    Discarded,
}

/// Writes a Dockerfile.
pub(super) fn render(instructions: &[Instruction]) -> Result<String, EmitError> {
    let mut text = String::new();
    for instruction in instructions {
        render_instruction(&mut text, instruction)?;
        text.push('\n');
    }
    Ok(text)
}

fn render_instruction(text: &mut String, instruction: &Instruction) -> Result<(), EmitError> {
    match instruction {
        Instruction::Blank => {}
        Instruction::Comment(comment) => {
            let lines: Vec<String> = comment.lines().map(|line| format!("# {line}")).collect();
            text.push_str(&lines.join("\n"));
        }
        Instruction::From {
            platform,
            base,
            stage,
        } => {
            text.push_str("FROM ");
            if let Some(platform) = platform {
                let _ = write!(text, "--platform={platform} ");
            }
            let _ = write!(text, "{base} AS {stage}");
        }
        Instruction::Arg(names) => {
            let _ = write!(text, "ARG {}", names.join(" "));
        }
        Instruction::ArgOr(name, value) => {
            let _ = write!(text, "ARG {name}={value}");
        }
        Instruction::Env(settings) => {
            let settings = settings
                .iter()
                .map(|(name, value)| Ok(format!("{name}={}", quoted_word(value)?)))
                .collect::<Result<Vec<_>, EmitError>>()?;
            let _ = write!(text, "ENV {}", settings.join(" \\\n    "));
        }
        Instruction::Workdir(path) => {
            let _ = write!(text, "WORKDIR {}", quoted_word(path)?);
        }
        Instruction::CopyContext {
            sources,
            exclude,
            destination,
        } => {
            text.push_str("COPY ");
            // The whole context has no parents, and BuildKit finds none of it when asked for them.
            if *sources != [Source::Path(RepoPath::root())] {
                text.push_str("--parents ");
            }
            for source in exclude {
                // A flag has no quotes; a path that would need them is only copied in vain.
                match source {
                    Source::Everywhere(name) => {
                        let _ = write!(text, "--exclude=**/{name} ");
                    }
                    Source::Path(path) if is_plain(path.as_str()) => {
                        let _ = write!(text, "--exclude={path} ");
                    }
                    Source::Path(_) => {}
                }
            }
            let mut words = sources
                .iter()
                .map(|source| match source {
                    Source::Path(path) => copy_word(path.as_str()),
                    Source::Everywhere(name) => Ok(format!("**/{name}")),
                })
                .collect::<Result<Vec<_>, EmitError>>()?;
            words.push(copy_word(destination)?);
            json_list(text, &words)?;
        }
        Instruction::CopyStage {
            stage,
            link,
            exclude,
            source,
            destination,
        } => {
            text.push_str("COPY ");
            if *link == Link::Linked {
                text.push_str("--link ");
            }
            let _ = write!(text, "--from={stage} ");
            for pattern in exclude {
                let _ = write!(text, "\\\n    --exclude={pattern} ");
            }
            if !exclude.is_empty() {
                text.push_str("\\\n    ");
            }
            json_list(text, &[copy_word(source)?, copy_word(destination)?])?;
        }
        Instruction::Run {
            network,
            mounts,
            command,
        } => {
            text.push_str("RUN ");
            if *network == Network::None {
                text.push_str("--network=none ");
            }
            for mount in mounts {
                if !text.ends_with("RUN ") {
                    text.push_str("\\\n    ");
                }
                let _ = write!(text, "--mount={} ", mount_value(mount)?);
            }
            if !mounts.is_empty() {
                text.push_str("\\\n    ");
            }
            json_list(text, command)?;
        }
        Instruction::User(user) => {
            let _ = write!(text, "USER {user}");
        }
        Instruction::Entrypoint(command) => {
            text.push_str("ENTRYPOINT ");
            json_list(text, command)?;
        }
    }
    Ok(())
}

/// Whether a text is the same in every kind of word.
fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/._-+~@".contains(&byte))
}

/// A mount's options: a CSV record in which variables are expanded.
fn mount_value(mount: &Mount) -> Result<String, EmitError> {
    let field = |name: &str, value: &str| -> Result<String, EmitError> {
        // A record with quotes would have to survive the shell words around it too.
        refuse(value, |character| {
            character.is_control() || ",\"'\\$ ".contains(character)
        })?;
        Ok(format!("{name}={value}"))
    };
    let fields = match mount {
        Mount::Context { source, target } => vec![
            "type=bind".to_owned(),
            field("source", source.as_str())?,
            field("target", target)?,
        ],
        Mount::Stage {
            stage,
            source,
            target,
            writes,
        } => {
            let mut fields = vec![
                "type=bind".to_owned(),
                format!("from={stage}"),
                field("source", source)?,
                field("target", target)?,
            ];
            if *writes == Writes::Discarded {
                fields.push("rw".to_owned());
            }
            fields
        }
        Mount::Cache { id, target } => vec![
            "type=cache".to_owned(),
            field("id", id)?,
            field("target", target)?,
        ],
        Mount::Netrc => vec![
            "type=secret".to_owned(),
            "id=netrc".to_owned(),
            "target=/root/.netrc".to_owned(),
            "required".to_owned(),
        ],
        Mount::Ssh => vec!["type=ssh".to_owned(), "required".to_owned()],
    };
    Ok(fields.join(","))
}

/// A word between double quotes: variables are expanded there, unless their dollar is escaped.
fn quoted_word(value: &str) -> Result<String, EmitError> {
    refuse(value, char::is_control)?;
    let mut word = String::with_capacity(value.len() + 2);
    word.push('"');
    for character in value.chars() {
        if matches!(character, '"' | '\\' | '$') {
            word.push('\\');
        }
        word.push(character);
    }
    word.push('"');
    Ok(word)
}

/// A source or destination of `COPY` in its JSON form: variables are expanded there too, and sources are patterns.
fn copy_word(path: &str) -> Result<String, EmitError> {
    // Quotes, backslashes and stars have no form that `COPY` takes for themselves, and `<<` starts a heredoc.
    refuse(path, |character| {
        character.is_control() || "\"'\\*?<".contains(character)
    })?;
    if path.starts_with('!') {
        // A source that begins so is taken for an exception from the others.
        refuse(path, |character| character == '!')?;
    }
    let mut word = String::with_capacity(path.len());
    for character in path.chars() {
        match character {
            '$' => word.push_str("\\$"),
            '[' => word.push_str("[[]"),
            other => word.push(other),
        }
    }
    Ok(word)
}

/// A JSON array of strings, broken into lines where it is long.
fn json_list(text: &mut String, words: &[String]) -> Result<(), EmitError> {
    let mut quoted = Vec::with_capacity(words.len());
    for word in words {
        refuse(word, char::is_control)?;
        quoted.push(serde_json::Value::from(word.as_str()).to_string());
    }
    let length: usize = quoted.iter().map(|word| word.len() + 2).sum();
    if length <= WIDTH {
        let _ = write!(text, "[{}]", quoted.join(", "));
    } else {
        let _ = write!(text, "[ \\\n    {} \\\n]", quoted.join(", \\\n    "));
    }
    Ok(())
}

/// Refuses a text with a character that can't be written where it should stand.
pub(super) fn refuse(text: &str, refused: impl Fn(char) -> bool) -> Result<(), EmitError> {
    match text.chars().find(|character| refused(*character)) {
        None => Ok(()),
        Some(character) => Err(EmitError::Unwritable {
            text: text.to_owned(),
            character,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RepoPath {
        RepoPath::new(text).unwrap()
    }

    fn copy(source: &str) -> Result<String, EmitError> {
        render(&[Instruction::CopyContext {
            sources: vec![Source::Path(path(source))],
            exclude: Vec::new(),
            destination: "/src/".to_owned(),
        }])
    }

    #[test]
    fn names_of_the_repository_stay_names() {
        let cases = [
            ("a b", r#"COPY --parents ["a b", "/src/"]"#),
            ("we[i]rd", r#"COPY --parents ["we[[]i]rd", "/src/"]"#),
            ("a$HOME", r#"COPY --parents ["a\\$HOME", "/src/"]"#),
            ("--link", r#"COPY --parents ["--link", "/src/"]"#),
            ("größe", r#"COPY --parents ["größe", "/src/"]"#),
            ("#x", r##"COPY --parents ["#x", "/src/"]"##),
        ];
        for (source, expected) in cases {
            assert_eq!(copy(source).unwrap().trim_end(), expected);
        }
    }

    #[test]
    fn the_whole_context_is_copied_without_parents() {
        assert_eq!(copy(".").unwrap(), "COPY [\".\", \"/src/\"]\n");
    }

    #[test]
    fn what_copy_can_t_express_is_refused() {
        for source in [
            "a\"b",
            "a\\b",
            "a*",
            "a?",
            "a\nRUN evil",
            "<<EOF",
            "it's",
            "!a",
        ] {
            assert!(copy(source).is_err(), "{source:?}");
        }
    }

    #[test]
    fn settings_are_quoted_and_expand_nothing() {
        let text = render(&[Instruction::Env(vec![(
            "GOFLAGS",
            r#"'-ldflags=-X "a=$B\"' -trimpath"#.to_owned(),
        )])]);
        assert_eq!(
            text.unwrap(),
            "ENV GOFLAGS=\"'-ldflags=-X \\\"a=\\$B\\\\\\\"' -trimpath\"\n"
        );
    }

    #[test]
    fn a_mount_holds_no_second_option() {
        let mounted = |source: &str| {
            mount_value(&Mount::Context {
                source: path(source),
                target: "/x".to_owned(),
            })
        };
        assert_eq!(mounted("a/b").unwrap(), "type=bind,source=a/b,target=/x");
        for source in ["a,rw", "a b", "a$b", "a\"b", "a\nb"] {
            assert!(mounted(source).is_err(), "{source:?}");
        }
    }
}
