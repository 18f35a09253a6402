//! The grammar of the filter language.

use winnow::stream::{LocatingSlice, Location as _, Stream as _};

use super::error::{FilterError, FilterFault};
use super::field::{FIELDS, Field, NumberField, OTHERS};
use super::lexer::{Input, Used, keyword, next, operator, sign, space, value as value_of, word};
use super::operator::Operator;
use super::tree::{Filter, Test};
use super::value;

/// Maximum length of a filter in characters.
const MAX_CHARS: usize = 10_000;
/// Maximum depth of parentheses and `not`.
const MAX_DEPTH: usize = 50;
/// Maximum number of comparisons; each value of `in (…)` is one.
const MAX_TERMS: usize = 500;
/// Words that are no fields.
const KEYWORDS: [&str; 6] = ["and", "or", "not", "in", "is", "null"];

/// Parses a filter.
///
/// # Errors
/// It is no filter, or too long, too deep or of too many terms.
pub fn parse_filter(text: &str) -> Result<Filter, FilterError> {
    parsed(text).map(|(filter, _)| filter)
}

/// Whether a filter names the severity `critical`, which is extremely critical alone and for
/// others more than that.
pub fn says_critical(text: &str) -> bool {
    parsed(text).is_ok_and(|(_, used)| used.says_critical)
}

fn parsed(text: &str) -> Result<(Filter, Used), FilterError> {
    let failed = |fault| FilterError::new(text, fault);
    if text.chars().count() > MAX_CHARS {
        let message = format!("the filter is too long; expected at most {MAX_CHARS} characters");
        return Err(failed(FilterFault::new(0, 1, message)));
    }
    let mut input = Input {
        input: LocatingSlice::new(text),
        state: Used::default(),
    };
    let filter = whole(&mut input).map_err(failed)?;
    Ok((filter, input.state))
}

fn whole(input: &mut Input<'_>) -> Result<Filter, FilterFault> {
    let filter = disjunction(input)?;
    space(input)?;
    if input.is_empty() {
        return Ok(filter);
    }
    let start = input.current_token_start();
    if sign(input, ')') {
        return Err(FilterFault::new(start, 1, "there is no `(` for this `)`"));
    }
    let (length, given) = next(input)?;
    let fault = FilterFault::new(
        start,
        length,
        "expected `and`, `or` or the end of the filter",
    );
    Err(match given.as_str() {
        "&&" | "&" => fault.suggest("and", &["and"]),
        "||" | "|" => fault.suggest("or", &["or"]),
        given => fault.suggest(given, &["and", "or"]),
    })
}

fn disjunction(input: &mut Input<'_>) -> Result<Filter, FilterFault> {
    let mut parts = vec![conjunction(input)?];
    while keyword(input, "or")? {
        parts.push(conjunction(input)?);
    }
    Ok(one_of(parts, Filter::Any))
}

fn conjunction(input: &mut Input<'_>) -> Result<Filter, FilterFault> {
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

fn unary(input: &mut Input<'_>) -> Result<Filter, FilterFault> {
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
    Err(FilterFault::new(at, next(input)?.0, message))
}

fn deeper<'a>(
    input: &mut Input<'a>,
    start: usize,
    inner: fn(&mut Input<'a>) -> Result<Filter, FilterFault>,
) -> Result<Filter, FilterFault> {
    input.state.depth += 1;
    if input.state.depth > MAX_DEPTH {
        let message = format!("nested too deeply; expected at most {MAX_DEPTH} levels");
        return Err(FilterFault::new(start, 1, message));
    }
    let filter = inner(input)?;
    input.state.depth -= 1;
    Ok(filter)
}

fn term(input: &mut Input<'_>) -> Result<Filter, FilterFault> {
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
            let value = value_of(input)?;
            count(input, start)?;
            note_critical(input, field, &value.text);
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

fn no_operator(input: &mut Input<'_>, start: usize) -> Result<FilterFault, FilterFault> {
    let (length, given) = next(input)?;
    let message = "expected an operator: =, !=, <, <=, >, >=, ~ (contains), in (…) or is null";
    let fault = FilterFault::new(start, length, message);
    Ok(match given.as_str() {
        "contains" | "like" | "ilike" | "matches" => fault.suggest("~", &["~"]),
        ":" | "eq" => fault.suggest("=", &["="]),
        _ => fault,
    })
}

fn field(input: &mut Input<'_>) -> Result<Field, FilterFault> {
    let start = input.current_token_start();
    let Some(name) = word(input)? else {
        let (length, _) = next(input)?;
        let message = "expected a field such as `severity`, `not` or `(`";
        return Err(FilterFault::new(start, length, message));
    };
    if let Some(field) = Field::from_name(name) {
        return Ok(field);
    }
    if KEYWORDS.iter().any(|one| one.eq_ignore_ascii_case(name)) {
        let message = format!("expected a field such as `severity`, got `{name}`");
        return Err(FilterFault::new(start, name.len(), message));
    }
    let all = FIELDS.iter().chain(&OTHERS);
    let known: Vec<&str> = all.flat_map(|(_, names)| names.iter().copied()).collect();
    let fault = FilterFault::new(start, name.len(), format!("unknown field `{name}`"));
    let plain = fault.message.clone();
    let mut fault = fault.suggest(name, &known);
    if fault.message == plain {
        fault.message = format!("{plain}; expected one of {}", Field::names().join(", "));
    }
    Err(fault)
}

/// The rest of `is [not] null`.
fn null(input: &mut Input<'_>, field: Field, start: usize) -> Result<Filter, FilterFault> {
    let is_not = keyword(input, "not")?;
    space(input)?;
    let at = input.current_token_start();
    if !keyword(input, "null")? {
        let (length, _) = next(input)?;
        return Err(FilterFault::new(
            at,
            length,
            "expected `is null` or `is not null`",
        ));
    }
    if matches!(field, Field::WatchList | Field::Words) {
        let message = format!("`{}` is never null", field.name());
        return Err(FilterFault::new(start, 2, message));
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
fn any_of(input: &mut Input<'_>, field: Field, start: usize) -> Result<Filter, FilterFault> {
    space(input)?;
    let at = input.current_token_start();
    if !sign(input, '(') {
        let (length, _) = next(input)?;
        return Err(FilterFault::new(
            at,
            length,
            "expected `(` and values, separated by commas",
        ));
    }
    let mut parts = Vec::new();
    loop {
        let value = value_of(input)?;
        count(input, start)?;
        note_critical(input, field, &value.text);
        parts.push(value::compare(field, (Operator::Equal, start), &value)?);
        space(input)?;
        let at = input.current_token_start();
        if sign(input, ')') {
            return Ok(one_of(parts, Filter::Any));
        }
        if !sign(input, ',') {
            let (length, _) = next(input)?;
            return Err(FilterFault::new(at, length, "expected `,` or `)`"));
        }
    }
}

fn note_critical(input: &mut Input<'_>, field: Field, value: &str) {
    let is_severity = field == Field::Number(NumberField::Severity);
    input.state.says_critical |= is_severity && value.eq_ignore_ascii_case("critical");
}

fn count(input: &mut Input<'_>, start: usize) -> Result<(), FilterFault> {
    input.state.terms += 1;
    if input.state.terms > MAX_TERMS {
        let message = format!("too many comparisons; expected at most {MAX_TERMS}");
        return Err(FilterFault::new(start, 1, message));
    }
    Ok(())
}
