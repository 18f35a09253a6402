//! Capture: saves one sample of each response that the contract leaves open, so that
//! developers without this account can see what upstream really sends.

mod anonymiser;
mod ask;
mod captured;
mod claim;
mod claims;
mod folder;
mod names;
mod patterns;
mod plan;
mod report;
mod response;
mod time;

pub use ask::{Asker, CaptureOptions};
pub use captured::{Captured, Written};
pub use claim::ClaimVerdict;
pub use folder::Folder;
pub use plan::most_calls;
pub use response::CapturedResponse;

use crate::config::{ApiToken, Upstream};
use crate::source::xml::ParserRules;
use anonymiser::Anonymiser;

/// Checks the claims and anonymises the responses, unless `raw` is requested.
pub fn judge(
    answers: Vec<CapturedResponse>,
    rules: &std::sync::Arc<ParserRules>,
    upstream: &Upstream,
    token: &ApiToken,
    raw: bool,
) -> anyhow::Result<Captured> {
    let mut report = report::report(&answers, rules);
    let mut anonymiser = Anonymiser::new(&upstream.base_url, token.expose())?;
    if raw {
        return Ok(Captured {
            report,
            answers: answers.into_iter().map(as_it_is).collect(),
        });
    }
    for answer in &answers {
        anonymiser.learn(answer);
    }
    anonymiser.search()?;
    report.change_texts(|text| anonymiser.text(text));
    let answers = answers
        .into_iter()
        .map(|answer| anonymised(answer, &mut anonymiser))
        .collect();
    Ok(Captured { report, answers })
}

fn as_it_is(response: CapturedResponse) -> Written {
    let whole = (!response.is_cut).then(|| response.bytes.clone());
    let cut = || response.text.as_deref().map(|text| response.encoded(text));
    Written {
        headers: response.headers.clone(),
        // A body that cannot be cut at a record is written as received.
        body: Some(whole.or_else(cut).unwrap_or_else(|| response.bytes.clone())),
        response,
    }
}

fn anonymised(mut response: CapturedResponse, anonymiser: &mut Anonymiser) -> Written {
    let headers = response
        .headers
        .iter()
        .map(|(name, value)| {
            let replaced = anonymiser.header(name, value);
            (anonymiser.header_name(name), replaced)
        })
        .collect();
    let body = anonymiser
        .body(&response)
        .map(|text| response.encoded(&text));
    response.target = anonymiser.text(&response.target);
    response.error = response.error.map(|error| anonymiser.text(&error));
    Written {
        headers,
        body: body.or_else(|| response.bytes.is_empty().then(Vec::new)),
        response,
    }
}
