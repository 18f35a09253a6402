//! Claims of contract §1 to §3: URLs, tokens, limits.

use super::answers::{Answers, claim, status};
use crate::capture::claim::ContractClaim;

pub(super) fn claims(answers: Answers<'_>) -> Vec<ContractClaim> {
    let mut claims = vec![slash(answers), wrong_token(answers), unknown_id(answers)];
    claims.extend(headers(answers));
    claims.push(throttling(answers));
    claims
}

fn slash(answers: Answers<'_>) -> ContractClaim {
    let response = answers.get("without-slash");
    let held = response.map(|response| matches!(response.status, Some(301 | 302 | 307 | 308)));
    let location = response.and_then(|response| response.header("location"));
    let seen = format!(
        "{}, Location `{}`",
        status(response),
        location.unwrap_or("none")
    );
    claim(
        (
            "1",
            "INFER",
            "without the trailing slash there is a redirect",
        ),
        held,
        seen,
    )
}

fn wrong_token(answers: Answers<'_>) -> ContractClaim {
    let response = answers.get("wrong-token");
    let held = response
        .map(|response| matches!(response.status, Some(401 | 403)) && response.detail().is_some());
    claim(
        (
            "2",
            "INFER",
            "an invalid token returns 401 or 403 with `detail`",
        ),
        held,
        status(response),
    )
}

fn unknown_id(answers: Answers<'_>) -> ContractClaim {
    let response = answers.get("unknown-id");
    let held = response.map(|response| response.status == Some(404) && response.detail().is_some());
    claim(
        ("2", "INFER", "an unknown id returns 404 with `detail`"),
        held,
        status(response),
    )
}

fn headers(answers: Answers<'_>) -> Vec<ContractClaim> {
    let all: Vec<_> = answers.starting("").collect();
    let with = |name: &str| {
        all.iter()
            .filter(|response| response.header(name).is_some())
            .count()
    };
    let of_all = |count: usize| format!("{count} of {} responses", all.len());
    let dates = with("date");
    let cached = with("age");
    let cookies = with("set-cookie");
    let any = !all.is_empty();
    vec![
        claim(
            ("1", "INFER", "every response has a `Date`"),
            any.then_some(dates == all.len()),
            format!("{}, {cached} with `Age`", of_all(dates)),
        ),
        claim(
            ("2", "DOC", "cookies are set, which scripts must not store"),
            any.then_some(cookies > 0),
            of_all(cookies),
        ),
    ]
}

fn throttling(answers: Answers<'_>) -> ContractClaim {
    let throttled = answers
        .starting("")
        .find(|response| response.status == Some(429));
    let header = throttled.and_then(|response| response.header("retry-after"));
    claim(
        ("3", "INFER", "429 has `Retry-After`"),
        throttled.map(|_| header.is_some()),
        match throttled {
            None => "no request was throttled".to_owned(),
            Some(_) => format!(
                "{}, Retry-After `{}`",
                status(throttled),
                header.unwrap_or("none")
            ),
        },
    )
}
