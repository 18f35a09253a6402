//! The grammar of the filter language.

use winnow::Parser as _;
use winnow::error::ParserError;
use winnow::stream::{LocatingSlice, Location as _, Stateful, Stream as _};
use winnow::token::{any, take_while};

use super::error::{Fault, FilterError};
use super::field::{FIELDS, Field, OTHERS};
use super::tree::{Filter, Test};
use super::value::{self, Operator, Value};

/// Maximum length of a filter in characters.
const MAX_CHARS: usize = 10_000;
/// Maximum depth of parentheses and `not`.
const MAX_DEPTH: usize = 50;
/// Maximum number of comparisons; each value of `in (…)` is one.
const MAX_TERMS: usize = 500;
/// Words that are no fields.
const KEYWORDS: [&str; 6] = ["and", "or", "not", "in", "is", "null"];

/// How much was read so far.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    depth: usize,
    terms: usize,
}

type Input<'a> = Stateful<LocatingSlice<&'a str>, Used>;

impl ParserError<Input<'_>> for Fault {
    type Inner = Self;

    fn from_input(input: &Input<'_>) -> Self {
        Self::new(input.current_token_start(), 1, "unexpected text")
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// Parses a filter.
///
/// # Errors
/// It is no filter, or too long, too deep or of too many terms.
pub fn parse_filter(text: &str) -> Result<Filter, FilterError> {
    let failed = |fault| FilterError::new(text, fault);
    if text.chars().count() > MAX_CHARS {
        let message = format!("the filter is too long; expected at most {MAX_CHARS} characters");
        return Err(failed(Fault::new(0, 1, message)));
    }
    let mut input = Input {
        input: LocatingSlice::new(text),
        state: Used::default(),
    };
    whole(&mut input).map_err(failed)
}

fn whole(input: &mut Input<'_>) -> Result<Filter, Fault> {
    let filter = disjunction(input)?;
    space(input)?;
    if input.is_empty() {
        return Ok(filter);
    }
    let start = input.current_token_start();
    if sign(input, ')') {
        return Err(Fault::new(start, 1, "there is no `(` for this `)`"));
    }
    let (length, said) = next(input)?;
    let fault = Fault::new(
        start,
        length,
        "expected `and`, `or` or the end of the filter",
    );
    Err(match said.as_str() {
        "&&" | "&" => fault.suggest("and", &["and"]),
        "||" | "|" => fault.suggest("or", &["or"]),
        said => fault.suggest(said, &["and", "or"]),
    })
}

fn disjunction(input: &mut Input<'_>) -> Result<Filter, Fault> {
    let mut parts = vec![conjunction(input)?];
    while keyword(input, "or")? {
        parts.push(conjunction(input)?);
    }
    Ok(one_of(parts, Filter::Any))
}

fn conjunction(input: &mut Input<'_>) -> Result<Filter, Fault> {
    let mut parts = vec![unary(input)?];
    while keyword(input, "and")? {
        parts.push(unary(input)?);
    }
    Ok(one_of(parts, Filter::All))
}

/// The part itself if there is only one.
fn one_of(mut parts: Vec<Filter>, several: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            several(parts)
        }
        None => several(parts),
    }
}

fn unary(input: &mut Input<'_>) -> Result<Filter, Fault> {
    space(input)?;
    let start = input.current_token_start();
    if keyword(input, "not")? {
        let part = deeper(input, start, unary)?;
        return Ok(Filter::Not(Box::new(part)));
    }
    if !sign(input, '(') {
        return term(input);
    }
    let filter = deeper(input, start, disjunction)?;
    space(input)?;
    if sign(input, ')') {
        return Ok(filter);
    }
    let at = input.current_token_start();
    let message = "expected `and`, `or` or `)`, which closes a `(` before";
    Err(Fault::new(at, next(input)?.0, message))
}

fn deeper<'a>(
    input: &mut Input<'a>,
    start: usize,
    inner: fn(&mut Input<'a>) -> Result<Filter, Fault>,
) -> Result<Filter, Fault> {
    input.state.depth += 1;
    if input.state.depth > MAX_DEPTH {
        let message = format!("nested too deeply; expected at most {MAX_DEPTH} levels");
        return Err(Fault::new(start, 1, message));
    }
    let filter = inner(input)?;
    input.state.depth -= 1;
    Ok(filter)
}

fn term(input: &mut Input<'_>) -> Result<Filter, Fault> {
    let field = field(input)?;
    space(input)?;
    let start = input.current_token_start();
    if keyword(input, "is")? {
        return null(input, field, start);
    }
    if keyword(input, "in")? {
        return any_of(input, field, start);
    }
    let before = input.checkpoint();
    if keyword(input, "not")? {
        if keyword(input, "in")? {
            return Ok(Filter::Not(Box::new(any_of(input, field, start)?)));
        }
        input.reset(&before);
    }
    match operator(input)? {
        Some(operator) => {
            let operator = (operator, start);
            let value = value(input)?;
            count(input, start)?;
            value::compare(field, operator, &value)
        }
        None => match field {
            Field::Flag(field) => {
                count(input, start)?;
                Ok(Filter::Test(Test::Flag { field, value: true }))
            }
            _ => Err(no_operator(input, start)?),
        },
    }
}

fn no_operator(input: &mut Input<'_>, start: usize) -> Result<Fault, Fault> {
    let (length, said) = next(input)?;
    let message = "expected an operator: =, !=, <, <=, >, >=, ~ (contains), in (…) or is null";
    let fault = Fault::new(start, length, message);
    Ok(match said.as_str() {
        "contains" | "like" | "ilike" | "matches" => fault.suggest("~", &["~"]),
        ":" | "eq" => fault.suggest("=", &["="]),
        _ => fault,
    })
}

fn field(input: &mut Input<'_>) -> Result<Field, Fault> {
    let start = input.current_token_start();
    let Some(name) = word(input)? else {
        let (length, _) = next(input)?;
        let message = "expected a field such as `severity`, `not` or `(`";
        return Err(Fault::new(start, length, message));
    };
    if let Some(field) = Field::from_name(name) {
        return Ok(field);
    }
    if KEYWORDS.iter().any(|one| one.eq_ignore_ascii_case(name)) {
        let message = format!("expected a field such as `severity`, got `{name}`");
        return Err(Fault::new(start, name.len(), message));
    }
    let all = FIELDS.iter().chain(&OTHERS);
    let known: Vec<&str> = all.flat_map(|(_, names)| names.iter().copied()).collect();
    let fault = Fault::new(start, name.len(), format!("unknown field `{name}`"));
    let plain = fault.message.clone();
    let mut fault = fault.suggest(name, &known);
    if fault.message == plain {
        fault.message = format!("{plain}; expected one of {}", Field::names().join(", "));
    }
    Err(fault)
}

/// The rest of `is [not] null`.
fn null(input: &mut Input<'_>, field: Field, start: usize) -> Result<Filter, Fault> {
    let is_not = keyword(input, "not")?;
    space(input)?;
    let at = input.current_token_start();
    if !keyword(input, "null")? {
        let (length, _) = next(input)?;
        return Err(Fault::new(
            at,
            length,
            "expected `is null` or `is not null`",
        ));
    }
    if matches!(field, Field::WatchList | Field::Words) {
        let message = format!("`{}` is never null", field.name());
        return Err(Fault::new(start, 2, message));
    }
    count(input, start)?;
    let test = Filter::Test(Test::IsNull(field));
    Ok(if is_not {
        Filter::Not(Box::new(test))
    } else {
        test
    })
}

/// The rest of `in (…, …)`.
fn any_of(input: &mut Input<'_>, field: Field, start: usize) -> Result<Filter, Fault> {
    space(input)?;
    let at = input.current_token_start();
    if !sign(input, '(') {
        let (length, _) = next(input)?;
        return Err(Fault::new(
            at,
            length,
            "expected `(` and values, separated by commas",
        ));
    }
    let mut parts = Vec::new();
    loop {
        let value = value(input)?;
        count(input, start)?;
        parts.push(value::compare(field, (Operator::Equal, start), &value)?);
        space(input)?;
        let at = input.current_token_start();
        if sign(input, ')') {
            return Ok(one_of(parts, Filter::Any));
        }
        if !sign(input, ',') {
            let (length, _) = next(input)?;
            return Err(Fault::new(at, length, "expected `,` or `)`"));
        }
    }
}

fn count(input: &mut Input<'_>, start: usize) -> Result<(), Fault> {
    input.state.terms += 1;
    if input.state.terms > MAX_TERMS {
        let message = format!("too many comparisons; expected at most {MAX_TERMS}");
        return Err(Fault::new(start, 1, message));
    }
    Ok(())
}

fn operator(input: &mut Input<'_>) -> Result<Option<Operator>, Fault> {
    let start = input.current_token_start();
    let sign: &str = take_while(0..=2, |one| "=!<>~".contains(one)).parse_next(input)?;
    if sign.is_empty() {
        return Ok(None);
    }
    let instead = |name: &str| {
        let message = format!("unknown operator `{sign}`; did you mean `{name}`?");
        Err(Fault::new(start, sign.len(), message))
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
fn value(input: &mut Input<'_>) -> Result<Value, Fault> {
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
        return Err(Fault::new(start, length, message));
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
fn string(input: &mut Input<'_>, quote: char, start: usize) -> Result<String, Fault> {
    let mut text = String::new();
    loop {
        let at = input.current_token_start();
        if input.is_empty() {
            let message = format!("the closing `{quote}` is missing");
            return Err(Fault::new(start, 1, message));
        }
        match any::<_, Fault>.parse_next(input)? {
            one if one == quote => return Ok(text),
            '\\' => match any::<_, Fault>.parse_next(input) {
                Ok(one) if one == quote || one == '\\' => text.push(one),
                _ => {
                    let message = format!("expected `\\{quote}` or `\\\\`");
                    return Err(Fault::new(at, 1, message));
                }
            },
            one if one.is_control() => {
                return Err(Fault::new(at, 1, "unexpected control character"));
            }
            one => text.push(one),
        }
    }
}

fn space(input: &mut Input<'_>) -> Result<(), Fault> {
    take_while(0.., char::is_whitespace)
        .void()
        .parse_next(input)
}

/// What needs no quotes: names, numbers, times, CVEs, CPEs.
fn is_bare(one: char) -> bool {
    one.is_alphanumeric() || "_.:+-*/@#".contains(one)
}

fn word<'a>(input: &mut Input<'a>) -> Result<Option<&'a str>, Fault> {
    let word: &str = take_while(0.., is_bare).parse_next(input)?;
    Ok((!word.is_empty()).then_some(word))
}

/// Takes this keyword, if it is next.
fn keyword(input: &mut Input<'_>, name: &str) -> Result<bool, Fault> {
    let before = input.checkpoint();
    space(input)?;
    let is_next = word(input)?.is_some_and(|word| word.eq_ignore_ascii_case(name));
    if !is_next {
        input.reset(&before);
    }
    Ok(is_next)
}

/// Takes this character, if it is next.
fn sign(input: &mut Input<'_>, sign: char) -> bool {
    let before = input.checkpoint();
    if let Ok(one) = any::<_, Fault>.parse_next(input)
        && one == sign
    {
        return true;
    }
    input.reset(&before);
    false
}

/// The next word, or the signs up to it, for messages: its length and text.
fn next(input: &mut Input<'_>) -> Result<(usize, String), Fault> {
    let text: &str = if let Some(word) = word(input)? {
        word
    } else {
        take_while(0..=2, |one: char| !is_bare(one) && !one.is_whitespace()).parse_next(input)?
    };
    Ok((text.len(), text.to_ascii_lowercase()))
}
