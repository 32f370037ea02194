//! What is known of contents, as bytes that outlive the process.
//!
//! In: git's names of contents with what was read in them, or a block of bytes that an earlier run made. Out: such a
//! block, or what it says of one content. It must never be believed about anything but a content's own facts: which
//! file has the content is for the tree to say, every time. A block that is damaged, foreign, or made by a planner
//! that may read files in another way is no block at all.
//!
//! ```text
//! magic (16 bytes) · fingerprint of the planner (16) · number of records (8)
//! records, sorted by name: name (20) · length of the content (8) · where its facts end (8)
//! facts, one after the other · blake3 digest of all that (32)
//! ```
//!
//! **Known gap**: only names of 20 bytes (SHA-1) are kept, which are all that the trees here have.

use super::OtherSource;
use crate::{
    parse::go_file::GoFile,
    tree::{ContentDigest, ContentIdentity},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

const MAGIC: &[u8; 16] = b"rebake contents\n";

/// Made from the sources of this library when it is built (`build.rs`), so that nobody has to remember to raise a
/// number when a parser changes.
const FINGERPRINT: &str = env!("REBAKE_PLANNER_FINGERPRINT");

/// No block grows beyond this.
pub(super) const LARGEST: usize = 32 * 1024 * 1024;

pub(super) const NAME: usize = 20;
const RECORD: usize = NAME + 8 + 8;
const HEAD: usize = 16 + 16 + 8;
const CHECK: usize = 32;

/// What is known of one content, as far as anybody asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    digest: Option<[u8; 32]>,
    /// What the build reads in it as a Go file.
    pub(super) go_file: Option<Arc<GoFile>>,
    /// Its header as that of a test file.
    pub(super) test_header: Option<Arc<GoFile>>,
    /// What is read in it as a C file or the like.
    pub(super) other: Option<Arc<OtherSource>>,
    /// The content itself, where it is short and asked for as a text.
    pub(super) text: Option<Arc<[u8]>>,
}

impl Facts {
    pub(super) fn digest(&self) -> Option<ContentDigest> {
        self.digest.map(ContentDigest)
    }

    pub(super) fn set_digest(&mut self, digest: ContentDigest) {
        self.digest = Some(digest.0);
    }

    /// Takes over what another one knows, and says whether that was anything new.
    fn learn_from(&mut self, other: &Self) -> bool {
        fn fill<T: Clone>(slot: &mut Option<T>, from: &Option<T>) -> bool {
            let is_new = slot.is_none() && from.is_some();
            if is_new {
                slot.clone_from(from);
            }
            is_new
        }
        let digest = fill(&mut self.digest, &other.digest);
        let go_file = fill(&mut self.go_file, &other.go_file);
        let test_header = fill(&mut self.test_header, &other.test_header);
        let source = fill(&mut self.other, &other.other);
        let text = fill(&mut self.text, &other.text);
        digest || go_file || test_header || source || text
    }
}

/// A digest as its 32 bytes, which is not how the contract shows it.
pub(super) mod digest_bytes {
    use crate::tree::ContentDigest;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        digest: &ContentDigest,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        digest.0.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<ContentDigest, D::Error> {
        <[u8; 32]>::deserialize(deserializer).map(ContentDigest)
    }
}

/// A block of an earlier run.
pub(super) struct SavedContents {
    bytes: Vec<u8>,
    /// For each record, whether this run asked for it.
    used: Vec<AtomicBool>,
}

impl SavedContents {
    /// Takes a block for what it is; nothing where it is none that this planner made.
    pub(super) fn read(bytes: Vec<u8>) -> Option<Self> {
        let (checked, check) = bytes.split_last_chunk::<CHECK>()?;
        let head = checked.get(..HEAD)?;
        if bytes.len() > LARGEST
            || !head.starts_with(MAGIC)
            || head[16..32] != *FINGERPRINT.as_bytes()
        {
            return None;
        }
        if blake3::hash(checked) != *check {
            return None;
        }
        let count = number(head, 32)?;
        let facts = HEAD.checked_add(count.checked_mul(RECORD)?)?;
        if facts > checked.len() {
            return None;
        }
        Some(Self {
            used: (0..count).map(|_| AtomicBool::new(false)).collect(),
            bytes,
        })
    }

    fn record(&self, index: usize) -> Option<&[u8]> {
        let start = HEAD + index * RECORD;
        self.bytes.get(start..start + RECORD)
    }

    fn find(&self, name: &ContentIdentity) -> Option<usize> {
        let (mut low, mut high) = (0, self.used.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.record(middle)?[..NAME].cmp(&name.0) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    /// The length of a content.
    pub(super) fn length(&self, name: &ContentIdentity) -> Option<u64> {
        let record = self.record(self.find(name)?)?;
        number(record, NAME).map(|length| length as u64)
    }

    /// What is known of a content.
    pub(super) fn facts(&self, name: &ContentIdentity) -> Option<Facts> {
        let index = self.find(name)?;
        self.used[index].store(true, Ordering::Relaxed);
        postcard::from_bytes(self.encoded(index)?).ok()
    }

    /// The records that this run asked for, or the others: name, length of the content, and facts.
    fn records(&self, used: bool) -> impl Iterator<Item = (&[u8], u64, &[u8])> {
        let is_wanted = move |flag: &AtomicBool| flag.load(Ordering::Relaxed) == used;
        let indices = (0..self.used.len()).filter(move |index| is_wanted(&self.used[*index]));
        indices.filter_map(|index| {
            let record = self.record(index)?;
            let length = number(record, NAME)? as u64;
            Some((&record[..NAME], length, self.encoded(index)?))
        })
    }

    /// The bytes of a record's facts.
    fn encoded(&self, index: usize) -> Option<&[u8]> {
        let end = number(self.record(index)?, NAME + 8)?;
        let start = match index.checked_sub(1) {
            Some(before) => number(self.record(before)?, NAME + 8)?,
            None => 0,
        };
        let all = self
            .bytes
            .get(HEAD + self.used.len() * RECORD..self.bytes.len() - CHECK)?;
        all.get(start..end)
    }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + 8)?.first_chunk::<8>()?;
    usize::try_from(u64::from_le_bytes(*bytes)).ok()
}

/// A block of what an earlier one said and of what was learned since; nothing where that is nothing new.
///
/// Where the two do not fit together, what nobody asked for this time goes first.
pub(super) fn block(
    saved: Option<&SavedContents>,
    learned: BTreeMap<[u8; NAME], (u64, Facts)>,
) -> Option<Vec<u8>> {
    let mut news: BTreeMap<[u8; NAME], (u64, Vec<u8>)> = BTreeMap::new();
    for (name, (length, facts)) in learned {
        let identity = ContentIdentity(Arc::from(name.as_slice()));
        let known = saved.and_then(|saved| {
            let index = saved.find(&identity)?;
            postcard::from_bytes::<Facts>(saved.encoded(index)?).ok()
        });
        let mut known = known.unwrap_or_default();
        if known.learn_from(&facts)
            && let Ok(encoded) = postcard::to_allocvec(&known)
        {
            news.insert(name, (length, encoded));
        }
    }
    if news.is_empty() {
        return None;
    }
    let mut room = LARGEST - HEAD - CHECK;
    let mut fits = |facts: &[u8]| {
        let size = RECORD + facts.len();
        let fits = size <= room;
        if fits {
            room -= size;
        }
        fits
    };
    let mut kept: BTreeMap<&[u8], (u64, &[u8])> = BTreeMap::new();
    for (name, (length, facts)) in &news {
        if fits(facts) {
            kept.insert(name, (*length, facts));
        }
    }
    for wanted in [true, false] {
        for (name, length, facts) in saved.iter().flat_map(|saved| saved.records(wanted)) {
            if !kept.contains_key(name) && fits(facts) {
                kept.insert(name, (length, facts));
            }
        }
    }
    let mut bytes = Vec::with_capacity(HEAD + kept.len() * RECORD);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(FINGERPRINT.as_bytes());
    bytes.extend_from_slice(&(kept.len() as u64).to_le_bytes());
    let mut end = 0u64;
    for (name, (length, facts)) in &kept {
        end += facts.len() as u64;
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&end.to_le_bytes());
    }
    for (_, facts) in kept.values() {
        bytes.extend_from_slice(facts);
    }
    let check = blake3::hash(&bytes);
    bytes.extend_from_slice(check.as_bytes());
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::go_file::parse_go_file;

    fn name(first: u8) -> [u8; NAME] {
        let mut name = [7; NAME];
        name[0] = first;
        name
    }

    fn identity(first: u8) -> ContentIdentity {
        ContentIdentity(Arc::from(name(first).as_slice()))
    }

    fn facts(source: &str) -> Facts {
        let mut facts = Facts {
            go_file: Some(Arc::new(parse_go_file(source.as_bytes()))),
            ..Facts::default()
        };
        facts.set_digest(ContentDigest::of(source.as_bytes()));
        facts
    }

    const SOURCE: &str = "//go:build linux && !(a || b)\n\npackage p\n\n// #cgo linux LDFLAGS: -lx\n// #include <y.h>\nimport \"C\"\nimport (\n\t_ \"embed\"\n\t\"ex.com/a\"\n)\n\n//go:embed x y\nvar x string\n";

    fn sample() -> BTreeMap<[u8; NAME], (u64, Facts)> {
        (0..5)
            .map(|index| (name(index * 2), (u64::from(index), facts(SOURCE))))
            .collect()
    }

    #[test]
    fn a_block_says_what_was_put_in() {
        let saved = SavedContents::read(block(None, sample()).unwrap()).unwrap();
        for index in 0..5 {
            let found = identity(index * 2);
            assert_eq!(saved.length(&found), Some(u64::from(index)));
            assert_eq!(saved.facts(&found), Some(facts(SOURCE)));
            assert_eq!(saved.length(&identity(index * 2 + 1)), None);
            assert_eq!(saved.facts(&identity(index * 2 + 1)), None);
        }
    }

    #[test]
    fn a_damaged_shortened_or_foreign_block_is_none() {
        let bytes = block(None, sample()).unwrap();
        for index in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1;
            assert!(SavedContents::read(damaged).is_none(), "byte {index}");
            assert!(SavedContents::read(bytes[..index].to_vec()).is_none());
        }
        let mut foreign = bytes;
        foreign[20] ^= 1;
        let end = foreign.len() - CHECK;
        let check = *blake3::hash(&foreign[..end]).as_bytes();
        foreign[end..].copy_from_slice(&check);
        assert!(
            SavedContents::read(foreign).is_none(),
            "of another version of the planner"
        );
    }

    #[test]
    fn numbers_that_lead_out_of_a_block_are_refused_or_yield_nothing() {
        let bytes = block(None, sample()).unwrap();
        for at in [HEAD - 8, HEAD + NAME + 8, HEAD + RECORD + NAME + 8] {
            for number in [u64::MAX, u64::MAX / 2, 1 << 40, 3] {
                let mut forged = bytes.clone();
                forged[at..at + 8].copy_from_slice(&number.to_le_bytes());
                let end = forged.len() - CHECK;
                let check = *blake3::hash(&forged[..end]).as_bytes();
                forged[end..].copy_from_slice(&check);
                if let Some(saved) = SavedContents::read(forged) {
                    for index in 0..10 {
                        let _ = saved.facts(&identity(index));
                        let _ = saved.length(&identity(index));
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_new_makes_no_block_and_news_join_what_was_known() {
        let saved = SavedContents::read(block(None, sample()).unwrap()).unwrap();
        assert!(block(Some(&saved), sample()).is_none());
        let header = Facts {
            test_header: Some(Arc::new(parse_go_file(b"package p\n"))),
            ..Facts::default()
        };
        let news = BTreeMap::from([
            (name(2), (1, header.clone())),
            (name(9), (3, header.clone())),
        ]);
        let joined = SavedContents::read(block(Some(&saved), news).unwrap()).unwrap();
        let both = Facts {
            test_header: header.test_header.clone(),
            ..facts(SOURCE)
        };
        assert_eq!(joined.facts(&identity(2)), Some(both));
        assert_eq!(joined.facts(&identity(9)), Some(header));
        assert_eq!(joined.facts(&identity(4)), Some(facts(SOURCE)));
    }

    #[test]
    fn what_nobody_asks_for_goes_when_there_is_no_room() {
        let long = |first: u8| {
            let mut text = String::from("package p\n\nimport (\n");
            for index in 0..60_000 {
                text.push_str(&format!("\t\"ex.com/{first}/{index:0100}\"\n"));
            }
            text.push_str(")\n");
            facts(&text)
        };
        let many = |range: std::ops::Range<u8>| -> BTreeMap<_, _> {
            range.map(|index| (name(index), (1, long(index)))).collect()
        };
        let saved = SavedContents::read(block(None, many(0..4)).unwrap()).unwrap();
        assert!(saved.facts(&identity(3)).is_some());
        let bytes = block(Some(&saved), many(4..5)).unwrap();
        assert!(bytes.len() <= LARGEST);
        let after = SavedContents::read(bytes).unwrap();
        assert!(after.facts(&identity(4)).is_some(), "what is new");
        assert!(after.facts(&identity(3)).is_some(), "what was asked for");
        assert!(after.facts(&identity(2)).is_none());
    }
}
