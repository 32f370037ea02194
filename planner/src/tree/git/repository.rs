//! A repository: where it is, its commits and how they descend from each other.
//!
//! In: a directory inside the work tree, or a bare repository; revisions as people write them. Out:
//! commit ids and trees. It must never read the environment, or any configuration but the
//! repository's own.

use super::discovery::passed_over;
use super::error::{GitError, MergeBaseError, RepositoryError, RevisionError};
use super::objects::{CommitId, Completeness, Objects, reason};
use super::tree::GitTree;
use crate::path::RepoPath;
use crate::tree::{ContentIdentity, TreeError, TreeErrorKind};
use camino::{Utf8Path, Utf8PathBuf};
use gix::ObjectId;
use gix::bstr::BStr;
use gix::revision::spec::parse as rev_parse;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// More than any source file, and less than a damaged header could ask for.
const ALLOCATION_LIMIT: &str = "gitoxide.objects.allocLimit=2147483648";

/// A git repository, for many threads at once. Cheap to clone.
#[derive(Clone)]
pub struct Repository {
    objects: Arc<Objects>,
    top_level: Option<Utf8PathBuf>,
}

impl fmt::Debug for Repository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Repository")
            .field("top_level", &self.top_level)
            .finish_non_exhaustive()
    }
}

impl Repository {
    /// Finds the repository that a directory belongs to, in it or above it, as git does: a work tree,
    /// a linked work tree, a submodule's checkout, or a bare repository.
    ///
    /// Nothing where there is none on the same file system.
    ///
    /// # Errors
    /// When there is one that can't be read, or a `.git` that looks like one: git passes over some of those in silence,
    /// and would take a repository further up.
    pub fn discover(directory: &Utf8Path) -> Result<Option<Self>, RepositoryError> {
        let options = gix::discover::upwards::Options {
            trust: gix::discover::upwards::TrustPolicy::Assume(gix::sec::Trust::Full),
            ..Default::default()
        };
        let trusted = gix::sec::trust::Mapping {
            full: open_options(),
            reduced: open_options(),
        };
        // Upwards from a relative path there is no way on, and `..` in it would be taken for a name.
        let start = directory
            .canonicalize_utf8()
            .unwrap_or_else(|_| directory.to_owned());
        let opened =
            gix::ThreadSafeRepository::discover_opts(start.as_std_path(), options, trusted);
        let found = match Self::from_opened(opened, directory) {
            Err(RepositoryError::NotARepository(_)) => None,
            other => Some(other?),
        };
        // Where it is right here, nothing nearer was passed over.
        let is_here = found.as_ref().and_then(Self::top_level) == Some(start.as_path());
        if !is_here && let Some(why) = passed_over(start.as_std_path()) {
            return Err(RepositoryError::Unreadable(why));
        }
        Ok(found)
    }

    /// Opens the repository whose top level or git directory this is, and looks nowhere else.
    ///
    /// # Errors
    /// When it is none, or can't be read.
    pub fn open(directory: &Utf8Path) -> Result<Self, RepositoryError> {
        let options = open_options().with(gix::sec::Trust::Full);
        let opened = gix::ThreadSafeRepository::open_opts(directory.as_std_path(), options);
        Self::from_opened(opened, directory)
    }

    fn from_opened(
        opened: gix::Result<gix::ThreadSafeRepository>,
        directory: &Utf8Path,
    ) -> Result<Self, RepositoryError> {
        let repository = opened.map_err(|error| {
            if error.is_unsupported() {
                RepositoryError::Unsupported("SHA-256 object ids".to_owned())
            } else if error.is_not_found() {
                RepositoryError::NotARepository(directory.to_owned())
            } else {
                RepositoryError::Unreadable(reason(&error))
            }
        })?;
        let local = repository.to_thread_local();
        let configuration = local.config_snapshot();
        if let Some(storage) = configuration.string("extensions.refStorage")
            && !storage.eq_ignore_ascii_case(b"files")
        {
            return Err(RepositoryError::Unsupported(format!(
                "the reference storage `{storage}`"
            )));
        }
        let promised = configuration
            .plumbing()
            .sections_by_name("remote")
            .into_iter()
            .flatten()
            .any(|remote| {
                remote
                    .value("promisor")
                    .is_some_and(|value| !value.eq_ignore_ascii_case(b"false"))
            });
        let completeness = if promised || configuration.string("extensions.partialClone").is_some()
        {
            Completeness::Partial
        } else {
            Completeness::Complete
        };
        let top_level = match local.workdir() {
            None => None,
            Some(top_level) => Some(absolute(top_level)?),
        };
        Ok(Self {
            objects: Arc::new(Objects::new(repository, completeness)),
            top_level,
        })
    }

    /// The top directory of the work tree; nothing for a bare repository.
    pub fn top_level(&self) -> Option<&Utf8Path> {
        self.top_level.as_deref()
    }

    /// Where git keeps what is its own: what belongs to this work tree, and what linked work trees share. Mostly the same.
    pub fn git_directories(&self) -> [PathBuf; 2] {
        self.objects.with_repository(|repository| {
            [repository.git_dir(), repository.common_dir()].map(Path::to_owned)
        })
    }

    /// Where a directory is in the work tree: the root to give to [`tree`](Self::tree) and
    /// [`WorkTreeState::read`](super::WorkTreeState::read). Links in the directory's own path are
    /// resolved. Nothing when it is not in the work tree.
    pub fn path_in_work_tree(&self, directory: &Utf8Path) -> Option<RepoPath> {
        let top_level = self.top_level.as_ref()?.canonicalize_utf8().ok()?;
        let directory = directory.canonicalize_utf8().ok()?;
        let below = directory.strip_prefix(&top_level).ok()?;
        let elements: Vec<&str> = below.iter().collect();
        RepoPath::new(&elements.join("/")).ok()
    }

    /// The commit that a revision means: a branch, a tag, an id or the beginning of one, and what can be
    /// said from there (`HEAD~3`, `main^2`).
    ///
    /// # Errors
    /// When there is no such commit, when several fit, and when the repository can't be read.
    pub fn resolve(&self, revision: &str) -> Result<CommitId, RevisionError> {
        self.objects
            .with_repository(|repository| resolve(repository, revision))
    }

    /// The commit that is checked out; nothing before the first commit.
    ///
    /// # Errors
    /// When the repository can't be read, or lacks that commit.
    pub fn head(&self) -> Result<Option<CommitId>, RevisionError> {
        self.objects.with_repository(|repository| {
            let head = repository
                .head()
                .map_err(|error| RevisionError::Unreadable {
                    revision: "HEAD".to_owned(),
                    reason: reason(&error),
                })?;
            if head.is_unborn() {
                return Ok(None);
            }
            resolve(repository, "HEAD").map(Some)
        })
    }

    /// The best common ancestor of two commits; where there are several, one of them, always the same.
    ///
    /// # Errors
    /// When they have none, or the clone is too shallow to know it.
    pub fn merge_base(
        &self,
        first: CommitId,
        second: CommitId,
    ) -> Result<CommitId, MergeBaseError> {
        let found = self.objects.with_repository(|repository| {
            match repository.merge_base(first.0, second.0) {
                Ok(base) => Ok(base.map(gix::Id::detach)),
                Err(error) => Err(reason(&error)),
            }
        });
        match found {
            Ok(Some(base)) => Ok(CommitId(base)),
            _ if self.is_shallow() => Err(MergeBaseError::ShallowClone { first, second }),
            Ok(None) => Err(MergeBaseError::NoCommonAncestor { first, second }),
            Err(reason) => Err(MergeBaseError::Unreadable {
                first,
                second,
                reason,
            }),
        }
    }

    /// The parents of a commit, in order, also those that a shallow clone does not hold.
    ///
    /// # Errors
    /// When the repository can't be read, or lacks the commit.
    pub fn parents(&self, commit: CommitId) -> Result<Vec<CommitId>, RevisionError> {
        self.objects.with_repository(|repository| {
            let unreadable = |error: &gix::Error| RevisionError::Unreadable {
                revision: commit.to_string(),
                reason: reason(error),
            };
            let found = repository
                .find_commit(commit.0)
                .map_err(|error| unreadable(&error))?;
            Ok(found.parent_ids().map(|id| CommitId(id.detach())).collect())
        })
    }

    /// Whether the history is cut off somewhere (`git clone --depth`).
    pub fn is_shallow(&self) -> bool {
        self.objects.with_repository(is_shallow)
    }

    /// Whether objects were left out that git would fetch when it needs them (`git clone --filter`).
    pub fn is_partial_clone(&self) -> bool {
        self.objects.completeness() == Completeness::Partial
    }

    /// The files of a commit, below a directory of it that is to be the root.
    ///
    /// # Errors
    /// When the commit has no such directory, or the clone lacks the objects on the way to it.
    pub fn tree(&self, commit: CommitId, root: &RepoPath) -> Result<GitTree, TreeError> {
        let top = self
            .tree_id(commit)
            .map_err(|kind| TreeError::new(root, kind))?;
        GitTree::open(Arc::clone(&self.objects), commit, top, root)
    }

    /// The files of a commit as they would stand in a directory of the work tree; in a bare repository
    /// all of them, whatever the directory.
    ///
    /// # Errors
    /// When the directory is not in the work tree, and as for [`tree`](Self::tree).
    pub fn tree_at(&self, commit: CommitId, directory: &Utf8Path) -> Result<GitTree, GitError> {
        Ok(self.tree(commit, &self.root_at(directory)?)?)
    }

    /// The length of a content that a tree of this repository names; nothing where it can't be had.
    pub fn content_length(&self, name: &ContentIdentity) -> Option<u64> {
        self.objects
            .size(ObjectId::try_from(&*name.0).ok().as_ref()?)
    }

    /// Where a directory is in the work tree; the top of a bare repository.
    pub(super) fn root_at(&self, directory: &Utf8Path) -> Result<RepoPath, RepositoryError> {
        if self.top_level.is_none() {
            return Ok(RepoPath::root());
        }
        self.path_in_work_tree(directory)
            .ok_or_else(|| RepositoryError::NotInWorkTree(directory.to_owned()))
    }

    pub(super) fn tree_id(&self, commit: CommitId) -> Result<ObjectId, TreeErrorKind> {
        self.objects.with_repository(|repository| {
            let unreadable = |error: &gix::Error| {
                TreeErrorKind::MissingObject(format!("the commit {commit}: {}", reason(error)))
            };
            let found = repository
                .find_commit(commit.0)
                .map_err(|error| unreadable(&error))?;
            let id = found.tree_id().map_err(|error| unreadable(&error))?;
            Ok(id.detach())
        })
    }

    pub(super) fn objects(&self) -> &Arc<Objects> {
        &self.objects
    }
}

fn open_options() -> gix::open::Options {
    gix::open::Options::isolated().config_overrides([
        // Other clones do not have this one's replacements.
        "core.useReplaceRefs=false",
        ALLOCATION_LIMIT,
    ])
}

fn absolute(path: &Path) -> Result<Utf8PathBuf, RepositoryError> {
    let path = std::path::absolute(path)
        .map_err(|error| RepositoryError::Unreadable(error.to_string()))?;
    Utf8PathBuf::from_path_buf(path).map_err(|_| RepositoryError::NotUtf8)
}

fn is_shallow(repository: &gix::Repository) -> bool {
    repository.is_shallow().unwrap_or(false)
}

fn resolve(repository: &gix::Repository, revision: &str) -> Result<CommitId, RevisionError> {
    let unknown = || {
        let revision = revision.to_owned();
        if is_shallow(repository) {
            RevisionError::NotInShallowClone { revision }
        } else {
            RevisionError::Unknown { revision }
        }
    };
    let options = rev_parse::Options {
        object_kind_hint: Some(rev_parse::ObjectKindHint::Committish),
        ..Default::default()
    };
    let spec = match gix::revision::Spec::from_bstr(BStr::new(revision), repository, options) {
        Ok(spec) => spec,
        Err(error) => {
            let ambiguous = error
                .iter_errors()
                .find_map(|cause| cause.downcast_ref::<rev_parse::Error>());
            return Err(match ambiguous {
                Some(
                    rev_parse::Error::AmbiguousPrefix { candidates, .. }
                    | rev_parse::Error::AmbiguousRefAndObject { candidates, .. },
                ) => RevisionError::Ambiguous {
                    revision: revision.to_owned(),
                    candidates: candidates
                        .iter()
                        .map(|(prefix, _)| prefix.to_string())
                        .collect(),
                },
                _ if error.is_corrupted() => RevisionError::Unreadable {
                    revision: revision.to_owned(),
                    reason: reason(&error),
                },
                _ => unknown(),
            });
        }
    };
    // A range is two revisions, and none of them.
    let Some(id) = spec.single() else {
        return Err(unknown());
    };
    let Ok(object) = id.object() else {
        return Err(unknown());
    };
    match object.peel_tags_to_end() {
        Ok(object) if object.kind == gix::objs::Kind::Commit => Ok(CommitId(object.id)),
        Ok(_) => Err(RevisionError::NotACommit {
            revision: revision.to_owned(),
        }),
        Err(_) => Err(unknown()),
    }
}
