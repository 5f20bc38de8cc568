//! A document that goes beyond a limit: which, how far, and what to do about it.

use std::fmt::{self, Display, Formatter};

use migration::counted::counted;

/// What is limited. The numbers are those of [`DocumentLimits`](crate::app::DocumentLimits), but `Nesting`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Bytes of the text.
    Bytes,
    /// Its tokens.
    Tokens,
    /// Brackets in brackets, or fragments in fragments; not configurable, since the program's stack bears no more.
    Nesting,
    /// Directives as they are written.
    Directives,
    /// Fields with fragments expanded.
    Fields,
    /// Levels of fields.
    Depth,
    /// Aliases with fragments expanded.
    Aliases,
    /// Fields at the root of the operation.
    RootFields,
    /// Values that the answer could have.
    Cost,
}

/// A limit, and how far a document goes beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// Which.
    pub limit: Limit,
    /// The most that is allowed.
    pub allowed: u64,
    /// What the document has; at least this many, where counting on would have been work itself.
    pub found: u64,
}

impl std::error::Error for Exceeded {}

/// The largest whole number that JSON carries everywhere (RFC 8259, 6).
const LARGEST: u64 = (1 << 53) - 1;

impl Exceeded {
    /// Says so where `found` is more than `allowed`.
    pub fn check(limit: Limit, allowed: usize, found: usize) -> Result<(), Self> {
        Self::check_wide(limit, allowed as u64, found as u64)
    }

    /// The same, of numbers that have grown by multiplication.
    pub fn check_wide(limit: Limit, allowed: u64, found: u64) -> Result<(), Self> {
        if found > allowed { Err(Self { limit, allowed, found: found.min(LARGEST) }) } else { Ok(()) }
    }

    /// The error's code.
    pub const fn code(&self) -> &'static str {
        match self.limit {
            Limit::Bytes | Limit::Tokens => "DOCUMENT_TOO_LARGE",
            _ => "QUERY_TOO_COMPLEX",
        }
    }

    /// The limit's name for programs.
    pub const fn name(&self) -> &'static str {
        match self.limit {
            Limit::Bytes => "bytes",
            Limit::Tokens => "tokens",
            Limit::Nesting => "nesting",
            Limit::Directives => "directives",
            Limit::Fields => "fields",
            Limit::Depth => "depth",
            Limit::Aliases => "aliases",
            Limit::RootFields => "rootFields",
            Limit::Cost => "cost",
        }
    }
}

impl Display for Exceeded {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { allowed, found, .. } = self;
        let (what, has, instead) = match self.limit {
            Limit::Bytes => ("large", format!("it has {}", counted(found, "byte")), "send what varies as variables"),
            Limit::Tokens => ("large", format!("it has {}", counted(found, "token")), "split it into several requests"),
            Limit::Nesting => ("deep", format!("it nests {}", counted(found, "level")), "write it flatter"),
            Limit::Depth => {
                ("deep", format!("it has {} of fields", counted(found, "level")), "ask for what is deeper by its id")
            }
            Limit::Directives => {
                ("complex", format!("it has {}", counted(found, "directive")), "leave out what is not wanted")
            }
            Limit::Fields => (
                "complex",
                format!("with its fragments expanded it has {}", counted(found, "field")),
                "split it into several requests",
            ),
            Limit::Aliases => (
                "complex",
                format!("with its fragments expanded it has {}", counted(found, "alias")),
                "ask for many objects by \"nodes\", or in several requests",
            ),
            Limit::RootFields => {
                ("complex", format!("it has {} at its root", counted(found, "field")), "split it into several requests")
            }
            Limit::Cost => {
                ("complex", format!("its answer could have {}", counted(found, "value")), "ask for smaller pages")
            }
        };
        let are = if *allowed == 1 { "is" } else { "are" };
        write!(f, "The document is too {what}: {has}, at most {allowed} {are} allowed; {instead}.")
    }
}
