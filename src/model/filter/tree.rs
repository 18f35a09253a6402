//! The parsed filter.

use super::field::{Field, FlagField, ListField, NumberField, TextField, TimeField};
use super::moment::FilterTime;

/// A filter. Its depth and number of terms are limited by the parser.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of them are true; true if there are none.
    All(Vec<Filter>),
    /// One of them is true; false if there are none.
    Any(Vec<Filter>),
    /// It is false.
    Not(Box<Filter>),
    /// A comparison.
    Test(Test),
}

/// A comparison of one field with one value.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// A number.
    Number {
        /// The field.
        field: NumberField,
        /// The operator.
        order: OrderComparison,
        /// Finite; for a severity its rank.
        value: f64,
    },
    /// A time.
    Time {
        /// The field.
        field: TimeField,
        /// The operator.
        order: OrderComparison,
        /// The time.
        value: FilterTime,
    },
    /// A string. The case of ASCII letters is ignored.
    Text {
        /// The field.
        field: TextField,
        /// The operator.
        comparison: StringComparison,
        /// The string, ASCII letters in lower case.
        value: String,
    },
    /// One of several strings. The case of ASCII letters is ignored.
    List {
        /// The field.
        field: ListField,
        /// The operator.
        comparison: StringComparison,
        /// The string, ASCII letters in lower case.
        value: String,
    },
    /// It is in a watch list.
    WatchList(WatchListTest),
    /// Yes or no.
    Flag {
        /// The field.
        field: FlagField,
        /// The value.
        value: bool,
    },
    /// Full-text search, with PostgreSQL's syntax of a web search.
    Words(String),
    /// Nothing is known of the field. Never unknown itself.
    IsNull(Field),
}

/// Which watch list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchListTest {
    /// The one with this id.
    Id(i64),
    /// Those with this name; ASCII letters in lower case.
    Name(StringComparison, String),
}

/// How numbers and times are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderComparison {
    /// `=`
    Equal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl OrderComparison {
    /// Whether `left` and `right` compare like this.
    pub fn is_true<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }

    /// The operator.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// How strings are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StringComparison {
    /// `=`
    Equal,
    /// `~`
    Contains,
}

impl StringComparison {
    /// Whether `text` compares like this with `value`, which is in lower case.
    pub fn is_true(self, text: &str, value: &str) -> bool {
        match self {
            Self::Equal => text.eq_ignore_ascii_case(value),
            Self::Contains => text.to_ascii_lowercase().contains(value),
        }
    }

    /// The operator.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Contains => "~",
        }
    }
}

impl Filter {
    /// The comparisons, from left to right.
    pub fn tests(&self) -> Vec<&Test> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::tests).collect(),
            Self::Not(part) => part.tests(),
            Self::Test(test) => vec![test],
        }
    }

    /// The full-text searches in it.
    pub fn words(&self) -> Vec<&str> {
        let words = self.tests().into_iter().filter_map(|test| match test {
            Test::Words(words) => Some(words.as_str()),
            _ => None,
        });
        words.collect()
    }

    /// Whether it compares products or their vendors.
    pub fn uses_products(&self) -> bool {
        let is_of_products =
            |field: &ListField| matches!(field, ListField::Product | ListField::Vendor);
        self.tests().into_iter().any(|test| match test {
            Test::List { field, .. } | Test::IsNull(Field::List(field)) => is_of_products(field),
            _ => false,
        })
    }
}
