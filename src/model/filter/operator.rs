//! Operators and values of comparisons, as written.

use super::error::Fault;
use super::tree::{Comparison, Order};

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

    pub(super) fn order(self) -> Option<Order> {
        match self {
            Self::Equal => Some(Order::Equal),
            Self::Less => Some(Order::Less),
            Self::LessOrEqual => Some(Order::LessOrEqual),
            Self::Greater => Some(Order::Greater),
            Self::GreaterOrEqual => Some(Order::GreaterOrEqual),
            Self::NotEqual | Self::Contains => None,
        }
    }

    pub(super) fn comparison(self) -> Option<Comparison> {
        match self {
            Self::Equal => Some(Comparison::Equal),
            Self::Contains => Some(Comparison::Contains),
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
    pub(super) fn wrong(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.start, self.length, message)
    }
}
