//! What `.gitattributes` say of a file's content on checkout.
//!
//! In: the `.gitattributes` files of a commit or a work tree, `info/attributes`, and the line-ending
//! settings of the repository. Out: the conversions that make a checked-out file differ from the commit.
//! It must never run a conversion.
//!
//! The answer goes by the attributes alone: a file without a line end is named, too, when its line
//! ends would be converted.
//!
//! Source: git's attr.c (`fill_one`, `macroexpand_one`), convert.c (`convert_attrs`, `output_eol`) and
//! gitattributes(5).

use crate::concurrent_map::ConcurrentMap;
use crate::path::RepoPath;
use crate::tree::{TreeError, TreeErrorKind};
use foldhash::{HashMap, HashMapExt as _};
use gix::attrs::StateRef;
use gix::bstr::{BStr, ByteSlice as _};
pub(super) use gix::glob::pattern::Case;
use std::fmt;
use std::sync::Arc;

/// Far more than anybody writes. git's own limit of 100 MiB would let one commit cost every file of the
/// tree a million comparisons.
const LARGEST_FILE: usize = 1024 * 1024;

/// What makes the content of a checked-out file differ from the commit's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CheckoutFilter {
    /// `filter=lfs`: the commit holds a Git LFS pointer.
    Lfs,
    /// Another `filter=…`, where the driver of that name is configured.
    Driver(String),
    /// Line ends become CRLF (`eol=crlf`, or `text` where the repository's configuration says so).
    CarriageReturns,
    /// `ident`: `$Id$` is expanded.
    Ident,
    /// `working-tree-encoding=…`: the commit holds UTF-8.
    Encoding(String),
}

impl fmt::Display for CheckoutFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lfs => formatter.write_str("filter=lfs"),
            Self::Driver(name) => write!(formatter, "filter={name}"),
            Self::CarriageReturns => formatter.write_str("eol=crlf"),
            Self::Ident => formatter.write_str("ident"),
            Self::Encoding(name) => write!(formatter, "working-tree-encoding={name}"),
        }
    }
}

/// `core.autocrlf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AutomaticConversion {
    Off,
    Input,
    On,
}

/// The line ends of text files in a work tree, where no attribute says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LineEndings {
    pub(super) automatic: AutomaticConversion,
    /// What `core.eol`, or the system, makes of `text` files.
    pub(super) text: LineEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnd {
    LineFeed,
    CarriageReturnLineFeed,
}

impl LineEndings {
    /// As without any configuration on Unix.
    pub(super) const AS_COMMITTED: Self = Self {
        automatic: AutomaticConversion::Off,
        text: LineEnd::LineFeed,
    };

    fn of_text(self) -> LineEnd {
        match self.automatic {
            AutomaticConversion::On => LineEnd::CarriageReturnLineFeed,
            AutomaticConversion::Input => LineEnd::LineFeed,
            AutomaticConversion::Off => self.text,
        }
    }
}

/// The attributes that count here, then the macros.
const NAMES: [&str; 6] = [
    "text",
    "crlf",
    "eol",
    "filter",
    "ident",
    "working-tree-encoding",
];
const TEXT: usize = 0;
const CRLF: usize = 1;
const EOL: usize = 2;
const FILTER: usize = 3;
const IDENT: usize = 4;
const ENCODING: usize = 5;

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Set,
    Unset,
    Value(String),
    /// `!name`: as if no line had named it.
    Unspecified,
}

/// One attribute of one line; the attribute is an index into the names and macros.
type Assignment = (usize, State);

struct Rule {
    pattern: gix::glob::Pattern,
    /// Relative to the file's directory; last first, as the last one wins.
    assignments: Vec<Assignment>,
}

#[derive(Default)]
struct Rules {
    /// Last first, as the last line wins.
    lines: Vec<Rule>,
}

/// Reads an attribute file by its path from the top; nothing where there is none.
type ReadFile<'a> = dyn Fn(&RepoPath) -> Result<Option<Vec<u8>>, TreeError> + Sync + 'a;

/// All attribute files of one tree, each read once.
pub(super) struct AttributeFiles<'a> {
    read: &'a ReadFile<'a>,
    case: Case,
    rules: KnownRules,
}

/// What was read of attribute files, to be used again while they are as they were.
#[derive(Default)]
pub(super) struct KnownRules {
    /// Index by name: the attributes, then the macros.
    ids: HashMap<String, usize>,
    /// What each macro stands for, last first.
    macros: Vec<Vec<Assignment>>,
    info: Rules,
    directories: ConcurrentMap<RepoPath, Arc<Rules>>,
    /// What counts for the files of a directory.
    chains: ConcurrentMap<RepoPath, Arc<Chain>>,
}

/// The rules of the directories above a file, the nearest first. Directories without rules are left out.
type Chain = Vec<(RepoPath, Arc<Rules>)>;

impl<'a> AttributeFiles<'a> {
    /// `info` is the content of `info/attributes`, which comes before all other files.
    pub(super) fn new(
        read: &'a ReadFile<'a>,
        info: Option<&[u8]>,
        case: Case,
    ) -> Result<Self, TreeError> {
        let mut files = Self::with_rules(read, case, KnownRules::default());
        let names = NAMES.iter().enumerate();
        files.rules.ids = names.map(|(id, name)| ((*name).to_owned(), id)).collect();
        let top = read_limited(read, &RepoPath::root())?;
        let info = info.unwrap_or_default();
        // Macros may stand at the top and in `info/attributes` only; later definitions win.
        files.define_macros(b"[attr]binary -diff -merge -text");
        files.define_macros(&top);
        files.define_macros(info);
        files.rules.info = files.parse(info);
        let top = Arc::new(files.parse(&top));
        files.rules.directories.insert_first(RepoPath::root(), top);
        Ok(files)
    }

    /// The same files as before, of which some are read already.
    pub(super) fn with_rules(read: &'a ReadFile<'a>, case: Case, rules: KnownRules) -> Self {
        Self { read, case, rules }
    }

    pub(super) fn into_rules(self) -> KnownRules {
        self.rules
    }

    /// The conversions of these files, given below `root`, with the paths as they were given.
    pub(super) fn checkout_filters(
        &self,
        root: &RepoPath,
        paths: &[RepoPath],
        line_endings: LineEndings,
    ) -> Result<Vec<(RepoPath, CheckoutFilter)>, TreeError> {
        let mut found = Vec::new();
        for path in paths {
            for filter in self.filters_of(&below(root, path), line_endings)? {
                found.push((path.clone(), filter));
            }
        }
        Ok(found)
    }

    /// The conversions of one file, by its path from the top.
    pub(super) fn filters_of(
        &self,
        path: &RepoPath,
        line_endings: LineEndings,
    ) -> Result<Vec<CheckoutFilter>, TreeError> {
        let states = self.states_of(path)?;
        let mut filters = Vec::new();
        match &states[FILTER] {
            Some(State::Value(name)) if name == "lfs" => filters.push(CheckoutFilter::Lfs),
            Some(State::Value(name)) if !name.is_empty() => {
                filters.push(CheckoutFilter::Driver(name.clone()));
            }
            _ => {}
        }
        if line_end_on_checkout(&states, line_endings) == Some(LineEnd::CarriageReturnLineFeed) {
            filters.push(CheckoutFilter::CarriageReturns);
        }
        if states[IDENT] == Some(State::Set) {
            filters.push(CheckoutFilter::Ident);
        }
        if let Some(State::Value(name)) = &states[ENCODING]
            && !name.is_empty()
            && !name.eq_ignore_ascii_case("utf-8")
            && !name.eq_ignore_ascii_case("utf8")
        {
            filters.push(CheckoutFilter::Encoding(name.clone()));
        }
        Ok(filters)
    }

    fn states_of(&self, path: &RepoPath) -> Result<[Option<State>; NAMES.len()], TreeError> {
        let mut found: HashMap<usize, &State> = HashMap::new();
        let whole = path.as_tree_str();
        let chain = self.chain(path)?;
        if chain.is_empty() && self.rules.info.lines.is_empty() {
            return Ok(std::array::from_fn(|_| None));
        }
        apply(
            &self.rules.info,
            whole,
            self.case,
            &self.rules.macros,
            &mut found,
        );
        for (directory, rules) in &*chain {
            let relative = path.strip_prefix(directory).unwrap_or(whole);
            apply(rules, relative, self.case, &self.rules.macros, &mut found);
        }
        Ok(std::array::from_fn(|id| {
            found
                .get(&id)
                .filter(|state| ***state != State::Unspecified)
                .map(|state| (*state).clone())
        }))
    }

    fn chain(&self, path: &RepoPath) -> Result<Arc<Chain>, TreeError> {
        let text = path.as_tree_str();
        let above = text.rsplit_once('/').map_or("", |(above, _)| above);
        match self.rules.chains.get(above) {
            Some(chain) => Ok(chain),
            None => self.chain_of(path),
        }
    }

    fn chain_of(&self, path: &RepoPath) -> Result<Arc<Chain>, TreeError> {
        let Some(parent) = path.parent() else {
            return Ok(Arc::default());
        };
        let mut chain = Vec::new();
        let mut at = Some(parent.clone());
        while let Some(directory) = at {
            let rules = match self.rules.directories.get(&directory) {
                Some(rules) => rules,
                None => {
                    let content = read_limited(self.read, &directory)?;
                    let rules = Arc::new(self.parse(&content));
                    self.rules
                        .directories
                        .insert_first(directory.clone(), rules)
                }
            };
            at = directory.parent();
            if !rules.lines.is_empty() {
                chain.push((directory, rules));
            }
        }
        Ok(self.rules.chains.insert_first(parent, Arc::new(chain)))
    }

    fn define_macros(&mut self, content: &[u8]) {
        for (kind, assignments) in lines(content) {
            let gix::attrs::parse::Kind::Macro(name) = kind else {
                continue;
            };
            let id = match self.rules.ids.get(name.as_str()) {
                // A macro by the name of an attribute that counts would be both; git allows no such thing
                // for the attributes it knows.
                Some(id) if *id < NAMES.len() => continue,
                Some(id) => *id,
                None => {
                    let id = NAMES.len() + self.rules.macros.len();
                    self.rules.macros.push(Vec::new());
                    self.rules.ids.insert(name.as_str().to_owned(), id);
                    id
                }
            };
            let meaning = self.assignments(assignments);
            if let (Some(slot), Some(meaning)) =
                (self.rules.macros.get_mut(id - NAMES.len()), meaning)
            {
                *slot = meaning;
            }
        }
    }

    fn parse(&self, content: &[u8]) -> Rules {
        let mut parsed: Vec<Rule> = lines(content)
            .filter_map(|(kind, assignments)| match kind {
                gix::attrs::parse::Kind::Macro(_) => None,
                gix::attrs::parse::Kind::Pattern(pattern) => {
                    let assignments = self.assignments(assignments)?;
                    (!assignments.is_empty()).then_some(Rule {
                        pattern,
                        assignments,
                    })
                }
            })
            .collect();
        parsed.reverse();
        Rules { lines: parsed }
    }

    /// The assignments of a line that count, last first; nothing when one is malformed, as git then
    /// ignores the line.
    fn assignments(&self, line: gix::attrs::parse::Iter<'_>) -> Option<Vec<Assignment>> {
        let mut found = Vec::new();
        for assignment in line {
            let assignment = assignment.ok()?;
            let Some(id) = self.rules.ids.get(assignment.name.as_str()) else {
                continue;
            };
            let state = match assignment.state {
                StateRef::Set => State::Set,
                StateRef::Unset => State::Unset,
                StateRef::Unspecified => State::Unspecified,
                StateRef::Value(value) => State::Value(value.as_bstr().to_str_lossy().into_owned()),
            };
            found.push((*id, state));
        }
        found.reverse();
        Some(found)
    }
}

fn lines(
    content: &[u8],
) -> impl Iterator<Item = (gix::attrs::parse::Kind, gix::attrs::parse::Iter<'_>)> {
    gix::attrs::parse(content)
        .filter_map(Result::ok)
        .map(|(kind, assignments, _)| (kind, assignments))
}

/// The attribute file of a directory, empty where there is none.
fn read_limited(read: &ReadFile<'_>, directory: &RepoPath) -> Result<Vec<u8>, TreeError> {
    let file = directory.child(".gitattributes");
    let content = read(&file)?.unwrap_or_default();
    if content.len() > LARGEST_FILE {
        let message = format!("attribute files of more than {LARGEST_FILE} bytes are not read");
        return Err(TreeError::new(&file, TreeErrorKind::Other(message)));
    }
    Ok(content)
}

/// A path below the root, from the top.
pub(super) fn below(root: &RepoPath, path: &RepoPath) -> RepoPath {
    if root.is_root() {
        return path.clone();
    }
    // Clean paths join to a clean path.
    root.join_lexically(path.as_tree_str())
        .unwrap_or_else(|_| path.clone())
}

fn apply<'r>(
    rules: &'r Rules,
    relative: &str,
    case: Case,
    macros: &'r [Vec<Assignment>],
    found: &mut HashMap<usize, &'r State>,
) {
    let path = BStr::new(relative);
    let base_name = path.rfind_byte(b'/').map(|slash| slash + 1);
    for rule in &rules.lines {
        let says_more = rule
            .assignments
            .iter()
            .any(|(id, _)| !found.contains_key(id));
        let matches = says_more
            && rule.pattern.matches_repo_relative_path(
                path,
                base_name,
                Some(false),
                case,
                gix::glob::wildmatch::Mode::NO_MATCH_SLASH_LITERAL,
            );
        if !matches {
            continue;
        }
        // A macro's own assignments come right after it; one that is already decided is not expanded,
        // which also ends macros that name themselves.
        let mut pending: Vec<&Assignment> = rule.assignments.iter().rev().collect();
        while let Some((id, state)) = pending.pop() {
            if found.contains_key(id) {
                continue;
            }
            found.insert(*id, state);
            let meaning = id.checked_sub(NAMES.len()).and_then(|id| macros.get(id));
            if let (State::Set, Some(meaning)) = (state, meaning) {
                pending.extend(meaning.iter().rev());
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TextKind {
    Undecided,
    Binary,
    Text,
    Automatic,
    Fixed(LineEnd),
}

/// The line ends that a checkout writes; nothing where it leaves them alone.
fn line_end_on_checkout(
    states: &[Option<State>; NAMES.len()],
    line_endings: LineEndings,
) -> Option<LineEnd> {
    let of_attribute = |state: &Option<State>| match state {
        Some(State::Set) => TextKind::Text,
        Some(State::Unset) => TextKind::Binary,
        Some(State::Value(value)) if value == "input" => TextKind::Fixed(LineEnd::LineFeed),
        Some(State::Value(value)) if value == "auto" => TextKind::Automatic,
        _ => TextKind::Undecided,
    };
    let mut kind = of_attribute(&states[TEXT]);
    if kind == TextKind::Undecided {
        kind = of_attribute(&states[CRLF]);
    }
    if kind != TextKind::Binary
        && let Some(State::Value(end)) = &states[EOL]
    {
        match &**end {
            "lf" => kind = TextKind::Fixed(LineEnd::LineFeed),
            "crlf" => kind = TextKind::Fixed(LineEnd::CarriageReturnLineFeed),
            _ => {}
        }
    }
    match kind {
        TextKind::Binary => None,
        TextKind::Fixed(end) => Some(end),
        TextKind::Text | TextKind::Automatic => Some(line_endings.of_text()),
        TextKind::Undecided => match line_endings.automatic {
            AutomaticConversion::Off => None,
            AutomaticConversion::Input => Some(LineEnd::LineFeed),
            AutomaticConversion::On => Some(LineEnd::CarriageReturnLineFeed),
        },
    }
}
