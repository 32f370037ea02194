//! What a Dockerfile reads from its build context.
//!
//! In: the bytes of a Dockerfile. Out: the sources of its `COPY` and `ADD` instructions and of its bind mounts, each with
//! the stage that reads it, what each stage does, and every fault. It must never run or expand anything: a source with a
//! variable is told apart.
//!
//! Source: github.com/moby/buildkit/frontend/dockerfile (`parser.Parse`, `heredocsFromLine`, `instructions.ParseInstruction`).
//!
//! Known gaps: **`ONBUILD` instructions** are not read, since they run in the builds of other images; **named contexts**
//! (`FROM` and `--from`) are not the build context, so what they hold is not read.

use crate::diagnostic::{Code, Fault, Located, Parsed, Position, Severity};

/// What a Dockerfile reads from its context.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dockerfile {
    /// In the order of the file.
    pub reads: Vec<Located<ContextRead>>,
    /// In the order of the file; the last one is the image.
    pub stages: Vec<Stage>,
}

/// A stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// What it is called, in lower case; empty where it has no name.
    pub name: String,
    /// What it starts from, as it is written.
    pub base: String,
    /// Where it is written.
    pub position: Position,
    /// In the order of the file.
    pub steps: Vec<Located<Step>>,
}

/// What a stage does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `COPY`, `ADD`, or a mount.
    Copied(Copied),
    /// `RUN`, without its flags: the first line, and whether a here-document follows.
    Run {
        /// The command.
        command: String,
        /// Whether there is more of it than that.
        heredoc: bool,
    },
    /// `WORKDIR`.
    WorkingDirectory(String),
    /// The assignments of `ENV` and `ARG`, as they are written.
    Variables(String),
    /// `SHELL`: commands are not what they look like.
    Shell,
}

/// What is copied, or mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The stage or image that it comes from; the build context where there is none.
    pub from: Option<String>,
    /// The sources, as they are written.
    pub sources: Vec<String>,
    /// Where they go, as it is written.
    pub destination: String,
}

/// One source in the build context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextRead {
    /// The stage that reads it, from 1; 0 before the first `FROM`, which no build gets past.
    pub stage: usize,
    /// What is read.
    pub source: ReadSource,
}

/// What an instruction reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadSource {
    /// Files that a pattern matches; `.` is the whole context.
    Pattern(String),
    /// A source that holds a variable, so it can be anything.
    Variable(String),
}

/// The stage of that name or number before another.
pub(crate) fn named_stage(stages: &[Stage], before: usize, name: Option<&str>) -> Option<usize> {
    let name = name?.to_ascii_lowercase();
    let earlier = &stages[..before];
    let by_name = earlier
        .iter()
        .rposition(|stage| !stage.name.is_empty() && stage.name == name);
    by_name.or_else(|| {
        let number: usize = name.parse().ok()?;
        (number < before).then_some(number)
    })
}

/// A stage and those that it starts from.
pub(crate) fn lineage(stages: &[Stage], stage: usize) -> Vec<usize> {
    let mut lineage = vec![stage];
    let mut at = stage;
    while let Some(base) = named_stage(stages, at, Some(&stages[at].base)) {
        lineage.push(base);
        at = base;
    }
    lineage
}

/// Reads a Dockerfile.
pub fn parse_dockerfile(source: &[u8]) -> Parsed<Dockerfile> {
    let mut parser = Parser::default();
    match std::str::from_utf8(source) {
        Ok(text) => parser.parse(text.strip_prefix('\u{FEFF}').unwrap_or(text)),
        Err(error) => {
            let line = memchr::memchr_iter(b'\n', &source[..error.valid_up_to()]).count();
            parser.fault(line, "the file is not UTF-8");
        }
    }
    Parsed {
        value: parser.dockerfile,
        faults: parser.faults,
    }
}

struct Parser {
    escape: char,
    dockerfile: Dockerfile,
    faults: Vec<Fault>,
}

impl Default for Parser {
    fn default() -> Self {
        Self {
            escape: '\\',
            dockerfile: Dockerfile::default(),
            faults: Vec::new(),
        }
    }
}

impl Parser {
    /// `line` counts from 0.
    fn fault(&mut self, line: usize, message: &str) {
        self.faults.push(Fault {
            code: Code::Syntax,
            severity: Severity::Error,
            message: message.to_owned(),
            position: at(line),
        });
    }

    fn parse(&mut self, text: &str) {
        let lines: Vec<&str> = text.lines().collect();
        self.read_directives(&lines);
        let mut next = 0;
        while next < lines.len() {
            let mut first = None;
            let mut instruction = String::new();
            let mut goes_on = true;
            while goes_on && next < lines.len() {
                let line = lines[next];
                next += 1;
                // Comments count for nothing, between the lines of an instruction too; nor do empty lines there.
                if line.trim_start().starts_with('#')
                    || (line.trim().is_empty() && !instruction.is_empty())
                {
                    continue;
                }
                // An instruction begins behind the comments above it.
                first.get_or_insert(next - 1);
                let trimmed = line.trim_end();
                match trimmed.strip_suffix(self.escape) {
                    // Two in a row are a character, and no continuation.
                    Some(start) if !start.ends_with(self.escape) => instruction.push_str(start),
                    _ => {
                        instruction.push_str(trimmed);
                        goes_on = false;
                    }
                }
            }
            let Some(first) = first else {
                return;
            };
            let instruction = instruction.trim();
            let (word, rest) = instruction
                .split_once(char::is_whitespace)
                .unwrap_or((instruction, ""));
            match word.to_ascii_uppercase().as_str() {
                "FROM" => {
                    let mut words = rest
                        .split_whitespace()
                        .filter(|word| !word.starts_with("--"));
                    let base = words.next().unwrap_or_default().to_owned();
                    let name = match words.next() {
                        Some(r#as) if r#as.eq_ignore_ascii_case("as") => words.next(),
                        _ => None,
                    };
                    self.dockerfile.stages.push(Stage {
                        name: name.unwrap_or_default().to_ascii_lowercase(),
                        base,
                        position: at(first),
                        steps: Vec::new(),
                    });
                }
                "COPY" | "ADD" => {
                    next = self.skip_heredocs(&lines, next, first, rest);
                    self.copy(first, rest.trim());
                }
                "RUN" => {
                    let behind = self.skip_heredocs(&lines, next, first, rest);
                    let command = self.mounts(first, rest.trim()).to_owned();
                    let heredoc = behind != next;
                    self.step(first, Step::Run { command, heredoc });
                    next = behind;
                }
                "WORKDIR" => self.step(first, Step::WorkingDirectory(rest.trim().to_owned())),
                "ENV" | "ARG" => self.step(first, Step::Variables(rest.trim().to_owned())),
                "SHELL" => self.step(first, Step::Shell),
                _ => {}
            }
        }
    }

    /// Adds to the stage at hand; before the first one there is nothing that a build gets past.
    fn step(&mut self, line: usize, value: Step) {
        if let Some(stage) = self.dockerfile.stages.last_mut() {
            stage.steps.push(Located {
                value,
                position: at(line),
            });
        }
    }

    /// The `# escape=` directive counts in the comments at the very top alone.
    fn read_directives(&mut self, lines: &[&str]) {
        for line in lines {
            let Some((key, value)) = line
                .trim_start()
                .strip_prefix('#')
                .and_then(|comment| comment.split_once('='))
            else {
                return;
            };
            // Any other comment ends them.
            let key = key.trim();
            let is_word = key.starts_with(|first: char| first.is_ascii_alphabetic())
                && key
                    .chars()
                    .all(|character| character.is_ascii_alphanumeric());
            if !is_word || value.trim().is_empty() {
                return;
            }
            if key.eq_ignore_ascii_case("escape") && value.trim() == "`" {
                self.escape = '`';
            }
        }
    }

    /// Where the lines go on behind the bodies of an instruction's here-documents.
    fn skip_heredocs(
        &mut self,
        lines: &[&str],
        mut next: usize,
        first: usize,
        rest: &str,
    ) -> usize {
        for (name, strips_tabs) in heredocs(rest) {
            let end = lines[next..].iter().position(|line| {
                let line = if strips_tabs {
                    line.trim_start_matches('\t')
                } else {
                    line
                };
                line == name
            });
            match end {
                Some(end) => next += end + 1,
                None => {
                    self.fault(
                        first,
                        &format!("the here-document `{}` has no end", name.escape_debug()),
                    );
                    return lines.len();
                }
            }
        }
        next
    }

    fn copy(&mut self, line: usize, rest: &str) {
        let mut rest = rest;
        let mut from = None;
        while let Some(flag) = rest.strip_prefix("--") {
            let (flag, behind) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
            // An empty name is the context.
            if let Some(name) = flag.strip_prefix("from=") {
                from = Some(without_quotes(name)).filter(|name| !name.is_empty());
            }
            rest = behind.trim_start();
        }
        let words = if rest.starts_with('[') {
            json_strings(rest)
        } else {
            None
        };
        let mut words =
            words.unwrap_or_else(|| rest.split_whitespace().map(without_quotes).collect());
        let destination = words.pop().unwrap_or_default();
        if words.is_empty() {
            self.fault(
                line,
                "an instruction that copies needs a source and a destination",
            );
            return;
        }
        if from.is_none() {
            // Not from the context: the body of a here-document, a URL, a git repository.
            words.retain(|word| {
                !(word.starts_with("<<") || word.contains("://") || word.starts_with("git@"))
            });
            for word in &words {
                self.read(line, word.clone());
            }
        }
        let copy = Copied {
            from,
            sources: words,
            destination,
        };
        self.step(line, Step::Copied(copy));
    }

    /// What stands behind the flags of an instruction that runs.
    fn mounts<'text>(&mut self, line: usize, rest: &'text str) -> &'text str {
        let mut rest = rest;
        while let Some(flag) = rest.strip_prefix("--") {
            let (flag, behind) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
            rest = behind.trim_start();
            let Some(mount) = flag.strip_prefix("mount=") else {
                continue;
            };
            let mut kind = "bind";
            let mut from = None;
            let mut source = ".";
            let mut target = ".";
            for field in mount.split(',') {
                let (key, value) = field.split_once('=').unwrap_or((field, ""));
                match key.to_ascii_lowercase().as_str() {
                    "type" => kind = value,
                    "from" => from = Some(without_quotes(value)).filter(|name| !name.is_empty()),
                    "source" | "src" => source = value,
                    "target" | "dst" | "destination" => target = value,
                    _ => {}
                }
            }
            if !kind.eq_ignore_ascii_case("bind") {
                continue;
            }
            let source = without_quotes(source);
            if from.is_none() {
                self.read(line, source.clone());
            }
            let copy = Copied {
                from,
                sources: vec![source],
                destination: without_quotes(target),
            };
            self.step(line, Step::Copied(copy));
        }
        rest
    }

    fn read(&mut self, line: usize, source: String) {
        let source = if source.contains('$') {
            ReadSource::Variable(source)
        } else {
            ReadSource::Pattern(source)
        };
        self.dockerfile.reads.push(Located {
            value: ContextRead {
                stage: self.dockerfile.stages.len(),
                source,
            },
            position: at(line),
        });
    }
}

fn at(line: usize) -> Position {
    Position {
        line: u32::try_from(line + 1).unwrap_or(u32::MAX),
        column: 1,
    }
}

/// The here-documents that the words of an instruction open: their names, and whether tabs before the end count for
/// nothing. A word is one only as a whole: `cat<<E` and `"cat <<E"` open none.
fn heredocs(rest: &str) -> Vec<(String, bool)> {
    let opened = quoted_words(rest).into_iter().filter_map(|word| {
        let word = word.trim_start_matches(|character: char| character.is_ascii_digit());
        let name = word.strip_prefix("<<")?;
        let (name, strips_tabs) = match name.strip_prefix('-') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let is_one = !name.is_empty() && !name.contains('<');
        let name = without_quotes(name).replace('\\', "");
        is_one.then_some((name, strips_tabs))
    });
    opened.collect()
}

/// The words of a text with their quotes, which hold blanks together.
fn quoted_words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut characters = text.char_indices();
    while let Some((offset, character)) = characters.next() {
        match (quote, character) {
            (None, character) if character.is_whitespace() => {
                if let Some(start) = start.take() {
                    words.push(&text[start..offset]);
                }
                continue;
            }
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), character) if open == character => quote = None,
            // What is escaped is no quote; between single quotes nothing is.
            (None | Some('"'), '\\') => {
                start.get_or_insert(offset);
                characters.next();
                continue;
            }
            _ => {}
        }
        start.get_or_insert(offset);
    }
    if let Some(start) = start {
        words.push(&text[start..]);
    }
    words
}

fn without_quotes(word: &str) -> String {
    word.chars()
        .filter(|character| !matches!(character, '"' | '\''))
        .collect()
}

/// The strings of a JSON array; nothing where it is none, and then the words count.
fn json_strings(text: &str) -> Option<Vec<String>> {
    let mut strings = Vec::new();
    let mut characters = text.trim().strip_prefix('[')?.chars();
    let mut needs_comma = false;
    loop {
        match characters.next()? {
            character if character.is_whitespace() => {}
            ']' => return characters.as_str().trim().is_empty().then_some(strings),
            ',' if needs_comma => needs_comma = false,
            '"' if !needs_comma => {
                let mut string = String::new();
                loop {
                    match characters.next()? {
                        '"' => break,
                        '\\' => string.push(match characters.next()? {
                            'n' => '\n',
                            't' => '\t',
                            'r' => '\r',
                            'b' => '\u{8}',
                            'f' => '\u{c}',
                            'u' => {
                                let digits: String = characters.by_ref().take(4).collect();
                                char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                            }
                            other => other,
                        }),
                        character => string.push(character),
                    }
                }
                strings.push(string);
                needs_comma = true;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_have_names_and_what_they_do() {
        let text = "FROM golang AS Build\nWORKDIR /src\nRUN --mount=type=bind,target=. go build .\nFROM --platform=linux/amd64 scratch\nCOPY --from=build /a /b\nADD a /\n";
        let stages = parse_dockerfile(text.as_bytes()).value.stages;
        let shown: Vec<String> = stages
            .iter()
            .map(|stage| {
                let steps: Vec<String> = stage
                    .steps
                    .iter()
                    .map(|step| match &step.value {
                        Step::Copied(copy) => format!(
                            "copy {:?} {:?} {}",
                            copy.from, copy.sources, copy.destination
                        ),
                        Step::Run { command, heredoc } => format!("run {command} {heredoc}"),
                        Step::WorkingDirectory(directory) => format!("in {directory}"),
                        other => format!("{other:?}"),
                    })
                    .collect();
                format!("{}|{}|{}", stage.name, stage.base, steps.join("|"))
            })
            .collect();
        assert_eq!(
            shown,
            [
                "build|golang|in /src|copy None [\".\"] .|run go build . false",
                "|scratch|copy Some(\"build\") [\"/a\"] /b|copy None [\"a\"] /",
            ]
        );
    }

    /// Each read as `line stage source`.
    fn reads(text: &str) -> Vec<String> {
        let parsed = parse_dockerfile(text.as_bytes());
        let reads = parsed.value.reads.iter().map(|read| {
            let source = match &read.value.source {
                ReadSource::Pattern(pattern) => pattern.clone(),
                ReadSource::Variable(source) => format!("variable {source}"),
            };
            format!("{} {} {source}", read.position.line, read.value.stage)
        });
        let faults = parsed
            .faults
            .iter()
            .map(|fault| format!("{} {}", fault.position.line, fault.message));
        reads.chain(faults).collect()
    }

    #[test]
    fn what_is_read_from_the_context_is_found() {
        let cases: &[(&str, &[&str])] = &[
            (
                "FROM a\nCOPY go.mod go.sum ./\n",
                &["2 1 go.mod", "2 1 go.sum"],
            ),
            ("from a\ncopy a b\n", &["2 1 a"]),
            (
                "FROM a AS build\nCOPY . .\nFROM b\nCOPY --from=build /x /x\nCOPY etc /etc\n",
                &["2 1 .", "5 2 etc"],
            ),
            ("FROM a\nCOPY --chown=1:1 --link a b\n", &["2 1 a"]),
            ("FROM a\nADD https://x.example/y z /\n", &["2 1 z"]),
            ("FROM a\nADD git@x.example:y.git /\n", &[]),
            (
                "FROM a\nCOPY [\"a b\", \"c\", \"/d/\"]\n",
                &["2 1 a b", "2 1 c"],
            ),
            ("FROM a\nCOPY [a] b\n", &["2 1 [a]"]),
            (
                "FROM a\nCOPY a \\\n  # why\n\n  b \\\n  c/\n",
                &["2 1 a", "2 1 b"],
            ),
            ("# escape=`\nFROM a\nCOPY a `\n  b c\n", &["3 1 a", "3 1 b"]),
            ("# x\n# escape=`\nFROM a\nCOPY a\\ b\n", &["4 1 a\\"]),
            (
                "FROM a\nCOPY <<EOF /x\nCOPY not this\nEOF\nCOPY b c\n",
                &["5 1 b"],
            ),
            (
                "FROM a\nRUN <<-\"E\" cat\n\tCOPY x y\n\tE\nCOPY b c\n",
                &["5 1 b"],
            ),
            (
                "FROM a\nRUN <<E\nx\n",
                &["2 the here-document `E` has no end"],
            ),
            (
                "FROM a\nRUN --mount=target=. --mount=type=cache,target=/c --mount=type=bind,source=go.mod,target=go.mod go build\n",
                &["2 1 .", "2 1 go.mod"],
            ),
            (
                "FROM a\nRUN --mount=type=bind,from=b,source=/x,target=/y ls\nCOPY $DIR/x y\n",
                &["3 1 variable $DIR/x"],
            ),
            (
                "FROM a\nCOPY a\n",
                &["2 an instruction that copies needs a source and a destination"],
            ),
            ("FROM a\n# Why.\n\n# And how.\nCOPY c /c\n", &["5 1 c"]),
            // Two backslashes are no continuation.
            ("FROM a\nLABEL a=b\\\\\nCOPY c /c\n", &["3 1 c"]),
            // Neither is in a word of its own.
            (
                "FROM a\nRUN sh -c \"cat <<EOF\"\nCOPY b c\nRUN cat<<EOF\n",
                &["3 1 b"],
            ),
            (
                "FROM a\nRUN [\"sh\", \"-c\", \"cat <<X\"]\nCOPY b c\n",
                &["3 1 b"],
            ),
            (
                "FROM a\nRUN cat <<\"A B\" <<E\\OF\nCOPY x y\nA B\nEOF\nCOPY b c\n",
                &["6 1 b"],
            ),
            ("FROM a\nCOPY --from= b.txt /y\n", &["2 1 b.txt"]),
            (
                "FROM a\nRUN --mount=from=,source=b,target=/b ls\n",
                &["2 1 b"],
            ),
            // A comment that is no directive ends them.
            (
                "# foo bar=1\n# escape=`\nFROM a\nCOPY a\\\n b c\n",
                &["4 1 a", "4 1 b"],
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(reads(text), *expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_utf8_is_a_fault() {
        let parsed = parse_dockerfile(b"FROM a\n\xff\n");
        assert_eq!(parsed.faults[0].position.line, 2);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(source: Vec<u8>) {
            parse_dockerfile(&source);
        }

        #[test]
        fn no_likely_text_makes_the_parser_panic(
            words in proptest::collection::vec(
                proptest::sample::select(vec!["FROM", "COPY", "RUN", "ADD", " ", "--from=", "--mount=", "<<E", "<<-", "E", "\n", "\\\n", "#", "[", "\"", ",", "]", "\\u", "é", "`", "="]),
                0..40,
            )
        ) {
            parse_dockerfile(words.concat().as_bytes());
        }
    }
}
