//! The words, signs and values that a filter consists of.

use winnow::Parser as _;
use winnow::error::ParserError;
use winnow::stream::{LocatingSlice, Location as _, Stateful, Stream as _};
use winnow::token::{any, take_while};

use super::error::FilterFault;
use super::operator::{Operator, Value};

/// How much was read so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Used {
    pub depth: usize,
    pub terms: usize,
    /// Whether a severity was written as `critical`.
    pub says_critical: bool,
}

pub(super) type Input<'a> = Stateful<LocatingSlice<&'a str>, Used>;

impl ParserError<Input<'_>> for FilterFault {
    type Inner = Self;

    fn from_input(input: &Input<'_>) -> Self {
        Self::new(input.current_token_start(), 1, "unexpected text")
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

pub(super) fn operator(input: &mut Input<'_>) -> Result<Option<Operator>, FilterFault> {
    let start = input.current_token_start();
    let sign: &str = take_while(0..=2, |one| "=!<>~".contains(one)).parse_next(input)?;
    if sign.is_empty() {
        return Ok(None);
    }
    let instead = |name: &str| {
        let message = format!("unknown operator `{sign}`; did you mean `{name}`?");
        Err(FilterFault::new(start, sign.len(), message))
    };
    match sign {
        "=" => Ok(Some(Operator::Equal)),
        "!=" => Ok(Some(Operator::NotEqual)),
        "<" => Ok(Some(Operator::Less)),
        "<=" => Ok(Some(Operator::LessOrEqual)),
        ">" => Ok(Some(Operator::Greater)),
        ">=" => Ok(Some(Operator::GreaterOrEqual)),
        "~" => Ok(Some(Operator::Contains)),
        "==" => instead("="),
        "=<" => instead("<="),
        "=>" => instead(">="),
        "<>" | "!" => instead("!="),
        "!~" => instead("not FIELD ~"),
        _ => instead("~"),
    }
}

/// A value: a word, or a string in quotes; a length of time may be followed by `ago`.
pub(super) fn value(input: &mut Input<'_>) -> Result<Value, FilterFault> {
    space(input)?;
    let start = input.current_token_start();
    for quote in ['"', '\''] {
        if sign(input, quote) {
            let text = string(input, quote, start)?;
            let length = input.current_token_start() - start;
            return Ok(Value {
                text,
                start,
                length,
                is_quoted: true,
            });
        }
    }
    let Some(word) = word(input)? else {
        let (length, _) = next(input)?;
        let message = "expected a value; a value with spaces or signs needs quotes";
        return Err(FilterFault::new(start, length, message));
    };
    let text = word.to_owned();
    let length = text.len();
    if !keyword(input, "ago")? {
        return Ok(Value {
            text,
            start,
            length,
            is_quoted: false,
        });
    }
    Ok(Value {
        text: format!("{text} ago"),
        start,
        length,
        is_quoted: false,
    })
}

/// The rest of a string; `\` takes the quote or `\` after it as it is.
fn string(input: &mut Input<'_>, quote: char, start: usize) -> Result<String, FilterFault> {
    let mut text = String::new();
    loop {
        let at = input.current_token_start();
        if input.is_empty() {
            let message = format!("the closing `{quote}` is missing");
            return Err(FilterFault::new(start, 1, message));
        }
        match any::<_, FilterFault>.parse_next(input)? {
            one if one == quote => return Ok(text),
            '\\' => match any::<_, FilterFault>.parse_next(input) {
                Ok(one) if one == quote || one == '\\' => text.push(one),
                _ => {
                    let message = format!("expected `\\{quote}` or `\\\\`");
                    return Err(FilterFault::new(at, 1, message));
                }
            },
            one if one.is_control() => {
                return Err(FilterFault::new(at, 1, "unexpected control character"));
            }
            one => text.push(one),
        }
    }
}

pub(super) fn space(input: &mut Input<'_>) -> Result<(), FilterFault> {
    take_while(0.., char::is_whitespace)
        .void()
        .parse_next(input)
}

/// What needs no quotes: names, numbers, times, CVEs, CPEs.
fn is_bare(one: char) -> bool {
    one.is_alphanumeric() || "_.:+-*/@#".contains(one)
}

pub(super) fn word<'a>(input: &mut Input<'a>) -> Result<Option<&'a str>, FilterFault> {
    let word: &str = take_while(0.., is_bare).parse_next(input)?;
    Ok((!word.is_empty()).then_some(word))
}

/// Takes this keyword, if it is next.
pub(super) fn keyword(input: &mut Input<'_>, name: &str) -> Result<bool, FilterFault> {
    let before = input.checkpoint();
    space(input)?;
    let is_next = word(input)?.is_some_and(|word| word.eq_ignore_ascii_case(name));
    if !is_next {
        input.reset(&before);
    }
    Ok(is_next)
}

/// Takes this character, if it is next.
pub(super) fn sign(input: &mut Input<'_>, sign: char) -> bool {
    let before = input.checkpoint();
    if let Ok(one) = any::<_, FilterFault>.parse_next(input)
        && one == sign
    {
        return true;
    }
    input.reset(&before);
    false
}

/// The next word, or the signs up to it, for messages: its length and text.
pub(super) fn next(input: &mut Input<'_>) -> Result<(usize, String), FilterFault> {
    let text: &str = if let Some(word) = word(input)? {
        word
    } else {
        take_while(0..=2, |one: char| !is_bare(one) && !one.is_whitespace()).parse_next(input)?
    };
    Ok((text.len(), text.to_ascii_lowercase()))
}
