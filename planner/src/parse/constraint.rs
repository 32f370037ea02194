//! Build constraints.

/// A build constraint. Source: go/build/constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constraint {
    /// A tag that must be set.
    Tag(String),
    /// The contrary.
    Not(Box<Constraint>),
    /// Both.
    And(Box<Constraint>, Box<Constraint>),
    /// Either.
    Or(Box<Constraint>, Box<Constraint>),
}
