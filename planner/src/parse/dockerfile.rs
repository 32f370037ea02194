//! What a Dockerfile reads from its build context.
//!
//! In: the bytes of a Dockerfile. Out: the sources of its `COPY` and `ADD` instructions and of its bind mounts, each with
//! the stage that reads it, and every fault. It must never run or expand anything: a source with a variable is told apart.
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
    /// How many stages there are.
    pub stages: usize,
    /// The last of them, which is the image.
    pub last: LastStage,
}

/// The stage that is the image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastStage {
    /// What it starts from, as it is written.
    pub base: String,
    /// Where it is written.
    pub position: Option<Position>,
    /// The words of what is copied into it, flags included, from wherever.
    pub copies: Vec<String>,
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
            let first = next;
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
                let trimmed = line.trim_end();
                match trimmed.strip_suffix(self.escape) {
                    Some(start) => instruction.push_str(start),
                    None => {
                        instruction.push_str(trimmed);
                        goes_on = false;
                    }
                }
            }
            let instruction = instruction.trim();
            let (word, rest) = instruction
                .split_once(char::is_whitespace)
                .unwrap_or((instruction, ""));
            match word.to_ascii_uppercase().as_str() {
                "FROM" => {
                    self.dockerfile.stages += 1;
                    let mut words = rest.split_whitespace();
                    let base = words.find(|word| !word.starts_with("--"));
                    self.dockerfile.last = LastStage {
                        base: base.unwrap_or_default().to_owned(),
                        position: Some(at(first)),
                        copies: Vec::new(),
                    };
                }
                "COPY" | "ADD" => {
                    self.dockerfile.last.copies.push(rest.to_owned());
                    next = self.skip_heredocs(&lines, next, first, rest);
                    self.copy(first, rest.trim());
                }
                "RUN" => {
                    next = self.skip_heredocs(&lines, next, first, rest);
                    self.mounts(first, rest.trim());
                }
                _ => {}
            }
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
            if key.trim().eq_ignore_ascii_case("escape") && value.trim() == "`" {
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
        while let Some(flag) = rest.strip_prefix("--") {
            let (flag, behind) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
            if flag == "from" || flag.starts_with("from=") {
                return;
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
        if words.pop().is_none() || words.is_empty() {
            self.fault(
                line,
                "an instruction that copies needs a source and a destination",
            );
            return;
        }
        for word in words {
            // Not from the context: the body of a here-document, a URL, a git repository.
            if word.starts_with("<<") || word.contains("://") || word.starts_with("git@") {
                continue;
            }
            self.read(line, word);
        }
    }

    fn mounts(&mut self, line: usize, rest: &str) {
        let mut rest = rest;
        while let Some(flag) = rest.strip_prefix("--") {
            let (flag, behind) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
            rest = behind.trim_start();
            let Some(mount) = flag.strip_prefix("mount=") else {
                continue;
            };
            let mut kind = "bind";
            let mut from_elsewhere = false;
            let mut source = ".";
            for field in mount.split(',') {
                let (key, value) = field.split_once('=').unwrap_or((field, ""));
                match key.to_ascii_lowercase().as_str() {
                    "type" => kind = value,
                    "from" => from_elsewhere = true,
                    "source" | "src" => source = value,
                    _ => {}
                }
            }
            if kind.eq_ignore_ascii_case("bind") && !from_elsewhere {
                self.read(line, without_quotes(source));
            }
        }
    }

    fn read(&mut self, line: usize, source: String) {
        let source = if source.contains('$') {
            ReadSource::Variable(source)
        } else {
            ReadSource::Pattern(source)
        };
        self.dockerfile.reads.push(Located {
            value: ContextRead {
                stage: self.dockerfile.stages,
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
/// nothing.
fn heredocs(rest: &str) -> Vec<(String, bool)> {
    let opened = rest.split_whitespace().filter_map(|word| {
        let word = word.trim_start_matches(|character: char| character.is_ascii_digit());
        let name = word.strip_prefix("<<")?;
        let (name, strips_tabs) = match name.strip_prefix('-') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let name = without_quotes(name);
        (!name.is_empty() && !name.contains('<')).then_some((name, strips_tabs))
    });
    opened.collect()
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
    fn the_last_stage_is_what_the_image_starts_from_and_all_that_is_copied_there() {
        let text = "FROM golang AS build\nCOPY . .\nFROM --platform=linux/amd64 scratch AS image\nCOPY --from=build /etc/ssl /etc/ssl\nADD a /\n";
        let last = parse_dockerfile(text.as_bytes()).value.last;
        assert_eq!(last.base, "scratch");
        assert_eq!(last.position.map(|position| position.line), Some(3));
        assert_eq!(last.copies, ["--from=build /etc/ssl /etc/ssl", "a /"]);
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
        let cases: [(&str, &[&str]); 17] = [
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
        ];
        for (text, expected) in cases {
            assert_eq!(reads(text), expected, "{text}");
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
