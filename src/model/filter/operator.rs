//! Operators and values of comparisons, as written.

use super::error::FilterFault;
use super::tree::{OrderComparison, StringComparison};

/// An operator between a field and a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
}

impl Operator {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Contains => "~",
        }
    }

    pub(super) fn order(self) -> Option<OrderComparison> {
        match self {
            Self::Equal => Some(OrderComparison::Equal),
            Self::Less => Some(OrderComparison::Less),
            Self::LessOrEqual => Some(OrderComparison::LessOrEqual),
            Self::Greater => Some(OrderComparison::Greater),
            Self::GreaterOrEqual => Some(OrderComparison::GreaterOrEqual),
            Self::NotEqual | Self::Contains => None,
        }
    }

    pub(super) fn comparison(self) -> Option<StringComparison> {
        match self {
            Self::Equal => Some(StringComparison::Equal),
            Self::Contains => Some(StringComparison::Contains),
            _ => None,
        }
    }
}

/// A value as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    /// Without quotes.
    pub text: String,
    /// Bytes before it.
    pub start: usize,
    /// Its length in bytes, with quotes.
    pub length: usize,
    /// Whether it was in quotes.
    pub is_quoted: bool,
}

impl Value {
    pub(super) fn wrong(&self, message: impl Into<String>) -> FilterFault {
        FilterFault::new(self.start, self.length, message)
    }
}
